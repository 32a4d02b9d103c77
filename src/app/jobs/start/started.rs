//! View of a started job.

use std::fmt;

use alloy_primitives::Address;
use serde::{Serialize, Serializer};

use crate::app::message::Message;
use crate::{
    app::{
        costs::Costs,
        policy::Missing,
        whole::{checksum, shown},
    },
    domain::{
        Timestamp,
        ids::JobId,
        job::{Account, JobMode, JobStatus, Realm, Token, Transition},
    },
    store::jobs::Job,
};

#[derive(Debug, Serialize)]
pub struct Started {
    pub job: JobId,
    #[serde(serialize_with = "checksum")]
    pub token: Address,
    pub symbol: String,
    pub chain: String,
    pub realm: Realm,
    pub mode: JobMode,
    pub status: JobStatus,
    pub what: What,
    /// Assumptions for values that were not given, one line each.
    pub assumed: Vec<Message>,
    /// What its first buy and a sale right after it would cost; none for a job that exists already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub costs: Option<Costs>,
    /// What the policy on the worker's machine must still allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<NotAllowed>,
}

/// What the start did; displayed as a sentence.
#[derive(Debug)]
pub struct What {
    pub step: Step,
    /// A live job's wallet and pair.
    pub live: Option<Pair>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Created(JobMode),
    /// A new cycle of an idle job.
    Cycle(i32),
    Resumed {
        from: JobStatus,
        to: JobStatus,
    },
    AlreadyRunning,
    /// An order that was placed before, with the same key.
    Before(Timestamp),
}

impl Step {
    /// What an order to start made of a job.
    pub(super) const fn of(job: &Job, made: Transition) -> Self {
        match (job.status, made) {
            (_, Transition::Already | Transition::Archived) => Self::AlreadyRunning,
            (JobStatus::Idle, _) => Self::Cycle(job.cycle.saturating_add(1)),
            (from, Transition::To(to)) => Self::Resumed { from, to },
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created(mode) => write!(f, "started in mode {mode}"),
            Self::Cycle(cycle) => write!(f, "started, cycle {cycle}"),
            Self::Resumed { from, to } => write!(f, "{from} -> {to}"),
            Self::AlreadyRunning => f.write_str("is already running"),
            Self::Before(at) => write!(
                f,
                "was placed with this key before, at {}; nothing was placed now",
                at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
            ),
        }
    }
}

#[derive(Debug)]
pub struct Pair {
    pub wallet: Address,
    pub token: String,
    pub quote: String,
}

impl Pair {
    pub(super) fn new(account: &Account, token: &Token, quote: &Token) -> Self {
        Self {
            wallet: account.wallet,
            token: token.symbol.clone(),
            quote: quote.symbol.clone(),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.step.fmt(f)?;
        let created = matches!(self.step, Step::Created(_));
        match &self.live {
            Some(Pair { wallet, token, quote }) => {
                let mark = if created { ", " } else { "; " };
                write!(f, "{mark}LIVE: wallet {wallet} trades {token} for {quote}")
            }
            None if created => f.write_str(", on paper"),
            None => Ok(()),
        }
    }
}

impl Serialize for What {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        shown(self, serializer)
    }
}

/// What this machine's policy lacks for the job; displayed as indented lines.
#[derive(Debug)]
pub struct NotAllowed(pub Missing);

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Missing { lacks, command } = &self.0;
        writeln!(f, "  NOT ALLOWED YET: {}", lacks.join("; "))?;
        writeln!(
            f,
            "  nothing is signed until it is allowed on the machine whose worker holds the key:"
        )?;
        command
            .iter()
            .try_for_each(|command| writeln!(f, "    {command}"))
    }
}

impl Serialize for NotAllowed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        shown(self, serializer)
    }
}
