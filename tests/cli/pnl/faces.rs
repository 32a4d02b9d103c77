//! Gas of whatever was mined is in every view: table-driven, over the kinds of transactions that pay it.

use chrono::{TimeDelta, Utc};
use lgi_mm::{
    domain::{
        config::JobConfig,
        decision::Side,
        job::{JobMode, Realm},
        trade::FailureKind,
    },
    store::census,
};
use rust_decimal::Decimal;
use serde_json::Value;

use super::{
    books::{Books, Mined},
    decimal, json,
};
use crate::terminal::Terminal;

/// Its name, how the trade failed, and which transactions were mined and succeeded.
type Kind = (&'static str, Option<FailureKind>, &'static [(&'static str, bool)]);

/// How a trade ended, and what of it was mined.
const KINDS: [Kind; 5] = [
    ("filled", None, &[("swap", true)]),
    (
        "filled after an approve",
        None,
        &[("approve", true), ("swap", true)],
    ),
    (
        "reverted",
        Some(FailureKind::Reverted),
        &[("approve", true), ("swap", false)],
    ),
    ("cancelled", Some(FailureKind::Cancelled), &[("cancel", true)]),
    (
        "failed approve",
        Some(FailureKind::Cancelled),
        &[("approve", false), ("cancel", true)],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn gas_of_whatever_was_mined_is_in_every_view() {
    for (what, failure, mined) in KINDS {
        let terminal = Terminal::new().await;
        let mut books = Books::new(&terminal.pool);
        let job = books
            .job(Realm::Paper, "TKN", JobConfig::for_mode(JobMode::Accumulate))
            .await;
        let at = Utc::now() - TimeDelta::minutes(5);
        let mined: Vec<Mined> = mined
            .iter()
            .zip([Decimal::new(1_234_567, 7), Decimal::new(3, 12)])
            .map(|((purpose, success), gas)| (*purpose, *success, gas))
            .collect();
        let gas: Decimal = mined.iter().map(|(.., gas)| gas).sum();
        let open = books.open(job, Side::Buy, at, &mined).await;
        match failure {
            Some(kind) => books.fail(job, &open, at, kind, &mined).await,
            None => {
                let moved = (5_000_000, Decimal::TEN);
                books.fill(job, (&open, Side::Buy), (at, &mined), moved).await;
            }
        }
        books.price(job, Decimal::TWO).await;
        sqlx::query("UPDATE jobs SET started_at = date_trunc('minute', now()) - interval '2 hours'")
            .execute(&terminal.pool)
            .await
            .expect("an earlier start");
        sqlx::query(
            "INSERT INTO price_samples (chain, token, series, bucket, price, observed_at)
             SELECT chain, token_address, $1, started_at + minute * interval '1 minute', 2,
                    started_at + minute * interval '1 minute' + interval '250 ms'
             FROM jobs, generate_series(0, 110) AS minute",
        )
        .bind(series(&books.row(job).await))
        .execute(&terminal.pool)
        .await
        .expect("samples");

        let field = |view: &Value| decimal(&view["gas_usd"]);
        let exported = json(&terminal, &["export"]);
        let exported: Decimal = exported.as_array().expect("rows").iter().map(field).sum();
        let mut connection = terminal.pool.acquire().await.expect("a connection");
        let facts = census::jobs(&mut connection, 10).await.expect("a census");
        let replayed = json(
            &terminal,
            &["replay", "1", "--set", "accumulate.dca_amount_usd=20"],
        );
        let event: Value = sqlx::query_scalar("SELECT payload FROM outbox WHERE event LIKE 'trade.%'")
            .fetch_one(&terminal.pool)
            .await
            .expect("an event");
        for (view, found) in [
            ("list", field(&json(&terminal, &["list"])[0])),
            ("status", field(&json(&terminal, &["status", "1"]))),
            ("trades", field(&json(&terminal, &["trades"])[0])),
            ("export", exported),
            ("pnl", field(&json(&terminal, &["pnl"])["realms"][0]["total"])),
            ("replay", field(&replayed["did"])),
            ("event", field(&event)),
        ] {
            assert_eq!(found, gas, "{what}: {view}");
        }
        let measured = facts[0].gas;
        let expected: f64 = gas.to_string().parse().expect("a float");
        assert!((measured - expected).abs() < 1e-12, "{what}: metrics {measured}");
        // And the net has it: what was bought is worth what it cost.
        assert_eq!(decimal(&json(&terminal, &["list"])[0]["net_usd"]), -gas, "{what}");
    }
}

fn series(job: &lgi_mm::store::jobs::Job) -> String {
    let config = &job.config.price;
    let source = config.sources[0];
    lgi_mm::domain::price::series(source, config, job.quote.address, job.config.venue.pool)
}
