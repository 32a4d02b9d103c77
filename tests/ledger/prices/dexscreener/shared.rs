//! Requests that several callers share.

use super::*;

#[tokio::test]
async fn concurrent_slices_share_one_request_and_its_answer_for_a_second() {
    let db = testkit::db().await;
    let api = Api::start([Answer::Slow(Duration::from_millis(100))]).await;
    let book = book(&db.pool, &api.url, "2s", 300);
    let config = config();
    let asks = (0..20).map(|_| ask(&book, &config, LGI, at(NOW)));
    let answers = futures::future::join_all(asks).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(api.seen().len(), 1, "single flight");

    let later = ask(&book, &config, LGI, at("2026-03-01T12:00:00.500Z"))
        .await
        .expect("a price");
    assert_eq!(
        (api.seen().len(), later.observed_at),
        (1, at(NOW)),
        "the answer is as old as its question"
    );

    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let fresh = ask(&book, &config, LGI, at("2026-03-01T12:00:02Z"))
        .await
        .expect("a price");
    assert_eq!(
        (api.seen().len(), fresh.observed_at),
        (2, at("2026-03-01T12:00:02Z"))
    );
}

#[tokio::test]
async fn a_request_under_way_is_shared_however_long_it_takes() {
    let db = testkit::db().await;
    let api = Api::start([Answer::Slow(Duration::from_millis(1_900))]).await;
    let book = book(&db.pool, &api.url, "5s", 300);
    let config = config();
    let late = async {
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        ask(&book, &config, LGI, at("2026-03-01T12:00:01.200Z")).await
    };
    let (first, late) = tokio::join!(ask(&book, &config, LGI, at(NOW)), late);
    assert_eq!(first, late);
    assert_eq!(api.seen().len(), 1);
}

#[tokio::test]
async fn whoever_gives_up_does_not_take_the_answer_from_the_others() {
    let db = testkit::db().await;
    let api = Api::start([Answer::Slow(Duration::from_millis(400))]).await;
    let book = book(&db.pool, &api.url, "2s", 300);
    let config = config();
    let impatient = tokio::time::timeout(Duration::from_millis(100), ask(&book, &config, LGI, at(NOW)));
    let (gone, answer) = tokio::join!(impatient, ask(&book, &config, LGI, at(NOW)));
    assert!(gone.is_err() && answer.is_ok(), "{answer:?}");
    assert_eq!(api.seen().len(), 1);
}

#[tokio::test]
async fn a_slow_request_delays_no_other_token() {
    let db = testkit::db().await;
    let api = Api::start([Answer::Slow(Duration::from_millis(1_500))]).await;
    let book = book(&db.pool, &api.url, "2s", 300);
    let config = config();
    let quick = async {
        while api.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let begun = Instant::now();
        let answer = ask(&book, &config, token(2), at(NOW)).await;
        (answer, begun.elapsed())
    };
    let (slow, (quick, took)) = tokio::join!(ask(&book, &config, token(1), at(NOW)), quick);
    assert!(slow.is_ok() && quick.is_ok());
    assert!(took < Duration::from_secs(1), "{took:?}");
}
