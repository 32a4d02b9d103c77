//! What a backtest remembers, against what the ledger answers.

use alloy_primitives::Address;
use chrono::{DateTime, TimeDelta, Utc};
use lgi_mm::{
    domain::{
        config::JobConfig,
        decision::Side,
        job::{JobId, JobMode},
        samples::Samples,
        span::Span,
        turnover::Turnover,
        units::{Price, Rounding, Usd},
    },
    store::{
        jobs,
        memory::JobMemory,
        samples::{self, KnownHigh, SampleWindow},
        ticks::{self, Tick},
    },
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rust_decimal::Decimal;
use sqlx::PgPool;
use testkit::paper_job;

use crate::backtest::walk;

/// Prices of many magnitudes and scales.
fn price(random: &mut StdRng) -> Price {
    let scale = random.random_range(0..=18);
    Price::new(Decimal::new(random.random_range(1..=9_999_999_999), scale)).expect("above zero")
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_in_memory_answer_as_the_ledger_does() {
    let db = testkit::db().await;
    for seed in 0..6_u64 {
        let mut random = StdRng::seed_from_u64(seed);
        let interval = Span::from_millis([60_000, 100, 7_300][usize::try_from(seed % 3).expect("small")]);
        let window = Span::from_millis(random.random_range(2_000..3_600_000));
        let mut memory = Samples::new(interval, window);
        let mut at: DateTime<Utc> =
            walk::start() + TimeDelta::microseconds(random.random_range(0..1_000_000));
        let mut high_since = at - TimeDelta::hours(1);
        let (mut covered, mut known) = (0, None);
        for step in 0..250 {
            // Mostly one interval on, sometimes at once, sometimes after a hole.
            let micros = match random.random_range(0..10) {
                0 => 0,
                1 => random.random_range(0..7_200_000_000_i64),
                _ => random.random_range(0..i64::try_from(window.std().as_micros()).expect("short") / 8),
            };
            at += TimeDelta::microseconds(micros);
            // The window's beginning follows, and a dip now and then moves it up to now.
            high_since = high_since.max(at - window.delta());
            if random.random_range(0..12) == 0 {
                high_since = at;
            }
            let price = price(&mut random);
            let asked = SampleWindow {
                chain: "base".to_owned(),
                token: Address::repeat_byte(7),
                series: format!("seed {seed}"),
                price,
                observed_at: at,
                high_since,
                average_over: window,
                known: None,
                late: Span::ZERO,
            };
            // What an earlier look found saves reading, and changes nothing.
            let shorter = SampleWindow {
                known,
                ..asked.clone()
            };
            let ledger = samples::observe(&db.pool, &[asked, shorter], interval)
                .await
                .expect("samples");
            let remembered = memory.observe(price, at, high_since);
            assert_eq!(
                remembered, ledger[0].history,
                "seed {seed}, step {step}, window {window}"
            );
            assert_eq!(ledger[1], ledger[0], "seed {seed}, step {step}, known {known:?}");
            known = ledger[0].sample_high.map(|high| KnownHigh { high, until: at });
            covered += usize::from(remembered.average.is_some());
        }
        assert!(covered > 200, "seed {seed} had a mean {covered} times only");
    }
}

/// An executed trade of this value.
async fn insert(pool: &PgPool, job: JobId, slot: DateTime<Utc>, side: Side, value: Usd) {
    sqlx::query(
        "INSERT INTO trades (job_id, slot, cycle, side, reason, status, amount_in, amount_out_expected,
                             amount_out_min, value_usd, config_version, expires_at, base_amount, quote_amount,
                             price_usd, plan_price_usd, tx_hash, executed_at)
         VALUES ($1, $2, 1, $3, 'DCA', 'EXECUTED', 1, 1, 1, $4, 1, $2, 1, 1, 1, 1, decode(repeat('00', 32), 'hex'),
                 $2)",
    )
    .bind(job.0)
    .bind(slot)
    .bind(side.to_string())
    .bind(value.decimal())
    .execute(pool)
    .await
    .expect("a trade");
}

#[tokio::test(flavor = "multi_thread")]
async fn turnover_in_memory_answers_as_the_ledger_does() {
    let db = testkit::db().await;
    let new = paper_job(
        Address::repeat_byte(9),
        "TKN",
        JobMode::Accumulate,
        JobConfig::for_mode(JobMode::Accumulate),
    );
    let job = jobs::create(&db.pool, &new, "test").await.expect("a job");
    let mut random = StdRng::seed_from_u64(11);
    let mut memory = Turnover::default();
    let mut slot = walk::start();
    let (mut busiest, mut emptied) = (0, 0);
    for step in 0..300 {
        // Often to the second on an hour after another trade: the edge is where two readings would differ.
        slot += TimeDelta::minutes([1, 5, 20, 60, 60, 400][random.random_range(0..6)]);
        let stands_until = memory.stands_until();
        let before = memory.clone().spent(stands_until - TimeDelta::microseconds(1));
        let remembered = memory.spent(slot);
        if slot < stands_until {
            assert_eq!(remembered, before, "step {step}");
        }
        let loaded = ticks::load(&db.pool, &JobMemory::default(), &[Tick { job, slot }])
            .await
            .expect("a tick")
            .remove(0)
            .1
            .expect("a readable job");
        assert_eq!(remembered, loaded.spent, "step {step}, slot {slot}");
        busiest = busiest.max(remembered.trades_last_hour);
        emptied += usize::from(remembered.volume_today == Usd::ZERO);
        if random.random_range(0..3) == 0 {
            let side = if random.random_range(0..2) == 0 {
                Side::Buy
            } else {
                Side::Sell
            };
            let value = Usd::rounded(
                Decimal::new(random.random_range(1..1_000_000_000), 9),
                Rounding::Down,
            );
            memory.add(slot, side, value).expect("a small sum");
            insert(&db.pool, job, slot, side, value).await;
        }
    }
    assert!(
        busiest >= 2 && emptied > 10,
        "{busiest} trades in an hour, {emptied} empty days"
    );
}
