//! Whether the tokens of live jobs can still be sold: checked with every buy, and by a dry sale once a day.

use crate::engine::{checks::swap_request, core::Engine, error::EngineError, facts::Priced};
use crate::{
    domain::{bounds, decision::Side, job::Realm, units::Rounding},
    ports::QuoteError,
    store::{
        jobs::Job,
        sales::{self, RoundTripRow},
    },
    telemetry::job_line,
};

impl Engine {
    /// Records whether a buy proved that the tokens can be sold; `refused` says why they cannot.
    pub(in crate::engine) async fn note_sale(
        &self,
        job: &Job,
        refused: Option<&str>,
        trip: Option<&RoundTripRow>,
    ) -> Result<(), EngineError> {
        if job.account.realm != Realm::Live {
            return Ok(());
        }
        match refused {
            None => sales::proven(&self.pool, job.id, trip).await?,
            // Nothing is held, so nothing is lost.
            Some(_) if job.position.token_balance.is_zero() => {}
            Some(why) => {
                if sales::failed(&self.pool, job.id, why).await? {
                    job_line!(error, job, why, "what this job holds cannot be sold");
                }
            }
        }
        Ok(())
    }

    /// Simulates a sale of all that a live job holds, once a day. An error harms no tick.
    pub(in crate::engine) async fn dry_sale(&self, priced: &Priced) {
        let job = &priced.tick.job;
        let holds = job.account.realm == Realm::Live && !job.position.token_balance.is_zero();
        if !holds || !self.dry_sales.may_be_due(job.id) {
            return;
        }
        if let Err(error) = self.try_dry_sale(priced).await {
            job_line!(warn, job, %error, "the dry sale of today could not be made");
        }
    }

    async fn try_dry_sale(&self, priced: &Priced) -> Result<(), EngineError> {
        let (job, price) = (&priced.tick.job, priced.accepted.price);
        let market = self.markets.market(&job.account).await?;
        if !sales::claim(&self.pool, job.id).await? {
            return Ok(());
        }
        let all = job.position.token_balance;
        let value = job.position.token_value(price, Rounding::Down)?;
        let request = swap_request(job, Side::Sell, all, value, price)?;
        if request.amount_out_fair.is_zero() {
            // Worth less than one unit of the quote token: no venue gives anything for it, and that says nothing of it.
            return Ok(());
        }
        let limits = &job.config.limits;
        match market.venue.quote(&request).await {
            Ok(quote) if quote.kept.bps() > limits.max_pool_fee_bps => {
                let why = format!(
                    "{} of a sale of all {all} that is held would be kept, limits.max_pool_fee_bps is {}",
                    quote.kept, limits.max_pool_fee_bps
                );
                self.note_sale(job, Some(&why), None).await
            }
            Ok(quote) => {
                let said = limits.max_round_trip_loss_bps;
                let allowed = bounds::round_trip_allowed(said, quote.kept, quote.kept);
                let lost = bounds::loss_bps(request.amount_out_fair, quote.amount_out);
                if lost <= bounds::losses_together(allowed, quote.explained_bps) {
                    return self.note_sale(job, None, None).await;
                }
                let impact = quote.explained_bps;
                let why = format!(
                    "a sale of all {all} that is held loses {lost} bps of its price, {allowed} are allowed \
                     (limits.max_round_trip_loss_bps) and the pool's price explains {impact}"
                );
                self.note_sale(job, Some(&why), None).await
            }
            Err(
                error @ (QuoteError::Reverts(_) | QuoteError::NoLiquidity(_) | QuoteError::Unsellable(_)),
            ) => self.note_sale(job, Some(&error.to_string()), None).await,
            Err(error) => {
                sales::look_again(&self.pool, job.id).await?;
                Err(error.into())
            }
        }
    }
}
