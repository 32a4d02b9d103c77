mod shared;

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, address};
use lgi_mm::{
    domain::config::{PriceConfig, SourceName},
    ports::{PriceRequest, Prices},
    prices::PriceBook,
};
use serde_json::{Value, json};

use crate::prices::{
    api::{Answer, Api, pair},
    ask, at, book, sources, token,
};

const NOW: &str = "2026-03-01T12:00:00Z";
const LGI: Address = address!("0xbbd9aDe16525acb4B336b6dAd3b9762901522B07");
/// As the API writes it: with a checksum's capitals.
const LGI_TEXT: &str = "0xbbd9aDe16525acb4B336b6dAd3b9762901522B07";
const WETH_TEXT: &str = "0x4200000000000000000000000000000000000006";

fn config() -> PriceConfig {
    sources(&[SourceName::Dexscreener])
}

fn good(price: &str, depth: Value) -> Value {
    pair("base", LGI_TEXT, json!(price), depth)
}

/// What the price of LGI is, given these pairs: the text of the price or of the error.
async fn priced(pairs: Value) -> String {
    let db = testkit::db().await;
    let api = Api::start([Answer::Pairs(pairs)]).await;
    let book = book(&db.pool, &api.url, "2s", 300);
    match ask(&book, &config(), LGI, at(NOW)).await {
        Ok(seen) => {
            assert_eq!(
                seen.observed_at,
                at(NOW),
                "the API has no clock: it is the time of the question"
            );
            seen.price_usd.to_string()
        }
        Err(missing) => missing.to_string(),
    }
}

fn without(field: &str) -> Value {
    let mut pair = good("9", json!(9_000_000));
    pair.as_object_mut().expect("an object").remove(field);
    pair
}

#[tokio::test]
async fn the_deepest_pool_that_prices_our_token_counts() {
    let quoted = pair("base", WETH_TEXT, json!("3000"), json!(9_000_000));
    let elsewhere = pair("ethereum", LGI_TEXT, json!("7"), json!(9_000_000));
    for (name, pairs, wanted) in [
        ("one", json!([good("0.0012345", json!(10))]), "0.0012345"),
        (
            "first",
            json!([good("2", json!(900.5)), good("1", json!(10))]),
            "2",
        ),
        (
            "last",
            json!([good("1", json!(10)), good("2", json!(900.5))]),
            "2",
        ),
        (
            "large",
            json!([good("1", json!(1.5e9)), good("2", json!(9_000))]),
            "1",
        ),
        ("ours is the quote", json!([quoted, good("1", json!(1))]), "1"),
        ("another chain", json!([elsewhere, good("1", json!(1))]), "1"),
        ("exponent", json!([good("1.5e-7", json!(1))]), "0.00000015"),
        ("zero is passed on", json!([good("0", json!(1))]), "0"),
        ("negative is passed on", json!([good("-1", json!(1))]), "-1"),
    ] {
        assert_eq!(priced(pairs).await, wanted, "{name}");
    }
    let none = format!("dexscreener: no pool on base prices {}", LGI_TEXT.to_lowercase());
    for pairs in [json!([quoted]), json!([]), json!([without("priceUsd")])] {
        assert_eq!(priced(pairs.clone()).await, none, "{pairs}");
    }
}

/// A redirect of the API is not followed.
#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Api::start([]).await;
    let place = format!("{}/tokens/v1/base/{}", elsewhere.url, LGI_TEXT.to_lowercase());
    for status in [301, 302, 307, 308] {
        let api = Api::start([Answer::Status(status, Some(("location", place.clone())))]).await;
        let db = testkit::db().await;
        let book = book(&db.pool, &api.url, "2s", 300);
        let said = ask(&book, &config(), LGI, at(NOW)).await;
        let said = said.expect_err("no price").to_string();
        assert!(said.contains(&format!("HTTP {status}")), "{said}");
    }
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_pair_with_gaps_does_not_lose_the_others() {
    let null_price = pair("base", LGI_TEXT, Value::Null, json!(99));
    for (name, odd) in [
        ("no liquidity", without("liquidity")),
        ("liquidity null", good("3", Value::Null)),
        ("no priceUsd", without("priceUsd")),
        ("priceUsd null", null_price),
        ("priceUsd no number", good("N/A", json!(99))),
        ("priceUsd zero", good("0", json!(99))),
        ("priceUsd below zero", good("-2", json!(99))),
        ("no baseToken", without("baseToken")),
        ("no chainId", without("chainId")),
        ("null", Value::Null),
        ("a text", json!("pair")),
    ] {
        assert_eq!(priced(json!([odd, good("1", json!(1))])).await, "1", "{name}");
    }
    assert_eq!(
        priced(json!([without("liquidity")])).await,
        "9",
        "the only pool there is"
    );
}

#[tokio::test]
async fn the_object_of_the_older_paths_is_read_too() {
    let answer = |pairs: Value| json!({"schemaVersion": "1.0.0", "pairs": pairs});
    let deeper = good("0.00001234", json!(50));
    assert_eq!(
        priced(answer(json!([good("1", json!(1)), deeper]))).await,
        "0.00001234"
    );
    for none in [Value::Null, json!([])] {
        assert_eq!(
            priced(answer(none)).await,
            format!("dexscreener: no pool on base prices {LGI:#x}")
        );
    }
}

#[tokio::test]
async fn answers_that_are_no_list_of_pairs_are_missing_prices() {
    let db = testkit::db().await;
    for body in [
        "",
        "null",
        "<html>",
        "7",
        "{}",
        "{\"pairs\": {}}",
        "{\"error\": \"x\"}",
        "[{\"chainId\":",
        "[1,",
    ] {
        let api = Api::start([Answer::Text(body)]).await;
        let book = book(&db.pool, &api.url, "2s", 300);
        let error = ask(&book, &config(), LGI, at(NOW))
            .await
            .expect_err("no price")
            .to_string();
        assert!(
            error.starts_with("dexscreener: the answer is not a list of pairs"),
            "{body}: {error}"
        );
        assert_eq!(api.seen().len(), 1, "{body}: asking again would bring the same");
    }
}

#[tokio::test]
async fn sixty_five_tokens_are_three_requests() {
    let db = testkit::db().await;
    let api = Api::start([]).await;
    let book = book(&db.pool, &api.url, "2s", 300);
    let config = config();
    let requests: Vec<PriceRequest<'_>> = (0..130_u8)
        .map(|number| PriceRequest {
            quote: Address::repeat_byte(0xcc),
            pool: None,
            decimals: None,
            chain: "base",
            token: token(number % 65),
            config: &config,
        })
        .collect();
    let answers = book.answers(&requests, at(NOW)).await;
    assert!(
        answers
            .iter()
            .all(|answers| answers.len() == 1 && answers[0].is_ok())
    );
    let mut sizes: Vec<usize> = api.seen().iter().map(|seen| seen.tokens.len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [5, 30, 30]);
    let asked: HashSet<String> = api.seen().into_iter().flat_map(|seen| seen.tokens).collect();
    assert_eq!(asked.len(), 65);
    assert!(asked.iter().all(|token| *token == token.to_lowercase()));
}

#[tokio::test]
async fn a_failing_batch_or_token_harms_no_other() {
    let db = testkit::db().await;
    let api = Api::start([Answer::Status(400, None)]).await;
    let book = book(&db.pool, &api.url, "2s", 300);
    let config = config();
    let requests: Vec<PriceRequest<'_>> = (0..40)
        .map(|number| PriceRequest {
            quote: Address::repeat_byte(0xcc),
            pool: None,
            decimals: None,
            chain: "base",
            token: token(number),
            config: &config,
        })
        .collect();
    let answers = book.answers(&requests, at(NOW)).await;
    let fine = answers.iter().filter(|answers| answers[0].is_ok()).count();
    assert!(fine == 10 || fine == 30, "{fine}: the other batch has its prices");

    let api = Api::start([Answer::Pairs(json!([good("4", json!(1))]))]).await;
    let book = crate::prices::book(&db.pool, &api.url, "2s", 300);
    let requests = [LGI, token(9)].map(|token| PriceRequest {
        quote: Address::repeat_byte(0xcc),
        pool: None,
        decimals: None,
        chain: "base",
        token,
        config: &config,
    });
    let answers = book.answers(&requests, at(NOW)).await;
    assert!(answers[0][0].is_ok() && answers[1][0].is_err(), "{answers:?}");
}

#[tokio::test]
async fn every_chain_is_asked_by_its_name_there_and_an_unknown_one_not_at_all() {
    let db = testkit::db().await;
    let api = Api::start([]).await;
    let book = book(&db.pool, &api.url, "2s", 300);
    let config = config();
    let chains = [
        "base", "ethereum", "arbitrum", "optimism", "polygon", "unichain", "atlantis",
    ];
    let requests = chains.map(|chain| PriceRequest {
        quote: Address::repeat_byte(0xcc),
        pool: None,
        decimals: None,
        chain,
        token: LGI,
        config: &config,
    });
    let answers = book.answers(&requests, at(NOW)).await;
    let fine: Vec<bool> = answers.iter().map(|answers| answers[0].is_ok()).collect();
    assert_eq!(fine, [true, true, true, true, true, true, false]);
    let asked: HashSet<String> = api.seen().into_iter().map(|seen| seen.chain).collect();
    assert_eq!(
        asked,
        chains[..6].iter().map(|chain| (*chain).to_owned()).collect()
    );
    let error = answers[6][0].as_ref().expect_err("no price").to_string();
    assert!(error.contains("unknown chain 'atlantis'"), "{error}");
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_stays_is_given_up() {
    let db = testkit::db().await;
    let slow = || Answer::Slow(Duration::from_secs(3));
    for (name, script, requests, wanted) in [
        (
            "500 twice",
            vec![Answer::Status(500, None), Answer::Status(503, None)],
            3,
            Ok(()),
        ),
        ("cut off", vec![Answer::Truncated], 2, Ok(())),
        ("too slow once", vec![slow()], 2, Ok(())),
        (
            "500 every time",
            vec![Answer::Status(500, None); 9],
            3,
            Err("HTTP 500 Internal Server Error, 3 times"),
        ),
        (
            "too slow every time",
            vec![slow(), slow(), slow()],
            2,
            Err("no answer within 2s"),
        ),
        (
            "403",
            vec![Answer::Status(403, None)],
            1,
            Err("HTTP 403 Forbidden"),
        ),
        (
            "too large",
            vec![Answer::Huge(9 << 20)],
            1,
            Err("the answer is larger than 8388608 bytes"),
        ),
    ] {
        let api = Api::start(script).await;
        let book = book(&db.pool, &api.url, "1s", 3_000);
        let begun = Instant::now();
        let answer = ask(&book, &config(), LGI, at(NOW)).await;
        assert!(
            begun.elapsed() < Duration::from_secs(4),
            "{name}: {:?}",
            begun.elapsed()
        );
        match (answer, wanted) {
            (Ok(seen), Ok(())) => assert_eq!(seen.price_usd.to_string(), "2.5", "{name}"),
            (Err(missing), Err(wanted)) => {
                assert!(missing.to_string().contains(wanted), "{name}: {missing}");
            }
            (answer, _) => panic!("{name}: {answer:?}"),
        }
        assert_eq!(api.seen().len(), requests, "{name}");
    }
}

#[tokio::test]
async fn nobody_listening_is_a_missing_price_that_says_so() {
    let db = testkit::db().await;
    let book = book(&db.pool, "http://127.0.0.1:9/", "1s", 300);
    let error = ask(&book, &config(), LGI, at(NOW))
        .await
        .expect_err("no price")
        .to_string();
    assert!(error.contains("refused") && error.contains("3 times"), "{error}");
    assert!(!error.contains("tokens/v1"), "{error}");
}

async fn symbol_of(book: &PriceBook) -> String {
    let found = book.dexscreener().lookup("base", LGI, at(NOW)).await;
    found.expect("a token").symbol
}

#[tokio::test]
async fn a_lookup_finds_symbol_and_price() {
    let db = testkit::db().await;
    let api = Api::start([Answer::Pairs(json!([good("0.25", json!(5))]))]).await;
    let book = book(&db.pool, &api.url, "2s", 300);
    let found = book
        .dexscreener()
        .lookup("base", LGI, at(NOW))
        .await
        .expect("a token");
    assert_eq!(
        (found.symbol.as_str(), found.price_usd.to_string().as_str()),
        ("LGI", "0.25")
    );
    let unknown = book.dexscreener().lookup("base", token(7), at(NOW)).await;
    assert!(unknown.is_ok(), "the server knows every token");
    let nowhere = book.dexscreener().lookup("atlantis", LGI, at(NOW)).await;
    assert!(nowhere.is_err());
}

#[tokio::test]
async fn a_hostile_symbol_cannot_write_on_the_terminal() {
    let db = testkit::db().await;
    for (given, wanted) in [
        (json!(" \u{1b}[2JLGI\n\u{7} "), "[2JLGI".to_owned()),
        (json!("x".repeat(500)), "x".repeat(32)),
        (json!("é".repeat(40)), "é".repeat(16)),
        (json!(""), String::new()),
        (Value::Null, String::new()),
    ] {
        let mut hostile = good("1", json!(5));
        hostile["baseToken"]["symbol"] = given;
        let api = Api::start([Answer::Pairs(json!([hostile]))]).await;
        assert_eq!(symbol_of(&book(&db.pool, &api.url, "2s", 300)).await, wanted);
    }
}
