//! What a scenario may ask of a venue, and what it finds there and in the ledger afterwards.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_primitives::B256;
use lgi_mm::{
    domain::{
        ids::TradeId,
        job::{Account, JobId},
        onchain::Asset,
        span::Span,
        units::Amount,
    },
    engine::{Engine, Progress, Tick, TickOutcome},
    ports::Chain,
    store::{self, fill_watches},
};
use sqlx::PgPool;
use tokio::process::Child;

/// Longest wait for anything; no verdict depends on it unless something never happens.
const PATIENCE: Duration = Duration::from_secs(90);

/// How patient the venue and the engine are.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Blocks, its own included, after which a receipt counts.
    pub required_depth: u64,
    /// An unmined attempt is replaced after this long.
    pub replace_after: Span,
    /// Calldata is refused by the chain this long after it was made.
    pub trade_deadline: Span,
}

impl Default for Terms {
    /// Nothing is replaced or cancelled because a machine is slow.
    fn default() -> Self {
        Self {
            required_depth: 1,
            replace_after: Span::from_secs(3_600),
            trade_deadline: Span::from_secs(3_600),
        }
    }
}

/// What a wallet can run out of.
#[derive(Debug, Clone, Copy)]
pub enum Money {
    /// What a buy pays with.
    Quote,
    /// What gas is paid with.
    Gas,
}

/// A venue with one wallet on it, and a ledger of its own. Its blocks come with [`Rig::turn`], or with time.
pub trait Rig: Sized {
    /// A new venue, wallet and ledger.
    async fn new(terms: Terms) -> Self;
    /// The ledger.
    fn pool(&self) -> &PgPool;
    /// The wallet.
    fn account(&self) -> Account;
    /// A worker that has just started and remembers nothing.
    fn engine(&self) -> Engine;
    /// The chain as a client of its own sees it.
    async fn chain(&self) -> Arc<dyn Chain>;
    /// Another job, on another token each time, that buys for ten dollars, once.
    async fn job(&self) -> JobId;
    /// Advances the chain: pooled transactions are mined, unless they are stuck.
    async fn turn(&self);
    /// The swap of the first job that is planned and not yet sent will revert.
    async fn spoil(&self);
    /// The next transaction that is sent gets no block until another attempt takes its nonce.
    async fn stall(&self);
    /// The next send reaches the chain, and its answer is lost.
    async fn lose_an_answer(&self);
    /// Orders of [`Rig::lose_an_answer`] that have not struck yet.
    async fn answers_to_lose(&self) -> usize;
    /// Reorgs the block of this transaction out; no node remembers its bytes.
    async fn take_back(&self, hash: B256, nonce: u64);
    /// Another program with the same key uses `nonce`; the hash, once it is mined.
    async fn foreign(&self, nonce: u64) -> B256;
    /// The asset behind the name.
    fn asset(&self, money: Money) -> Asset;
    /// The wallet holds exactly this much from now on.
    async fn set_money(&self, money: Money, amount: Amount);
    /// Our program as a process on this ledger, which dies at `failpoint`.
    #[cfg(feature = "failpoints")]
    fn worker(&self, failpoint: &str) -> Child;
    /// The venue's records agree with the ledger; the hashes of the swaps that the venue has mined.
    async fn audit(&self) -> Vec<B256>;
}

/// What the ledger says of one trade.
#[derive(Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Booked {
    pub status: String,
    pub failure: Option<String>,
    pub transactions: i64,
    pub attempts: i64,
    pub reservations: i64,
}

impl Booked {
    /// Executed by one transaction of one attempt.
    pub fn executed() -> Self {
        Self {
            status: "EXECUTED".to_owned(),
            failure: None,
            transactions: 1,
            attempts: 1,
            reservations: 0,
        }
    }

    /// Failed with one transaction of one attempt.
    pub fn failed(kind: &str) -> Self {
        Self {
            status: "FAILED".to_owned(),
            failure: Some(kind.to_owned()),
            ..Self::executed()
        }
    }
}

pub async fn booked<R: Rig>(rig: &R, trade: TradeId) -> Booked {
    let sql = "SELECT t.status, t.failure_kind AS failure,
                      (SELECT count(*) FROM transactions x WHERE x.trade_id = t.id) AS transactions,
                      (SELECT count(*) FROM attempts a JOIN transactions x ON x.id = a.transaction_id WHERE x.trade_id = t.id) AS attempts,
                      (SELECT count(*) FROM reservations r WHERE r.trade_id = t.id) AS reservations
               FROM trades t WHERE t.id = $1";
    let found = sqlx::query_as(sql).bind(trade.0).fetch_one(rig.pool()).await;
    found.expect("the trade")
}

pub async fn count<R: Rig>(rig: &R, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(rig.pool()).await.expect(sql)
}

pub async fn texts<R: Rig>(rig: &R, sql: &'static str) -> Vec<String> {
    sqlx::query_scalar(sql).fetch_all(rig.pool()).await.expect(sql)
}

/// Hashes of all attempts, oldest first.
pub async fn attempts<R: Rig>(rig: &R) -> Vec<B256> {
    let hashes: Vec<Vec<u8>> = sqlx::query_scalar("SELECT hash FROM attempts ORDER BY id")
        .fetch_all(rig.pool())
        .await
        .expect("attempts");
    hashes.iter().map(|hash| B256::from_slice(hash)).collect()
}

/// What is held of the job's token, by the ledger.
pub async fn position<R: Rig>(rig: &R, job: JobId) -> String {
    let sql = "SELECT token_balance::text FROM jobs WHERE id = $1";
    let held = sqlx::query_scalar(sql).bind(job.0).fetch_one(rig.pool()).await;
    held.expect("a position")
}

/// Every trade with its attempts and the newest decisions, for the message of a failure.
async fn story<R: Rig>(rig: &R) -> String {
    let trades = "SELECT concat_ws(' ', t.id, t.side, t.status, t.failure_kind, x.nonce, a.purpose, encode(a.hash, 'hex'), a.sends)
                  FROM trades t LEFT JOIN transactions x ON x.trade_id = t.id LEFT JOIN attempts a ON a.transaction_id = x.id
                  ORDER BY t.id, x.nonce, a.id";
    let ticks = "SELECT concat_ws(' ', outcome, reason, detail, count) FROM ticks ORDER BY id DESC LIMIT 5";
    format!(
        "{}\n{}",
        texts(rig, trades).await.join("\n"),
        texts(rig, ticks).await.join("\n")
    )
}

/// Runs `step` and advances the chain in between, until there is an answer.
pub async fn until<R: Rig, T>(rig: &R, what: &str, mut step: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = step().await {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "never: {what}\n{}", story(rig).await);
        rig.turn().await;
    }
}

/// One tick of the job.
pub async fn tick<R: Rig>(rig: &R, job: JobId) -> TickOutcome {
    let slot = store::now(rig.pool()).await.expect("now");
    let mut results = rig.engine().evaluate(&[Tick { job, slot }]).await;
    results.remove(0).outcome.expect("a tick that works")
}

/// A trade that is frozen, once the job may trade.
pub async fn planned<R: Rig>(rig: &R, job: JobId) -> TradeId {
    until(rig, "a tick that trades", async || match tick(rig, job).await {
        TickOutcome::Traded { trade } => Some(trade),
        TickOutcome::Held { .. } | TickOutcome::AlreadyRecorded { .. } | TickOutcome::NoSuchJob => None,
    })
    .await
}

/// A trade whose transactions are signed and recorded, and of which nothing was sent.
pub async fn submitted<R: Rig>(rig: &R, job: JobId) -> TradeId {
    let trade = planned(rig, job).await;
    until(rig, "a nonce", async || {
        rig.engine().settle(trade).await.expect("a step");
        (booked(rig, trade).await.status == "SUBMITTED").then_some(trade)
    })
    .await
}

/// Drives a trade to its end.
pub async fn settle<R: Rig>(rig: &R, trade: TradeId) {
    let engine = rig.engine();
    until(rig, "the end of the trade", async || {
        matches!(engine.drive(trade).await, Ok(Progress::Final)).then_some(())
    })
    .await;
}

/// Drives every open trade to its end.
#[cfg(feature = "failpoints")]
pub async fn settle_all<R: Rig>(rig: &R) {
    for open in store::trades::open(rig.pool()).await.expect("open trades") {
        settle(rig, open.id).await;
    }
}

/// Looks once at every fill that is not final.
pub async fn watch<R: Rig>(rig: &R) {
    let fills = fill_watches::all(rig.pool()).await.expect("watched");
    rig.engine().watch(&fills).await.expect("looked at");
}

/// What must hold whenever no trade is open: the venue's records are the ledger's, and nonces are dense and all used.
pub async fn assert_at_rest<R: Rig>(rig: &R) -> Vec<B256> {
    let gaps = "SELECT count(*) FROM (SELECT nonce, row_number() OVER (ORDER BY nonce) - 1 AS expected FROM transactions) n
                WHERE nonce <> expected";
    assert_eq!(count(rig, gaps).await, 0, "nonces have a gap");
    assert_eq!(count(rig, "SELECT count(*) FROM reservations").await, 0);
    assert_eq!(count(rig, "SELECT count(*) FROM turns").await, 0);
    let nonces = rig
        .chain()
        .await
        .nonces(rig.account().wallet)
        .await
        .expect("nonces");
    assert_eq!(nonces.latest, nonces.pending, "a nonce is open");
    let ours = count(rig, "SELECT next_nonce FROM signers").await;
    assert_eq!(
        u64::try_from(ours),
        Ok(nonces.latest),
        "the counter is the chain's"
    );
    let mut swaps = rig.audit().await;
    let filled = "SELECT tx_hash FROM fills f WHERE kind = 'fill' AND NOT EXISTS (
                      SELECT FROM fills r WHERE r.trade_id = f.trade_id AND r.round = f.round AND r.kind = 'reversal')";
    let filled: Vec<Vec<u8>> = sqlx::query_scalar(filled)
        .fetch_all(rig.pool())
        .await
        .expect("fills");
    let mut filled: Vec<B256> = filled.iter().map(|hash| B256::from_slice(hash)).collect();
    filled.sort();
    swaps.sort();
    assert_eq!(filled, swaps, "the venue's swaps and our fills differ");
    swaps
}
