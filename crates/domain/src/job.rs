//! A job: one token position, its identity, its status and the transitions its status allows.

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::name::read_in_any_case;

pub use crate::ids::JobId;

/// Whether a job's money is real.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Realm {
    /// Trades on the paper venue, with invented money.
    Paper,
    /// Trades on a chain, with the user's own key.
    Live,
}

impl Realm {
    /// As people see it: real money stands out.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Live => "LIVE",
        }
    }
}

/// How a job trades. Fixed for a job's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, VariantArray, Serialize)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", ascii_case_insensitive)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobMode {
    /// Build a position: DCA, dip-buy, take-profit.
    Accumulate,
    /// Keep an inventory balanced around a moving average.
    Liquidity,
    /// Buy or sell once, when a price is reached.
    Order,
    /// Keep a share of a basket of several tokens.
    Basket,
}

impl JobMode {
    /// The name of the mode's table in a configuration, such as `accumulate`.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::Accumulate => "accumulate",
            Self::Liquidity => "liquidity",
            Self::Order => "order",
            Self::Basket => "basket",
        }
    }
}

/// Status of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, VariantArray, Serialize)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", ascii_case_insensitive)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobStatus {
    /// No position, not running.
    Idle,
    /// Trades by its rules.
    Running,
    /// Keeps its position and does not trade.
    Paused,
    /// Sells all it holds to return to idle.
    Liquidating,
    /// Stopped by too many consecutive failures.
    Error,
}

read_in_any_case!(Realm, JobMode, JobStatus);

/// A command to a job, from a user or the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Command {
    /// Begin a cycle, or resume after a pause.
    Start,
    /// Stop trading, keep the position.
    Pause,
    /// Resume after a pause or an error.
    Resume,
    /// Sell everything this job bought.
    Liquidate,
    /// End without selling: give the tokens back to the owner.
    Release,
    /// Archive the job.
    Remove,
    /// The engine: nothing is left to sell.
    FinishLiquidation,
    /// The engine: too many consecutive failures.
    Fail,
}

impl Command {
    /// What a job is once the command was carried out, such as `paused`.
    #[must_use]
    pub const fn done(self) -> &'static str {
        match self {
            Self::Start => "started",
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Liquidate => "liquidated",
            Self::Release => "released",
            Self::Remove => "removed",
            Self::FinishLiquidation => "finished",
            Self::Fail => "failed",
        }
    }
}

/// Effect of a command on a job's status. Its JSON is part of the audit trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transition {
    /// The job gets this status.
    To(JobStatus),
    /// The job already has the requested status.
    Already,
    /// The job leaves the list for good; its history stays.
    Archived,
}

/// A command that a job's status does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {status} cannot be {}; allowed now: {}", command.done(), allowed(*status, *before_stop))]
pub struct TransitionRefused {
    /// The command.
    pub command: Command,
    /// The job's status.
    pub status: JobStatus,
    /// The job's status before it was paused or failed.
    pub before_stop: Option<JobStatus>,
}

/// Consecutive failures after which a job stops itself.
pub const FAILURES_IN_A_ROW_MAX: u32 = 5;

/// A running job that failed this many times in a row needs its owner; fewer failures are retried.
pub const FAILING_AFTER: u32 = 3;

/// The lifecycle as one table. `before_stop` is the status a PAUSED or ERROR job came from, and where
/// `resume` brings it back to: a job that was liquidating never resumes into buying.
///
/// # Errors
/// [`TransitionRefused`] names the status and what it allows.
pub fn transition(
    status: JobStatus,
    before_stop: Option<JobStatus>,
    command: Command,
) -> Result<Transition, TransitionRefused> {
    use JobStatus::{Error, Idle, Liquidating, Paused, Running};
    use Transition::{Already, Archived, To};
    let back = before_stop.unwrap_or(Running);
    match (command, status) {
        (Command::Start, Idle) => Ok(To(Running)),
        (Command::Start | Command::Resume, Paused) | (Command::Resume, Error) => Ok(To(back)),
        (Command::Start | Command::Resume, Running)
        | (Command::Pause, Paused)
        | (Command::Liquidate, Liquidating)
        | (Command::Release, Idle)
        // A job that is not trading need not be stopped. And if a paused one became ERROR, its status
        // before the pause would be lost: a liquidation could resume into buying.
        | (Command::Fail, Error | Paused | Idle) => Ok(Already),
        // Who wants out of an ERROR job need not resume it, and perhaps buy, first.
        (Command::Pause, Running | Liquidating | Error) => Ok(To(Paused)),
        (Command::Liquidate, Running | Paused | Error) => Ok(To(Liquidating)),
        (Command::Remove, Idle) => Ok(Archived),
        (Command::FinishLiquidation, Liquidating)
        | (Command::Release, Running | Paused | Liquidating | Error) => Ok(To(Idle)),
        (Command::Fail, Running | Liquidating) => Ok(To(Error)),
        _ => Err(TransitionRefused {
            command,
            status,
            before_stop,
        }),
    }
}

/// The users' commands that `status` allows, for error messages.
fn allowed(status: JobStatus, before_stop: Option<JobStatus>) -> String {
    let users = [
        Command::Start,
        Command::Pause,
        Command::Resume,
        Command::Liquidate,
        Command::Release,
        Command::Remove,
    ];
    let names: Vec<String> = users
        .into_iter()
        .filter(|command| {
            matches!(
                transition(status, before_stop, *command),
                Ok(Transition::To(_) | Transition::Archived)
            )
        })
        .map(|command| command.to_string())
        .collect();
    names.join(", ")
}

/// A token as the ledger needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Contract address.
    pub address: Address,
    /// Ticker, for people.
    pub symbol: String,
    /// Digits after the point of one whole token, 0 to 36.
    pub decimals: u8,
}

/// The wallet and market a job trades in. Fixed for a job's life.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Account {
    /// Paper or live.
    pub realm: Realm,
    /// Chain name, such as `base`.
    pub chain: String,
    /// The address that holds the tokens and signs.
    pub wallet: Address,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_was_liquidating_never_resumes_into_buying() {
        for stopped in [JobStatus::Paused, JobStatus::Error] {
            let resumed = transition(stopped, Some(JobStatus::Liquidating), Command::Resume);
            assert_eq!(resumed, Ok(Transition::To(JobStatus::Liquidating)));
        }
    }

    #[test]
    fn no_sequence_of_commands_leads_from_liquidating_into_buying() {
        // What the store keeps: `before_stop` is set on the way into PAUSED or ERROR.
        let mut reached = vec![(JobStatus::Liquidating, None)];
        let mut next = 0;
        while let Some(&(status, before_stop)) = reached.get(next) {
            for &command in Command::VARIANTS {
                let Ok(Transition::To(to)) = transition(status, before_stop, command) else {
                    continue;
                };
                let stops = matches!(to, JobStatus::Paused | JobStatus::Error);
                let state = (to, stops.then_some(status));
                assert_ne!(to, JobStatus::Running, "{command} from {status}");
                // A finished liquidation may start again: that is a new cycle.
                if to != JobStatus::Idle && !reached.contains(&state) {
                    reached.push(state);
                }
            }
            next += 1;
        }
        assert!(reached.len() >= 3, "{reached:?}");
    }

    #[test]
    fn every_refusal_names_the_status_and_what_it_allows() {
        for &status in JobStatus::VARIANTS {
            for &command in Command::VARIANTS {
                if let Err(refused) = transition(status, None, command) {
                    let text = refused.to_string();
                    assert!(text.contains(&status.to_string()), "{text}");
                    assert!(!text.ends_with(": "), "{text}");
                }
            }
        }
    }
}
