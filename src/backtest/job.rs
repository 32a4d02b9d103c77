//! One job of a run: its state in the ledger and at the paper venue, and one tick of it.

use std::num::NonZero;

use super::{
    current::Current,
    glance::Glance,
    money::Fee,
    quiet::{Belief, Quiet},
    setup::{PricePoint, Setup},
    slots::instant,
    still::Still,
    tally::{FilledTrade, Seen, Tally},
    trails::{Highs, after_stop},
    wallet::Wallet,
};
use crate::{
    domain::{
        Timestamp,
        accounting::{Fill, book},
        config::{JobConfig, SourceName},
        costs::{GasPrice, Purse, Quoting, fair_out_parts, gas_paid, quoted},
        decision::{Decision, Facts, HoldReason, LastFills, Peers, Plan, Position, Reason, RuleFill, Side},
        limits::{self, ApprovedPlan},
        onchain::Quote,
        order::{self, Done},
        outlook,
        price::{AcceptedPrice, Observation, accept},
        samples::{High, HistoryQuery, Samples},
        span::Span,
        turnover::Turnover,
        units::{Amount, MoneyError, Price, Rounding, Usd},
    },
    paper::PaperSettings,
    ports::QuoteError,
};

/// The job's state in the ledger and at the paper venue.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) config: JobConfig,
    costs: PaperSettings,
    pub(super) stands_for: Span,
    pub(super) started_at: Timestamp,
    pub(super) position: Position,
    last: LastFills,
    /// The last accepted price.
    seen: Option<Current>,
    samples: Samples,
    turnover: Turnover,
    pub(super) wallet: Wallet,
    gas: GasPrice,
    /// Gas of one swap, wei and USD.
    swap_gas: (Amount, Usd),
    belief: Belief,
    pub(super) quiet: Quiet,
    /// Why the last tick held, and for how long.
    still: Option<Still>,
    pub(super) in_full: bool,
    highs: Highs,
    /// USD spent on buys.
    bought: Usd,
    /// A stop has sold, or an order has ended, and with it the run: why each further tick holds.
    stopped: Option<HoldReason>,
}

/// Why a tick does not trade: a rule or a limit, or a number out of range.
pub(super) struct Held(pub(super) HoldReason);

impl From<MoneyError> for Held {
    fn from(_: MoneyError) -> Self {
        Self(HoldReason::Arithmetic)
    }
}

impl Job {
    pub(super) fn new(setup: &Setup) -> Self {
        // The series is the only source, whatever the job's configuration names.
        let mut config = setup.config.clone();
        config.price.sources = vec![SourceName::Recorded];
        let average_over =
            HistoryQuery::of(&config, &LastFills::default(), Timestamp::UNIX_EPOCH).average_over;
        let (wallet, deposit) = Wallet::opened(setup);
        let swap_gas = setup.costs.swap_gas();
        Self {
            stands_for: setup.stands_for,
            started_at: Timestamp::UNIX_EPOCH,
            position: Position {
                token_balance: setup.held.map_or(Amount::ZERO, |held| held.tokens),
                token_decimals: setup.token_decimals,
                cost_basis: setup.held.map_or(Usd::ZERO, |held| held.cost),
                owns_quote: setup.budget().is_some(),
                quote_balance: deposit,
                quote_decimals: setup.quote_decimals,
                quote_price: Price::ONE,
                realized_pnl: Usd::ZERO,
            },
            last: LastFills::default(),
            seen: None,
            samples: Samples::new(setup.sample_interval, average_over),
            turnover: Turnover::default(),
            wallet,
            gas: GasPrice {
                fees: setup.costs.fees(),
                native: setup.costs.native_price_usd,
            },
            swap_gas: (
                swap_gas,
                gas_paid(swap_gas, setup.costs.native_price_usd).unwrap_or(Usd::ZERO),
            ),
            costs: setup.costs.clone(),
            belief: Belief::new(&config, setup.stands_for),
            quiet: Quiet::Never,
            still: None,
            in_full: false,
            highs: Highs::default(),
            bought: Usd::ZERO,
            stopped: None,
            config,
        }
    }

    pub(super) fn quiet_now(&self) -> Quiet {
        if self.in_full {
            return Quiet::Never;
        }
        Quiet::of(&self.config, self.started_at, &self.last, &self.position)
    }

    /// A price from before the job started.
    pub(super) fn look_at(&mut self, row: PricePoint) {
        let lookback = HistoryQuery::of(&self.config, &self.last, row.at);
        self.samples.observe(row.price, row.at, lookback.high_since);
    }

    pub(super) fn tick(&mut self, slot: i64, current: &Current, tally: &mut Tally) {
        // Most jobs are no order: nothing is asked then, and no instant is made of the slot.
        let is_order = self.config.rules.order().is_some();
        if is_order && self.stopped.is_none() && self.order_has_ended(Some(instant(slot))) {
            self.stopped = Some(HoldReason::Idle);
            return tally.held(instant(slot), HoldReason::OrderOver, None, &self.position);
        }
        let plain = match self.stopped {
            Some(reason) => self.believed(slot, current).map(|_| reason),
            None => self.plain_hold(slot, current),
        };
        if let Some(reason) = plain {
            self.seen = Some(*current);
            let price = current.row.price;
            if tally.is_plain(current.units.map(NonZero::get)) {
                return tally.held_plainly(slot, reason, price);
            }
            let seen = Seen {
                stop: self.stop_line(tally, self.stop_high()),
                ..Seen::alone(price)
            };
            return tally.held(instant(slot), reason, Some(seen), &self.position);
        }
        self.tick_in_full(instant(slot), current.row, tally);
    }

    /// Why a tick holds, if that is known without a full evaluation.
    fn plain_hold(&mut self, slot: i64, current: &Current) -> Option<HoldReason> {
        let glance = Glance::of(slot, current)?;
        let new = High {
            price: current.row.price,
            units: current.units.map(NonZero::get),
        };
        if let Some(still) = &self.still
            && self.belief.is_fresh(glance)
            && let Some(reason) = still.at(glance)
        {
            self.samples.keep(new, glance.at);
            return Some(reason);
        }
        let glance = self.believed(slot, current)?;
        self.still = self.quiet.holds(glance, new, &mut self.samples, &mut self.highs);
        self.belief.narrow(self.still.as_mut()?, glance);
        self.still.map(|still| still.reason)
    }

    /// A tick whose price is certainly accepted.
    fn believed(&self, slot: i64, current: &Current) -> Option<Glance> {
        if self.in_full {
            return None;
        }
        let glance = Glance::of(slot, current)?;
        self.belief.holds(glance, self.seen.as_ref()).then_some(glance)
    }

    fn tick_in_full(&mut self, slot: Timestamp, row: PricePoint, tally: &mut Tally) {
        self.still = None;
        let accepted = match self.accept(slot, row) {
            Ok(accepted) => accepted,
            Err(reason) => return tally.held(slot, self.stopped.unwrap_or(reason), None, &self.position),
        };
        let mut sold = None;
        if let Some(reason) = self.stopped {
            tally.held(slot, reason, Some(Seen::alone(accepted.price)), &self.position);
        } else {
            let facts = self.facts(slot, accepted);
            let (plan, held) = match self.act(slot, &facts, tally) {
                Ok(plan) => (Some(plan), None),
                Err(Held(reason)) => (None, Some(reason)),
            };
            sold = plan
                .filter(|plan| plan.side == Side::Sell)
                .map(|plan| plan.reason);
            let took = sold == Some(Reason::TakeProfit);
            let profit = limits::remembered_profit_high(&self.config, &facts).filter(|_| !took);
            self.highs = Highs {
                stop: limits::remembered_high(&self.config, &facts, plan.as_ref()).map(High::of),
                profit: profit.map(High::of),
            };
            if let Some(reason) = held {
                let seen = Seen {
                    stop: self.stop_line(tally, self.stop_high()),
                    ..Seen::of(&facts)
                };
                tally.held(slot, reason, Some(seen), &self.position);
            }
        }
        if tally.draws() {
            tally.armed(slot, self.armed(), sold);
        }
        self.saw(accepted);
    }

    /// The price of this tick is the one before for the next.
    pub(super) fn saw(&mut self, accepted: AcceptedPrice) {
        self.seen = Some(Current::of(PricePoint {
            at: accepted.observed_at,
            price: accepted.price,
        }));
    }

    /// The last accepted price, and when it was observed.
    pub(super) fn last_price(&self) -> Option<(Price, Timestamp)> {
        self.seen.map(|seen| (seen.row.price, seen.row.at))
    }

    fn stop_high(&self) -> Option<Price> {
        self.highs.stop.map(|high| high.price)
    }

    /// The highest price at which an armed stop sells, if it is drawn; `high`: what a trailing stop is measured from.
    fn stop_line(&self, tally: &Tally, high: Option<Price>) -> Option<Price> {
        let rules = self.config.rules.accumulate().filter(|_| tally.draws())?;
        let of = (&self.position, &self.last);
        let lines = outlook::stops(rules, &self.config.schedule, of, (None, high), self.started_at);
        lines
            .iter()
            .find(|line| line.armed)
            .map(|line| line.at_or_below_usd)
    }

    /// Whether the stops, the trailing stop and a trailing take-profit are armed.
    fn armed(&self) -> [bool; 3] {
        let Some(rules) = self.config.rules.accumulate() else {
            return [false; 3];
        };
        let holds = !self.position.token_balance.is_zero();
        let stops = holds && !self.last.stop_has_sold();
        let lines = !rules.stop_loss_pct.is_zero() || !rules.stop_price_usd.is_zero();
        let trails = !rules.trailing_stop_pct.is_zero() && self.highs.stop.is_some();
        let profit = !rules.trailing_take_profit_pct.is_zero() && self.highs.profit.is_some();
        [stops && lines, stops && trails, holds && profit]
    }

    /// A row's price is valid for `price.max_price_age`, or until the next row is due if that is later.
    pub(super) fn accept(&self, slot: Timestamp, row: PricePoint) -> Result<AcceptedPrice, HoldReason> {
        let config = &self.config.price;
        let checked_at = if slot <= self.stands_for.after(row.at) {
            slot.min(config.max_price_age.after(row.at))
        } else {
            slot
        };
        let answer = Ok(Observation {
            source: SourceName::Recorded,
            price_usd: row.price.decimal(),
            observed_at: row.at,
        });
        let last = self.last_price().map(|(price, observed_at)| AcceptedPrice {
            price,
            source: SourceName::Recorded,
            observed_at,
        });
        accept(&[answer], config, last, checked_at).map_err(|refused| refused.reason)
    }

    pub(super) fn facts(&mut self, slot: Timestamp, accepted: AcceptedPrice) -> Facts {
        let lookback = HistoryQuery::of(&self.config, &self.last, accepted.observed_at);
        let history = self
            .samples
            .observe(accepted.price, accepted.observed_at, lookback.high_since);
        Facts {
            now: slot,
            started_at: self.started_at,
            price: accepted.price,
            previous_price: self
                .last
                .previous_price(self.last_price(), lookback.previous_since),
            last_price: self.last_price(),
            trailing_high: self.highs.stop.map(|high| high.price),
            profit_high: self.highs.profit.map(|high| high.price),
            recent_high: history.high,
            moving_average: history.average,
            position: self.position,
            bought: self.bought,
            last: self.last,
            spent: self.turnover.spent(slot),
            peers: Peers::default(),
        }
    }

    fn act(&mut self, slot: Timestamp, facts: &Facts, tally: &mut Tally) -> Result<Plan, Held> {
        match limits::decide(&self.config, facts) {
            Decision::Hold(reason) => Err(Held(reason)),
            Decision::Trade(plan) => self.carry_out(slot, (plan, None), facts, tally),
        }
    }

    /// Trades a plan; `void`: why it is not frozen, whatever its quote and its limits say.
    pub(super) fn carry_out(
        &mut self,
        slot: Timestamp,
        (plan, void): (Plan, Option<HoldReason>),
        facts: &Facts,
        tally: &mut Tally,
    ) -> Result<Plan, Held> {
        let (fair, rest) = fair_out_parts(plan.side, plan.value, plan.price, &self.position)?;
        if fair.is_zero() {
            return Err(Held(HoldReason::TooFewUnits));
        }
        let approved = self.approve(plan, fair, rest)?;
        if let Some(reason) = void {
            return Err(Held(reason));
        }
        let booked = self.settle(slot, &approved)?;
        let lost = fair.saturating_sub(approved.amount_out_expected());
        let fee = Fee {
            pool: match plan.side {
                Side::Buy => lost.value(self.position.token_decimals, plan.price, Rounding::Down)?,
                Side::Sell => lost.value(
                    self.position.quote_decimals,
                    self.position.quote_price,
                    Rounding::Down,
                )?,
            },
            gas: self.swap_gas.1,
        };
        let seen = Seen {
            // Not the high that is kept: with nothing held before, that means nothing.
            stop: self.stop_line(tally, limits::remembered_high(&self.config, facts, Some(&plan))),
            ..Seen::of(facts)
        };
        tally.traded(slot, seen, (&plan, &booked), fee);
        Ok(plan)
    }

    /// Whether an order has ended by this slot; without one, whether it is filled.
    fn order_has_ended(&self, slot: Option<Timestamp>) -> bool {
        let done = Done {
            bought: self.bought,
            held: self.position.token_balance,
            any: self.last.order.is_some(),
        };
        order::end_of(&self.config, done, slot).is_some()
    }

    /// Quote and limits, as in the engine.
    fn approve(&self, plan: Plan, fair: Amount, rest: u32) -> Result<ApprovedPlan, Held> {
        let quote: Quote = self.costs.quote(fair, rest).map_err(|error| {
            Held(match error {
                QuoteError::NoLiquidity(_) => HoldReason::NoLiquidity,
                _ => HoldReason::QuoteMissing,
            })
        })?;
        let job = Quoting {
            position: &self.position,
            limits: &self.config.limits,
            pays_in_native: false,
        };
        let purse = Purse {
            token_in: match plan.side {
                Side::Buy => self.wallet.quote,
                Side::Sell => self.wallet.token,
            },
            native: self.wallet.native,
        };
        let quoted = quoted(job, &plan, &quote, purse, self.gas)?;
        limits::approve(plan, &self.config, &quoted).map_err(Held)
    }

    /// The venue fills at its quote, and the ledger books the fill.
    fn settle(&mut self, slot: Timestamp, approved: &ApprovedPlan) -> Result<FilledTrade, Held> {
        let plan = approved.plan();
        let (paid, received) = (plan.amount_in, approved.amount_out_expected());
        let (base, quote) = match plan.side {
            Side::Buy => (received, paid),
            Side::Sell => (paid, received),
        };
        let unit = (self.position.quote_decimals, self.position.quote_price);
        let fill = Fill::of(plan.side, base, quote, unit)?;
        let booked = book(self.position, &fill)?;
        self.wallet.settle(&fill, self.swap_gas.0)?;
        self.turnover.add(slot, plan.side, plan.value)?;
        self.position = booked.position;
        let filled = RuleFill {
            reason: plan.reason,
            slot,
            price: plan.price,
            average_cost: booked.average_cost_kept(&fill),
        };
        self.last = self.last.booked(filled, self.position.token_balance);
        self.stopped = after_stop(&self.config, &self.position, plan.reason);
        if plan.side == Side::Buy {
            self.bought = self.bought.checked_add(fill.quote_usd)?;
        }
        if self.order_has_ended(None) {
            self.stopped = Some(HoldReason::Idle);
        }
        self.quiet = self.quiet_now();
        let price = fill.price(self.position.token_decimals, plan.price);
        Ok(FilledTrade { fill, booked, price })
    }
}
