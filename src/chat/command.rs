//! What can be written to the bot.

use crate::domain::{ids::JobId, role::Role};

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    Status,
    /// Those with a greater number.
    Jobs(JobId),
    Job(JobId),
    Why(JobId),
    Pnl,
    /// Of one job, or of all.
    Trades(Option<JobId>),
    Pause(JobId),
    PauseAll,
    Resume(JobId),
    Tick(JobId),
    Liquidate(JobId),
}

pub(super) const HELP: &str = "\
/status - totals, and jobs that need you
/jobs - all jobs; /jobs N continues after job N
/job N - one job
/why N - why it does not trade, and when it does
/pnl - what was earned
/trades - the newest trades; /trades N of job N
/pause N - stop new trades; /pause all stops every job
/resume N - continue
/tick N - evaluate a slot now
/liquidate N - sell all that it bought
N is a job's number.";

impl Command {
    /// The least role that may give it.
    pub(super) const fn needs(self) -> Role {
        match self {
            Self::Help
            | Self::Status
            | Self::Jobs(_)
            | Self::Job(_)
            | Self::Why(_)
            | Self::Pnl
            | Self::Trades(_) => Role::Viewer,
            Self::Pause(_) | Self::PauseAll | Self::Resume(_) | Self::Tick(_) => Role::Operator,
            Self::Liquidate(_) => Role::Owner,
        }
    }
}

/// Reads a command.
///
/// # Errors
/// What is wrong with it, for its author.
pub(super) fn read(text: &str) -> Result<Command, String> {
    let mut words = text.split_whitespace();
    let name = words.next().unwrap_or_default();
    // In a group a command names its bot: /jobs@the_bot.
    let name = name.split('@').next().unwrap_or_default();
    let (given, more) = (words.next(), words.next().is_some());
    if more {
        return Err(format!("{name} has too many words.\n{HELP}"));
    }
    let job = || number(name, given);
    let optional = || given.map(|_| job()).transpose();
    let alone = |command| match given {
        None => Ok(command),
        Some(_) => Err(format!("{name} takes no number.\n{HELP}")),
    };
    match name {
        "/start" | "/help" => Ok(Command::Help),
        "/status" => alone(Command::Status),
        "/jobs" => Ok(Command::Jobs(optional()?.unwrap_or(JobId(0)))),
        "/job" => Ok(Command::Job(job()?)),
        "/why" => Ok(Command::Why(job()?)),
        "/pnl" => alone(Command::Pnl),
        "/trades" => Ok(Command::Trades(optional()?)),
        "/pause" if given == Some("all") => Ok(Command::PauseAll),
        "/pause" => Ok(Command::Pause(job()?)),
        "/resume" => Ok(Command::Resume(job()?)),
        "/tick" => Ok(Command::Tick(job()?)),
        "/liquidate" => Ok(Command::Liquidate(job()?)),
        _ => Err(format!("I know no such command.\n{HELP}")),
    }
}

fn number(name: &str, given: Option<&str>) -> Result<JobId, String> {
    let number = given.map(|text| text.strip_prefix('#').unwrap_or(text));
    let number = number
        .and_then(|text| text.parse::<i64>().ok())
        .filter(|number| *number > 0);
    number
        .map(JobId)
        .ok_or_else(|| format!("{name} needs the number of a job, such as {name} 7. /jobs lists them."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_as_a_whole_or_not_at_all() {
        for (text, read_as) in [
            ("/jobs", Command::Jobs(JobId(0))),
            ("/jobs 40", Command::Jobs(JobId(40))),
            ("/job@my_bot #7", Command::Job(JobId(7))),
            ("  /pause   all ", Command::PauseAll),
            ("/pause 7", Command::Pause(JobId(7))),
            ("/liquidate 7", Command::Liquidate(JobId(7))),
            ("/trades", Command::Trades(None)),
        ] {
            assert_eq!(read(text), Ok(read_as), "{text}");
        }
        for text in [
            "",
            "hello",
            "pause 7",
            "/pause",
            "/pause ALL",
            "/pause 7 8",
            "/pause 0",
            "/pause -1",
            "/liquidate all",
            "/resume all",
            "/liquidate CLAWD",
            "/status 7",
            "/PAUSE 7",
            "/pause 99999999999999999999",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
