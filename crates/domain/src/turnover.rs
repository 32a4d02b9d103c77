//! A job's recent turnover, without a query to the ledger.
//!
//! The ledger sums its trades in SQL; [`Turnover`] keeps the trades that still count and gives the same results
//! (`turnover_in_memory_answers_as_the_ledger_does`).

use std::collections::VecDeque;

use chrono::{NaiveTime, TimeDelta};

use super::{
    Timestamp,
    decision::{Side, Spent},
    units::{MoneyError, Usd},
};

/// Trades of the last hour and sums of the UTC day, for slots that never run backwards. No trade of it failed.
#[derive(Debug, Clone, Default)]
pub struct Turnover {
    last_hour: VecDeque<Timestamp>,
    day: Option<chrono::NaiveDate>,
    buys: Usd,
    volume: Usd,
}

impl Turnover {
    /// Turnover for a tick of `slot`: trades in the 60 minutes before it, and money of its UTC day.
    #[must_use]
    pub fn spent(&mut self, slot: Timestamp) -> Spent {
        if self.last_hour.is_empty() && self.volume == Usd::ZERO {
            return Spent::default();
        }
        let hour_ago = slot.checked_sub_signed(TimeDelta::hours(1));
        while self.last_hour.front().is_some_and(|at| Some(*at) <= hour_ago) {
            self.last_hour.pop_front();
        }
        self.begin_day(slot);
        Spent {
            trades_last_hour: u32::try_from(self.last_hour.len()).unwrap_or(u32::MAX),
            buys_today: self.buys,
            volume_today: self.volume,
            unsettled_buys: Usd::ZERO,
        }
    }

    /// Counts a trade with the value it was planned with.
    ///
    /// # Errors
    /// [`MoneyError`] if a sum leaves its range.
    pub fn add(&mut self, slot: Timestamp, side: Side, value: Usd) -> Result<(), MoneyError> {
        self.begin_day(slot);
        self.last_hour.push_back(slot);
        self.volume = self.volume.checked_add(value)?;
        if side == Side::Buy {
            self.buys = self.buys.checked_add(value)?;
        }
        Ok(())
    }

    /// Without a trade the sums of [`Self::spent`] do not change before this instant.
    #[must_use]
    pub fn stands_until(&self) -> Timestamp {
        let hour = self
            .last_hour
            .front()
            .map(|at| at.checked_add_signed(TimeDelta::hours(1)));
        let day = self.day.and_then(|day| day.succ_opt());
        let day = day.map(|day| day.and_time(NaiveTime::MIN).and_utc());
        match (hour.flatten(), day) {
            (Some(hour), Some(day)) => hour.min(day),
            (hour, day) => hour.or(day).unwrap_or(Timestamp::MAX_UTC),
        }
    }

    fn begin_day(&mut self, slot: Timestamp) {
        let day = slot.date_naive();
        if self.day != Some(day) {
            self.day = Some(day);
            self.buys = Usd::ZERO;
            self.volume = Usd::ZERO;
        }
    }
}
