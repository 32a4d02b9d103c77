//! A quote is compared with what aggregators know, where the job asks for it.

use crate::engine::core::Engine;
use crate::{
    domain::{
        decision::{HoldReason, Plan, Side},
        job::Realm,
        referees::{RefereeAction, object},
        units::Amount,
    },
    ports::RefereeSwap,
    store::jobs::Job,
    telemetry::job_line,
};

impl Engine {
    /// Why the job's referees keep this plan from trading; `None`: they do not. `out`: what our best route pays, base
    /// units. With paper money nobody is asked: its venue has a pool that no aggregator knows.
    pub(super) async fn refereed(&self, job: &Job, plan: &Plan, out: Amount) -> Option<(HoldReason, String)> {
        let venue = &job.config.venue;
        if venue.referees.is_empty() || job.account.realm != Realm::Live {
            return None;
        }
        let (token_in, token_out) = match plan.side {
            Side::Buy => (&job.quote, &job.token),
            Side::Sell => (&job.token, &job.quote),
        };
        let swap = RefereeSwap {
            chain: &job.account.chain,
            token_in: token_in.address,
            token_out: token_out.address,
            decimals: (token_in.decimals, token_out.decimals),
            amount_in: plan.amount_in,
        };
        let said = match &self.referees {
            Some(referees) => referees.ask(&venue.referees, &swap).await,
            None => {
                let nobody = |name| (name, Err("this process asks no referees".to_owned()));
                venue.referees.iter().copied().map(nobody).collect()
            }
        };
        let (reason, detail) = object(out, &said, venue.referee_bps)?;
        // A liquidation must be able to end, and a stop must not wait for a third party.
        if venue.referee_action == RefereeAction::Warn || plan.reason.gets_out(plan.side) {
            job_line!(warn, job, %reason, detail, "a referee objects; the job trades all the same");
            return None;
        }
        Some((reason, detail))
    }
}
