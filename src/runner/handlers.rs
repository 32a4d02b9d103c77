//! Executes groups of tasks.

use std::time::Duration;

use apalis_pg_groups::{Completion, Group};
use futures::{StreamExt, stream};
use tracing::warn;

use super::{
    follow::Followers,
    tasks::{SettleTask, TickTask},
};
use crate::{
    domain::ids::TradeId,
    engine::{Engine, EngineError, Tick, TickOutcome, TickResult},
    store::StoreError,
    telemetry::note_ability,
};

/// What readiness says cannot be done after a group of which nothing was recorded.
const RECORD: &str = "slots cannot be recorded";

/// Trades that one group continues concurrently.
const DRIVES_AT_ONCE: usize = 16;

/// Evaluates the slots of a group together, then continues their new trades.
pub async fn ticks(engine: &Engine, followers: &Followers, group: Group<TickTask>) -> Vec<Completion> {
    let slice: Vec<Tick> = group
        .members
        .iter()
        .map(|member| Tick {
            job: member.payload.job,
            slot: member.payload.slot,
        })
        .collect();
    followers.go_first().await;
    let results = engine.evaluate(&slice).await;
    note_ability(RECORD, unrecorded(&results));
    let fresh = unfollowed(followers, results.iter().filter_map(trade_of));
    if !fresh.is_empty() {
        engine.call_schedulers().await;
    }
    drive_each(engine, fresh).await;
    slice.iter().map(|tick| completion_of(*tick, &results)).collect()
}

/// Why the database recorded none of the slots; one that it did record shows that it could record others. What one job
/// alone cannot do, as without a node, is not counted.
fn unrecorded(results: &[TickResult]) -> Option<String> {
    let mut refusals = results.iter().map(|result| match &result.outcome {
        Err(EngineError::Store(error @ (StoreError::Database(_) | StoreError::SliceFailed(_)))) => {
            Some(error)
        }
        _ => None,
    });
    let first = refusals.next()??;
    refusals.all(|error| error.is_some()).then(|| first.to_string())
}

/// A slot is acknowledged once it is recorded. By then its trade is a row that the schedulers follow, however the first
/// drive ends.
fn completion_of(tick: Tick, results: &[TickResult]) -> Completion {
    match results
        .iter()
        .find(|result| result.tick == tick)
        .map(|result| &result.outcome)
    {
        Some(Ok(_)) => Completion::Done,
        Some(Err(error)) => Completion::RetryAfter(Duration::from_secs(1), error.to_string()),
        None => Completion::RetryAfter(
            Duration::from_secs(1),
            "the slice has no result for this tick".to_owned(),
        ),
    }
}

fn trade_of(result: &TickResult) -> Option<TradeId> {
    match &result.outcome {
        Ok(TickOutcome::Traded { trade } | TickOutcome::AlreadyRecorded { trade: Some(trade) }) => {
            Some(*trade)
        }
        _ => None,
    }
}

/// Carries open trades on and looks at fills and failures that are not final. Whatever is not final yet keeps its next
/// check in its row.
pub async fn settles(engine: &Engine, followers: &Followers, group: Group<SettleTask>) -> Vec<Completion> {
    let (mut trades, mut watched, mut failures, mut withdrawals) = (vec![], vec![], vec![], vec![]);
    for member in &group.members {
        match &member.payload {
            SettleTask::Trade { trade } => trades.push(*trade),
            SettleTask::Watch { fills } => watched.extend_from_slice(fills),
            SettleTask::Withdrawal { withdrawal } => withdrawals.push(*withdrawal),
            SettleTask::WatchFailures { failures: more } => failures.extend_from_slice(more),
        }
    }
    if !watched.is_empty()
        && let Err(error) = engine.watch(&watched).await
    {
        warn!(%error, "fills not checked; will retry");
    }
    if !failures.is_empty()
        && let Err(error) = engine.watch_failures(&failures).await
    {
        warn!(%error, "failures not checked; will retry");
    }
    for withdrawal in withdrawals {
        if let Err(error) = engine.drive_withdrawal(withdrawal).await {
            warn!(withdrawal = withdrawal.0, %error, "withdrawal not continued; will retry");
        }
    }
    drive_each(engine, unfollowed(followers, trades)).await;
    group.members.iter().map(|_| Completion::Done).collect()
}

/// Leaves trades to their followers; those that nobody follows here.
fn unfollowed(followers: &Followers, trades: impl IntoIterator<Item = TradeId>) -> Vec<TradeId> {
    let rest = trades.into_iter().filter(|trade| !followers.follow(*trade));
    rest.collect()
}

/// Continues trades that nobody follows here.
async fn drive_each(engine: &Engine, trades: Vec<TradeId>) {
    stream::iter(trades)
        .for_each_concurrent(DRIVES_AT_ONCE, async |trade| {
            engine.carry_on(trade).await;
        })
        .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::ids::JobId, ports::RpcError};

    fn result(error: Option<EngineError>) -> TickResult {
        TickResult {
            tick: Tick {
                job: JobId(1),
                slot: chrono::DateTime::UNIX_EPOCH,
            },
            outcome: error.map_or(Ok(TickOutcome::AlreadyRecorded { trade: None }), Err),
        }
    }

    #[test]
    fn only_a_database_that_records_nothing_makes_a_worker_unready() {
        let database = || {
            Some(EngineError::Store(StoreError::SliceFailed(
                "disk full".to_owned(),
            )))
        };
        let node = || {
            Some(EngineError::Rpc(RpcError {
                endpoint: "node".into(),
                detail: "timeout".into(),
            }))
        };
        for (name, errors, unready) in [
            ("the database refuses all", vec![database(), database()], true),
            ("it records one", vec![database(), None], false),
            ("one job has no node", vec![node()], false),
            (
                "one job has no node, another is refused",
                vec![database(), node()],
                false,
            ),
            ("no slots", vec![], false),
        ] {
            let results: Vec<TickResult> = errors.into_iter().map(result).collect();
            assert_eq!(unrecorded(&results).is_some(), unready, "{name}");
        }
    }
}
