use alloy_primitives::Address;
use lgi_mm::{
    domain::{
        config::{GeneratedConfig, PriceConfig, RecordedConfig, SourceName},
        pool::NATIVE,
        price::series,
    },
    ports::{PriceRequest, Prices},
};
use rust_decimal::Decimal;

use crate::prices::{
    api::{Answer, Api},
    at, book, local_book, sources, token,
};

const NOW: &str = "2026-03-01T12:00:00Z";

#[tokio::test]
async fn answers_come_in_the_order_of_requests_and_sources() {
    use SourceName::{Dexscreener, Generated, Recorded};
    let db = testkit::db().await;
    let api = Api::start([]).await;
    let book = book(&db.pool, &api.url, "2s", 300);
    let (three, one, none) = (
        sources(&[Dexscreener, Recorded, Generated]),
        sources(&[Generated]),
        sources(&[]),
    );
    let requests = [(&three, 1), (&one, 2), (&none, 3), (&three, 4)].map(|(config, number)| PriceRequest {
        quote: alloy_primitives::Address::repeat_byte(0xcc),
        pool: None,
        decimals: None,
        chain: "base",
        token: token(number),
        config,
    });
    let answers = book.answers(&requests, at(NOW)).await;
    let names: Vec<Vec<SourceName>> = answers
        .iter()
        .map(|answers| {
            let name = |answer: &lgi_mm::domain::price::Answer| match answer {
                Ok(seen) => seen.source,
                Err(missing) => missing.source_name,
            };
            answers.iter().map(name).collect()
        })
        .collect();
    let wanted = vec![Dexscreener, Recorded, Generated];
    assert_eq!(names, [wanted.clone(), vec![Generated], vec![], wanted]);
    assert_eq!(api.seen().len(), 1, "one request for all that share the source");
    assert_eq!(api.seen()[0].tokens.len(), 2);
}

#[tokio::test]
async fn a_failing_source_harms_no_other() {
    let db = testkit::db().await;
    let api = Api::start(vec![Answer::Status(404, None); 4]).await;
    let book = book(&db.pool, &api.url, "2s", 300);
    let config = PriceConfig {
        recorded: Some(RecordedConfig {
            file: "/nowhere.csv".to_owned(),
            speed: Decimal::ONE,
            starts_at: None,
        }),
        ..sources(&[
            SourceName::Dexscreener,
            SourceName::Recorded,
            SourceName::Generated,
        ])
    };
    let request = PriceRequest {
        quote: alloy_primitives::Address::repeat_byte(0xcc),
        pool: None,
        decimals: None,
        chain: "base",
        token: token(1),
        config: &config,
    };
    let answers = book.answers(&[request], at(NOW)).await.remove(0);
    let fine: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(fine, [false, false, true]);
    assert_eq!(
        answers[0].as_ref().expect_err("no price").to_string(),
        "dexscreener: HTTP 404 Not Found"
    );
}

#[tokio::test]
async fn without_database_or_network_generated_prices_go_on() {
    let book = local_book();
    let config = sources(&[SourceName::Generated]);
    let request = PriceRequest {
        quote: alloy_primitives::Address::repeat_byte(0xcc),
        pool: None,
        decimals: None,
        chain: "base",
        token: token(1),
        config: &config,
    };
    assert!(book.answers(&[request], at(NOW)).await[0][0].is_ok());
    assert!(book.answers(&[], at(NOW)).await.is_empty());
}

const TOKEN_QUOTE: Address = Address::repeat_byte(9);

type Change = fn(&mut PriceConfig);

#[test]
fn a_series_is_named_by_all_that_changes_its_prices() {
    let with = |change: fn(&mut PriceConfig)| {
        let mut config = PriceConfig {
            recorded: Some(RecordedConfig {
                file: "a.csv".to_owned(),
                speed: Decimal::ONE,
                starts_at: None,
            }),
            ..PriceConfig::default()
        };
        change(&mut config);
        config
    };
    fn recorded(config: &mut PriceConfig) -> &mut RecordedConfig {
        config.recorded.as_mut().expect("recorded")
    }
    let base = with(|_| {});
    assert_eq!(
        series(SourceName::Dexscreener, &base, TOKEN_QUOTE, None),
        "dexscreener"
    );
    assert_eq!(
        series(SourceName::Recorded, &base, TOKEN_QUOTE, None),
        "recorded:a.csv@1"
    );
    assert_eq!(
        series(SourceName::Generated, &base, TOKEN_QUOTE, None),
        "generated:seed=1,start=1,swing=20,period=1d"
    );

    let different: [(SourceName, Change); 7] = [
        (SourceName::Generated, |c| c.generated.seed = 2),
        (SourceName::Generated, |c| c.generated.start_usd = Decimal::TWO),
        (SourceName::Generated, |c| c.generated.swing_pct = Decimal::TEN),
        (SourceName::Generated, |c| {
            c.generated.period = "2d".parse().expect("a span")
        }),
        (SourceName::Recorded, |c| recorded(c).file = "b.csv".to_owned()),
        (SourceName::Recorded, |c| recorded(c).speed = Decimal::TEN),
        (SourceName::Recorded, |c| recorded(c).starts_at = Some(at(NOW))),
    ];
    for (index, (source, change)) in different.into_iter().enumerate() {
        assert_ne!(
            series(source, &with(change), TOKEN_QUOTE, None),
            series(source, &base, TOKEN_QUOTE, None),
            "change {index}"
        );
    }
    let same: [Change; 3] = [
        |c| {
            c.generated = GeneratedConfig {
                swing_pct: Decimal::new(200, 1),
                ..c.generated.clone()
            }
        },
        |c| recorded(c).speed = Decimal::new(100, 2),
        |c| c.max_price_age = "1h".parse().expect("a span"),
    ];
    for (index, change) in same.into_iter().enumerate() {
        for source in [SourceName::Generated, SourceName::Recorded] {
            assert_eq!(
                series(source, &with(change), TOKEN_QUOTE, None),
                series(source, &base, TOKEN_QUOTE, None),
                "change {index}"
            );
        }
    }
}

#[test]
fn a_chains_own_series_is_named_by_its_quote_and_its_pool() {
    let base = PriceConfig::default();
    let pinned = Some("v3:500".parse().expect("a pool"));
    let names = [
        series(SourceName::Onchain, &base, TOKEN_QUOTE, None),
        series(SourceName::Onchain, &base, NATIVE, None),
        series(SourceName::Onchain, &base, NATIVE, pinned),
        series(SourceName::Twap, &base, NATIVE, pinned),
    ];
    let distinct: std::collections::HashSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len(), "{names:?}");
}
