//! Runs of equal holds.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn equal_holds_in_a_row_are_one_row() {
    let world = World::new(accumulate()).await;
    world.market.down();
    for _ in 0..5 {
        world.hold().await;
    }
    world.market.set("2");
    world.trade().await;
    world.market.down();
    world.hold().await;
    let runs: Vec<(String, i64)> = sqlx::query_as("SELECT reason, count FROM ticks ORDER BY first_slot")
        .fetch_all(&world.pool)
        .await
        .expect("runs");
    assert_eq!(
        runs,
        [
            ("price_missing".into(), 5),
            ("DCA".into(), 1),
            ("price_missing".into(), 1)
        ]
    );
}

/// Until a session waits for a lock.
async fn until_one_waits(world: &World) {
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waits)
        .fetch_one(&world.pool)
        .await
        .expect("a count")
        == 0
    {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// Workers wait for each other at the row that fences slots; what the first began meanwhile is not visible to the
/// second's statement.
#[expect(
    clippy::too_many_lines,
    reason = "each parameter of the statement is bound by hand"
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_waited_for_another_tick_does_not_extend_a_run_from_before_it() {
    let world = World::new(accumulate()).await;
    let at = |second: i64| chrono::DateTime::from_timestamp(4_000_000_000 + second, 0).expect("a time");
    let hold = |second: i64, reason| Hold {
        tick: Tick {
            job: world.job,
            slot: at(second),
        },
        reason,
        detail: None,
        price: None,
        recent_high: None,
        sample_high: None,
        trailing_high: None,
        profit_high: None,
        stop_is_due: false,
    };
    let record = async |hold: Hold| {
        ticks::record_holds(&world.pool, &[hold], Patience::default())
            .await
            .expect("recorded")
            .fresh
    };
    record(hold(1, HoldReason::PriceMissing)).await;
    let mut first = world.pool.begin().await.expect("a transaction");
    sqlx::query(include_str!("../../../../src/store/sql/ticks_record_holds.sql"))
        .bind([world.job.0].as_slice())
        .bind([at(2)].as_slice())
        .bind(["trade_open"].as_slice())
        .bind([None::<String>].as_slice())
        .bind([None::<rust_decimal::Decimal>].as_slice())
        .bind([None::<chrono::DateTime<chrono::Utc>>].as_slice())
        .bind([None::<rust_decimal::Decimal>].as_slice())
        .bind([None::<rust_decimal::Decimal>].as_slice())
        .bind([None::<chrono::DateTime<chrono::Utc>>].as_slice())
        .bind([None::<chrono::DateTime<chrono::Utc>>].as_slice())
        .bind([None::<i32>].as_slice())
        .bind([None::<String>].as_slice())
        .bind([false].as_slice())
        .bind([None::<f64>].as_slice())
        .bind([None::<f64>].as_slice())
        .bind(["job.no_funds"].as_slice())
        .bind("job.recovered")
        .bind([None::<rust_decimal::Decimal>].as_slice())
        .bind([None::<rust_decimal::Decimal>].as_slice())
        .execute(&mut *first)
        .await
        .expect("recorded");
    let second = tokio::spawn({
        let (pool, hold) = (world.pool.clone(), hold(3, HoldReason::PriceMissing));
        async move {
            ticks::record_holds(&pool, &[hold], Patience::default())
                .await
                .expect("recorded")
                .fresh
        }
    });
    until_one_waits(&world).await;
    first.commit().await.expect("committed");
    second.await.expect("no panic");
    record(hold(4, HoldReason::PriceMissing)).await;
    let runs: Vec<(String, i64)> = sqlx::query_as("SELECT reason, count FROM ticks ORDER BY first_slot")
        .fetch_all(&world.pool)
        .await
        .expect("runs");
    let expected = [
        ("price_missing".into(), 1),
        ("trade_open".into(), 1),
        ("price_missing".into(), 2),
    ];
    assert_eq!(runs, expected);
    let totals = views::ledger_totals(&world.pool).await.expect("totals");
    assert_eq!((totals.duplicate_slots, totals.slots_recorded), (0, 4));
}
