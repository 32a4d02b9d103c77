//! What a source that does not answer costs others.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_primitives::Address;
use lgi_mm::{
    domain::{config::SourceName, span::Span},
    engine::{Engine, Tick},
    prices::{DexscreenerSettings, PriceBook},
    store,
};
use tokio::net::TcpListener;

use crate::engine::world::{World, accumulate, create, engine_settings};

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_does_not_answer_delays_only_jobs_that_ask_it() {
    let world = World::new(accumulate()).await;
    let mut config = accumulate();
    config.price.sources = vec![SourceName::Dexscreener];
    let waiting = create(&world.pool, Address::repeat_byte(7), config).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let settings = DexscreenerSettings {
        base_url: format!("http://{}", silent.local_addr().expect("an address")),
        timeout: Span::from_secs(60),
        ..DexscreenerSettings::default()
    };
    let prices = PriceBook::new(world.pool.clone(), settings).expect("a client");
    let engine = Engine::new(
        world.pool.clone(),
        Arc::new(prices),
        world.paper.clone(),
        engine_settings(),
    );
    let slot = store::now(&world.pool).await.expect("now");
    let slice = [waiting, world.job].map(|job| Tick { job, slot });
    let evaluating = tokio::spawn(async move { engine.evaluate(&slice).await });
    // It is asked, and keeps the question.
    let accepted = tokio::time::timeout(Duration::from_secs(30), silent.accept()).await;
    let _kept = accepted.expect("it is asked").expect("a connection");
    let begun = Instant::now();
    while world
        .count("SELECT count(*) FROM job_slots WHERE last_slot IS NOT NULL")
        .await
        == 0
    {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "the other job waits too"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let recorded: i64 = sqlx::query_scalar("SELECT job_id FROM job_slots WHERE last_slot IS NOT NULL")
        .fetch_one(&world.pool)
        .await
        .expect("one job");
    assert_eq!(recorded, world.job.0);
    assert!(!evaluating.is_finished(), "nobody waited");
    evaluating.abort();
}
