//! Takes a plan through quotes and limits.

use std::collections::HashMap;

use super::{
    checks::{halted, open_purse, quoting, swap_request, too_expensive},
    core::Engine,
    error::EngineError,
    facts::Priced,
};
use crate::{
    domain::{
        costs::{GasPrice, Purse, fair_out, less_than_a_unit, quoted},
        decision::{Facts, HoldReason, Plan, Reason},
        job::Account,
        limits::{self, ApprovedPlan, Quoted},
        liquidate,
        onchain::{Asset, Quote},
        units::Amount,
    },
    ports::{Market, QuoteError},
    store::{StoreError, dust, jobs::Job, signers},
};

/// Maximum number of times that a reverting liquidation is halved in one tick: each half is simulated in several pools.
const HALVES_MAX: u32 = 6;

/// What the limits decide about a plan.
pub(super) enum Approval {
    Approved(ApprovedPlan),
    Refused(Refusal),
}

/// Why a plan is not traded.
pub(super) struct Refusal {
    pub(super) reason: HoldReason,
    pub(super) detail: Option<String>,
}

impl Refusal {
    const fn plain(reason: HoldReason) -> Self {
        Self { reason, detail: None }
    }

    const fn because(reason: HoldReason, detail: String) -> Self {
        Self {
            reason,
            detail: Some(detail),
        }
    }

    fn unquoted(error: &QuoteError) -> Self {
        let reason = match error {
            QuoteError::NoLiquidity(_) => HoldReason::NoLiquidity,
            QuoteError::Reverts(_) => HoldReason::SimulationFailed,
            QuoteError::Unsellable(_) => HoldReason::Unsellable,
            QuoteError::Disagrees(_) => HoldReason::QuoteDisagrees,
            QuoteError::DecimalsChanged(_) => HoldReason::DecimalsChanged,
            QuoteError::Rpc(_) => HoldReason::QuoteMissing,
        };
        Self::because(reason, error.to_string())
    }
}

/// The next step with a plan.
enum Trial {
    /// Decided.
    Decided(Approval),
    /// Another size of a liquidation is tried.
    Resized(Plan),
}

impl From<Refusal> for Trial {
    fn from(refusal: Refusal) -> Self {
        Self::Decided(Approval::Refused(refusal))
    }
}

/// What was tried with the sizes of one plan, so that an end is certain.
#[derive(Debug, Default)]
struct Tries {
    /// Sales that the venue's simulation refused.
    reverts: u32,
    /// All that the ledger counts was tried after a part of it was too little.
    grown: bool,
}

/// What stays the same for every size of a plan.
struct Terms<'a> {
    job: &'a Job,
    facts: &'a Facts,
    market: &'a Market,
    /// What open trades of the wallet have reserved.
    reserved: HashMap<Asset, Amount>,
    gas_price: GasPrice,
}

impl Engine {
    /// Quotes a plan and checks the limits; a liquidation that is too large for the market is halved until it fits or
    /// is dust.
    pub(super) async fn approve(
        &self,
        priced: &Priced,
        facts: &Facts,
        mut plan: Plan,
        market: &Market,
    ) -> Result<Approval, EngineError> {
        let job = &priced.tick.job;
        if let Some(refusal) = self.not_now(priced, market).await? {
            return Ok(Approval::Refused(refusal));
        }
        let reserved = self.reserved(&job.account).await?;
        let fees = market.chain.fees().await?;
        if let Some(detail) = too_expensive(market, fees) {
            return Ok(Approval::Refused(Refusal::because(
                HoldReason::GasTooExpensive,
                detail,
            )));
        }
        let native = market.chain.usd_price(Asset::Native).await?.price;
        let terms = Terms {
            job,
            facts,
            market,
            reserved,
            gas_price: GasPrice { fees, native },
        };
        let mut tries = Tries::default();
        loop {
            match self.try_plan(&terms, plan, &mut tries).await? {
                Trial::Decided(approval) => return Ok(approval),
                Trial::Resized(other) => plan = other,
            }
        }
    }

    /// Why no plan of this account may be traded now.
    async fn not_now(&self, priced: &Priced, market: &Market) -> Result<Option<Refusal>, EngineError> {
        let signer = signers::find(&self.pool, &priced.tick.job.account).await?;
        if let Some(reason) = signer.and_then(|signer| signer.halted) {
            return Ok(Some(Refusal::because(HoldReason::SignerHalted, reason)));
        }
        if let Some((reason, detail)) = halted(market, market.chain.head().await?, priced.tick.now) {
            return Ok(Some(Refusal::because(reason, detail)));
        }
        let disagreement = market.chain.disagreement().await;
        Ok(disagreement.map(|detail| Refusal::because(HoldReason::NodesDisagree, detail)))
    }

    /// What open trades and withdrawals may still take out of a wallet, by asset.
    pub(super) async fn reserved(&self, account: &Account) -> Result<HashMap<Asset, Amount>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        signers::reserved(&mut connection, account).await
    }

    async fn try_plan(&self, terms: &Terms<'_>, plan: Plan, tries: &mut Tries) -> Result<Trial, EngineError> {
        let Terms {
            job, facts, market, ..
        } = *terms;
        let request = swap_request(job, plan.side, plan.amount_in, plan.value, plan.price)?;
        if request.amount_out_fair.is_zero() {
            return self.less_than_a_unit(job, plan, facts, tries).await;
        }
        // Nothing is quoted, frozen or failed that would not be signed.
        if let Err(refused) = market.signer.permits(&request).await {
            return Ok(Refusal::because(HoldReason::PolicyRefused, refused.detail).into());
        }
        let purse = open_purse(market, &request, &terms.reserved).await?;
        if plan.reason == Reason::Liquidate && purse.token_in < plan.amount_in {
            // The wallet lost tokens that the ledger still counts: sell what it holds.
            return Ok(match liquidate::within_wallet(plan, purse.token_in, facts)? {
                Some(smaller) => Trial::Resized(smaller),
                None => Refusal::plain(HoldReason::InsufficientBalance).into(),
            });
        }
        match market.venue.quote(&request).await {
            Ok(quote) => self.check(terms, plan, &quote, purse).await,
            // Half of a liquidation may still find liquidity, or pass a token's limit on the size of a transfer.
            // Without a quote, its gas is the maximum that is allowed.
            Err(error) => {
                let refusal = Refusal::unquoted(&error);
                tries.reverts += u32::from(refusal.reason == HoldReason::SimulationFailed);
                let gas = job.config.limits.max_gas_usd;
                Ok(match liquidate::split(plan, refusal.reason, gas, facts)? {
                    Some(half) if tries.reverts < HALVES_MAX => Trial::Resized(half),
                    _ => refusal.into(),
                })
            }
        }
    }

    /// A plan that is worth less than one unit of what comes in: no venue can give anything for it. A liquidation
    /// continues with all that is left, once: the wallet may hold less than the ledger counts. If even all of it is
    /// worth less than a unit of the quote token, nobody can ever be paid for it, and it is written down; but never
    /// what is worth more than the gas that the job allows, whatever the price of the quote token.
    async fn less_than_a_unit(
        &self,
        job: &Job,
        plan: Plan,
        facts: &Facts,
        tries: &mut Tries,
    ) -> Result<Trial, EngineError> {
        let position = &facts.position;
        if plan.reason == Reason::Liquidate {
            let all = plan.resized(position.token_balance, facts)?;
            let payable = match all {
                Some(all) => !fair_out(all.side, all.value, all.price, position)?.is_zero(),
                None => false,
            };
            if let Some(all) = all.filter(|_| payable && !tries.grown) {
                tries.grown = true;
                return Ok(Trial::Resized(all));
            }
            if !payable
                && liquidate::is_dust(position, facts.price, job.config.limits.max_gas_usd)?
                && dust::write_off_dust(
                    &self.pool,
                    job,
                    "worth less than one base unit of the quote token",
                )
                .await?
            {
                let detail = "what was left is worth less than one base unit of the quote token: written down, the job is IDLE";
                return Ok(Refusal::because(HoldReason::Idle, detail.to_owned()).into());
            }
        }
        let detail = less_than_a_unit(&plan, position)?;
        Ok(Refusal::because(HoldReason::TooFewUnits, detail).into())
    }

    /// Checks a quoted plan against the limits.
    async fn check(
        &self,
        terms: &Terms<'_>,
        plan: Plan,
        quote: &Quote,
        purse: Purse,
    ) -> Result<Trial, EngineError> {
        let Terms { job, facts, .. } = *terms;
        let quoted: Quoted = quoted(quoting(job), &plan, quote, purse, terms.gas_price)?;
        // Gas above the job's limit is a hold, since it may fall again; a write-down is final.
        let allowed_gas = quoted.gas_usd.min(job.config.limits.max_gas_usd);
        if plan.reason == Reason::Liquidate
            && liquidate::is_dust(&facts.position, facts.price, allowed_gas)?
            && dust::write_off_dust(&self.pool, job, "worth less than the gas of selling it").await?
        {
            let detail = "what was left is worth less than its gas: written down, the job is IDLE";
            return Ok(Refusal::because(HoldReason::Idle, detail.to_owned()).into());
        }
        let reason = match limits::approve(plan, &job.config, &quoted) {
            Ok(approved) => {
                let objection = self.refereed(job, &plan, quote.amount_out).await;
                return Ok(match objection {
                    Some((reason, detail)) => Refusal::because(reason, detail).into(),
                    None => Trial::Decided(Approval::Approved(approved)),
                });
            }
            Err(reason) => reason,
        };
        Ok(match liquidate::split(plan, reason, quoted.gas_usd, facts)? {
            Some(half) => Trial::Resized(half),
            None => {
                let detail = limits::figures(reason, &plan, &job.config, &quoted);
                Refusal { reason, detail }.into()
            }
        })
    }
}
