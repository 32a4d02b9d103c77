//! Takes a plan through quotes and limits.

use std::collections::HashMap;

use futures::join;

use crate::engine::{
    checks::{halted, open_purse, quoting, swap_request, too_expensive},
    core::Engine,
    error::EngineError,
    facts::Priced,
};
use crate::{
    domain::{
        costs::{GasPrice, Purse, fair_out, gas_cost, gas_paid, less_than_a_unit, quoted},
        decision::{Facts, HoldReason, Plan, Reason},
        job::Account,
        limits::{self, ApprovedPlan, Quoted},
        liquidate,
        onchain::{Asset, Quote},
        units::Amount,
    },
    ports::{Market, QuoteError},
    store::{StoreError, dust, jobs::Job, orders, room, sales::RoundTripRow},
};

/// Maximum number of sizes of a reverting liquidation in one tick: each is simulated in several pools. The next tick
/// begins where this one ended.
const SIZES_MAX: u32 = 6;

/// Why nothing is left to sell of what the ledger counts.
const MISSING: &str = "the wallet holds none of it any more: the position is written down as soon as no trade of the job \
                       can be reorged out any more";

/// What the limits decide about a plan.
pub(in crate::engine) enum Approval {
    /// The plan, and what a buy and a sale after it were tried to cost.
    Approved(ApprovedPlan, Option<RoundTripRow>),
    Refused(Refusal),
}

/// Why a plan is not traded.
pub(in crate::engine) struct Refusal {
    pub(in crate::engine) reason: HoldReason,
    pub(in crate::engine) detail: Option<String>,
}

impl Refusal {
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
    /// A smaller sale that was not tried any more.
    next: Option<Plan>,
    /// All that the ledger counts was tried after a part of it was too little.
    grown: bool,
}

/// What stays the same for every size of a plan.
struct Terms<'a> {
    job: &'a Job,
    facts: &'a Facts,
    /// What open trades of the wallet have reserved.
    reserved: HashMap<Asset, Amount>,
    gas_price: GasPrice,
}

/// The answers to a plan of one size.
enum Asked {
    /// It is worth less than one unit of what comes in; nobody was asked.
    LessThanAUnit,
    /// The key's policy refuses it; nobody was asked.
    Refused(String),
    /// What the wallet can pay, and what the venue gives.
    Quoted {
        purse: Purse,
        quote: Result<Quote, QuoteError>,
    },
}

/// Why no plan may be traded on this chain now.
async fn not_now(priced: &Priced, market: &Market) -> Result<Option<Refusal>, EngineError> {
    let (head, disagreement) = join!(market.chain.head(), market.chain.disagreement());
    if let Some((reason, detail)) = halted(market, head?, priced.tick.now) {
        return Ok(Some(Refusal::because(reason, detail)));
    }
    Ok(disagreement.map(|detail| Refusal::because(HoldReason::NodesDisagree, detail)))
}

impl Engine {
    /// Quotes a plan and checks the limits; a liquidation that is too large for the market, or for its token, is made
    /// smaller until it fits or is dust.
    pub(in crate::engine) async fn approve(
        &self,
        priced: &Priced,
        facts: &Facts,
        mut plan: Plan,
        market: &Market,
    ) -> Result<Approval, EngineError> {
        let job = &priced.tick.job;
        let room = room::room(&self.pool, &job.account).await?;
        if let Some(reason) = room.halted {
            return Ok(Approval::Refused(Refusal::because(
                HoldReason::SignerHalted,
                reason,
            )));
        }
        let reserved = room.reserved;
        // Asked together: what they need of the chain shares round trips.
        let (refusal, fees, native, quoted) = join!(
            not_now(priced, market),
            market.chain.fees(),
            market.chain.usd_price(Asset::Native),
            self.ask(job, &plan, market, &reserved)
        );
        if let Some(refusal) = refusal? {
            return Ok(Approval::Refused(refusal));
        }
        let fees = fees?;
        if let Some(detail) = too_expensive(market, fees) {
            return Ok(Approval::Refused(Refusal::because(
                HoldReason::GasTooExpensive,
                detail,
            )));
        }
        let terms = Terms {
            job,
            facts,
            reserved,
            gas_price: GasPrice {
                fees,
                native: native?.price,
            },
        };
        let mut tries = Tries::default();
        let mut asked = quoted?;
        let approval = loop {
            match self.try_plan(&terms, plan, asked, market, &mut tries).await? {
                Trial::Decided(approval) => break approval,
                Trial::Resized(other) => plan = other,
            }
            asked = self.ask(job, &plan, market, &terms.reserved).await?;
        };
        if let Some(liquidation) = job.liquidation.filter(|_| plan.reason == Reason::Liquidate) {
            let size = match &approval {
                // Every part that is worth its gas reverts: the next tick begins with all of it again.
                Approval::Refused(_) => tries.next.map(|next| next.amount_in),
                Approval::Approved(..) if tries.reverts > 0 => Some(plan.amount_in),
                Approval::Approved(..) => liquidation.at_most(),
            };
            if size != liquidation.at_most() {
                orders::remember_size(&self.pool, job, size).await?;
            }
        }
        Ok(approval)
    }

    /// What open trades and withdrawals may still take out of a wallet, by asset.
    pub(in crate::engine) async fn reserved(
        &self,
        account: &Account,
    ) -> Result<HashMap<Asset, Amount>, StoreError> {
        Ok(room::room(&self.pool, account).await?.reserved)
    }

    /// What the wallet can pay for a plan, and what the venue gives for it.
    async fn ask(
        &self,
        job: &Job,
        plan: &Plan,
        market: &Market,
        reserved: &HashMap<Asset, Amount>,
    ) -> Result<Asked, EngineError> {
        let request = swap_request(job, plan.side, plan.amount_in, plan.value, plan.price)?;
        if request.amount_out_fair.is_zero() {
            return Ok(Asked::LessThanAUnit);
        }
        // Nothing is quoted, frozen or failed that would not be signed.
        if let Err(refused) = market.signer.permits(&request).await {
            return Ok(Asked::Refused(refused.detail));
        }
        let (purse, quote) = join!(
            open_purse(market, &request, reserved),
            market.venue.quote(&request)
        );
        Ok(Asked::Quoted { purse: purse?, quote })
    }

    async fn try_plan(
        &self,
        terms: &Terms<'_>,
        plan: Plan,
        asked: Asked,
        market: &Market,
        tries: &mut Tries,
    ) -> Result<Trial, EngineError> {
        let Terms { job, facts, .. } = *terms;
        let (purse, quote) = match asked {
            Asked::LessThanAUnit => return self.less_than_a_unit(job, plan, facts, tries).await,
            Asked::Refused(detail) => return Ok(Refusal::because(HoldReason::PolicyRefused, detail).into()),
            Asked::Quoted { purse, quote } => (purse, quote),
        };
        if plan.reason == Reason::Liquidate && purse.token_in < plan.amount_in {
            if let Some(detail) = self.written_down(job, market, &terms.reserved).await? {
                return Ok(Refusal::because(HoldReason::JobChanged, detail).into());
            }
            // The wallet lost tokens that the ledger still counts: sell what it holds.
            return Ok(match liquidate::within_wallet(plan, purse.token_in, facts)? {
                Some(smaller) => Trial::Resized(smaller),
                None => Refusal::because(HoldReason::InsufficientBalance, MISSING.to_owned()).into(),
            });
        }
        match quote {
            Ok(quote) => self.check(terms, plan, &quote, purse).await,
            // A part of a liquidation may still find liquidity, or pass a token's limit on the size of a transfer.
            // Without a quote, its gas is the maximum that is allowed.
            Err(error) => {
                let refusal = Refusal::unquoted(&error);
                tries.reverts += u32::from(refusal.reason == HoldReason::SimulationFailed);
                let gas = job.config.limits.max_gas_usd;
                let part = liquidate::split(plan, refusal.reason, tries.reverts, gas, facts)?;
                Ok(match part {
                    Some(part) if tries.reverts < SIZES_MAX => Trial::Resized(part),
                    part => {
                        tries.next = part;
                        refusal.into()
                    }
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
                if let Some((reason, detail)) = self.refereed(job, &plan, quote.amount_out).await {
                    return Ok(Refusal::because(reason, detail).into());
                }
                let trip = round_trip(&plan, quote, &quoted, terms.gas_price)?;
                return Ok(Trial::Decided(Approval::Approved(approved, trip)));
            }
            Err(reason) => reason,
        };
        Ok(match liquidate::split(plan, reason, 0, quoted.gas_usd, facts)? {
            Some(half) => Trial::Resized(half),
            None => {
                let detail = limits::figures(reason, &plan, &job.config, &quoted);
                Refusal { reason, detail }.into()
            }
        })
    }
}

/// What a quoted buy and a sale after it cost, for the owner; `None` where no sale was tried. An L2 takes as much for
/// the sale's data as for the buy's, or a little more.
fn round_trip(
    plan: &Plan,
    quote: &Quote,
    quoted: &Quoted,
    gas_price: GasPrice,
) -> Result<Option<RoundTripRow>, EngineError> {
    let Some(trip) = quote.round_trip else {
        return Ok(None);
    };
    let GasPrice { fees, native } = gas_price;
    let (_, sale) = gas_cost(trip.sale_gas_units, fees, native)?;
    let sale = sale.checked_add(gas_paid(quote.data_fee, native)?)?;
    Ok(Some(RoundTripRow {
        amount_usd: plan.value,
        lost_bps: trip.lost_bps,
        kept: quote.kept,
        impact_bps: quote.price_impact_bps,
        buy_gas_usd: quoted.gas_usd,
        gas_usd: quoted.gas_usd.checked_add(sale)?,
    }))
}
