//! Injected faults, to test alerts and crashes.

use std::time::Duration;

use alloy_primitives::Address;
use sqlx::{PgConnection, PgPool};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::error::{PaperError, read, text, texts, unsigned};
use crate::domain::{Timestamp, span::Span};

/// The kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum FaultKind {
    /// A new transaction is refused outright.
    Fail,
    /// A swap reverts when it is mined.
    Revert,
    /// Answers to sends and lookups come late.
    Late,
    /// A transaction is accepted, but the answer to the sender is lost.
    Lost,
    /// A new transaction is accepted and stays pooled until it is replaced.
    Stuck,
    /// A new transaction is accepted and then dropped; its bytes may be sent again.
    Drop,
    /// Calls get no answer at all.
    Down,
}

/// A fault to inject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The kind of fault.
    pub kind: FaultKind,
    /// The chain.
    pub chain: String,
    /// Only for what touches this token; `None`: for everything.
    pub token: Option<Address>,
    /// How many times; `None`: unlimited.
    pub count: Option<u32>,
    /// For how long from now; `None`: unlimited.
    pub lasts: Option<Span>,
    /// Delay of answers under [`FaultKind::Late`]; other kinds ignore it.
    pub delay: Span,
}

impl Fault {
    /// `kind` on `chain`, for everything and until cleared.
    #[must_use]
    pub fn new(kind: FaultKind, chain: &str) -> Self {
        Self {
            kind,
            chain: chain.to_owned(),
            token: None,
            count: None,
            lasts: None,
            delay: Span::ZERO,
        }
    }

    /// The same, `count` times only.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self {
            count: Some(count),
            ..self
        }
    }
}

/// An active fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveFault {
    /// Id of the fault.
    pub id: i64,
    /// The kind of fault.
    pub kind: FaultKind,
    /// The chain.
    pub chain: String,
    /// Only for what touches this token.
    pub token: Option<Address>,
    /// How many times it still applies.
    pub remaining: Option<u64>,
    /// When it ends.
    pub until: Option<Timestamp>,
    /// Delay of answers.
    pub delay: Duration,
}

/// Injects faults.
#[derive(Debug, Clone)]
pub struct Faults {
    pool: PgPool,
}

impl Faults {
    /// The faults of the paper ledger behind `pool`.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Injects one; returns its id.
    ///
    /// # Errors
    /// [`PaperError::Database`].
    pub async fn add(&self, fault: &Fault) -> Result<i64, PaperError> {
        let millis = |span: Span| span.delta().num_milliseconds();
        Ok(sqlx::query_scalar!(
            "INSERT INTO paper.faults (kind, chain, token, remaining, until, delay_millis)
             VALUES ($1, $2, $3, $4, now() + $5::bigint * interval '1 millisecond', $6) RETURNING id",
            <&str>::from(fault.kind),
            fault.chain,
            fault.token.map(text),
            fault.count.map(i64::from),
            fault.lasts.map(millis),
            millis(fault.delay),
        )
        .fetch_one(&self.pool)
        .await?)
    }

    /// The active faults, oldest first.
    ///
    /// # Errors
    /// [`PaperError::Database`].
    pub async fn list(&self) -> Result<Vec<ActiveFault>, PaperError> {
        sqlx::query!(
            "SELECT id, kind, chain, token, remaining, until, delay_millis FROM paper.faults
             WHERE (remaining IS NULL OR remaining > 0) AND (until IS NULL OR until > clock_timestamp()) ORDER BY id"
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(|row| {
            Ok(ActiveFault {
                id: row.id,
                kind: read("faults.kind", &row.kind)?,
                chain: row.chain,
                token: row.token.map(|token| read("faults.token", &token)).transpose()?,
                remaining: row
                    .remaining
                    .map(|remaining| unsigned("faults.remaining", remaining))
                    .transpose()?,
                until: row.until,
                delay: Duration::from_millis(unsigned("faults.delay_millis", row.delay_millis)?),
            })
        })
        .collect()
    }

    /// Ends all faults, or those of one chain; returns their number.
    ///
    /// # Errors
    /// [`PaperError::Database`].
    pub async fn clear(&self, chain: Option<&str>) -> Result<u64, PaperError> {
        let done = sqlx::query!(
            "DELETE FROM paper.faults WHERE $1::text IS NULL OR chain = $1",
            chain
        )
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }
}

/// The kinds active on a chain: usually none, which costs one read per call.
#[derive(Debug)]
pub(super) struct Armed<'a> {
    chain: &'a str,
    kinds: Vec<FaultKind>,
}

impl<'a> Armed<'a> {
    pub(super) const fn of(chain: &'a str, kinds: Vec<FaultKind>) -> Self {
        Self { chain, kinds }
    }

    /// Whether none can strike.
    pub(super) fn is_none(&self) -> bool {
        self.kinds.is_empty()
    }

    pub(super) async fn load(conn: &mut PgConnection, chain: &'a str) -> Result<Self, PaperError> {
        let kinds = sqlx::query_scalar!(
            "SELECT DISTINCT kind FROM paper.faults
             WHERE chain = $1 AND (remaining IS NULL OR remaining > 0) AND (until IS NULL OR until > clock_timestamp())",
            chain
        )
        .fetch_all(conn)
        .await?;
        let kinds = kinds
            .iter()
            .map(|kind| read("faults.kind", kind))
            .collect::<Result<_, _>>()?;
        Ok(Self { chain, kinds })
    }

    /// Consumes one use of `kind` for a call that touches `tokens`; returns its delay.
    pub(super) async fn strike(
        &self,
        conn: &mut PgConnection,
        kind: FaultKind,
        tokens: &[Address],
    ) -> Result<Option<Duration>, PaperError> {
        if !self.kinds.contains(&kind) {
            return Ok(None);
        }
        let struck = sqlx::query_scalar!(
            "UPDATE paper.faults SET remaining = remaining - 1
             WHERE id = (SELECT id FROM paper.faults
                         WHERE chain = $1 AND kind = $2 AND (token IS NULL OR token = ANY($3))
                           AND (remaining IS NULL OR remaining > 0) AND (until IS NULL OR until > clock_timestamp())
                         ORDER BY id LIMIT 1 FOR UPDATE)
             RETURNING delay_millis",
            self.chain,
            <&str>::from(kind),
            &texts(tokens.iter().copied()),
        )
        .fetch_optional(conn)
        .await?;
        struck
            .map(|millis| unsigned("faults.delay_millis", millis).map(Duration::from_millis))
            .transpose()
    }

    /// Fails the call if [`FaultKind::Down`] is active.
    pub(super) async fn refuse_if_down(
        &self,
        conn: &mut PgConnection,
        tokens: &[Address],
    ) -> Result<(), PaperError> {
        match self.strike(conn, FaultKind::Down, tokens).await? {
            Some(_) => Err(PaperError::Down),
            None => Ok(()),
        }
    }
}
