//! Recognises ticks in which no rule can fire, with a few integer comparisons.
//!
//! Most ticks of most jobs hold because no rule is near its threshold. After each trade the thresholds are computed
//! once, on the safe side: within them the domain's rules are known to hold, with a known reason. Everything else, such
//! as a price near a threshold, is left to the rules, so that a run with this shortcut and a run without it agree in
//! every tick (`shortcuts_change_nothing`).

use std::num::NonZero;

use rust_decimal::{Decimal, prelude::ToPrimitive};

use super::{
    current::Current,
    glance::{Glance, MARGIN_BITS, UNITS_MAX, exact_units, micros, share, units_below},
    still::Still,
    trails::{Highs, Stops},
};
use crate::domain::{
    Timestamp, accumulate,
    config::{AccumulateConfig, JobConfig, LiquidityConfig, Rules},
    decision::{HoldReason, LastFills, Position},
    liquidity::{self, COVERAGE_PCT_MIN},
    price::JUMP_MEMORY,
    samples::{High, Samples, Sum},
    span::Span,
    stops,
    units::{Price, Rounding, Usd},
};

/// A mean of fewer units than this may be rounded by more than the margin.
const MEAN_UNITS_MIN: u128 = 1_000_000_000;

/// One, in millionths.
const MILLION: u128 = 1_000_000;

/// Bounds within which a price is accepted without further checks.
#[derive(Debug)]
pub(super) struct Belief {
    /// Maximum age of a fresh row.
    age_micros: i64,
    /// Maximum move from the last price that is no jump, in millionths; `None`: jumps are not checked.
    move_ppm: Option<u128>,
    /// A move of the price shifted by this is certainly within it.
    move_bits: u32,
}

impl Belief {
    pub(super) fn new(config: &JobConfig, stands_for: Span) -> Self {
        let most = config.price.max_price_move_pct;
        // A hundredth below the limit is certainly allowed.
        let ppm = most
            .checked_mul(Decimal::from(9_900))
            .and_then(|ppm| ppm.to_u128());
        let ppm = ppm.unwrap_or(0);
        Self {
            age_micros: micros(stands_for.max(config.price.max_price_age)),
            move_ppm: (!most.is_zero()).then_some(ppm),
            move_bits: (0..=20)
                .find(|bits| ppm.saturating_mul(1 << bits) >= MILLION)
                .unwrap_or(u128::BITS - 1),
        }
    }

    /// Whether the row is young enough.
    pub(super) const fn is_fresh(&self, glance: Glance) -> bool {
        glance.slot - glance.at <= self.age_micros
    }

    /// Narrows a hold to prices that are certainly accepted one after the other, this one first.
    pub(super) fn narrow(&self, still: &mut Still, glance: Glance) {
        if self.move_ppm.is_some() {
            still.only_near(glance, self.move_bits);
        }
    }

    /// Whether the row is certainly accepted after the last accepted price.
    pub(super) fn holds(&self, glance: Glance, last: Option<&Current>) -> bool {
        if glance.units == 0 || glance.units >= UNITS_MAX || !self.is_fresh(glance) {
            return false;
        }
        let (Some(ppm), Some(last)) = (self.move_ppm, last) else {
            return true;
        };
        // Without the last price as an integer, a jump cannot be recognised.
        let Some(units) = last.units.map(NonZero::get).filter(|units| *units < UNITS_MAX) else {
            return false;
        };
        let (move_of, from) = (glance.units.abs_diff(units), units.min(glance.units));
        // Most moves are far smaller than what is allowed, which a shift shows.
        move_of <= from >> self.move_bits
            || move_of * MILLION <= from * ppm
            || glance.at - last.micros > JUMP_MEMORY.num_microseconds().unwrap_or(i64::MAX)
    }
}

/// Conditions under which a job holds until its next trade.
#[derive(Debug)]
pub(super) enum Quiet {
    Accumulate(Accumulating),
    Liquidity(Balancing),
    /// Every tick is evaluated in full.
    Never,
}

#[derive(Debug)]
pub(super) struct Accumulating {
    window: i64,
    last_dip: i64,
    /// A dip is at most this share of the high; `None` if the rule is off. Numerator and denominator.
    dip: Option<(u128, u128)>,
    /// End of the take-profit cooldown, at any price.
    profit_cools: i64,
    /// Below this price take-profit does not fire.
    profit_from: u128,
    /// A take-profit whose goal was reached is at most this share of its high. Numerator and denominator.
    profit_trail: (u128, u128),
    stops: Stops,
    /// Until then nothing is bought after a stop.
    buys_from: i64,
    dca_from: i64,
    /// Below the first price, and above the second, nothing is bought.
    buys: (u128, u128),
    /// The position has reached its maximum cost: nothing is bought at any price.
    full: bool,
    countable: u128,
}

#[derive(Debug)]
pub(super) struct Balancing {
    window: i64,
    /// A mean needs samples over this share of the window. Numerator and denominator.
    coverage: (u128, u128),
    /// Spread in per cent, as a whole number over `scale`.
    spread: u128,
    hundred: u128,
    /// End of the spread cooldown.
    cools: i64,
    /// Between these prices the inventory is certainly within its band.
    band: Option<(u128, u128)>,
}

impl Quiet {
    pub(super) fn of(
        config: &JobConfig,
        started_at: Timestamp,
        last: &LastFills,
        position: &Position,
    ) -> Self {
        let quiet = match &config.rules {
            _ if last.backoff_until.is_some() => None,
            Rules::Accumulate(rules) => {
                Accumulating::of(rules, config, started_at, last, position).map(Self::Accumulate)
            }
            Rules::Liquidity(rules) => Balancing::of(rules, config, last, position).map(Self::Liquidity),
            // An order until it has ended; then nothing is evaluated any more. A basket has no backtest.
            Rules::Order(_) | Rules::Basket(_) => None,
        };
        quiet.unwrap_or(Self::Never)
    }

    /// Why this tick holds, if it certainly does, and how long it does so; the samples are then updated as by the full
    /// evaluation. So are the highs of a trailing stop and a trailing take-profit.
    pub(super) fn holds(
        &self,
        glance: Glance,
        new: High,
        samples: &mut Samples,
        highs: &mut Highs,
    ) -> Option<Still> {
        let still = match self {
            Self::Accumulate(quiet) => quiet.holds(glance, samples, *highs),
            Self::Liquidity(quiet) => quiet.holds(glance, samples).map(Still::once),
            Self::Never => None,
        }?;
        samples.keep(new, glance.at);
        for high in [&mut highs.stop, &mut highs.profit] {
            if let Some(high) = high.as_mut().filter(|high| high.units < new.units) {
                *high = new;
            }
        }
        Some(still)
    }
}

impl Accumulating {
    fn of(
        rules: &AccumulateConfig,
        config: &JobConfig,
        started_at: Timestamp,
        last: &LastFills,
        position: &Position,
    ) -> Option<Self> {
        // Every key by name, so that a new key does not compile until it is handled here.
        let AccumulateConfig {
            dca_amount_usd: _,
            dca_interval: _,
            dca_schedule: _,
            buy_above_usd,
            buy_below_usd,
            max_accumulation_usd,
            dip_buy_threshold_pct: _,
            dip_buy_multiplier: _,
            dip_window,
            dip_cooldown: _,
            take_profit_pct: _,
            take_profit_sell_pct: _,
            trailing_take_profit_pct,
            take_profit_cooldown: _,
            stop_loss_pct: _,
            stop_price_usd: _,
            trailing_stop_pct: _,
            trailing_arm_pct: _,
            stop_sells_pct: _,
            after_stop: _,
            stop_cooldown: _,
        } = rules;
        let dip = match accumulate::dip_floor_pct(rules).ok()? {
            Some(floor_pct) => Some(share(floor_pct)?),
            None => None,
        };
        let (profit_cools, profit_from) = profit(rules, config, last, position)?;
        let dca_from = accumulate::dca_due(rules, &config.schedule, last, started_at);
        let buys_from = stops::buys_again(rules, &config.schedule, last);
        let room = max_accumulation_usd.checked_sub(position.cost_basis).ok()?;
        Some(Self {
            window: micros(*dip_window),
            last_dip: last.dip.map_or(i64::MIN, |at| at.timestamp_micros()),
            dip,
            profit_cools,
            profit_from,
            profit_trail: share(Decimal::ONE_HUNDRED.checked_sub(*trailing_take_profit_pct)?)?,
            stops: Stops::of(rules, last, position)?,
            buys_from: buys_from.map_or(i64::MIN, |at| at.timestamp_micros()),
            dca_from: dca_from.map_or(i64::MAX, |at| at.timestamp_micros()),
            buys: (
                exact_units(*buy_above_usd, 0)?,
                exact_units(*buy_below_usd, u128::MAX)?,
            ),
            full: !room.is_positive(),
            countable: countable(position)?,
        })
    }

    fn holds(&self, glance: Glance, samples: &mut Samples, highs: Highs) -> Option<Still> {
        let mut still = self.buys_nothing(glance)?;
        self.stops.are_quiet(glance, highs.stop, &mut still)?;
        match highs.profit {
            Some(high) => still.only_above_share(glance, self.profit_trail, high.units?)?,
            None if glance.units < self.profit_from => still.only_below(self.profit_from),
            None if glance.slot < self.profit_cools => still.only_until(self.profit_cools),
            None => return None,
        }
        let since = glance.at.saturating_sub(self.window).max(self.last_dip);
        let high = samples.high_since(since);
        if let Some(share) = self.dip {
            // If the price itself is the high, it is no dip: the share is below one. A high that leaves the window
            // leaves a lower one.
            let high = high.map_or(Some(glance.units), |high| high.units)?;
            still.only_above_share(glance, share, high)?;
        }
        still.only_up_to_high(glance, highs.stop)?;
        // Samples that left the window have to be dropped now and then.
        still.only_until(glance.slot.saturating_add(self.window));
        Some(still)
    }

    /// Why nothing is bought but a dip.
    fn buys_nothing(&self, glance: Glance) -> Option<Still> {
        let (least, most) = self.buys;
        if glance.slot < self.dca_from {
            let mut still = Still::always(HoldReason::NotDue);
            still.only_until(self.dca_from);
            return Some(still);
        }
        if glance.slot < self.buys_from {
            let mut still = Still::always(HoldReason::StopCooldown);
            still.only_until(self.buys_from);
            return Some(still);
        }
        let mut still = Still::always(HoldReason::PriceBand);
        if glance.units < least {
            still.only_below(least);
        } else if glance.units > most {
            still.only_above(most);
        } else if self.full && glance.units < self.countable {
            still = Still::always(HoldReason::MaxAccumulation);
            still.only_above(least.saturating_sub(1));
            still.only_below(most.saturating_add(1).min(self.countable));
        } else {
            return None;
        }
        Some(still)
    }
}

/// End of the take-profit cooldown, and the price from which it may then fire.
fn profit(
    rules: &AccumulateConfig,
    config: &JobConfig,
    last: &LastFills,
    position: &Position,
) -> Option<(i64, u128)> {
    let Some(goal_pct) = accumulate::profit_goal_pct(rules, position).ok()? else {
        return Some((i64::MIN, u128::MAX));
    };
    // Rounded down everywhere: below this, the value is below the goal.
    let goal = position.cost_basis.percent(goal_pct, Rounding::Down).ok()?;
    let mut from = Price::of(goal, position.token_balance, position.token_decimals).ok()?;
    let cools = accumulate::profit_again(rules, &config.schedule, last);
    if let Some(step) = accumulate::profit_step(position, last) {
        let again = Usd::rounded(step.decimal(), Rounding::Down).percent(goal_pct, Rounding::Down);
        if let Some(again) = again.ok().and_then(|again| Price::new(again.decimal()).ok()) {
            from = from.max(again);
        }
    }
    let from = units_below(from)?;
    let cools = cools.map_or(i64::MIN, |from| from.timestamp_micros());
    Some((cools, from.saturating_sub(from >> MARGIN_BITS)))
}

/// Up to this price the holding's value is in range: at most a million times a billion USD.
fn countable(position: &Position) -> Option<u128> {
    // Less than about 2^25 whole tokens, at the highest price of a glance, are not worth as much.
    let small = usize::from(position.token_decimals) * 3_321 / 1_000 + 25;
    if position.token_balance.units().bit_len() <= small {
        return Some(UNITS_MAX);
    }
    let most = Usd::rounded(Decimal::from(1_000_000_000_000_000_u64), Rounding::Down);
    let price = Price::of(most, position.token_balance, position.token_decimals).ok()?;
    units_below(price).map(|units| units.min(UNITS_MAX))
}

impl Balancing {
    fn of(
        rules: &LiquidityConfig,
        config: &JobConfig,
        last: &LastFills,
        position: &Position,
    ) -> Option<Self> {
        // Every key by name, so that a new key does not compile until it is handled here.
        let LiquidityConfig {
            budget_usd: _,
            spread_pct,
            spread_trade_usd: _,
            spread_cooldown: _,
            support_buy_multiplier: _,
            support_dip_pct: _,
            target_ratio_pct: _,
            rebalance_threshold_pct: _,
            ma_window,
            max_daily_volume_usd: _,
        } = rules;
        let (spread, hundred) = share(*spread_pct)?;
        let cools = liquidity::spread_again(rules, &config.schedule, last);
        Some(Self {
            window: micros(*ma_window),
            coverage: share(COVERAGE_PCT_MIN)?,
            spread,
            hundred,
            cools: cools.map_or(i64::MIN, |from| from.timestamp_micros()),
            band: band(rules, position),
        })
    }

    fn holds(&self, glance: Glance, samples: &mut Samples) -> Option<HoldReason> {
        let (weighted, held) = samples.weighted_until(glance.at)?;
        // The high is not used, but expired samples must still be dropped.
        samples.high_since(glance.at.saturating_sub(self.window));
        let held = u128::try_from(held).ok().filter(|held| *held > 0)?;
        let window = u128::from(self.window.unsigned_abs());
        let (least, whole) = self.coverage;
        if held * whole < window * least {
            return Some(HoldReason::MovingAverageCoverage);
        }
        let Sum::Short(weighted) = weighted else {
            return None;
        };
        let mean = weighted / held;
        if !(MEAN_UNITS_MIN..UNITS_MAX).contains(&mean) {
            return None;
        }
        let (low, high) = self.band?;
        if glance.units < low || glance.units > high {
            return None;
        }
        let price = glance.units * self.hundred;
        let (below, above) = (
            mean * (self.hundred - self.spread),
            mean * (self.hundred + self.spread),
        );
        let margin = price >> MARGIN_BITS;
        if price >= below + margin && price + margin <= above {
            Some(HoldReason::InBalance)
        } else if glance.slot < self.cools && (price + margin < below || price > above + margin) {
            Some(HoldReason::SpreadCooldown)
        } else {
            None
        }
    }
}

/// Prices between which the token's share of the inventory is certainly within the band.
fn band(rules: &LiquidityConfig, position: &Position) -> Option<(u128, u128)> {
    let edges = liquidity::band(rules).ok()?;
    let quote = position.quote_value(Rounding::Down).ok()?;
    if quote < Usd::rounded(Decimal::ONE, Rounding::Down) || position.token_balance.is_zero() {
        return None;
    }
    // The token value at which its share is `percent` per cent: quote * percent / (100 - percent).
    let worth = |percent: Decimal, margin: Decimal| -> Option<Usd> {
        let rest = Decimal::ONE_HUNDRED.checked_sub(percent)?;
        let worth = quote.decimal().checked_mul(percent)?.checked_div(rest)?;
        Some(Usd::rounded(worth.checked_mul(margin)?, Rounding::Down))
    };
    let at = |worth: Usd| -> Option<u128> {
        let price = Price::of(worth, position.token_balance, position.token_decimals).ok()?;
        units_below(price).filter(|units| *units >= MEAN_UNITS_MIN)
    };
    let low = if edges.lowest_pct > Decimal::ZERO {
        let worth = worth(edges.lowest_pct, Decimal::new(1_000_001, 6))?;
        // Below a cent the twelfth digit becomes significant.
        if worth < Usd::rounded(Decimal::new(1, 2), Rounding::Down) {
            return None;
        }
        at(worth)?.saturating_add(1)
    } else {
        0
    };
    let high = if edges.highest_pct < Decimal::ONE_HUNDRED {
        at(worth(edges.highest_pct, Decimal::new(999_999, 6))?)?
    } else {
        UNITS_MAX
    };
    Some((low, high.min(countable(position)?)))
}
