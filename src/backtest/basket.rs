//! Runs the members of a basket over a series of each, as the workers do: in a slot all members that are due see what
//! the others had before it; then quote moves, then each trades at most once.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    job::{Current, Held, Job},
    result::{Drawdown, RunResult, SeriesSummary, SetupSummary, Summary},
    returns::Flow,
    series::Rows,
    setup::{Detail, Setup},
    slots::{Slots, instant},
    tally::{Seen, Tally},
    whole,
};
use crate::domain::{
    Timestamp, basket,
    decision::{Decision, Facts, HoldReason, Peer, Peers, Plan},
    event::Event,
    figures::{drawdown_pct, return_pct, value},
    ids::JobId,
    limits,
    trouble::{Effect, UNTIL_A_TRADE},
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
    pub trades: Vec<super::result::TradeLine>,
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

/// Runs the members side by side, from the latest of the first rows to the earliest of the last ones. The result of
/// each is also as one run's, with its points and holds.
///
/// # Errors
/// [`MoneyError`] if a sum leaves its range.
pub fn run(members: &[Member<'_>], detail: Detail) -> Result<(BasketResult, Vec<RunResult>), MoneyError> {
    let mut runner = Runner::new(members, detail);
    runner.run()?;
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
    Ok((result, done))
}

/// Sums of a basket alone, for a sweep.
///
/// # Errors
/// [`MoneyError`] if a sum leaves its range.
pub fn summary(members: &[Member<'_>]) -> Result<Summary, MoneyError> {
    let mut runner = Runner::new(members, Detail::SUMMARY);
    runner.run()?;
    let (drawdown, done) = runner.finish();
    total(&done, drawdown)
}

struct Seat<'a> {
    id: JobId,
    job: Job,
    slots: Slots,
    tally: Tally,
    rows: std::iter::Peekable<std::slice::Iter<'a, super::PricePoint>>,
    current: Option<Current>,
    /// The slot that is next.
    due: Option<i64>,
    /// What keeps it from trading, as its slots say.
    blocked: Option<Event>,
    /// Its quote was moved in this slot: a plan that was made before is void.
    changed: bool,
    stands_for: crate::domain::span::Span,
}

struct Runner<'a> {
    seats: Vec<Seat<'a>>,
    end: i64,
    peak: Usd,
    deepest: Drawdown,
}

/// A member that may trade in this slot.
struct Priced {
    place: usize,
    facts: Facts,
    decision: Decision,
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
            .map(|(member, number)| Seat::new(member, JobId(number), start, detail))
            .collect();
        Self {
            seats,
            end: end.map_or(i64::MIN, |end| end.timestamp_micros()),
            peak: Usd::ZERO,
            deepest: Drawdown::default(),
        }
    }

    fn run(&mut self) -> Result<(), MoneyError> {
        while let Some(slot) = self
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
            let price = seat.job.last_price.map_or(Price::ONE, |(price, _)| price);
            net = net.checked_add(seat.tally.net_at(&seat.job.position, price)?)?;
            worth = worth.checked_add(value(&seat.job.position, price)?)?;
        }
        // Budgets and gas: what members give each other cancels out.
        let money_in = worth.checked_sub(net)?;
        if net >= self.peak {
            self.peak = net;
            return Ok(());
        }
        let fall = self.peak.checked_sub(net)?;
        self.deepest.usd = self.deepest.usd.max(fall);
        let pct = drawdown_pct(self.peak, net, money_in);
        if pct > self.deepest.pct {
            (self.deepest.pct, self.deepest.at) = (pct, Some(at));
        }
        Ok(())
    }
}

impl<'a> Seat<'a> {
    fn new(member: &Member<'a>, id: JobId, start: Option<Timestamp>, detail: Detail) -> Self {
        let mut setup = member.setup.clone();
        setup.stands_for = setup.stands_for.max(member.series.summary.spacing);
        let mut job = Job::new(&setup);
        let mut tally = Tally::new(job.position, detail);
        let mut slots = Slots::new(&setup.config);
        let mut due = None;
        if let Some(start) = start {
            let at = setup.starts_at.unwrap_or(start);
            job.started_at = at;
            slots.begin(setup.starts_at, start);
            tally.start(at);
            due = slots.next_until(i64::MAX);
        }
        Self {
            id,
            tally,
            slots,
            rows: member.series.rows.iter().peekable(),
            current: None,
            due,
            blocked: None,
            changed: false,
            stands_for: setup.stands_for,
            job,
        }
    }

    /// What the others know of it.
    fn peer(&self, at: Timestamp) -> Result<Peer, MoneyError> {
        let (position, config) = (&self.job.position, &self.job.config);
        let rules = config.rules.basket();
        let oldest = self.stands_for.max(config.price.max_price_age).before(at);
        let price = self.job.last_price.filter(|(_, seen)| *seen >= oldest);
        let tokens = match price {
            Some((price, _)) => Some(position.token_value(price, Rounding::Down)?),
            None => None,
        };
        Ok(Peer {
            job: self.id,
            weight: rules.map_or(Decimal::ZERO, |rules| rules.weight),
            band_pct: rules.map_or(Decimal::ZERO, |rules| rules.band_pct),
            tokens,
            quote: position.quote_balance,
            sells: false,
            in_motion: false,
            blocked: self.blocked.is_some(),
        })
    }

    /// Takes the price of this slot, and decides on it; `None`: there is none, and it was held.
    fn decide(&mut self, place: usize, slot: i64, all: &[Peer]) -> Result<Option<Priced>, MoneyError> {
        self.due = self.slots.next_until(i64::MAX);
        while let Some(row) = self.rows.next_if(|row| row.at.timestamp_micros() <= slot) {
            self.current = Some(Current::of(*row));
        }
        let at = instant(slot);
        let Some(current) = self.current else {
            self.held(at, HoldReason::PriceMissing, None);
            return Ok(None);
        };
        let accepted = match self.job.accept(at, current.row) {
            Ok(accepted) => accepted,
            Err(reason) => {
                self.held(at, reason, None);
                return Ok(None);
            }
        };
        let mut facts = self.job.facts(at, accepted);
        let running = all.iter().filter(|peer| peer.job != self.id);
        facts.peers = Peers {
            started: u32::try_from(all.len().saturating_sub(1)).unwrap_or(u32::MAX),
            running: running.cloned().collect(),
        };
        let decision = limits::decide(&self.job.config, &facts);
        self.job.saw(accepted);
        Ok(Some(Priced {
            place,
            facts,
            decision,
        }))
    }

    fn held(&mut self, at: Timestamp, reason: HoldReason, facts: Option<&Facts>) {
        match reason.effect() {
            Effect::Blocked(event) => self.blocked = Some(event),
            Effect::Clear => self.blocked = self.blocked.filter(|event| UNTIL_A_TRADE.contains(event)),
            Effect::Unknown => {}
        }
        self.tally
            .held(at, reason, facts.map(Seen::of), &self.job.position);
    }

    fn hand(&mut self, at: Timestamp, balance: Amount, moved: Amount, flow: Flow) -> Result<(), MoneyError> {
        let position = &mut self.job.position;
        let usd = moved.value(position.quote_decimals, position.quote_price, Rounding::Down)?;
        position.quote_balance = balance;
        self.changed = true;
        self.tally.handed(at, usd, flow);
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
    total.money_weighted_none = Some(super::result::NoRate::NoRate);
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
            whole::bought_once(member.setup, share).map(|setup| super::run(&setup, Detail::SUMMARY, rows)),
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
