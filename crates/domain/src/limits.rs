//! What stands between a plan and a trade.

use alloy_primitives::U256;

use super::{
    accumulate, basket,
    bounds::{self, Worth},
    config::{JobConfig, LimitsConfig, OrderConfig, Rules, Trigger},
    decision::{Decision, Facts, HoldReason, Plan, Reason, Side},
    kept::Kept,
    liquidate::{self, Liquidation},
    liquidity,
    onchain::Launched,
    order,
    span::Span,
    stops::{self, StopState},
    units::{Amount, MoneyError, Price, Rounding, Usd},
};

/// What the venue and the wallet say about a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quoted {
    /// What the venue expects to pay out, base units of the incoming token.
    pub amount_out: Amount,
    /// Digits of one whole incoming token.
    pub out_decimals: u8,
    /// USD per whole incoming token, from the accepted price (or the quote token's price).
    pub out_price: Price,
    /// How far this trade itself moves the price, in basis points.
    pub price_impact_bps: u32,
    /// What pool, hook and token are proven to keep of it.
    pub kept: Kept,
    /// How old the pool is; `None`: not known, and long ago.
    pub launched: Option<Launched>,
    /// Expected gas cost of the whole trade, USD, rounded up.
    pub gas_usd: Usd,
    /// What the wallet can still spend of the outgoing token: balance - open reservations.
    pub available_in: Amount,
    /// Whether the wallet can pay the gas and keep `gas_reserve`.
    pub gas_affordable: bool,
}

/// Until then, what is kept of a swap in a new pool may be a tax of its launch.
const LAUNCH: Span = Span::from_secs(60 * 60);

impl Quoted {
    /// Whether what is kept may be a tax of the launch: the pool is new, and not its own fixed fee keeps it.
    fn may_fall(&self) -> bool {
        let own = Kept::by_pool(self.kept.pool());
        let beyond = self.kept.bps() > own.bps();
        self.launched
            .is_some_and(|launched| launched.age < LAUNCH && (launched.hooked || beyond))
    }
}

/// A plan that passed every limit. Only [`approve`] makes one, and the store accepts nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApprovedPlan {
    plan: Plan,
    amount_out_expected: Amount,
    amount_out_min: Amount,
}

impl ApprovedPlan {
    /// The plan as approved.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What the quote promised, base units.
    #[must_use]
    pub const fn amount_out_expected(&self) -> Amount {
        self.amount_out_expected
    }

    /// The floor: no re-quote ever goes below it, base units.
    #[must_use]
    pub const fn amount_out_min(&self) -> Amount {
        self.amount_out_min
    }
}

/// What the rules of the job's mode and its limits say together: the first rule in order whose plan no limit
/// refuses. This is what an engine asks while a job runs; it then takes the plan to [`approve`].
#[must_use]
pub fn decide(config: &JobConfig, facts: &Facts) -> Decision {
    let limit = |plan| clip(plan, config, facts);
    match &config.rules {
        Rules::Accumulate(rules) => accumulate::decide_within(rules, &config.schedule, facts, limit),
        Rules::Liquidity(rules) => liquidity::decide_within(rules, &config.schedule, facts, limit),
        Rules::Order(rules) => order::decide_within(rules, &config.schedule, facts, limit),
        Rules::Basket(rules) => basket::decide_within(rules, &config.limits, facts, limit),
    }
}

/// Whether a stop of this job should sell now. If the decision is a hold all the same, something keeps it from that.
#[must_use]
pub fn stop_is_due(liquidation: Option<&Liquidation>, config: &JobConfig, facts: &Facts) -> bool {
    match &config.rules {
        Rules::Accumulate(rules) if liquidation.is_none() => {
            let state = stops::state(rules, &config.schedule, facts);
            matches!(state, Ok(StopState::Due(_)))
        }
        Rules::Order(rules) if liquidation.is_none() => order::stop_is_due(rules, &config.schedule, facts),
        Rules::Accumulate(_) | Rules::Liquidity(_) | Rules::Order(_) | Rules::Basket(_) => false,
    }
}

/// The high that a job's trailing take-profit is measured from, to be remembered after a tick.
#[must_use]
pub fn remembered_profit_high(config: &JobConfig, facts: &Facts) -> Option<Price> {
    accumulate::remembered_profit_high(config.rules.accumulate()?, &config.schedule, facts)
}

/// The high that a job's trailing stop is measured from, or the best price of an order that trails, to be remembered
/// after a tick that traded `plan`, or held.
#[must_use]
pub fn remembered_high(config: &JobConfig, facts: &Facts, plan: Option<&Plan>) -> Option<Price> {
    match &config.rules {
        Rules::Accumulate(rules) => stops::remembered_high(rules, facts, plan),
        Rules::Liquidity(_) | Rules::Basket(_) => None,
        Rules::Order(rules) => order::remembered_best(rules, facts),
    }
}

/// The same for a job that may be liquidating: then its liquidation speaks instead of its rules.
#[must_use]
pub fn decide_job(liquidation: Option<&Liquidation>, config: &JobConfig, facts: &Facts) -> Decision {
    let Some(liquidation) = liquidation else {
        return decide(config, facts);
    };
    match liquidate::decide(liquidation, facts) {
        Decision::Trade(plan) => match clip(plan, config, facts) {
            Ok(plan) => Decision::Trade(plan),
            Err(reason) => Decision::Hold(reason),
        },
        hold @ Decision::Hold(_) => hold,
    }
}

/// Limits that need no quote. Trades an hour and the minimum refuse a plan. What the job owns, the largest
/// position, the day's spend and the day's volume clip it to what they leave, and refuse it if that is less
/// than `min_trade_usd`. Never makes a plan larger; clipping twice is clipping once.
///
/// A liquidation and a stop are held only to what the job owns: it must be possible to get out.
///
/// # Errors
/// The [`HoldReason`] of the first limit that refuses.
pub fn clip(plan: Plan, config: &JobConfig, facts: &Facts) -> Result<Plan, HoldReason> {
    if plan.reason.gets_out(plan.side) {
        return within_balance(plan, facts);
    }
    let limits = &config.limits;
    let spent = &facts.spent;
    if limits.max_trades_per_hour > 0 && spent.trades_last_hour >= limits.max_trades_per_hour {
        return Err(HoldReason::TradesPerHour);
    }
    let gate = Gate { limits, facts };
    gate.require_min_trade(plan, HoldReason::BelowMinTrade)?;
    let mut plan = gate.require_min_trade(within_balance(plan, facts)?, HoldReason::InsufficientBalance)?;
    if plan.side == Side::Buy {
        let value = facts.position.token_value(facts.price, Rounding::Up);
        let value = value.and_then(|value| value.checked_add(spent.unsettled_buys));
        let value = value.map_err(arithmetic)?;
        plan = gate.within(plan, limits.max_position_usd, value, HoldReason::MaxPosition)?;
        plan = gate.within(
            plan,
            limits.max_daily_spend_usd,
            spent.buys_today,
            HoldReason::DailySpend,
        )?;
    }
    match config.rules.max_daily_volume() {
        Some(most) => gate.within(plan, most, spent.volume_today, HoldReason::DailyVolume),
        None => Ok(plan),
    }
}

/// Clips a plan to what the job owns of the outgoing token.
fn within_balance(plan: Plan, facts: &Facts) -> Result<Plan, HoldReason> {
    let position = &facts.position;
    let owned = match plan.side {
        Side::Sell => position.token_balance,
        Side::Buy if position.owns_quote => position.quote_balance,
        Side::Buy => return Ok(plan),
    };
    if plan.amount_in <= owned {
        return Ok(plan);
    }
    plan.resized(owned, facts)
        .map_err(arithmetic)?
        .ok_or(HoldReason::InsufficientBalance)
}

struct Gate<'a> {
    limits: &'a LimitsConfig,
    facts: &'a Facts,
}

impl Gate<'_> {
    /// Clips a plan to what is left of `max` (0 = no limit) after `used`.
    fn within(&self, plan: Plan, max: Usd, used: Usd, reason: HoldReason) -> Result<Plan, HoldReason> {
        if max == Usd::ZERO {
            return Ok(plan);
        }
        let room = max.checked_sub(used).map_err(arithmetic)?;
        // A plan's value is rounded down, so only one strictly below the room surely fits it.
        if plan.value < room {
            return Ok(plan);
        }
        if !room.is_positive() {
            return Err(reason);
        }
        let (decimals, price) = plan.unit_in(self.facts);
        let amount = room
            .to_amount(decimals, price, Rounding::Down)
            .map_err(arithmetic)?;
        let clipped = plan.resized(amount.min(plan.amount_in), self.facts);
        self.require_min_trade(clipped.map_err(arithmetic)?.ok_or(reason)?, reason)
    }

    /// Refuses a plan below `min_trade_usd` with `reason`. One base unit is forgiven: a plan for exactly the
    /// minimum was rounded down to whole units.
    fn require_min_trade(&self, plan: Plan, reason: HoldReason) -> Result<Plan, HoldReason> {
        if plan.value >= self.limits.min_trade_usd {
            return Ok(plan);
        }
        let (decimals, price) = plan.unit_in(self.facts);
        let next_unit = plan
            .amount_in
            .checked_add(Amount::new(U256::from(1)))
            .and_then(|amount| amount.value(decimals, price, Rounding::Up))
            .map_err(arithmetic)?;
        if next_unit >= self.limits.min_trade_usd {
            Ok(plan)
        } else {
            Err(reason)
        }
    }
}

/// Limits that need the quote. The floor is what the accepted price implies, less what pool, hook and token are proven
/// to keep, less `max_slippage_bps`, rounded up: a manipulated quote cannot lower it, an expensive pool leaves no more
/// room to others than a cheap one, and a token of few decimals cannot round the loss of half a trade away. What is
/// kept has a limit of its own. A quote better than the price implies by more than `max_price_deviation_bps` is no
/// luck: the price or the digits are wrong, and so is the floor made of them. Liquidation is exempt from none of these;
/// [`super::liquidate::split`] makes it smaller instead.
///
/// # Errors
/// The [`HoldReason`] of the first limit that refuses.
pub fn approve(plan: Plan, config: &JobConfig, quoted: &Quoted) -> Result<ApprovedPlan, HoldReason> {
    let limits = &config.limits;
    let worth = worth(&plan, quoted);
    if quoted.amount_out.is_zero() {
        return Err(match worth.fair().map_err(arithmetic)?.is_zero() {
            true => HoldReason::TooFewUnits,
            false => HoldReason::NoLiquidity,
        });
    }
    if quoted.available_in < plan.amount_in {
        return Err(HoldReason::InsufficientBalance);
    }
    if !quoted.gas_affordable {
        return Err(HoldReason::InsufficientGas);
    }
    if quoted.gas_usd > limits.max_gas_usd {
        return Err(HoldReason::GasTooExpensive);
    }
    let least_age = config.venue.min_pool_age;
    if plan.side == Side::Buy && quoted.launched.is_some_and(|launched| launched.age < least_age) {
        return Err(HoldReason::YoungPool);
    }
    if quoted.kept.bps() > limits.max_pool_fee_bps {
        return Err(match quoted.may_fall() {
            true => HoldReason::LaunchTax,
            false => HoldReason::PoolFee,
        });
    }
    if quoted.price_impact_bps > limits.max_price_impact_bps {
        return Err(HoldReason::PriceImpact);
    }
    let most = worth
        .ceiling(config.price.max_price_deviation_bps)
        .map_err(arithmetic)?;
    if quoted.amount_out > most {
        return Err(HoldReason::QuoteDisagrees);
    }
    let amount_out_min = worth
        .floor(quoted.kept, limits.max_slippage_bps)
        .map_err(arithmetic)?;
    if quoted.amount_out < amount_out_min {
        return Err(match bounds::too_few_units(quoted.amount_out, amount_out_min) {
            true => HoldReason::TooFewUnits,
            false => HoldReason::Slippage,
        });
    }
    let amount_out_min = amount_out_min.max(limit_floor(&plan, config, quoted).map_err(arithmetic)?);
    if quoted.amount_out < amount_out_min {
        return Err(HoldReason::LimitPrice);
    }
    Ok(ApprovedPlan {
        plan,
        amount_out_expected: quoted.amount_out,
        amount_out_min,
    })
}

/// The least that an order with a limit takes, base units: what its price implies less `max_slippage_bps`. Fees of the
/// pool are no excuse. Zero for any other plan.
fn limit_floor(plan: &Plan, config: &JobConfig, quoted: &Quoted) -> Result<Amount, MoneyError> {
    let Some(Trigger::Limit(limit)) = config.rules.order().map(OrderConfig::trigger) else {
        return Ok(Amount::ZERO);
    };
    if plan.reason != Reason::LimitOrder {
        return Ok(Amount::ZERO);
    }
    let worth = worth(plan, quoted);
    let at_limit = match plan.side {
        Side::Buy => Worth {
            price: limit,
            ..worth
        },
        Side::Sell => {
            let value = plan.value.decimal().checked_mul(limit.decimal());
            let value = value.and_then(|value| value.checked_div(plan.price.decimal()));
            Worth {
                value: Usd::rounded(value.ok_or(MoneyError::OutOfRange)?, Rounding::Up),
                ..worth
            }
        }
    };
    at_limit.floor(Kept::by_pool(0), config.limits.max_slippage_bps)
}

/// What the plan is worth in what comes in.
const fn worth(plan: &Plan, quoted: &Quoted) -> Worth {
    Worth {
        value: plan.value,
        decimals: quoted.out_decimals,
        price: quoted.out_price,
    }
}

/// The numbers behind a refusal of [`approve`], for people; `None` where the reason says it all.
#[must_use]
pub fn figures(reason: HoldReason, plan: &Plan, config: &JobConfig, quoted: &Quoted) -> Option<String> {
    let limits = &config.limits;
    let whole = |amount: Amount| amount.to_whole(quoted.out_decimals);
    let worth = worth(plan, quoted);
    let fair = worth.fair().ok()?;
    let seen = whole(quoted.amount_out);
    match reason {
        HoldReason::Slippage => Some(format!(
            "{seen} would arrive and {} is fair: {} bps less than what is left of it after the {} that pool, hook and \
             token keep, limits.max_slippage_bps is {}",
            whole(fair),
            bounds::loss_bps(worth.floor(quoted.kept, 0).ok()?, quoted.amount_out),
            quoted.kept,
            limits.max_slippage_bps
        )),
        HoldReason::YoungPool => Some(format!(
            "the pool was made {} ago, venue.min_pool_age is {}",
            quoted.launched?.age, config.venue.min_pool_age
        )),
        HoldReason::LaunchTax => Some(format!(
            "{} of this trade would be kept {} after the pool was made, limits.max_pool_fee_bps is {}: a tax of the \
             launch falls with time, and then the job trades",
            quoted.kept, quoted.launched?.age, limits.max_pool_fee_bps
        )),
        HoldReason::PoolFee => Some(format!(
            "{} of this trade would be kept, limits.max_pool_fee_bps is {}: if you accept that, raise it with config \
             edit, or pin another pool with venue.pool",
            quoted.kept, limits.max_pool_fee_bps
        )),
        HoldReason::TooFewUnits => Some(format!(
            "{} USD buy {} units of {} USD each, of which {} whole ones would arrive: more than \
             limits.max_slippage_bps = {} is lost to rounding and fees",
            worth.in_cents(),
            hundredths(worth)?,
            worth.unit().ok()?,
            quoted.amount_out,
            limits.max_slippage_bps
        )),
        HoldReason::QuoteDisagrees => Some(format!(
            "{seen} would arrive and only {} is fair; price.max_price_deviation_bps is {}: the price or the pool is wrong",
            whole(fair),
            config.price.max_price_deviation_bps
        )),
        HoldReason::LimitPrice => Some(format!(
            "{seen} would arrive; order.limit_usd and limits.max_slippage_bps = {} allow no less than {}",
            limits.max_slippage_bps,
            whole(limit_floor(plan, config, quoted).ok()?)
        )),
        HoldReason::PriceImpact => Some(format!(
            "the trade moves the pool by {} bps, limits.max_price_impact_bps is {}",
            quoted.price_impact_bps, limits.max_price_impact_bps
        )),
        HoldReason::GasTooExpensive => Some(format!(
            "gas costs up to {} USD, limits.max_gas_usd is {}",
            quoted.gas_usd, limits.max_gas_usd
        )),
        _ => None,
    }
}

/// Units with two digits after the point, rounded down.
fn hundredths(worth: Worth) -> Option<String> {
    let units = worth
        .value
        .share_to_amount((100, 1), worth.decimals, worth.price, Rounding::Down);
    Some(units.ok()?.to_whole(2))
}

const fn arithmetic(_: MoneyError) -> HoldReason {
    HoldReason::Arithmetic
}
