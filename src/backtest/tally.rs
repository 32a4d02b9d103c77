//! What is counted while a job runs: trades, holds, drawdown, waits, and what charts show.

use strum::VariantArray;

use super::{
    Detail, Setup,
    drawdown::Valley,
    keep::{Points, Runs},
    result::{HoldTotal, Interval, Point, ReasonTotal, Summary, TradeLine},
    returns::Flows,
    runner::{Filled, Outcome},
};
use crate::domain::{
    Timestamp,
    accounting::{average_cost, unrealized},
    decision::{HoldReason, Plan, Position, Reason, Side},
    units::{MoneyError, Price, Rounding, Usd},
};
use rust_decimal::Decimal;

const REASONS: usize = HoldReason::VARIANTS.len();

/// What a trade cost beside its price, USD.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fee {
    /// Pool fee and slippage.
    pub(super) pool: Usd,
    pub(super) gas: Usd,
}

/// Money in and out until now.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Money {
    /// Put in from outside, gas apart.
    pub(super) put_in: Usd,
    /// Paid out by sells, where the job does not keep it.
    pub(super) paid_out: Usd,
    pub(super) gas: Usd,
}

impl Money {
    /// What tokens and owned quote are worth.
    pub(super) fn value(position: &Position, price: Price) -> Result<Usd, MoneyError> {
        position
            .token_value(price, Rounding::Down)?
            .checked_add(position.quote_value(Rounding::Down)?)
    }

    /// What has been gained, gas included.
    pub(super) fn profit(&self, value: Usd) -> Result<Usd, MoneyError> {
        value
            .checked_add(self.paid_out)?
            .checked_sub(self.put_in)?
            .checked_sub(self.gas)
    }
}

#[derive(Debug)]
pub(super) struct Tally {
    summary: Summary,
    holds: [u64; REASONS],
    money: Money,
    owns_quote: bool,
    valley: Valley,
    flows: Flows,
    trades: Option<Vec<TradeLine>>,
    points: Points,
    runs: Runs,
    /// When the job started or last traded.
    waiting_since: Option<Timestamp>,
}

impl Tally {
    pub(super) fn new(_: &Setup, position: Position, detail: Detail) -> Self {
        let budget = position.quote_value(Rounding::Down).unwrap_or(Usd::ZERO);
        Self {
            summary: Summary::default(),
            holds: [0; REASONS],
            money: Money {
                put_in: budget,
                ..Money::default()
            },
            owns_quote: position.owns_quote,
            valley: Valley::default(),
            flows: Flows::default(),
            trades: detail.trades.then(Vec::new),
            points: Points::new(detail.points_max),
            runs: Runs::new(detail.hold_runs_max),
            waiting_since: None,
        }
    }

    pub(super) fn start(&mut self, at: Timestamp) {
        self.waiting_since = Some(at);
        self.flows.add(at, self.money.put_in, Flow::In);
    }

    /// A tick that did not trade; `price` if it was believed.
    pub(super) fn held(
        &mut self,
        slot: Timestamp,
        reason: HoldReason,
        price: Option<Price>,
        position: &Position,
    ) {
        self.ticked(slot);
        if let Some(count) = self.holds.get_mut(reason as usize) {
            *count += 1;
        }
        self.runs.add(slot, reason);
        if let Some(price) = price {
            self.seen(slot, price, position);
        }
    }

    pub(super) fn traded(&mut self, slot: Timestamp, plan: &Plan, filled: &Filled, fee: Fee) {
        self.ticked(slot);
        self.runs.interrupt();
        let position = &filled.booked.position;
        // Sums of money that was really there: they stay far below what the type holds.
        self.count(slot, plan, filled, fee).unwrap_or_default();
        self.waited(slot);
        if let Some(trades) = self.trades.as_mut() {
            trades.push(line(slot, plan, filled, fee));
        }
        self.valley.forget_prices();
        self.seen(slot, plan.price, position);
    }

    fn count(&mut self, slot: Timestamp, plan: &Plan, filled: &Filled, fee: Fee) -> Result<(), MoneyError> {
        let usd = filled.fill.quote_usd;
        let summary = &mut self.summary;
        summary.fees_usd = summary.fees_usd.checked_add(fee.pool)?;
        self.money.gas = self.money.gas.checked_add(fee.gas)?;
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
                Side::Buy => {
                    self.money.put_in = self.money.put_in.checked_add(usd)?;
                    self.flows.add(slot, usd, Flow::In);
                }
                Side::Sell => {
                    self.money.paid_out = self.money.paid_out.checked_add(usd)?;
                    self.flows.add(slot, usd, Flow::Out);
                }
            }
        }
        Ok(())
    }

    fn ticked(&mut self, slot: Timestamp) {
        self.summary.ticks += 1;
        self.summary.from.get_or_insert(slot);
        self.summary.to = Some(slot);
    }

    fn waited(&mut self, until: Timestamp) {
        let longest = self.summary.longest_wait.map(|wait| wait.to - wait.from);
        if let Some(from) = self.waiting_since.replace(until)
            && longest.is_none_or(|longest| until - from > longest)
        {
            self.summary.longest_wait = Some(Interval { from, to: until });
        }
    }

    fn seen(&mut self, slot: Timestamp, price: Price, position: &Position) {
        self.summary.last_price = Some(price);
        self.valley.see(slot, price, position, &self.money);
        if self.points.wants_next() {
            let point = self.point(slot, price, position);
            self.points.add(point);
        }
    }

    fn point(&self, at: Timestamp, price: Price, position: &Position) -> Point {
        let value = Money::value(position, price).unwrap_or(Usd::ZERO);
        let profit = self.money.profit(value).unwrap_or(Usd::ZERO);
        Point {
            at,
            price,
            value_usd: value,
            money_in_usd: self.money.put_in,
            paid_out_usd: self.money.paid_out,
            average_cost: average_cost(position),
            profit_usd: profit,
            drawdown_pct: self.valley.depth_pct(profit, &self.money),
        }
    }

    pub(super) fn finish(mut self, position: &Position) -> Outcome {
        if let Some(last) = self.summary.to {
            self.waited(last);
        }
        if let (Some(at), Some(price)) = (self.summary.to, self.summary.last_price) {
            self.points.end_with(self.point(at, price, position));
        }
        // Numbers out of range would have held every tick before this.
        self.close(position).unwrap_or_default();
        Outcome {
            summary: self.summary,
            trades: self.trades.unwrap_or_default(),
            points: self.points.into_vec(),
            holds: self.runs.into_vec(),
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
        summary.money_in_usd = self.money.put_in;
        summary.gas_usd = self.money.gas;
        summary.token_balance = position.token_balance;
        summary.quote_balance = position.quote_balance;
        summary.cost_basis_usd = position.cost_basis;
        summary.average_cost = average_cost(position);
        summary.realized_usd = position.realized_pnl;
        summary.drawdown = self.valley.deepest();
        let Some(price) = summary.last_price else {
            return Ok(());
        };
        summary.value_usd = Money::value(position, price)?;
        summary.unrealized_usd = unrealized(position, price)?;
        summary.profit_usd = self.money.profit(summary.value_usd)?;
        summary.return_pct = (summary.money_in_usd != Usd::ZERO)
            .then(|| summary.profit_usd.decimal().checked_mul(Decimal::ONE_HUNDRED))
            .flatten()
            .and_then(|times| times.checked_div(summary.money_in_usd.decimal()))
            .map(|percent| percent.round_dp(4).normalize());
        if let Some(end) = summary.to {
            summary.money_weighted_pct = self.flows.yearly_pct(end, summary.value_usd);
        }
        Ok(())
    }
}

/// Which way money goes, seen from the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    In,
    Out,
}

fn line(at: Timestamp, plan: &Plan, filled: &Filled, fee: Fee) -> TradeLine {
    let Filled { fill, booked, price } = filled;
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
