use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;
use lgi_mm::{domain::config::SourceName, prices::PriceBook};

use crate::prices::{
    api::{Answer, Api},
    ask, at, book, sources, token,
};

const NOW: &str = "2026-03-01T12:00:00Z";

/// One request a token, all at the same time, spread over the books.
async fn rush(books: &[Arc<PriceBook>], count: u8) -> Vec<Result<(), String>> {
    let config = sources(&[SourceName::Dexscreener]);
    join_all((0..count).map(|number| {
        let (book, config) = (
            Arc::clone(&books[usize::from(number) % books.len()]),
            config.clone(),
        );
        async move {
            let answer = ask(&book, &config, token(number), at(NOW)).await;
            answer.map(drop).map_err(|missing| missing.to_string())
        }
    }))
    .await
}

#[tokio::test]
async fn two_processes_share_one_limit() {
    let db = testkit::db().await;
    let api = Api::start([]).await;
    // Ten a minute: two at once, the next one 7.5 s later, which is later than anybody waits.
    let books = [(); 2].map(|()| Arc::new(book(&db.pool, &api.url, "1s", 10)));
    let answers = rush(&books, 6).await;
    assert_eq!(
        answers.iter().filter(|answer| answer.is_ok()).count(),
        2,
        "{answers:?}"
    );
    assert_eq!(api.seen().len(), 2);
    let refused = answers.into_iter().find_map(Result::err).expect("a refusal");
    assert_eq!(
        refused,
        "dexscreener: the rate limit shared by all workers is used up"
    );
}

#[tokio::test]
async fn whoever_comes_too_soon_waits_for_a_turn() {
    let db = testkit::db().await;
    let api = Api::start([]).await;
    // 240 a minute: 48 at once, and then one every 312.5 ms.
    let books = [(); 2].map(|()| Arc::new(book(&db.pool, &api.url, "3s", 240)));
    sqlx::query("INSERT INTO rate_limits (name, tokens) VALUES ('dexscreener', 0)")
        .execute(&db.pool)
        .await
        .expect("an empty bucket");
    let answers = rush(&books, 4).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let mut times: Vec<Instant> = api.seen().into_iter().map(|seen| seen.at).collect();
    times.sort();
    let whole = times[3] - times[0];
    assert!(
        whole > Duration::from_millis(600),
        "four requests within {whole:?}"
    );
}

#[tokio::test]
async fn a_bucket_of_an_earlier_larger_limit_is_cut_to_the_present_one() {
    let db = testkit::db().await;
    let api = Api::start([]).await;
    sqlx::query("INSERT INTO rate_limits (name, tokens, updated_at) VALUES ('dexscreener', 9000, now() - interval '9 days')")
        .execute(&db.pool)
        .await
        .expect("a full bucket");
    let books = [Arc::new(book(&db.pool, &api.url, "1s", 10))];
    let answers = rush(&books, 5).await;
    assert_eq!(
        answers.iter().filter(|answer| answer.is_ok()).count(),
        2,
        "{answers:?}"
    );
}

#[tokio::test]
async fn a_429_keeps_every_process_quiet_for_as_long_as_it_says() {
    for header in [Some("1"), None] {
        let db = testkit::db().await;
        let after = header.map(|seconds| ("retry-after", seconds.to_owned()));
        let api = Api::start([Answer::Status(429, after)]).await;
        let [first, second] = [(); 2].map(|()| Arc::new(book(&db.pool, &api.url, "4s", 300)));
        let config = sources(&[SourceName::Dexscreener]);
        let other = async {
            while api.seen().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            ask(&second, &config, token(2), at(NOW)).await
        };
        let (one, two) = tokio::join!(ask(&first, &config, token(1), at(NOW)), other);
        assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
        let times: Vec<Instant> = api.seen().into_iter().map(|seen| seen.at).collect();
        assert_eq!(times.len(), 3);
        for later in &times[1..] {
            let quiet = *later - times[0];
            assert!(
                quiet >= Duration::from_millis(950),
                "{header:?}: asked again after {quiet:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_429_that_asks_for_more_time_than_a_price_may_take_is_a_missing_price_at_once() {
    let date = (chrono::Utc::now() + chrono::TimeDelta::seconds(120)).format("%a, %d %b %Y %H:%M:%S GMT");
    for header in ["120".to_owned(), date.to_string()] {
        let db = testkit::db().await;
        let api = Api::start([Answer::Status(429, Some(("retry-after", header.clone())))]).await;
        let book = book(&db.pool, &api.url, "2s", 300);
        let config = sources(&[SourceName::Dexscreener]);
        let begun = Instant::now();
        let error = ask(&book, &config, token(1), at(NOW))
            .await
            .expect_err("no price")
            .to_string();
        assert!(
            error.contains("HTTP 429") && error.contains("rate limit"),
            "{error}"
        );
        assert!(ask(&book, &config, token(2), at(NOW)).await.is_err());
        assert!(
            begun.elapsed() < Duration::from_millis(3_500),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(api.seen().len(), 1, "{header}: nobody asks again");
    }
}
