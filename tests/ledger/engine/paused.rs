//! Who may let a paused job run again: those who paused it, and its owner. A stop that sells meanwhile has paused it
//! too.

use lgi_mm::{
    domain::{
        config::AfterStop,
        decision::{HoldReason, Reason},
        ids::TradeId,
        job::{FAILURES_IN_A_ROW_MAX, JobStatus},
        signal::SignalAction,
    },
    engine::TickOutcome,
    paper::FaultKind,
    store::{
        bulk::{self, Back, Selection},
        jobs::CommandError,
        orders::Order,
        signals::{self, Received, Signal},
    },
};

use crate::engine::{
    remembered::trades_at,
    stops::stopping,
    world::{World, accumulate},
};

const SENT: &str = "SELECT count(*) FROM attempts WHERE sent_at IS NOT NULL";

/// A message of a signal, each with an id of its own.
async fn signal(world: &World, name: &str, id: &str, action: SignalAction) -> Received {
    let signal = Signal {
        name,
        id,
        body: &[0; 32],
        job: world.job,
        action,
    };
    let received = signals::receive(&world.pool, signal, &format!("signal:{name}")).await;
    received.expect("an answer").expect("an id of its own")
}

async fn status(world: &World) -> JobStatus {
    world.job().await.status
}

async fn failures(world: &World) -> i32 {
    let count = sqlx::query_scalar("SELECT failures_in_row FROM jobs WHERE id = $1").bind(world.job.0);
    count.fetch_one(&world.pool).await.expect("a job")
}

/// A stop's sale that was sent and is not mined: a pause does not take it back any more.
async fn sale_on_its_way(world: &World) -> TradeId {
    assert_eq!(world.hold().await, HoldReason::StopUnconfirmed);
    world.fault(FaultKind::Stuck, 1).await;
    let TickOutcome::Traded { trade } = world.evaluate(world.next_tick()).await else {
        panic!("no sale");
    };
    let before = world.count(SENT).await;
    for _ in 0..20 {
        world.engine.drive(trade).await.expect("a step");
        if world.count(SENT).await > before {
            return trade;
        }
    }
    panic!("trade {trade} was not sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_sells_a_job_that_was_paused_meanwhile_has_paused_it_too() {
    for after in [AfterStop::Pause, AfterStop::Idle] {
        let world = World::new(stopping(after)).await;
        trades_at(&world, "2", Reason::Dca).await;
        world.market.set("1.5");
        let trade = sale_on_its_way(&world).await;
        // The fall that fires the stop fires the signal too.
        let paused = bulk::pause(&world.pool, &Selection::default(), "signal:fall").await;
        let number = paused.expect("paused").pause.expect("a number");
        world.finish(trade).await;
        assert_eq!(status(&world).await, JobStatus::Paused);
        let resumed = signal(&world, "fall", "a", SignalAction::Resume).await;
        let refused = resumed.refused.expect("a refusal");
        assert!(refused.contains("engine has paused it"), "{refused}");
        let undone = bulk::resume_paused_by(&world.pool, number, "test").await;
        let undone = undone.expect("an answer").expect("a pause");
        assert!(matches!(undone[0].2, Back::Changed), "{undone:?}");
        assert_eq!(status(&world).await, JobStatus::Paused);
        // Its owner decides.
        world.order(Order::Resume).await;
        assert_eq!(status(&world).await, JobStatus::Running);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_after_which_the_job_continues_pauses_nothing() {
    let world = World::new(stopping(AfterStop::Continue)).await;
    trades_at(&world, "2", Reason::Dca).await;
    world.market.set("1.5");
    let trade = sale_on_its_way(&world).await;
    signal(&world, "fall", "a", SignalAction::Pause).await;
    world.finish(trade).await;
    let resumed = signal(&world, "fall", "b", SignalAction::Resume).await;
    assert_eq!((resumed.refused, resumed.after), (None, JobStatus::Running));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_signals_that_paused_a_job_neither_lets_it_run_alone() {
    let world = World::new(accumulate()).await;
    for (id, name, action, after) in [
        ("1", "momentum", SignalAction::Pause, JobStatus::Paused),
        ("2", "risk", SignalAction::Pause, JobStatus::Paused),
        ("3", "momentum", SignalAction::Resume, JobStatus::Paused),
        // It has taken its own back: the other one ends it.
        ("4", "risk", SignalAction::Resume, JobStatus::Running),
        ("5", "risk", SignalAction::Pause, JobStatus::Paused),
        ("6", "momentum", SignalAction::Resume, JobStatus::Paused),
        ("7", "momentum", SignalAction::Pause, JobStatus::Paused),
        ("8", "risk", SignalAction::Resume, JobStatus::Paused),
        ("9", "momentum", SignalAction::Resume, JobStatus::Running),
    ] {
        let received = signal(&world, name, id, action).await;
        assert_eq!((received.after, status(&world).await), (after, after), "{id}");
        let refused = action == SignalAction::Resume && after == JobStatus::Paused;
        assert_eq!(received.refused.is_some(), refused, "{id}: {received:?}");
    }
    // A pause of a person stands, whatever signals say.
    world.order(Order::Pause).await;
    for (id, action) in [
        ("a", SignalAction::Pause),
        ("b", SignalAction::Resume),
        ("c", SignalAction::Resume),
    ] {
        signal(&world, "risk", id, action).await;
        assert_eq!(status(&world).await, JobStatus::Paused);
    }
    world.order(Order::Resume).await;
    assert_eq!(status(&world).await, JobStatus::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_forgets_no_failure() {
    let world = World::new(accumulate()).await;
    let failing =
        "UPDATE jobs SET failures_in_row = $2, backoff_until = now() + interval '1 hour' WHERE id = $1";
    for (count, runs) in [
        (4, true),
        (i32::try_from(FAILURES_IN_A_ROW_MAX).expect("few"), false),
    ] {
        signal(&world, "x", &format!("p{count}"), SignalAction::Pause).await;
        let failing = sqlx::query(failing).bind(world.job.0).bind(count);
        failing.execute(&world.pool).await.expect("failures");
        let resumed = signal(&world, "x", &format!("r{count}"), SignalAction::Resume).await;
        assert_eq!(resumed.refused.is_none(), runs, "{resumed:?}");
        assert_eq!(failures(&world).await, count);
        assert!(world.job().await.last.backoff_until.is_some());
    }
    // Its owner begins anew.
    world.order(Order::Resume).await;
    assert_eq!(
        (status(&world).await, failures(&world).await),
        (JobStatus::Running, 0)
    );
}

/// Who agreed to a resume saw another state, or it was carried out before.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_changed_since_its_resume_was_agreed_to_is_not_resumed() {
    let world = World::new(accumulate()).await;
    let resume = async |seen: &bulk::Seen| {
        let done = bulk::order(&world.pool, &[world.job], Order::Resume, Some(seen), "test").await;
        done.expect("an answer").remove(0).1
    };
    let running = [(world.job, world.job().await.version)].into();
    world.order(Order::Pause).await;
    assert!(matches!(resume(&running).await, Err(CommandError::Changed)));
    assert!(matches!(
        resume(&bulk::Seen::new()).await,
        Err(CommandError::Changed)
    ));
    let paused = [(world.job, world.job().await.version)].into();
    resume(&paused).await.expect("as it was seen");
    assert_eq!(status(&world).await, JobStatus::Running);
    // The same command late, after its owner has paused the job again.
    world.order(Order::Pause).await;
    assert!(matches!(resume(&paused).await, Err(CommandError::Changed)));
    assert_eq!(status(&world).await, JobStatus::Paused);
}
