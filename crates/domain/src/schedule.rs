//! Slots: when a job is due. Cron lines are read the way Unix cron reads them, and clock changes neither lose
//! nor double a slot.
//!
//! A line that names its hours and minutes (`30 2 * * *`) means that time on the wall: in the gap of a clock put
//! forward it fires at the gap's end, in the hour that comes twice it fires the first time. A line whose minute or
//! hour begins with `*` (`*/30 * * * *`, `*/15 2 * * *`) means real intervals: it fires at every instant whose wall
//! time matches, so twice in the hour that comes twice, and not at all in the gap.

use std::{
    collections::HashMap,
    fmt,
    str::FromStr,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use alloy_primitives::keccak256;
use chrono::{DateTime, Days, NaiveDateTime};
use serde::{Deserialize, Serialize};

use super::{
    Timestamp,
    job::{JobId, Realm},
    span::Span,
    zone::Zone,
};

mod fields;

use fields::Fields;

const DAY_SECS: u64 = 86_400;

/// Missed slots are counted one by one up to this many; a longer outage counts as this many.
pub const MISSED_COUNTED_MAX: u64 = 100_000;

/// January 1970 to 2090: the years for which slots of equal distances are computed rather than searched.
const IN_STEP_SECS: std::ops::Range<i64> = 172_800..3_786_912_000;

/// A cron line of 5 or 6 fields, checked when it is made. Cheap to clone.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CronExpr {
    text: Arc<str>,
    parsed: Arc<Parsed>,
}

struct Parsed {
    /// One schedule, or two whose union is meant: Unix cron fires on the day of the month *or* of the week.
    schedules: Vec<cron::Schedule>,
    /// The line names its hours.
    fixed: bool,
    /// The line fires at equal distances: how far apart, and the first second of a day.
    every: Option<(i64, i64)>,
}

/// Text that is not a cron line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not a cron line: {why}; write 5 fields (minute hour day month weekday) or 6 (seconds first), \
     such as '*/15 * * * *' or '0 9 * * MON-FRI'"
)]
pub struct ParseCronError {
    text: String,
    why: String,
}

/// The slot a claim runs, and how many were missed before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The latest slot at or before now.
    pub slot: Timestamp,
    /// Slots between the first due one and `slot` that will never run; at most [`MISSED_COUNTED_MAX`].
    pub missed: u64,
    /// The first slot after now; `None` if the line has none left.
    pub next: Option<Timestamp>,
}

impl CronExpr {
    /// A slot each minute.
    #[must_use]
    pub fn every_minute() -> Self {
        let every = cron::Schedule::from_str("0 * * * * *").into_iter().collect();
        Self {
            text: "* * * * *".into(),
            parsed: Arc::new(Parsed {
                schedules: every,
                fixed: false,
                every: Some((60, 0)),
            }),
        }
    }

    /// The line as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first slot after `after`.
    #[must_use]
    pub fn next_after(&self, timezone: Zone, after: Timestamp) -> Option<Timestamp> {
        if self.parsed.fixed {
            self.next_fixed(timezone, after)
        } else if let Some(next) = self.next_in_step(timezone, after) {
            Some(next)
        } else {
            self.next_real(timezone, after)
        }
    }

    /// Interval between slots from 1971 to 2090, if it is constant.
    #[must_use]
    pub fn step(&self, timezone: Zone) -> Option<Span> {
        let (step, _) = self.parsed.every.filter(|_| timezone == Zone::UTC)?;
        u64::try_from(step).ok().map(Span::from_secs)
    }

    /// The same as [`Self::next_real`] without a search, for a line of equal distances in a zone that is whole steps
    /// from UTC, before and after; `None` for any other.
    fn next_in_step(&self, timezone: Zone, after: Timestamp) -> Option<Timestamp> {
        let (step, first) = self.parsed.every?;
        let seconds = after.timestamp();
        if !IN_STEP_SECS.contains(&seconds) {
            return None;
        }
        let steps = seconds
            .checked_sub(first)?
            .checked_div_euclid(step)?
            .checked_add(1)?;
        let next = DateTime::from_timestamp(steps.checked_mul(step)?.checked_add(first)?, 0)?;
        let in_step = |instant| timezone.offset_at(instant).num_seconds().checked_rem(step) == Some(0);
        (timezone == Zone::UTC || (in_step(after) && in_step(next))).then_some(next)
    }

    /// Coalesces everything due from `due` (a slot at or before `now`) into one claim: the latest slot runs,
    /// the ones before it are missed.
    #[must_use]
    pub fn claim(&self, timezone: Zone, due: Timestamp, now: Timestamp) -> Claim {
        let (mut slot, mut missed) = (due, 0_u64);
        loop {
            match self.next_after(timezone, slot) {
                Some(next) if next <= now => {
                    missed = missed.saturating_add(1);
                    slot = if missed == MISSED_COUNTED_MAX {
                        self.latest(timezone, next, now)
                    } else {
                        next
                    };
                }
                next if missed <= MISSED_COUNTED_MAX => return Claim { slot, missed, next },
                next => {
                    return Claim {
                        slot,
                        missed: MISSED_COUNTED_MAX,
                        next,
                    };
                }
            }
        }
    }

    /// The latest slot at or before `now`, found from ever further back; `known` if none is nearer.
    fn latest(&self, timezone: Zone, known: Timestamp, now: Timestamp) -> Timestamp {
        for seconds in [2, 120, 7_200, 172_800] {
            let from = Span::from_secs(seconds).before(now);
            let Some(mut slot) = self.next_after(timezone, from).filter(|slot| *slot <= now) else {
                continue;
            };
            while let Some(next) = self.next_after(timezone, slot).filter(|next| *next <= now) {
                slot = next;
            }
            return slot.max(known);
        }
        known
    }

    /// The first matching time on a wall clock that never changes.
    fn next_naive(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let after = after.and_utc();
        let next = self
            .parsed
            .schedules
            .iter()
            .filter_map(|schedule| schedule.after(&after).next());
        next.min().map(|next| next.naive_utc())
    }

    fn next_fixed(&self, timezone: Zone, after: Timestamp) -> Option<Timestamp> {
        let mut wall = timezone.wall(after);
        loop {
            wall = self.next_naive(wall)?;
            let instant = timezone.instant(wall)?;
            if instant > after {
                return Some(instant);
            }
        }
    }

    /// From change to change of the clocks: between two of them the wall time is the instant and a fixed offset.
    fn next_real(&self, timezone: Zone, after: Timestamp) -> Option<Timestamp> {
        let (mut at, mut just_before) = (after, after);
        // A wall time and the next match after it: there is none in between, however often the clocks change.
        let mut known: Option<(NaiveDateTime, NaiveDateTime)> = None;
        loop {
            let offset = timezone.offset_at(at);
            let since = just_before.naive_utc().checked_add_signed(offset)?;
            let wall = match known {
                Some((from, wall)) if from <= since && since < wall => wall,
                _ => self.next_naive(since)?,
            };
            known = Some((since, wall));
            let instant = wall.checked_sub_signed(offset)?.and_utc();
            match timezone.next_change(at).filter(|change| *change <= instant) {
                None => return Some(instant),
                // A slot at the change itself counts by the new time.
                Some(change) => (at, just_before) = (change, Span::from_secs(1).before(change)),
            }
        }
    }
}

/// How many days of the calendar an interval is; `None`: it is counted by the clock.
fn calendar_days(timezone: Zone, interval: Span) -> Option<u64> {
    if timezone == Zone::UTC {
        return None;
    }
    Some(interval.std().as_secs())
        .filter(|seconds| seconds.is_multiple_of(DAY_SECS) && interval.std().subsec_nanos() == 0)
        .and_then(|seconds| seconds.checked_div(DAY_SECS))
        .filter(|days| *days > 0)
}

/// Whether an interval in this zone is counted by the clock.
pub(crate) fn is_by_clock(timezone: Zone, interval: Span) -> bool {
    calendar_days(timezone, interval).is_none()
}

/// When `interval` has passed since `last`, a slot of `line`. Whole days are days of the calendar: the same time on the
/// wall that number of days later, though a day of 23 or 25 hours is among them. Anything else is counted by the clock.
#[must_use]
pub fn interval_end(line: &CronExpr, timezone: Zone, interval: Span, last: Timestamp) -> Timestamp {
    let by_clock = interval.after(last);
    let Some(days) = calendar_days(timezone, interval) else {
        return by_clock;
    };
    // A slot that the gap moved to its end stands for an earlier time of the day.
    let moved = line.parsed.fixed.then(|| timezone.skipped_from(last)).flatten();
    let wall = moved.unwrap_or_else(|| timezone.wall(last));
    let end = wall
        .checked_add_days(Days::new(days))
        .and_then(|wall| timezone.instant(wall));
    end.unwrap_or(by_clock)
}

/// Delay of a tick after its slot: fixed for (`salt`, job, slot), uniform in [0, `max`), whole
/// milliseconds. Without the salt it is unpredictable.
#[must_use]
pub fn jitter(salt: &[u8], job: JobId, slot: Timestamp, max: Span) -> Span {
    let millis = u64::try_from(max.std().as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return Span::ZERO;
    }
    let mut seed = salt.to_vec();
    seed.extend(job.0.to_be_bytes());
    seed.extend(slot.timestamp_micros().to_be_bytes());
    let digest = keccak256(seed);
    let word = digest
        .iter()
        .take(8)
        .fold(0_u64, |word, byte| word.rotate_left(8) | u64::from(*byte));
    Span::from_millis(word.checked_rem(millis).unwrap_or(0))
}

/// When the tick of a slot starts. Live jobs with the same jitter start together, so that they share what is asked of
/// nodes; paper jobs ask none and are spread.
#[must_use]
pub fn starts_at(salt: &[u8], (realm, job): (Realm, JobId), slot: Timestamp, max: Span) -> Timestamp {
    let seed = match realm {
        Realm::Live => LIVE,
        Realm::Paper => job,
    };
    jitter(salt, seed, slot, max).after(slot)
}

/// Seeds the jitter of all live jobs; no job has this id.
const LIVE: JobId = JobId(0);

/// Cache of parsed lines. Many jobs share a few lines, which are read at every claim; parsing one takes as long
/// as all else that a claim computes.
static PARSED: LazyLock<Mutex<HashMap<Arc<str>, Arc<Parsed>>>> = LazyLock::new(Mutex::default);

/// Maximum number of cached lines.
const PARSED_MAX: usize = 4_096;
/// Longest cron line, bytes: each field of all values written out has less.
const TEXT_MAX: usize = 1_024;
/// Shown characters of a line that is too long.
const TEXT_SHOWN: usize = 40;

impl FromStr for CronExpr {
    type Err = ParseCronError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.len() > TEXT_MAX {
            return Err(ParseCronError {
                text: format!("{}..", text.chars().take(TEXT_SHOWN).collect::<String>()),
                why: format!("a line has at most {TEXT_MAX} bytes, this one has {}", text.len()),
            });
        }
        let parsed = || PARSED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((text, parsed)) = parsed().get_key_value(text) {
            return Ok(Self {
                text: Arc::clone(text),
                parsed: Arc::clone(parsed),
            });
        }
        let expr = Self::parse(text)?;
        let mut parsed = parsed();
        if parsed.len() >= PARSED_MAX {
            parsed.clear();
        }
        parsed.insert(Arc::clone(&expr.text), Arc::clone(&expr.parsed));
        Ok(expr)
    }
}

impl CronExpr {
    fn parse(text: &str) -> Result<Self, ParseCronError> {
        let error = |why: String| ParseCronError {
            text: text.to_owned(),
            why,
        };
        let fields = Fields::parse(text).map_err(error)?;
        let mut schedules = Vec::new();
        for line in fields.lines() {
            schedules.push(cron::Schedule::from_str(&line).map_err(|why| error(why.to_string()))?);
        }
        let parsed = Parsed {
            schedules,
            fixed: fields.names_its_hours(),
            every: fields.every(),
        };
        let expr = Self {
            text: text.into(),
            parsed: Arc::new(parsed),
        };
        // Any start works: a line that ever fires does so within the following leap-year cycle.
        match expr.next_naive(DateTime::UNIX_EPOCH.naive_utc()) {
            Some(_) => Ok(expr),
            None => Err(error("it matches no date".to_owned())),
        }
    }
}

impl TryFrom<String> for CronExpr {
    type Error = ParseCronError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CronExpr> for String {
    fn from(cron: CronExpr) -> Self {
        cron.text.to_string()
    }
}

impl fmt::Display for CronExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for CronExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CronExpr({:?})", self.text)
    }
}

impl PartialEq for CronExpr {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for CronExpr {}
