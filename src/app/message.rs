//! Text for the owner that names request fields and advice by key, so that each face writes them its own way: the
//! command line as flags and commands, an HTTP API as fields and links.

use std::{borrow::Cow, fmt, path::PathBuf};

use alloy_primitives::Address;
use serde::{Serialize, Serializer};

use super::whole::shown;
use crate::{chain::policy::Entry, domain::ids::JobId};

/// A field of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Field {
    Amount,
    BlockTime,
    Budget,
    Chain,
    Cost,
    Csv,
    Decimals,
    Dir,
    Every,
    Expires,
    For,
    Force,
    From,
    Job,
    Limit,
    Live,
    MaxDayUsd,
    MaxGasUsd,
    MaxHourUsd,
    MaxTradeUsd,
    Mode,
    Name,
    Native,
    NativeUsdMin,
    Out,
    Over,
    Key,
    Paper,
    Pool,
    Price,
    Prices,
    Print,
    Quote,
    Realm,
    Size,
    SettingsOut,
    Since,
    SkipBad,
    Slices,
    Step,
    Stop,
    Sweep,
    Symbol,
    To,
    Token,
    Tokens,
    Trail,
    Until,
    Usdc,
    WalkForward,
    Zone,
}

/// A request that the owner can make next.
#[derive(Debug, Clone, PartialEq, Eq, strum::Display, strum::EnumDiscriminants)]
#[strum(serialize_all = "snake_case")]
#[strum_discriminants(name(AdviceKind), doc = "An advice without what it is about.")]
#[strum_discriminants(
    derive(strum::Display, strum::VariantArray),
    strum(serialize_all = "snake_case")
)]
pub enum Advice {
    /// Accept the history of a wallet that this database does not know.
    Adopt {
        wallet: Address,
        chain: String,
    },
    /// Make tokens of the wallet a job's own, at what they cost.
    AdoptTokens {
        tokens: String,
        cost: String,
    },
    /// Allow a job's trades in the policy.
    Allow(JobId),
    /// Allow the trades of the live job of a token in the policy.
    AllowToken(Address),
    /// Write this entry into the policy.
    AllowEntry(Box<Entry>),
    /// Add tokens that no job tracks to a job.
    CountIn,
    /// Run scheduler and worker in one process.
    Daemon,
    /// Give the paper wallet tokens of this contract.
    FundPaper {
        token: Address,
        chain: String,
        decimals: u8,
    },
    /// Change a key of a job's configuration; `None`: of the job in question.
    Edit {
        job: Option<JobId>,
        assignment: &'static str,
    },
    ListJobs,
    /// List every key of a configuration.
    ListKeys,
    /// List the tokens of the HTTP API.
    ListTokens,
    ListTrades,
    ListWallets,
    NewWallet,
    ImportWallet,
    CheckWallets,
    /// Buy a token once.
    Buy(Address),
    Pause(JobId),
    /// Remove a job that is idle; its history stays.
    Remove(JobId),
    /// Show every pool of a token.
    Pools(Address),
    CheckPolicy,
    Reconcile,
    /// Resume the job in question.
    Resume,
    /// Revoke this token of the HTTP API.
    RevokeToken(String),
    RunScheduler,
    RunWorker,
    /// Give a key of the configuration with the request.
    Set(Cow<'static, str>),
    ShowPolicy,
    /// Start a job; `None`: of any token.
    Start(Option<Address>),
    /// Start a job from its file.
    StartFrom(Box<StartFrom>),
    /// Show the job in question.
    Status,
    TestNotifications,
    /// Write a policy: allow what one job, or one wallet, needs.
    WritePolicy,
}

/// A start that can be made with a job file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartFrom {
    pub token: Address,
    pub chain: String,
    pub file: PathBuf,
    /// On paper: not looked up again.
    pub symbol: Option<String>,
    /// On paper: not assumed.
    pub decimals: Option<u8>,
    pub live: bool,
}

/// How a face writes fields and advice.
pub trait Wording {
    /// A field of the request that was made.
    fn field(&self, field: Field) -> String;
    /// A next step, as part of a sentence.
    fn advice(&self, advice: &Advice) -> String;
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    Field(Field),
    Advice(Advice),
}

/// Text with fields and advice. Displayed and serialised with their keys, unless a face has written them
/// ([`Message::write`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message(Vec<Piece>);

impl Message {
    #[must_use]
    pub(super) const fn new(pieces: Vec<Piece>) -> Self {
        Self(pieces)
    }

    /// Its parts, to write them into another message.
    pub(super) fn pieces(self) -> Vec<Piece> {
        self.0
    }

    /// With another word for `old` in its text.
    pub(super) fn replaced(self, old: &str, new: &str) -> Self {
        let replace = |piece| match piece {
            Piece::Text(text) => Piece::Text(text.replace(old, new)),
            piece => piece,
        };
        Self(self.0.into_iter().map(replace).collect())
    }

    /// The text as a face writes it.
    pub fn rendered(&self, wording: &impl Wording) -> String {
        let write = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Field(field) => wording.field(*field),
            Piece::Advice(advice) => wording.advice(advice),
        };
        self.0.iter().map(write).collect()
    }

    /// Replaces fields and advice by the face's words.
    pub fn write(&mut self, wording: &impl Wording) {
        *self = Self::from(self.rendered(wording));
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Field(field) => field.fmt(f),
            Piece::Advice(Advice::Set(assignment)) => f.write_str(assignment),
            Piece::Advice(advice) => write!(f, "`{advice}`"),
        })
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        shown(self, serializer)
    }
}

impl<T: Into<Piece>> From<T> for Message {
    fn from(piece: T) -> Self {
        Self(vec![piece.into()])
    }
}

impl From<String> for Piece {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Piece {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Field> for Piece {
    fn from(field: Field) -> Self {
        Self::Field(field)
    }
}

impl From<Advice> for Piece {
    fn from(advice: Advice) -> Self {
        Self::Advice(advice)
    }
}

/// A [`Message`] of texts, fields and advice.
macro_rules! message {
    ($($piece:expr),+ $(,)?) => {
        $crate::app::message::Message::new(vec![$($crate::app::message::Piece::from($piece)),+])
    };
}
pub(super) use message;
