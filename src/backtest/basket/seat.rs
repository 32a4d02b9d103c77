//! One member of a basket in its run: what the others see of it, what it decides, and what is moved to it.

use rust_decimal::Decimal;

use crate::{
    backtest::{
        current::Current,
        job::Job,
        returns::Flow,
        series::Rows,
        setup::{Detail, PricePoint, Setup},
        slots::{Slots, instant},
        tally::{Seen, Tally},
    },
    domain::{
        Timestamp,
        decision::{Decision, Facts, HoldReason, Peer, Peers},
        event::Event,
        ids::JobId,
        limits,
        span::Span,
        trouble::{Effect, UNTIL_A_TRADE},
        units::{Amount, MoneyError, Rounding},
    },
};

/// A member in its run.
pub(super) struct Seat<'a> {
    pub(super) id: JobId,
    pub(super) job: Job,
    pub(super) slots: Slots,
    pub(super) tally: Tally,
    pub(super) rows: std::iter::Peekable<std::slice::Iter<'a, PricePoint>>,
    pub(super) current: Option<Current>,
    /// The slot that is next.
    pub(super) due: Option<i64>,
    /// What keeps it from trading, as its slots say.
    pub(super) blocked: Option<Event>,
    /// Its quote was moved in this slot: a plan that was made before is void.
    pub(super) changed: bool,
    pub(super) stands_for: Span,
}

/// A member that may trade in this slot.
pub(super) struct Priced {
    pub(super) place: usize,
    pub(super) facts: Facts,
    pub(super) decision: Decision,
}

impl<'a> Seat<'a> {
    pub(super) fn new(
        (setup, series): (&Setup, &'a Rows),
        id: JobId,
        start: Option<Timestamp>,
        detail: Detail,
    ) -> Self {
        let mut setup = setup.clone();
        setup.stands_for = setup.stands_for.max(series.summary.spacing);
        let mut job = Job::new(&setup);
        let mut tally = Tally::new(job.position, detail);
        let mut slots = Slots::new(&setup.config);
        let mut due = None;
        if let Some(start) = start {
            let at = setup.starts_at.unwrap_or(start);
            job.started_at = at;
            slots.begin(setup.starts_at, start);
            tally.start(at);
            due = slots.next_before(i64::MAX);
        }
        Self {
            id,
            tally,
            slots,
            rows: series.rows.iter().peekable(),
            current: None,
            due,
            blocked: None,
            changed: false,
            stands_for: setup.stands_for,
            job,
        }
    }

    /// What the others know of it.
    pub(super) fn peer(&self, at: Timestamp) -> Result<Peer, MoneyError> {
        let (position, config) = (&self.job.position, &self.job.config);
        let rules = config.rules.basket();
        let oldest = self.stands_for.max(config.price.max_price_age).before(at);
        let price = self.job.last_price().filter(|(_, seen)| *seen >= oldest);
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
    pub(super) fn decide(
        &mut self,
        place: usize,
        slot: i64,
        all: &[Peer],
    ) -> Result<Option<Priced>, MoneyError> {
        self.due = self.slots.next_before(i64::MAX);
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

    pub(super) fn held(&mut self, at: Timestamp, reason: HoldReason, facts: Option<&Facts>) {
        match reason.effect() {
            Effect::Blocked(event) => self.blocked = Some(event),
            Effect::Clear => self.blocked = self.blocked.filter(|event| UNTIL_A_TRADE.contains(event)),
            Effect::Unknown => {}
        }
        self.tally
            .held(at, reason, facts.map(Seen::of), &self.job.position);
    }

    pub(super) fn hand(
        &mut self,
        at: Timestamp,
        balance: Amount,
        moved: Amount,
        flow: Flow,
    ) -> Result<(), MoneyError> {
        let position = &mut self.job.position;
        let usd = moved.value(position.quote_decimals, position.quote_price, Rounding::Down)?;
        position.quote_balance = balance;
        self.changed = true;
        self.tally.handed(at, usd, flow);
        Ok(())
    }
}
