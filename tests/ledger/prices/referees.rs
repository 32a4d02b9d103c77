//! The APIs of the aggregators, in the shapes that they have.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use alloy_primitives::{Address, U256, address};
use axum::{Router, extract::Request, http::StatusCode, response::IntoResponse};
use lgi_mm::{
    domain::{pool::NATIVE, referees::RefereeName, units::Amount},
    ports::{RefereeSwap, Referees},
    prices::{Aggregators, RefereeSettings},
};
use serde_json::{Value, json};

const TOKEN: Address = address!("0xbbd9ade8a28d4ee5a2cb1cad4ab8cb5bd63f2b07");
const COIN: &str = "0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE";

type Answer = Arc<dyn Fn(&str) -> (StatusCode, String) + Send + Sync>;

/// An aggregator client whose two servers answer as `answer` says to path and query.
async fn client(answer: Answer) -> Aggregators {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let router = Router::new().fallback(move |request: Request| {
        let said = answer(&request.uri().to_string());
        async move { said.into_response() }
    });
    tokio::spawn(async move { axum::serve(listener, router).await.expect("a server") });
    let settings = RefereeSettings {
        kyberswap_url: url.clone(),
        velora_url: format!("{url}/"),
        timeout: "1s".parse().expect("a span"),
    };
    let ids = BTreeMap::from([("base".to_owned(), 8453)]);
    Aggregators::new(settings, ids).expect("a client")
}

fn swap(chain: &str) -> RefereeSwap<'_> {
    RefereeSwap {
        chain,
        token_in: NATIVE,
        token_out: TOKEN,
        decimals: (18, 9),
        amount_in: Amount::new(U256::from(1_000_000_u64)),
    }
}

fn kyberswap(amount_in: &str, amount_out: &str) -> Value {
    json!({
        "code": 0, "message": "successfully", "requestId": "b1",
        "data": {
            "routeSummary": {
                "tokenIn": COIN.to_lowercase(), "amountIn": amount_in, "amountInUsd": "10.1", "tokenOut": TOKEN.to_string(),
                "amountOut": amount_out, "amountOutUsd": "10", "gas": "253000", "gasPrice": "7114010", "gasUsd": "0.005",
                "l1FeeUsd": "0", "extraFee": { "feeAmount": "0", "chargeFeeBy": "", "isInBps": false, "feeReceiver": "" },
                "route": [[{ "pool": "0x1", "tokenIn": COIN, "tokenOut": TOKEN, "swapAmount": amount_in, "amountOut": amount_out,
                             "exchange": "uniswap-v4", "poolType": "uniswap-v4" }]],
                "routeID": "1", "checksum": "2", "timestamp": 1_764_000_000,
            },
            "routerAddress": "0x6131B5fae19EA4f9D964eAc0408E4408b66337b5",
        },
    })
}

fn velora(network: u64, amount_out: &str) -> Value {
    json!({
        "priceRoute": {
            "blockNumber": 38_000_000, "network": network, "srcToken": COIN, "srcDecimals": 18, "srcAmount": "1000000",
            "destToken": TOKEN.to_string().to_lowercase(), "destDecimals": 9, "destAmount": amount_out,
            "bestRoute": [{ "percent": 100, "swaps": [] }], "gasCostUSD": "0.01", "gasCost": "250000", "others": [],
            "side": "SELL", "version": "6.2", "contractAddress": "0x6a000f20005980200259b80c5102003040001068",
            "tokenTransferProxy": "0x6a000f20005980200259b80c5102003040001068", "contractMethod": "swapExactAmountIn",
            "partnerFee": 0, "srcUSD": "10.1", "destUSD": "10", "partner": "anon", "maxImpactReached": false, "hmac": "f",
        },
    })
}

async fn one(client: &Aggregators, name: RefereeName, chain: &str) -> Result<Amount, String> {
    let mut said = client.ask(&[name], &swap(chain)).await;
    let (named, answer) = said.pop().expect("an answer");
    assert_eq!(named, name);
    answer
}

#[tokio::test]
async fn both_are_asked_the_same_swap_in_their_own_words() {
    let client = client(Arc::new(|asked: &str| {
        let of_coin = asked.contains(COIN);
        let known = if asked.starts_with("/base/api/v1/routes?") {
            let right = of_coin && asked.contains("amountIn=1000000");
            right.then(|| kyberswap("1000000", "777"))
        } else {
            let right = asked.starts_with("/prices/?") && of_coin;
            let digits = asked.contains("srcDecimals=18&destDecimals=9&side=SELL&network=8453");
            (right && digits && asked.contains("amount=1000000")).then(|| velora(8453, "888"))
        };
        let known = known.unwrap_or_else(|| json!({ "error": asked }));
        (StatusCode::OK, known.to_string())
    }))
    .await;
    let names = [RefereeName::Velora, RefereeName::Kyberswap];
    let said = client.ask(&names, &swap("base")).await;
    let units = |units: u64| Ok(Amount::new(U256::from(units)));
    assert_eq!(said, [(names[0], units(888)), (names[1], units(777))]);
}

#[tokio::test]
async fn every_other_answer_is_silence_with_a_reason() {
    use RefereeName::{Kyberswap, Velora};
    let cases: [(RefereeName, StatusCode, String, &str); 9] = [
        (
            Kyberswap,
            StatusCode::BAD_REQUEST,
            json!({ "code": 4008, "message": "route not found", "details": null, "requestId": "b" })
                .to_string(),
            "route not found",
        ),
        (Kyberswap, StatusCode::TOO_MANY_REQUESTS, String::new(), "429"),
        (
            Kyberswap,
            StatusCode::OK,
            "<html>".to_owned(),
            "an unknown format",
        ),
        (
            Kyberswap,
            StatusCode::OK,
            kyberswap("2", "777").to_string(),
            "about another swap",
        ),
        (
            Kyberswap,
            StatusCode::OK,
            kyberswap("1000000", "0").to_string(),
            "no amount",
        ),
        (
            Kyberswap,
            StatusCode::OK,
            kyberswap("1000000", "-5").to_string(),
            "no amount",
        ),
        (
            Velora,
            StatusCode::BAD_REQUEST,
            json!({ "error": "No routes found with enough liquidity" }).to_string(),
            "No routes found",
        ),
        (
            Velora,
            StatusCode::OK,
            velora(1, "888").to_string(),
            "no route of this chain",
        ),
        (Velora, StatusCode::OK, "x".repeat(2 << 20), "larger than"),
    ];
    for (name, status, body, expected) in cases {
        let client = client(Arc::new(move |_| (status, body.clone()))).await;
        let said = one(&client, name, "base").await.expect_err(expected);
        assert!(said.contains(expected), "{name}: {said}, not {expected}");
        let said = one(&client, name, "nowhere").await.expect_err("no such chain");
        assert!(said.contains("nowhere"), "{said}");
    }
}

#[tokio::test]
async fn one_that_does_not_answer_is_not_waited_for() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let settings = RefereeSettings {
        kyberswap_url: url.clone(),
        velora_url: url.clone(),
        timeout: "300ms".parse().expect("a span"),
    };
    let ids = BTreeMap::from([("base".to_owned(), 8453)]);
    let client = Aggregators::new(settings, ids).expect("a client");
    let begun = std::time::Instant::now();
    let said = one(&client, RefereeName::Velora, "base")
        .await
        .expect_err("silence");
    assert!(begun.elapsed() < Duration::from_secs(5), "{said}");
    assert!(
        !said.contains(&url),
        "an address with a key would be shown: {said}"
    );
}
