//! Runs one job over rows in chronological order.

use super::{
    glance::Glance,
    money::Fee,
    quiet::{Belief, Quiet},
    result::RunResult,
    setup::{Detail, PricePoint, Setup},
    slots::{Slots, instant},
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
        price::{AcceptedPrice, Observation, accept},
        samples::{High, HistoryQuery, Samples},
        span::Span,
        turnover::Turnover,
        units::{Amount, MoneyError, Price, Rounding, Usd},
    },
    paper::PaperSettings,
    ports::QuoteError,
};

/// Runs `setup` over `rows`, in chronological order.
#[must_use]
pub fn run(setup: &Setup, detail: Detail, rows: impl IntoIterator<Item = PricePoint>) -> RunResult {
    let mut runner = Runner::new(setup, detail);
    for row in rows {
        runner.feed(row);
    }
    runner.finish()
}

/// The last row, with its instant and price as integers.
#[derive(Debug, Clone, Copy)]
struct Current {
    row: PricePoint,
    micros: i64,
    units: Option<u128>,
}

impl Current {
    fn of(row: PricePoint) -> Self {
        Self {
            row,
            micros: row.at.timestamp_micros(),
            units: row.price.short_units(),
        }
    }
}

/// A run of one job over a series. Its memory does not grow with the series, apart from kept trades.
#[derive(Debug)]
pub struct Runner {
    job: Job,
    slots: Slots,
    starts_at: Option<Timestamp>,
    started: bool,
    current: Option<Current>,
    tally: Tally,
}

impl Runner {
    /// A run before its first row.
    #[must_use]
    pub fn new(setup: &Setup, detail: Detail) -> Self {
        let mut job = Job::new(setup);
        // A chart of the moving average needs it at each tick, the quiet ones included.
        job.in_full = detail.points_max > 0 && !setup.config.rules.look_back().average.is_zero();
        Self {
            tally: Tally::new(job.position, detail),
            slots: Slots::new(&setup.config),
            starts_at: setup.starts_at,
            started: false,
            current: None,
            job,
        }
    }

    /// The same run without shortcuts: every tick is evaluated in full. Same result, slower.
    #[must_use]
    pub fn in_full(setup: &Setup, detail: Detail) -> Self {
        let mut runner = Self::new(setup, detail);
        runner.job.in_full = true;
        runner
    }

    /// Takes the next row, later than all before it: evaluates every slot from the previous row up to this one.
    pub fn feed(&mut self, row: PricePoint) {
        let new = Current::of(row);
        let before = self.current.replace(new);
        if !self.started {
            if self.starts_at.is_some_and(|starts_at| row.at < starts_at) {
                return self.job.look_at(row);
            }
            self.start(row.at);
        }
        match before {
            Some(before) => self.decide_before(new.micros, &before),
            None => self.hold_before(new.micros),
        }
    }

    /// Ends the series: evaluates the slots up to its last row.
    #[must_use]
    pub fn finish(mut self) -> RunResult {
        if let (Some(last), true) = (self.current, self.started) {
            while let Some(slot) = self.slots.next_until(last.micros) {
                self.job.tick(slot, &last, &mut self.tally);
            }
        }
        self.tally.finish(&self.job.position)
    }

    fn start(&mut self, first: Timestamp) {
        let at = self.starts_at.unwrap_or(first);
        self.started = true;
        self.job.started_at = at;
        self.job.quiet = self.job.quiet_now();
        self.slots.begin(self.starts_at, first);
        self.tally.start(at);
    }

    /// Before the first row there is no price.
    fn hold_before(&mut self, end: i64) {
        while let Some(slot) = self.slots.next_until(end - 1) {
            let (slot, position) = (instant(slot), &self.job.position);
            self.tally.held(slot, HoldReason::PriceMissing, None, position);
        }
    }

    fn decide_before(&mut self, end: i64, current: &Current) {
        while let Some(slot) = self.slots.next_until(end - 1) {
            self.job.tick(slot, current, &mut self.tally);
        }
    }
}

/// The job's state in the ledger and at the paper venue.
#[derive(Debug)]
struct Job {
    config: JobConfig,
    costs: PaperSettings,
    stands_for: Span,
    started_at: Timestamp,
    position: Position,
    last: LastFills,
    last_price: Option<(Price, Timestamp)>,
    samples: Samples,
    turnover: Turnover,
    wallet: Wallet,
    /// Gas of one swap, wei and USD.
    swap_gas: (Amount, Usd),
    belief: Belief,
    quiet: Quiet,
    /// The last accepted price as an integer, if it has few enough digits.
    last_units: Option<(u128, i64)>,
    in_full: bool,
    highs: Highs,
    /// USD spent on buys.
    bought: Usd,
    /// A stop has sold, or an order has ended, and with it the run: why each further tick holds.
    stopped: Option<HoldReason>,
}

/// Why a tick does not trade: a rule or a limit, or a number out of range.
struct Held(HoldReason);

impl From<MoneyError> for Held {
    fn from(_: MoneyError) -> Self {
        Self(HoldReason::Arithmetic)
    }
}

impl Job {
    fn new(setup: &Setup) -> Self {
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
                token_balance: Amount::ZERO,
                token_decimals: setup.token_decimals,
                cost_basis: Usd::ZERO,
                owns_quote: setup.budget().is_some(),
                quote_balance: deposit,
                quote_decimals: setup.quote_decimals,
                quote_price: Price::ONE,
                realized_pnl: Usd::ZERO,
            },
            last: LastFills::default(),
            last_price: None,
            samples: Samples::new(setup.sample_interval, average_over),
            turnover: Turnover::default(),
            wallet,
            swap_gas: (
                swap_gas,
                gas_paid(swap_gas, setup.costs.native_price_usd).unwrap_or(Usd::ZERO),
            ),
            costs: setup.costs.clone(),
            belief: Belief::new(&config, setup.stands_for),
            quiet: Quiet::Never,
            last_units: None,
            in_full: false,
            highs: Highs::default(),
            bought: Usd::ZERO,
            stopped: None,
            config,
        }
    }

    fn quiet_now(&self) -> Quiet {
        if self.in_full {
            return Quiet::Never;
        }
        Quiet::of(&self.config, self.started_at, &self.last, &self.position)
    }

    /// A price from before the job started.
    fn look_at(&mut self, row: PricePoint) {
        let lookback = HistoryQuery::of(&self.config, &self.last, row.at);
        self.samples.observe(row.price, row.at, lookback.high_since);
    }

    fn tick(&mut self, slot: i64, current: &Current, tally: &mut Tally) {
        if self.stopped.is_none() && self.order_has_ended(Some(instant(slot))) {
            self.stopped = Some(HoldReason::Idle);
            return tally.held(instant(slot), HoldReason::OrderOver, None, &self.position);
        }
        let plain = match self.stopped {
            Some(reason) => self.believed(slot, current).map(|_| reason),
            None => self.plain_hold(slot, current),
        };
        if let Some(reason) = plain {
            let row = &current.row;
            self.last_price = Some((row.price, row.at));
            self.last_units = current.units.map(|units| (units, current.micros));
            return tally.held_plainly(slot, reason, (row.price, current.units), &self.position);
        }
        self.tick_in_full(instant(slot), current.row, tally);
    }

    /// Why a tick holds, if that is known without a full evaluation.
    fn plain_hold(&mut self, slot: i64, current: &Current) -> Option<HoldReason> {
        let glance = self.believed(slot, current)?;
        let price = current.row.price;
        self.quiet
            .holds(glance, price, &mut self.samples, &mut self.highs)
    }

    /// A tick whose price is certainly accepted.
    fn believed(&self, slot: i64, current: &Current) -> Option<Glance> {
        // Without a last price in short form, a jump cannot be recognised.
        if self.in_full || self.last_price.is_some() != self.last_units.is_some() {
            return None;
        }
        let glance = Glance {
            slot,
            at: current.micros,
            units: current.units?,
        };
        self.belief.holds(glance, self.last_units).then_some(glance)
    }

    fn tick_in_full(&mut self, slot: Timestamp, row: PricePoint, tally: &mut Tally) {
        let accepted = match self.accept(slot, row) {
            Ok(accepted) => accepted,
            Err(reason) => return tally.held(slot, self.stopped.unwrap_or(reason), None, &self.position),
        };
        if let Some(reason) = self.stopped {
            tally.held(slot, reason, Some(Seen::alone(accepted.price)), &self.position);
        } else {
            let facts = self.facts(slot, accepted);
            let plan = match self.act(slot, &facts, tally) {
                Ok(plan) => Some(plan),
                Err(Held(reason)) => {
                    tally.held(slot, reason, Some(Seen::of(&facts)), &self.position);
                    None
                }
            };
            let sold = plan.is_some_and(|plan| plan.reason == Reason::TakeProfit);
            let profit = limits::remembered_profit_high(&self.config, &facts).filter(|_| !sold);
            self.highs = Highs {
                stop: limits::remembered_high(&self.config, &facts, plan.as_ref()).map(High::of),
                profit: profit.map(High::of),
            };
        }
        self.last_price = Some((accepted.price, accepted.observed_at));
        let units = accepted.price.short_units();
        self.last_units = units.map(|units| (units, accepted.observed_at.timestamp_micros()));
    }

    /// A row's price is valid for `price.max_price_age`, or until the next row is due if that is later.
    fn accept(&self, slot: Timestamp, row: PricePoint) -> Result<AcceptedPrice, HoldReason> {
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
        let last = self.last_price.map(|(price, observed_at)| AcceptedPrice {
            price,
            source: SourceName::Recorded,
            observed_at,
        });
        accept(&[answer], config, last, checked_at).map_err(|refused| refused.reason)
    }

    fn facts(&mut self, slot: Timestamp, accepted: AcceptedPrice) -> Facts {
        let lookback = HistoryQuery::of(&self.config, &self.last, accepted.observed_at);
        let history = self
            .samples
            .observe(accepted.price, accepted.observed_at, lookback.high_since);
        Facts {
            now: slot,
            started_at: self.started_at,
            price: accepted.price,
            previous_price: self.last.previous_price(self.last_price, lookback.previous_since),
            last_price: self.last_price,
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
        let plan = match limits::decide(&self.config, facts) {
            Decision::Hold(reason) => return Err(Held(reason)),
            Decision::Trade(plan) => plan,
        };
        let (fair, rest) = fair_out_parts(plan.side, plan.value, plan.price, &self.position)?;
        if fair.is_zero() {
            return Err(Held(HoldReason::TooFewUnits));
        }
        let approved = self.approve(plan, fair, rest)?;
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
        tally.traded(slot, Seen::of(facts), (&plan, &booked), fee);
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
        let gas = GasPrice {
            fees: self.costs.fees(),
            native: self.costs.native_price_usd,
        };
        let quoted = quoted(job, &plan, &quote, purse, gas)?;
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
