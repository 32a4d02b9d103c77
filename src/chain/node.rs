//! One node: rate limit, missing methods, lag, and proof that it still serves our chain.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use alloy_primitives::U64;
use metrics::{counter, gauge, histogram};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{
    budget::Budget,
    error::CallError,
    gathered::{Exchange, Gathered, ask, is_alone},
    pace::Pace,
    unfit::{Fitness, class, wait_named},
    weights::weigh,
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
/// How long a learned batch size counts; a larger batch is tried again then.
const BATCH_FOR: Duration = Duration::from_secs(600);
/// How often requests of a batch that were refused for load are asked again without the others.
const AGAIN_MAX: u32 = 2;
/// How long an invalid answer keeps a node at the end of the list.
const DISTRUSTED_FOR: Duration = Duration::from_secs(300);

pub(super) struct Node {
    pub(super) wire: Wire,
    chain: String,
    chain_id: u64,
    /// When its chain id was last verified.
    verified: Mutex<Option<Instant>>,
    pace: Pace,
    health: StdMutex<Health>,
    gathered: Gathered,
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
    /// Maximum batch size, and when it was learned.
    batch_max: Option<(usize, Instant)>,
}

/// Rank of a node for a request; the lowest is tried first.
pub(super) type Rank = (bool, bool, bool, bool);

impl Node {
    pub(super) fn new(wire: Wire, chain: &str, chain_id: u64, budget: &Budget) -> Self {
        Self {
            wire,
            chain: chain.to_owned(),
            chain_id,
            verified: Mutex::default(),
            pace: Pace::new(budget),
            health: StdMutex::default(),
            gathered: Gathered::default(),
        }
    }

    /// Exports its counters as they are, zeros too: a counter that first appears at one shows no increase.
    pub(super) fn export(&self) {
        for outcome in ["answered", "failed", "nonsense"] {
            self.count(outcome, 0);
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
        (
            requests.iter().any(|request| health.lacks(ability(request), now)),
            health.distrusted_until.is_some_and(|until| now < until),
            health.is_lagging(now),
            health.is_resting(now) || self.pace.rest().is_some(),
        )
    }

    /// Whether it lacks an ability, as far as is known.
    pub(super) fn lacks(&self, ability: &str) -> bool {
        self.health().lacks(ability, Instant::now())
    }

    /// Whether recent failures make it not worth waiting for.
    pub(super) fn is_resting(&self) -> bool {
        self.health().is_resting(Instant::now()) || self.pace.rest().is_some()
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
        self.count("nonsense", 1);
    }

    pub(super) fn note_lacks(&self, ability: &'static str) {
        self.health().lacks.insert(ability, Instant::now());
    }

    /// A port error that names this node.
    pub(super) fn error(&self, detail: String) -> RpcError {
        RpcError {
            endpoint: self.name().to_owned(),
            detail,
        }
    }

    /// Answers for all requests, if this node serves our chain.
    pub(super) async fn call(self: &Arc<Self>, requests: &[Request]) -> Result<Answers, Failure> {
        let answers = if is_alone(requests) {
            self.send_proven(requests).await?
        } else {
            ask(self, requests).await?
        };
        for ((method, params), answer) in requests.iter().zip(&answers) {
            // Every synced node has a newest block.
            let newest = *method == "eth_getBlockByNumber" && params.get(0) == Some(&json!("latest"));
            if newest && answer.as_ref().is_ok_and(Value::is_null) {
                return Err(Failure::of("the node has no newest block".to_owned()));
            }
        }
        Ok(answers)
    }

    /// One batch for all, after proof that the node serves our chain. Where that is old, what is only asked goes out
    /// with the question for its chain id, and nothing is believed if that is wrong; bytes are not even shown to a node
    /// of another chain.
    async fn send_proven(&self, requests: &[Request]) -> Result<Answers, Failure> {
        let mut verified = self.verified.lock().await;
        let is_old = match *verified {
            Some(at) if at.elapsed() < VERIFIED_FOR => false,
            Some(_) if !is_alone(requests) => true,
            _ => {
                self.expect_chain(self.chain_id().await)?;
                *verified = Some(Instant::now());
                false
            }
        };
        drop(verified);
        if !is_old {
            return self.send_all(requests).await;
        }
        let chain_id = std::iter::once(("eth_chainId", json!([])));
        let asked: Vec<Request> = chain_id.chain(requests.iter().cloned()).collect();
        let mut answers = self.send_all(&asked).await?;
        let rest = answers.split_off(1);
        self.expect_chain(read_chain_id(answers.pop()))?;
        *self.verified.lock().await = Some(Instant::now());
        Ok(rest)
    }

    async fn send_all(&self, requests: &[Request]) -> Result<Answers, Failure> {
        let mut answers = self.send_in_parts(requests).await?;
        self.ask_again(requests, &mut answers).await;
        Ok(answers)
    }

    /// A node of another chain gets no further requests.
    fn expect_chain(&self, id: Result<u64, String>) -> Result<(), Failure> {
        let id = id.map_err(Failure::of)?;
        if id == self.chain_id {
            return Ok(());
        }
        Err(Failure::of(format!(
            "this node serves chain id {id}, and {} has {}; change chains.{}.rpc_urls",
            self.chain, self.chain_id, self.chain
        )))
    }

    pub(super) async fn chain_id(&self) -> Result<u64, String> {
        let answer = self.send(&[("eth_chainId", json!([]))]).await;
        read_chain_id(answer.map_err(|failure| failure.detail)?.pop())
    }

    /// What was refused for load alone is asked again alone: the rest of the batch is not asked twice.
    async fn ask_again(&self, requests: &[Request], answers: &mut Answers) {
        for _ in 0..AGAIN_MAX {
            let refused: Vec<usize> = (0..answers.len())
                .filter(|index| answers.get(*index).is_some_and(is_overload))
                .collect();
            if refused.is_empty() || refused.len() == requests.len() {
                return;
            }
            let again: Vec<Request> = refused
                .iter()
                .filter_map(|index| requests.get(*index).cloned())
                .collect();
            let Ok(later) = self.send_in_parts(&again).await else {
                return;
            };
            for (index, answer) in refused.into_iter().zip(later) {
                if let Some(place) = answers.get_mut(index) {
                    *place = answer;
                }
            }
        }
    }

    /// Sends one batch, or smaller ones as this node requires: each refusal halves them, down to single requests. What
    /// was answered already is not asked again.
    async fn send_in_parts(&self, requests: &[Request]) -> Result<Answers, Failure> {
        let mut answers = Vec::with_capacity(requests.len());
        let mut most = self.health().batch_max(Instant::now());
        let mut refused = false;
        while let Some(rest) = requests.get(answers.len()..).filter(|rest| !rest.is_empty()) {
            let size = most.min(self.pace.batch_max()).clamp(1, rest.len());
            let chunk = self.within_a_second(rest.get(..size).unwrap_or(rest));
            let size = chunk.len();
            match self.send(chunk).await {
                Ok(more) => answers.extend(more),
                Err(failure) if failure.batch_refused && size > 1 => {
                    most = size / 2;
                    refused = true;
                    continue;
                }
                Err(failure) => return Err(failure),
            }
            if refused {
                self.health().batch_max = Some((most, Instant::now()));
            }
        }
        Ok(answers)
    }

    /// As many of `requests`, at least one, as one second's compute units pay for.
    fn within_a_second<'a>(&self, requests: &'a [Request]) -> &'a [Request] {
        let most = self.pace.units_max();
        let fits = (1..=requests.len())
            .rev()
            .find(|count| requests.get(..*count).is_some_and(|some| weigh(some) <= most));
        requests.get(..fits.unwrap_or(1)).unwrap_or(requests)
    }

    async fn send(&self, requests: &[Request]) -> Result<Answers, Failure> {
        self.pace
            .turn(requests.len(), weigh(requests))
            .await
            .map_err(|left| {
                Failure::of(format!(
                    "its limit of requests is reached; it is asked again in {} s",
                    left.as_secs().saturating_add(1)
                ))
            })?;
        let begun = Instant::now();
        let result = self.wire.exchange(requests).await;
        let outcome = if result.is_ok() { "answered" } else { "failed" };
        note_rpc(&self.chain, result.is_ok());
        counter!(metric::RPC_REQUESTS, "chain" => self.chain.clone(), "outcome" => outcome).increment(1);
        let units = u64::from(weigh(requests));
        counter!(metric::RPC_COMPUTE_UNITS, "chain" => self.chain.clone()).increment(units);
        histogram!(metric::RPC_DURATION, "chain" => self.chain.clone()).record(begun.elapsed());
        self.count(outcome, 1);
        self.note(&result);
        if result.as_ref().is_err_and(|failure| failure.disconnected)
            && let Ok(mut verified) = self.verified.try_lock()
        {
            *verified = None;
        }
        result
    }

    fn count(&self, outcome: &'static str, requests: u64) {
        let labels = [
            ("chain", self.chain.clone()),
            ("node", self.voice().to_owned()),
            ("outcome", outcome.to_owned()),
        ];
        counter!(metric::NODE_REQUESTS, &labels).increment(requests);
    }

    /// Consecutive failures double the backoff; success resets it.
    fn note(&self, result: &Result<Answers, Failure>) {
        match result {
            Ok(answers) => match worst(answers) {
                (Fitness::Overload, Some(CallError::Node { message, .. })) => {
                    self.pace.refused(wait_named(message));
                }
                _ => self.pace.answered(answers.len()),
            },
            Err(failure) if failure.overload => self.pace.refused(failure.retry_after),
            Err(_) => {}
        }
        let mut health = self.health();
        match result {
            Ok(_) => {
                health.failures = 0;
                health.resting_until = None;
            }
            // A refusal for load has a rest of its own.
            Err(failure) if failure.batch_refused || failure.overload => {}
            Err(_) => {
                health.failures = health.failures.saturating_add(1);
                if let Some(more) = health.failures.checked_sub(FAILURES_MAX) {
                    let rest = REST.after(more.saturating_add(1));
                    health.resting_until = Some(Instant::now() + rest);
                }
            }
        }
    }
}

impl Exchange for Node {
    async fn exchange(&self, requests: &[Request]) -> Result<Answers, Failure> {
        self.send_proven(requests).await
    }

    fn gathered(&self) -> &Gathered {
        &self.gathered
    }
}

impl Health {
    fn lacks(&self, ability: &str, now: Instant) -> bool {
        let since = self.lacks.get(ability);
        since.is_some_and(|since| now < *since + LACKS_FOR)
    }

    fn batch_max(&self, now: Instant) -> usize {
        let learned = self.batch_max.filter(|(_, at)| now < *at + BATCH_FOR);
        learned.map_or(usize::MAX, |(most, _)| most)
    }

    fn is_resting(&self, now: Instant) -> bool {
        self.resting_until.is_some_and(|until| now < until)
    }

    fn is_lagging(&self, now: Instant) -> bool {
        let fresh = self.head.is_some_and(|(_, at)| now.duration_since(at) < HEAD_FOR);
        fresh && self.lag > LAG_MAX
    }
}

/// A call with changed state: not every node that has `eth_call` can do it.
pub(super) const OVERRIDES: &str = "eth_call with state overrides";

/// What a request takes of a node: the method, or more.
pub(super) fn ability((method, params): &Request) -> &'static str {
    match *method {
        "eth_call" if params.get(2).is_some() => OVERRIDES,
        method => method,
    }
}

fn read_chain_id(answer: Option<Result<Value, CallError>>) -> Result<u64, String> {
    let value = answer
        .unwrap_or(Ok(Value::Null))
        .map_err(|error| error.to_string())?;
    let id: U64 = serde_json::from_value(value).map_err(|error| format!("eth_chainId: {error}"))?;
    Ok(id.to())
}

fn is_overload(answer: &Result<Value, CallError>) -> bool {
    matches!(fitness_of(answer), Fitness::Overload)
}

fn fitness_of(answer: &Result<Value, CallError>) -> Fitness {
    let said = answer.as_ref().err().and_then(class);
    said.unwrap_or(Fitness::Answer)
}

/// The most severe class among the errors inside `answers`, with the first error of it.
pub(super) fn worst(answers: &Answers) -> (Fitness, Option<&CallError>) {
    let mut worst = (Fitness::Answer, None);
    for answer in answers {
        let found = fitness_of(answer);
        if found > worst.0 {
            worst = (found, answer.as_ref().err());
        }
    }
    worst
}

/// The abilities that the node turns out to lack. A node that ignores overrides calls an account without code, which
/// returns nothing; what is called with overrides always returns something.
pub(super) fn lacking(requests: &[Request], answers: &Answers) -> Vec<&'static str> {
    let lacks = |(request, answer): &(&Request, &Result<Value, CallError>)| {
        let with_overrides = ability(request) == OVERRIDES;
        match answer {
            Ok(value) => with_overrides && value.as_str().is_none_or(|data| data.len() <= 2),
            // Another number of parameters than the node knows.
            Err(CallError::Node { code: -32602, .. }) if with_overrides => true,
            answer @ Err(_) => matches!(fitness_of(answer), Fitness::Lacks),
        }
    };
    let pairs = requests.iter().zip(answers).filter(lacks);
    pairs.map(|(request, _)| ability(request)).collect()
}
