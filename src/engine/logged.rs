//! Which holds are logged: one that differs from the job's last, and one that stays the same once a minute. A job a
//! second would fill the log with what everybody knows; `lgi-mm logs` and `status` have each of them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    domain::{
        decision::HoldReason,
        job::{JobId, Realm},
    },
    store::jobs::Job,
};

/// An unchanged hold of a job is logged at most this often.
const EVERY: Duration = Duration::from_secs(60);

/// A job that this process has not evaluated for so long is forgotten: another process has it now, or it has stopped.
const FORGET_AFTER: Duration = Duration::from_secs(10 * 60);

/// What this process has logged, by job; all its workers share it.
#[derive(Debug, Default)]
pub(super) struct LoggedHolds(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    jobs: HashMap<JobId, Logged>,
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Logged {
    name: Named,
    seen: Instant,
    last: Option<(HoldReason, Instant)>,
}

/// How a line names a job besides its number; neither ever changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) realm: Realm,
    pub(super) symbol: String,
}

impl LoggedHolds {
    /// Remembers how the lines of a job name it.
    pub(super) fn know(&self, job: &Job, now: Instant) {
        let name = || Named {
            realm: job.account.realm,
            symbol: job.token.symbol.clone(),
        };
        self.note(job.id, name, now);
    }

    fn note(&self, job: JobId, name: impl FnOnce() -> Named, now: Instant) {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memory.sweep(now);
        let logged = memory.jobs.entry(job).or_insert_with(|| Logged {
            name: name(),
            seen: now,
            last: None,
        });
        logged.seen = now;
    }

    /// How a line names the job, and whether it is for people: the same was not logged within the last minute. `None`:
    /// nobody [knows](Self::know) it.
    pub(super) fn line(&self, job: JobId, reason: HoldReason, now: Instant) -> Option<(Named, bool)> {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let logged = memory.jobs.get_mut(&job)?;
        let is_said = logged
            .last
            .is_some_and(|(last, at)| last == reason && now.saturating_duration_since(at) < EVERY);
        if !is_said {
            logged.last = Some((reason, now));
        }
        Some((logged.name.clone(), !is_said))
    }
}

impl Memory {
    fn sweep(&mut self, now: Instant) {
        let is_due = self
            .swept
            .is_none_or(|swept| now.saturating_duration_since(swept) >= EVERY);
        if is_due {
            self.swept = Some(now);
            self.jobs
                .retain(|_, logged| now.saturating_duration_since(logged.seen) < FORGET_AFTER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named() -> Named {
        Named {
            realm: Realm::Live,
            symbol: "CLAWD".to_owned(),
        }
    }

    fn after(begun: Instant, seconds: u64) -> Instant {
        begun + Duration::from_secs(seconds)
    }

    #[test]
    fn a_hold_is_logged_when_it_changes_and_once_a_minute_while_it_stays() {
        let (holds, job, begun) = (LoggedHolds::default(), JobId(7), Instant::now());
        assert_eq!(holds.line(job, HoldReason::Idle, begun), None, "it has no name");
        holds.note(job, named, begun);
        let slots = [
            (0, HoldReason::NotDue),
            (1, HoldReason::NotDue),
            (59, HoldReason::NotDue),
            (60, HoldReason::NotDue),
            (61, HoldReason::Idle),
            (62, HoldReason::NotDue),
            (63, HoldReason::NotDue),
        ];
        let said = slots.into_iter().filter(|(second, reason)| {
            holds.line(job, *reason, after(begun, *second)) == Some((named(), true))
        });
        let seconds: Vec<u64> = said.map(|(second, _)| second).collect();
        assert_eq!(seconds, [0, 60, 61, 62]);
    }

    #[test]
    fn jobs_do_not_silence_each_other() {
        let (holds, begun) = (LoggedHolds::default(), Instant::now());
        for job in [JobId(1), JobId(2)] {
            holds.note(job, named, begun);
            for is_new in [true, false] {
                assert_eq!(
                    holds.line(job, HoldReason::NotDue, begun),
                    Some((named(), is_new))
                );
            }
        }
    }

    #[test]
    fn jobs_that_are_not_evaluated_any_more_are_forgotten() {
        let (holds, begun) = (LoggedHolds::default(), Instant::now());
        for job in 1..=1_000 {
            holds.note(JobId(job), named, begun);
        }
        for minute in 1..=10 {
            holds.note(JobId(1), named, after(begun, minute * 60));
        }
        let memory = holds.0.lock().expect("the lock");
        assert_eq!(memory.jobs.keys().collect::<Vec<_>>(), [&JobId(1)]);
    }
}
