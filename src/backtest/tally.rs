//! Statistics of a run: trades, holds, drawdown, waits, and chart data.

use rust_decimal::Decimal;
use strum::VariantArray;

use super::{
    armed::Ranges,
    drawdown::Valley,
    keep::Runs,
    money::Fee,
    result::{HoldTotal, Interval, NoRate, Point, ReasonTotal, RunResult, Summary, TradeLine},
    returns::{Flow, Flows},
    setup::Detail,
    thin::Thinned,
};
use crate::domain::{
    Timestamp,
    accounting::{Booked, Fill, average_cost, unrealized},
    decision::{Facts, HoldReason, Plan, Position, Reason, Side},
    figures::{PCT_DIGITS, Pocket, return_pct, value},
    units::{MoneyError, Price, Rounding, Usd},
};

const REASONS: usize = HoldReason::VARIANTS.len();

/// An executed trade.
#[derive(Debug)]
pub(super) struct FilledTrade {
    pub(super) fill: Fill,
    pub(super) booked: Booked,
    /// Effective USD per token.
    pub(super) price: Price,
}

/// What a tick saw.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Accepted.
    pub(super) price: Price,
    /// Of the samples, if the rules want one.
    pub(super) average: Option<Price>,
    /// The highest price at which an armed stop sells, for charts.
    pub(super) stop: Option<Price>,
}

impl Seen {
    pub(super) const fn alone(price: Price) -> Self {
        Self {
            price,
            average: None,
            stop: None,
        }
    }

    pub(super) fn of(facts: &Facts) -> Self {
        Self {
            price: facts.price,
            average: facts.moving_average.map(|mean| mean.price),
            stop: None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Tally {
    summary: Summary,
    holds: [u64; REASONS],
    /// The first and the last slot, microseconds since 1970.
    slots: Option<(i64, i64)>,
    pocket: Pocket,
    /// What a job of mode liquidity is given at its start, or what the tokens cost that a job begins with.
    begins_with: Usd,
    owns_quote: bool,
    /// Ticks are kept for charts.
    charts: bool,
    valley: Valley,
    flows: Flows,
    trades: Option<Vec<TradeLine>>,
    points: Option<Thinned>,
    runs: Runs,
    armed: Ranges,
    /// Instant of the start or the last trade.
    waiting_since: Option<Timestamp>,
}

impl Tally {
    pub(super) fn new(position: Position, detail: Detail) -> Self {
        let budget = position.quote_value(Rounding::Down).unwrap_or(Usd::ZERO);
        let begins_with = budget.checked_add(position.cost_basis).unwrap_or(budget);
        Self {
            summary: Summary::default(),
            holds: [0; REASONS],
            slots: None,
            pocket: Pocket::default(),
            begins_with,
            owns_quote: position.owns_quote,
            charts: detail.points_max > 0 || detail.hold_runs_max > 0,
            valley: Valley::default(),
            flows: Flows::default(),
            trades: detail.trades.then(Vec::new),
            points: (detail.points_max > 0).then(|| Thinned::new(detail.points_max)),
            runs: Runs::new(detail.hold_runs_max),
            armed: Ranges::new(detail.hold_runs_max),
            waiting_since: None,
        }
    }

    pub(super) fn start(&mut self, at: Timestamp) {
        self.waiting_since = Some(at);
        self.pocket.moved(self.begins_with, Usd::ZERO).unwrap_or_default();
        self.flows.add(at, self.begins_with, Flow::In);
    }

    /// Quote that came from other members of a basket, or went to them, USD.
    pub(super) fn handed(&mut self, at: Timestamp, usd: Usd, flow: Flow) {
        let (paid, received) = match flow {
            Flow::In => (usd, Usd::ZERO),
            Flow::Out => (Usd::ZERO, usd),
        };
        self.pocket.moved(paid, received).unwrap_or_default();
        self.flows.add(at, usd, flow);
        self.valley.forget_prices();
    }

    /// Net at a price, USD.
    pub(super) fn net_at(&self, position: &Position, price: Price) -> Result<Usd, MoneyError> {
        self.pocket.net(value(position, price)?)
    }

    /// Counts a tick that held; `seen` if its price was accepted.
    pub(super) fn held(
        &mut self,
        slot: Timestamp,
        reason: HoldReason,
        seen: Option<Seen>,
        position: &Position,
    ) {
        self.ticked(slot.timestamp_micros());
        if let Some(count) = self.holds.get_mut(reason as usize) {
            *count += 1;
        }
        self.runs.add(slot, reason);
        if let Some(seen) = seen {
            self.seen(slot, seen, position);
        }
    }

    /// Whether charts are drawn of the run.
    pub(super) const fn draws(&self) -> bool {
        self.charts
    }

    /// What is armed after a tick, and which rule has sold in it.
    pub(super) fn armed(&mut self, slot: Timestamp, armed: [bool; 3], sold: Option<Reason>) {
        self.armed.see(slot, armed, sold);
    }

    /// Whether a hold at a price only adds to counts; `units`: the price as an integer.
    pub(super) fn is_plain(&self, units: Option<u128>) -> bool {
        !self.charts && units.is_some_and(|units| self.valley.is_nothing_new(units))
    }

    /// Counts a hold that is plain; `slot`: microseconds since 1970.
    pub(super) fn held_plainly(&mut self, slot: i64, reason: HoldReason, price: Price) {
        self.ticked(slot);
        if let Some(count) = self.holds.get_mut(reason as usize) {
            *count += 1;
        }
        self.summary.last_price = Some(price);
    }

    pub(super) fn traded(
        &mut self,
        slot: Timestamp,
        seen: Seen,
        (plan, filled): (&Plan, &FilledTrade),
        fee: Fee,
    ) {
        self.ticked(slot.timestamp_micros());
        self.runs.interrupt();
        let position = &filled.booked.position;
        // Sums of money that existed: far below the type's range.
        self.count(slot, plan, filled, fee).unwrap_or_default();
        self.waited(slot);
        if let Some(trades) = self.trades.as_mut() {
            trades.push(line(slot, plan, filled, fee));
        }
        self.valley.forget_prices();
        self.seen(slot, seen, position);
    }

    fn count(
        &mut self,
        slot: Timestamp,
        plan: &Plan,
        filled: &FilledTrade,
        fee: Fee,
    ) -> Result<(), MoneyError> {
        let usd = filled.fill.quote_usd;
        let summary = &mut self.summary;
        summary.fees_usd = summary.fees_usd.checked_add(fee.pool)?;
        summary.gas_usd = summary.gas_usd.checked_add(fee.gas)?;
        self.pocket.traded(plan.side, usd, fee.gas, self.owns_quote)?;
        match plan.side {
            Side::Buy => {
                summary.buys += 1;
                summary.spent_usd = summary.spent_usd.checked_add(usd)?;
            }
            Side::Sell => {
                summary.sells += 1;
                summary.proceeds_usd = summary.proceeds_usd.checked_add(usd)?;
            }
        }
        let same = |total: &&mut ReasonTotal| (total.reason, total.side) == (plan.reason, plan.side);
        match summary.by_reason.iter_mut().find(same) {
            Some(total) => {
                total.trades += 1;
                total.usd = total.usd.checked_add(usd)?;
            }
            None => summary.by_reason.push(ReasonTotal {
                reason: plan.reason,
                side: plan.side,
                trades: 1,
                usd,
            }),
        }
        self.flows.add(slot, fee.gas, Flow::In);
        if !self.owns_quote {
            match plan.side {
                Side::Buy => self.flows.add(slot, usd, Flow::In),
                Side::Sell => self.flows.add(slot, usd, Flow::Out),
            }
        }
        Ok(())
    }

    fn ticked(&mut self, slot: i64) {
        self.summary.ticks += 1;
        match &mut self.slots {
            Some((_, last)) => *last = slot,
            none => *none = Some((slot, slot)),
        }
    }

    fn waited(&mut self, until: Timestamp) {
        let longest = self.summary.longest_wait.map(|wait| wait.to - wait.from);
        if let Some(from) = self.waiting_since.replace(until)
            && longest.is_none_or(|longest| until - from > longest)
        {
            self.summary.longest_wait = Some(Interval { from, to: until });
        }
    }

    fn seen(&mut self, slot: Timestamp, seen: Seen, position: &Position) {
        self.summary.last_price = Some(seen.price);
        self.valley.see(slot, seen.price, position, &self.pocket);
        if self.points.is_some() {
            let point = self.point(slot, seen, position);
            if let Some(points) = self.points.as_mut() {
                points.push(point);
            }
        }
    }

    fn point(&self, at: Timestamp, seen: Seen, position: &Position) -> Point {
        let (pocket, price) = (&self.pocket, seen.price);
        let value = value(position, price).unwrap_or(Usd::ZERO);
        let net = pocket.net(value).unwrap_or(Usd::ZERO);
        Point {
            at,
            price,
            value_usd: value,
            money_in_usd: pocket.money_in(),
            cash_usd: pocket.cash().unwrap_or(Usd::ZERO),
            average_cost: average_cost(position),
            net_usd: net,
            drawdown_pct: self.valley.depth_pct(net, pocket),
            stop_usd: seen.stop,
            moving_average: seen.average,
            token_pct: self
                .owns_quote
                .then(|| token_pct(position, price, value))
                .flatten(),
        }
    }

    pub(super) fn finish(mut self, position: &Position) -> RunResult {
        let instant = |micros| Timestamp::from_timestamp_micros(micros);
        self.summary.from = self.slots.and_then(|(first, _)| instant(first));
        self.summary.to = self.slots.and_then(|(_, last)| instant(last));
        if let Some(last) = self.summary.to {
            self.waited(last);
        }
        let last = self.summary.to;
        // With numbers out of range every earlier tick would have held.
        self.close(position).unwrap_or_default();
        RunResult {
            summary: self.summary,
            trades: self.trades.unwrap_or_default(),
            points: self.points.map(|points| points.points()).unwrap_or_default(),
            holds: self.runs.into_vec(),
            armed: self.armed.finish(last),
        }
    }

    fn close(&mut self, position: &Position) -> Result<(), MoneyError> {
        let holds = HoldReason::VARIANTS.iter().zip(self.holds);
        let mut holds: Vec<_> = holds
            .filter(|(_, ticks)| *ticks > 0)
            .map(|(reason, ticks)| HoldTotal {
                reason: *reason,
                ticks,
            })
            .collect();
        holds.sort_by_key(|total| std::cmp::Reverse(total.ticks));
        let summary = &mut self.summary;
        summary.holds = holds;
        summary.by_reason.sort_by_key(|total| {
            let rank = Reason::VARIANTS.iter().position(|reason| *reason == total.reason);
            (rank, total.side == Side::Sell)
        });
        summary.money_in_usd = self.pocket.money_in();
        summary.cash_usd = self.pocket.cash()?;
        summary.token_balance = position.token_balance;
        summary.quote_balance = position.quote_balance;
        summary.cost_basis_usd = position.cost_basis;
        summary.average_cost = average_cost(position);
        summary.realized_usd = position.realized_pnl;
        summary.drawdown = self.valley.deepest();
        // Without an accepted price nothing was bought: no position has a value.
        if let Some(price) = summary.last_price {
            summary.value_usd = value(position, price)?;
            summary.unrealized_usd = unrealized(position, price)?;
            summary.net_usd = self.pocket.net(summary.value_usd)?;
            summary.profit_usd = summary.net_usd;
            summary.return_pct = return_pct(summary.net_usd, summary.money_in_usd);
        }
        let rate = summary.to.map_or(Err(NoRate::NoMoneyIn), |end| {
            self.flows.yearly_pct(end, summary.value_usd)
        });
        match rate {
            Ok(rate) => summary.money_weighted_pct = Some(rate),
            Err(why) => summary.money_weighted_none = Some(why),
        }
        Ok(())
    }
}

/// Share of the tokens in a value of more than zero, per cent.
fn token_pct(position: &Position, price: Price, value: Usd) -> Option<Decimal> {
    let tokens = position.token_value(price, Rounding::Down).ok()?;
    let pct = tokens
        .decimal()
        .checked_mul(Decimal::ONE_HUNDRED)?
        .checked_div(value.decimal())?;
    Some(pct.round_dp(PCT_DIGITS).normalize())
}

fn line(at: Timestamp, plan: &Plan, filled: &FilledTrade, fee: Fee) -> TradeLine {
    let FilledTrade { fill, booked, price } = filled;
    TradeLine {
        at,
        side: plan.side,
        reason: plan.reason,
        price: plan.price,
        fill_price: *price,
        base_amount: fill.base_amount,
        quote_amount: fill.quote_amount,
        quote_usd: fill.quote_usd,
        fee_usd: fee.pool,
        gas_usd: fee.gas,
        realized_usd: booked.realized,
        token_balance: booked.position.token_balance,
        cost_basis: booked.position.cost_basis,
        average_cost: average_cost(&booked.position),
    }
}
