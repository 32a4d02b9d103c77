//! One node: rate limit, missing methods, lag, and proof that it still serves our chain.

use std::{
    collections::HashMap,
    sync::{Mutex as StdMutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use alloy_primitives::U64;
use metrics::{counter, gauge, histogram};
use serde_json::{Value, json};
use tokio::{sync::Mutex, time::sleep_until};

use super::{
    error::CallError,
    unfit::{Fitness, fitness},
    wire::{Answers, Failure, Request, Wire},
};
use crate::{
    domain::backoff::Backoff,
    ports::RpcError,
    telemetry::{metric, note_rpc},
};

/// A node's chain id is checked again after this time, and after every broken connection.
const VERIFIED_FOR: Duration = Duration::from_secs(180);
/// How long a node that lacks a method is tried last for it.
const LACKS_FOR: Duration = Duration::from_secs(600);
/// A head older than this says nothing about a node's lag.
const HEAD_FOR: Duration = Duration::from_secs(60);
/// A node more blocks behind the best one than this is tried last.
pub(super) const LAG_MAX: u64 = 5;
/// Consecutive failures after which requests to a node back off.
const FAILURES_MAX: u32 = 3;
/// How long a node rests after that.
const REST: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(15));
/// How long an invalid answer keeps a node at the end of the list.
const DISTRUSTED_FOR: Duration = Duration::from_secs(300);

pub(super) struct Node {
    pub(super) wire: Wire,
    chain: String,
    chain_id: u64,
    /// When its chain id was last verified.
    verified: Mutex<Option<Instant>>,
    /// When the next request may start, and the minimum interval between two.
    next_free: Mutex<Instant>,
    spacing: Duration,
    health: StdMutex<Health>,
}

/// State learned from a node's answers.
#[derive(Debug, Default)]
struct Health {
    failures: u32,
    resting_until: Option<Instant>,
    distrusted_until: Option<Instant>,
    lacks: HashMap<&'static str, Instant>,
    head: Option<(u64, Instant)>,
    lag: u64,
    /// Maximum batch size; 0: not known yet.
    batch_max: usize,
}

/// Rank of a node for a request; the lowest is tried first.
pub(super) type Rank = (bool, bool, bool, bool);

impl Node {
    pub(super) fn new(wire: Wire, chain: &str, chain_id: u64, spacing: Duration) -> Self {
        // Export zeros first: a counter that first appears at one shows no increase.
        for outcome in ["answered", "failed", "nonsense"] {
            let labels = [
                ("chain", chain.to_owned()),
                ("node", wire.endpoint().voice().to_owned()),
                ("outcome", outcome.to_owned()),
            ];
            counter!(metric::NODE_REQUESTS, &labels).increment(0);
        }
        Self {
            wire,
            chain: chain.to_owned(),
            chain_id,
            verified: Mutex::default(),
            next_free: Mutex::new(Instant::now()),
            spacing,
            health: StdMutex::default(),
        }
    }

    pub(super) fn name(&self) -> &str {
        self.wire.endpoint().name()
    }

    pub(super) fn voice(&self) -> &str {
        self.wire.endpoint().voice()
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rank of this node for `requests`.
    pub(super) fn rank(&self, requests: &[Request]) -> Rank {
        let now = Instant::now();
        let health = self.health();
        let lacks = |(method, _): &Request| {
            health
                .lacks
                .get(method)
                .is_some_and(|since| now < *since + LACKS_FOR)
        };
        (
            requests.iter().any(lacks),
            health.distrusted_until.is_some_and(|until| now < until),
            health.is_lagging(now),
            health.is_resting(now),
        )
    }

    /// Whether recent failures make it not worth waiting for.
    pub(super) fn is_resting(&self) -> bool {
        self.health().is_resting(Instant::now())
    }

    pub(super) fn set_head(&self, number: u64) {
        self.health().head = Some((number, Instant::now()));
    }

    /// Blocks behind the best node.
    pub(super) fn set_lag(&self, lag: u64) {
        self.health().lag = lag;
        let labels = [("chain", self.chain.clone()), ("node", self.voice().to_owned())];
        // A float is exact for every relevant number of blocks.
        gauge!(metric::NODE_HEAD_LAG, &labels).set(f64::from(u32::try_from(lag).unwrap_or(u32::MAX)));
    }

    /// The newest block that it recently reported.
    pub(super) fn head(&self) -> Option<u64> {
        let health = self.health();
        health
            .head
            .filter(|(_, at)| at.elapsed() < HEAD_FOR)
            .map(|(number, _)| number)
    }

    /// Records an impossible answer: the node is tried last for a while.
    pub(super) fn distrust(&self) {
        self.health().distrusted_until = Some(Instant::now() + DISTRUSTED_FOR);
        self.count("nonsense");
    }

    pub(super) fn note_lacks(&self, method: &'static str) {
        self.health().lacks.insert(method, Instant::now());
    }

    /// A port error that names this node.
    pub(super) fn error(&self, detail: String) -> RpcError {
        RpcError {
            endpoint: self.name().to_owned(),
            detail,
        }
    }

    /// Answers for all requests, if this node serves our chain.
    pub(super) async fn call(&self, requests: &[Request]) -> Result<Answers, Failure> {
        self.verify().await?;
        let answers = self.send_in_parts(requests).await?;
        for ((method, params), answer) in requests.iter().zip(&answers) {
            // Every synced node has a newest block.
            let newest = *method == "eth_getBlockByNumber" && params.get(0) == Some(&json!("latest"));
            if newest && answer.as_ref().is_ok_and(Value::is_null) {
                return Err(Failure::of("the node has no newest block".to_owned()));
            }
        }
        Ok(answers)
    }

    /// A node of another chain gets no further requests.
    async fn verify(&self) -> Result<(), Failure> {
        let mut verified = self.verified.lock().await;
        if verified.is_some_and(|at| at.elapsed() < VERIFIED_FOR) {
            return Ok(());
        }
        let id = self.chain_id().await.map_err(Failure::of)?;
        if id != self.chain_id {
            return Err(Failure::of(format!(
                "this node serves chain id {id}, and {} has {}; change chains.{}.rpc_urls",
                self.chain, self.chain_id, self.chain
            )));
        }
        *verified = Some(Instant::now());
        Ok(())
    }

    pub(super) async fn chain_id(&self) -> Result<u64, String> {
        let answer = self.send(&[("eth_chainId", json!([]))]).await;
        let answer = answer.map_err(|failure| failure.detail)?.pop();
        let value = answer
            .unwrap_or(Ok(Value::Null))
            .map_err(|error| error.to_string())?;
        let id: U64 = serde_json::from_value(value).map_err(|error| format!("eth_chainId: {error}"))?;
        Ok(id.to())
    }

    /// Sends one batch, or smaller ones as this node requires.
    async fn send_in_parts(&self, requests: &[Request]) -> Result<Answers, Failure> {
        let most = match self.health().batch_max {
            0 => requests.len(),
            most => most,
        };
        let failure = match self.send_chunks(requests, most).await {
            Err(failure) if failure.batch_refused => failure,
            done => return done,
        };
        let mut last = failure;
        for fewer in [10, 3, 1] {
            if fewer >= requests.len().min(most) {
                continue;
            }
            match self.send_chunks(requests, fewer).await {
                Ok(answers) => {
                    self.health().batch_max = fewer;
                    return Ok(answers);
                }
                Err(failure) if failure.batch_refused => last = failure,
                Err(failure) => return Err(failure),
            }
        }
        Err(last)
    }

    async fn send_chunks(&self, requests: &[Request], most: usize) -> Result<Answers, Failure> {
        let mut answers = Vec::with_capacity(requests.len());
        for chunk in requests.chunks(most.max(1)) {
            answers.extend(self.send(chunk).await?);
        }
        Ok(answers)
    }

    async fn send(&self, requests: &[Request]) -> Result<Answers, Failure> {
        self.pace().await;
        let begun = Instant::now();
        let result = self.wire.exchange(requests).await;
        let outcome = if result.is_ok() { "answered" } else { "failed" };
        note_rpc(&self.chain, result.is_ok());
        counter!(metric::RPC_REQUESTS, "chain" => self.chain.clone(), "outcome" => outcome).increment(1);
        histogram!(metric::RPC_DURATION, "chain" => self.chain.clone()).record(begun.elapsed());
        self.count(outcome);
        self.note(&result);
        if result.as_ref().is_err_and(|failure| failure.disconnected)
            && let Ok(mut verified) = self.verified.try_lock()
        {
            *verified = None;
        }
        result
    }

    fn count(&self, outcome: &'static str) {
        let labels = [
            ("chain", self.chain.clone()),
            ("node", self.voice().to_owned()),
            ("outcome", outcome.to_owned()),
        ];
        counter!(metric::NODE_REQUESTS, &labels).increment(1);
    }

    /// Consecutive failures double the backoff; success resets it.
    fn note(&self, result: &Result<Answers, Failure>) {
        let mut health = self.health();
        match result {
            Ok(_) => {
                health.failures = 0;
                health.resting_until = None;
            }
            Err(failure) if failure.batch_refused => {}
            Err(_) => {
                health.failures = health.failures.saturating_add(1);
                if let Some(more) = health.failures.checked_sub(FAILURES_MAX) {
                    let rest = REST.after(more.saturating_add(1));
                    health.resting_until = Some(Instant::now() + rest);
                }
            }
        }
    }

    async fn pace(&self) {
        let start = {
            let mut next = self.next_free.lock().await;
            let start = (*next).max(Instant::now());
            *next = start + self.spacing;
            start
        };
        sleep_until(start.into()).await;
    }
}

impl Health {
    fn is_resting(&self, now: Instant) -> bool {
        self.resting_until.is_some_and(|until| now < until)
    }

    fn is_lagging(&self, now: Instant) -> bool {
        let fresh = self.head.is_some_and(|(_, at)| now.duration_since(at) < HEAD_FOR);
        fresh && self.lag > LAG_MAX
    }
}

/// The most severe class among the errors inside `answers`, with the first error of it.
pub(super) fn worst(answers: &Answers) -> (Fitness, Option<&CallError>) {
    let mut worst = (Fitness::Answer, None);
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        if let CallError::Node {
            code, message, data, ..
        } = error
        {
            let has_data = data.as_ref().is_some_and(|data| !data.is_empty());
            let found = fitness(*code, message, has_data);
            if found > worst.0 {
                worst = (found, Some(error));
            }
        }
    }
    worst
}
