//! Runs the members of a basket over a series of each, as the workers do: in a slot all members that are due see what
//! the others had before it; then quote moves, then each trades at most once.

mod seat;

use std::sync::atomic::{AtomicBool, Ordering};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use self::seat::{Priced, Seat};
use super::{
    job::Held,
    result::{Drawdown, NoRate, Point, RunResult, SeriesSummary, SetupSummary, Summary, TradeLine},
    returns::Flow,
    runner,
    series::Rows,
    setup::{Detail, Setup},
    slots::instant,
    thin::Thinned,
    whole,
};
use crate::domain::{
    Timestamp, basket,
    decision::{Decision, Facts, HoldReason, Plan},
    figures::{drawdown_pct, return_pct, value},
    ids::JobId,
    units::{Amount, MoneyError, Price, Rounding, Usd},
};

/// One member: its job and its prices.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// A job of mode basket.
    pub setup: &'a Setup,
    /// Its prices.
    pub series: &'a Rows,
}

/// Result of one member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberResult {
    /// The inputs.
    pub setup: SetupSummary,
    /// The series.
    pub series: SeriesSummary,
    /// Figures; what other members gave it counts as money in, what it gave to them as money out.
    pub summary: Summary,
    /// Trades, if requested.
    pub trades: Vec<TradeLine>,
}

/// Result of a basket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BasketResult {
    /// Sums of the members; its drawdown is that of the whole.
    pub summary: Summary,
    /// The same money, spent on the same shares at the first slot and kept.
    pub kept: Summary,
    /// Each member, in the order in which they were given.
    pub members: Vec<MemberResult>,
    /// Assumptions about what the series do not contain, one sentence each.
    pub assumptions: Vec<String>,
}

/// What a basket's charts are drawn from.
#[derive(Debug, Clone, PartialEq)]
pub struct Charted {
    /// The whole after each slot, thinned as a member's points are; its prices mean nothing.
    pub whole: Vec<Point>,
    /// Each member as one run, with its points and holds.
    pub members: Vec<RunResult>,
}

/// Runs the members side by side, from the latest of the first rows to the earliest of the last ones, or until `stop`
/// is set: then the result means nothing.
///
/// # Errors
/// [`MoneyError`] if a sum leaves its range.
pub fn run(
    members: &[Member<'_>],
    detail: Detail,
    stop: &AtomicBool,
) -> Result<(BasketResult, Charted), MoneyError> {
    let mut runner = Runner::new(members, detail);
    runner.run(stop)?;
    let whole = runner.points.as_ref().map(Thinned::points).unwrap_or_default();
    let (drawdown, done) = runner.finish();
    let summary = total(&done, drawdown)?;
    let kept = kept(members)?;
    let lines = members
        .iter()
        .zip(&done)
        .map(|(member, run)| MemberResult {
            setup: whole::summary_of(member.setup, &member.series.summary),
            series: member.series.summary.clone(),
            summary: run.summary.clone(),
            trades: run.trades.clone(),
        })
        .collect();
    let result = BasketResult {
        summary,
        kept,
        members: lines,
        assumptions: assumptions(members),
    };
    let charted = Charted { whole, members: done };
    Ok((result, charted))
}

/// Sums of a basket alone, for a sweep; it stops as a run does.
///
/// # Errors
/// [`MoneyError`] if a sum leaves its range.
pub fn summary(members: &[Member<'_>], stop: &AtomicBool) -> Result<Summary, MoneyError> {
    let mut runner = Runner::new(members, Detail::SUMMARY);
    runner.run(stop)?;
    let (drawdown, done) = runner.finish();
    total(&done, drawdown)
}

struct Runner<'a> {
    seats: Vec<Seat<'a>>,
    end: i64,
    peak: Usd,
    deepest: Drawdown,
    points: Option<Thinned>,
}

impl<'a> Runner<'a> {
    fn new(members: &[Member<'a>], detail: Detail) -> Self {
        let first = |member: &Member<'_>| member.series.rows.first().map(|row| row.at);
        let last = |member: &Member<'_>| member.series.rows.last().map(|row| row.at);
        let start = members.iter().filter_map(first).max();
        let end = members.iter().filter_map(last).min();
        let seats = members
            .iter()
            .zip(1..)
            .map(|(member, number)| Seat::new((member.setup, member.series), JobId(number), start, detail))
            .collect();
        Self {
            seats,
            end: end.map_or(i64::MIN, |end| end.timestamp_micros()),
            peak: Usd::ZERO,
            deepest: Drawdown::default(),
            points: (detail.points_max > 0).then(|| Thinned::new(detail.points_max)),
        }
    }

    fn run(&mut self, stop: &AtomicBool) -> Result<(), MoneyError> {
        while !stop.load(Ordering::Relaxed)
            && let Some(slot) = self
                .seats
                .iter()
                .filter_map(|seat| seat.due)
                .min()
                .filter(|slot| *slot <= self.end)
        {
            self.slot(slot)?;
            self.see(instant(slot))?;
        }
        Ok(())
    }

    fn finish(self) -> (Drawdown, Vec<RunResult>) {
        let seats = self.seats.into_iter();
        let done = seats.map(|seat| seat.tally.finish(&seat.job.position)).collect();
        (self.deepest, done)
    }

    fn slot(&mut self, slot: i64) -> Result<(), MoneyError> {
        let at = instant(slot);
        let before = self
            .seats
            .iter()
            .map(|seat| seat.peer(at))
            .collect::<Result<Vec<_>, _>>()?;
        let mut priced = Vec::new();
        for (place, seat) in self.seats.iter_mut().enumerate() {
            seat.changed = false;
            if seat.due == Some(slot) {
                priced.extend(seat.decide(place, slot, &before)?);
            }
        }
        let mut plans = Vec::new();
        for Priced {
            place,
            facts,
            decision,
        } in priced
        {
            match decision {
                Decision::Trade(plan) => plans.push((place, facts, plan)),
                Decision::Hold(reason) => {
                    if reason == HoldReason::BasketQuote {
                        self.gather(place, at, &facts)?;
                    }
                    self.held(place, at, reason, &facts);
                }
            }
        }
        for (place, facts, plan) in plans {
            self.act(place, at, &facts, plan);
        }
        Ok(())
    }

    fn held(&mut self, place: usize, at: Timestamp, reason: HoldReason, facts: &Facts) {
        if let Some(seat) = self.seats.get_mut(place) {
            seat.held(at, reason, Some(facts));
        }
    }

    /// Moves quote of others to a member, all that was planned or none, as the ledger does.
    fn gather(&mut self, place: usize, at: Timestamp, facts: &Facts) -> Result<(), MoneyError> {
        let Some(taker) = self.seats.get(place) else {
            return Ok(());
        };
        let Some(rules) = taker.job.config.rules.basket().filter(|_| !taker.changed) else {
            return Ok(());
        };
        let moves = basket::moves(rules, &taker.job.config.limits, facts)?;
        let has = |one: &basket::Move| {
            let giver = self.seats.iter().find(|seat| seat.id == one.from);
            giver.is_some_and(|giver| giver.job.position.quote_balance >= one.amount)
        };
        if moves.is_empty() || !moves.iter().all(has) {
            return Ok(());
        }
        let mut sum = Amount::ZERO;
        for one in &moves {
            sum = sum.checked_add(one.amount)?;
            if let Some(giver) = self.seats.iter_mut().find(|seat| seat.id == one.from) {
                let left = giver.job.position.quote_balance.checked_sub(one.amount)?;
                giver.hand(at, left, one.amount, Flow::Out)?;
            }
        }
        if let Some(taker) = self.seats.get_mut(place) {
            let all = taker.job.position.quote_balance.checked_add(sum)?;
            taker.hand(at, all, sum, Flow::In)?;
        }
        Ok(())
    }

    fn act(&mut self, place: usize, at: Timestamp, facts: &Facts, plan: Plan) {
        let Some(seat) = self.seats.get_mut(place) else {
            return;
        };
        let void = seat.changed.then_some(HoldReason::JobChanged);
        match seat.job.carry_out(at, (plan, void), facts, &mut seat.tally) {
            Ok(_) => {
                seat.blocked = None;
                // One wallet: what is left of it is left for all.
                let (quote, native) = (seat.job.wallet.quote, seat.job.wallet.native);
                for seat in &mut self.seats {
                    (seat.job.wallet.quote, seat.job.wallet.native) = (quote, native);
                }
            }
            Err(Held(reason)) => seat.held(at, reason, Some(facts)),
        }
    }

    /// The whole after a slot.
    fn see(&mut self, at: Timestamp) -> Result<(), MoneyError> {
        let (mut net, mut worth) = (Usd::ZERO, Usd::ZERO);
        for seat in &self.seats {
            let price = seat.job.last_price().map_or(Price::ONE, |(price, _)| price);
            net = net.checked_add(seat.tally.net_at(&seat.job.position, price)?)?;
            worth = worth.checked_add(value(&seat.job.position, price)?)?;
        }
        // Budgets and gas: what members give each other cancels out.
        let money_in = worth.checked_sub(net)?;
        self.peak = self.peak.max(net);
        let fall = self.peak.checked_sub(net)?;
        self.deepest.usd = self.deepest.usd.max(fall);
        let pct = drawdown_pct(self.peak, net, money_in);
        if pct > self.deepest.pct {
            (self.deepest.pct, self.deepest.at) = (pct, Some(at));
        }
        if let Some(points) = &mut self.points {
            points.push(Point {
                at,
                price: Price::ONE,
                value_usd: worth,
                money_in_usd: money_in,
                cash_usd: Usd::ZERO,
                average_cost: None,
                net_usd: net,
                drawdown_pct: pct,
                stop_usd: None,
                moving_average: None,
                token_pct: None,
            });
        }
        Ok(())
    }
}

/// Sums of the members' figures.
fn total(runs: &[RunResult], drawdown: Drawdown) -> Result<Summary, MoneyError> {
    let mut total = Summary {
        drawdown,
        ..Summary::default()
    };
    for Summary {
        from,
        to,
        ticks,
        buys,
        sells,
        spent_usd,
        proceeds_usd,
        value_usd,
        cost_basis_usd,
        realized_usd,
        unrealized_usd,
        fees_usd,
        gas_usd,
        net_usd,
        ..
    } in runs.iter().map(|run| &run.summary)
    {
        total.from = total.from.or(*from).min(*from);
        total.to = total.to.max(*to);
        total.ticks = total.ticks.saturating_add(*ticks);
        total.buys = total.buys.saturating_add(*buys);
        total.sells = total.sells.saturating_add(*sells);
        for (sum, part) in [
            (&mut total.spent_usd, spent_usd),
            (&mut total.proceeds_usd, proceeds_usd),
            (&mut total.value_usd, value_usd),
            (&mut total.cost_basis_usd, cost_basis_usd),
            (&mut total.realized_usd, realized_usd),
            (&mut total.unrealized_usd, unrealized_usd),
            (&mut total.fees_usd, fees_usd),
            (&mut total.gas_usd, gas_usd),
            (&mut total.net_usd, net_usd),
        ] {
            *sum = sum.checked_add(*part)?;
        }
    }
    // What members gave each other is nobody's money in: the whole is what it is worth less what it earned.
    total.money_in_usd = total.value_usd.checked_sub(total.net_usd)?;
    total.profit_usd = total.net_usd;
    total.return_pct = return_pct(total.net_usd, total.money_in_usd);
    total.money_weighted_none = Some(NoRate::NoRate);
    Ok(total)
}

/// The budgets of all, spent on each member's share at the first slot.
fn kept(members: &[Member<'_>]) -> Result<Summary, MoneyError> {
    let rules = || {
        members
            .iter()
            .filter_map(|member| member.setup.config.rules.basket())
    };
    let money = rules().try_fold(Usd::ZERO, |sum, rules| sum.checked_add(rules.budget_usd))?;
    let weights: Decimal = rules().map(|rules| rules.weight).sum();
    let start = members
        .iter()
        .filter_map(|member| Some(member.series.rows.first()?.at))
        .max();
    let end = members
        .iter()
        .filter_map(|member| Some(member.series.rows.last()?.at))
        .min();
    let mut runs = Vec::new();
    for (member, rules) in members.iter().zip(rules()) {
        let share = money.decimal().checked_mul(rules.weight);
        let share = share
            .and_then(|share| share.checked_div(weights))
            .ok_or(MoneyError::OutOfRange)?;
        let share = Usd::rounded(share, Rounding::Down);
        let within = |at: Timestamp| start.is_none_or(|start| at >= start) && end.is_none_or(|end| at <= end);
        let rows = member.series.rows.iter().copied().filter(|row| within(row.at));
        runs.extend(
            whole::bought_once(member.setup, share).map(|setup| runner::run(&setup, Detail::SUMMARY, rows)),
        );
    }
    // Each alone: there is no fall of the whole from them.
    total(&runs, Drawdown::default())
}

fn assumptions(members: &[Member<'_>]) -> Vec<String> {
    let mut said = vec![
        "The basket begins with the latest of the first rows, and ends with the earliest of the last ones.".to_owned(),
        "In a slot all members that are due decide on what the others had before it; a trade is final before the next \
         slot."
            .to_owned(),
    ];
    if let Some(first) = members.first() {
        said.extend(whole::assumptions(
            first.setup,
            first.series.summary.candles,
            first.series.summary.spacing,
        ));
    }
    said
}
