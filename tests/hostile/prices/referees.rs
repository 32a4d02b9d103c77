//! Aggregators that a job asks before it trades: what they know holds it, and nothing of theirs is executed.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::StatusCode,
    response::IntoResponse,
};
use lgi_mm::{
    devnet::BlockTime,
    domain::span::Span,
    store::orders::{self, Order},
};
use serde_json::{Value, json};
use testkit::live::World;

/// What the aggregator pays out, base units; `None`: it answers with an error.
type Paid = Arc<Mutex<Option<&'static str>>>;
type Params = std::collections::HashMap<String, String>;

async fn kyberswap(State(paid): State<Paid>, request: Request) -> axum::response::Response {
    let url = format!("http://aggregator{}", request.uri());
    let url: reqwest::Url = url.parse().expect("a URL");
    let asked: Params = url.query_pairs().into_owned().collect();
    match *paid.lock().expect("what it pays") {
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Some(amount) => Json(json!({
            "code": 0, "message": "successfully",
            "data": {
                "routeSummary": {
                    "tokenIn": asked["tokenIn"], "amountIn": asked["amountIn"], "amountInUsd": "100",
                    "tokenOut": asked["tokenOut"], "amountOut": amount, "amountOutUsd": "100", "gas": "253000",
                    "gasPrice": "7", "gasUsd": "0.01", "route": [],
                },
                "routerAddress": "0x6131B5fae19EA4f9D964eAc0408E4408b66337b5",
            },
        }))
        .into_response(),
    }
}

async fn serve(paid: Paid) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let router = Router::new().fallback(kyberswap).with_state(paid);
    tokio::spawn(async move { axum::serve(listener, router).await.expect("a server") });
    url
}

fn rules(action: &str) -> Value {
    json!({
        "accumulate": {
            "dca_amount_usd": 100, "dca_interval": "30d", "dip_buy_threshold_pct": 0, "max_accumulation_usd": 100,
        },
        "limits": { "max_daily_spend_usd": 100 },
        "venue": { "referees": ["kyberswap"], "referee_action": action },
    })
}

const BOUGHT: &str = "SELECT count(*) = 1 AND bool_and(status = 'EXECUTED') FROM trades WHERE side = 'BUY'";
const SOLD: &str = "SELECT bool_and(status = 'IDLE' AND token_balance::numeric = 0) FROM jobs";
/// More than there is of any token here.
const MOST: &str = "1000000000000000000000000000000000000";

#[tokio::test(flavor = "multi_thread")]
async fn a_referee_that_is_silent_or_knows_better_holds_a_buy_and_never_a_liquidation() {
    let world = World::new(BlockTime::OnTransaction).await;
    let paid = Paid::default();
    let url = serve(paid.clone()).await;
    let job = world
        .start(world.devnet.deployment().clanker, "CLAWDIA", rules("hold"))
        .await;
    let mut daemon = world.daemon_with(&[("LGI_MM__REFEREES__KYBERSWAP_URL", &url)]);
    let silent =
        "SELECT count(*) > 0 FROM ticks WHERE reason = 'referee_silent' AND detail LIKE '%kyberswap%503%'";
    world.until("it holds while nobody answers", silent).await;
    *paid.lock().expect("what it pays") = Some(MOST);
    let better =
        "SELECT count(*) > 0 FROM ticks WHERE reason = 'referee_better' AND detail LIKE '%kyberswap%'";
    world
        .until("it holds while a better route is known", better)
        .await;
    let none = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM trades")
        .fetch_one(&world.db.pool)
        .await;
    assert_eq!(none.expect("a count"), 0, "nothing was even planned");
    *paid.lock().expect("what it pays") = Some("1");
    world.until("it buys", BOUGHT).await;
    *paid.lock().expect("what it pays") = None;
    let order = Order::Liquidate {
        over: Span::ZERO,
        slices: 1,
    };
    orders::order(&world.db.pool, job, order, "test")
        .await
        .expect("ordered");
    world.until("it sells everything", SOLD).await;
    daemon.kill().await.expect("killed");
    assert_eq!(world.audit().await.swaps.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_only_wants_a_warning_buys_whatever_a_referee_says() {
    let world = World::new(BlockTime::OnTransaction).await;
    let paid: Paid = Arc::new(Mutex::new(Some(MOST)));
    let url = serve(paid).await;
    world
        .start(world.devnet.deployment().clanker, "CLAWDIA", rules("warn"))
        .await;
    let mut daemon = world.daemon_with(&[("LGI_MM__REFEREES__KYBERSWAP_URL", &url)]);
    world.until("it buys", BOUGHT).await;
    daemon.kill().await.expect("killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referee_that_is_silent_holds_no_stop() {
    let world = World::new(BlockTime::OnTransaction).await;
    let paid: Paid = Arc::new(Mutex::new(Some("1")));
    let url = serve(paid.clone()).await;
    world
        .start(world.devnet.deployment().clanker, "CLAWDIA", rules("hold"))
        .await;
    let mut daemon = world.daemon_with(&[("LGI_MM__REFEREES__KYBERSWAP_URL", &url)]);
    world.until("it buys", BOUGHT).await;
    *paid.lock().expect("what it pays") = None;
    // Whatever the price is, it is at or below the stop from here on.
    let stop = "UPDATE jobs SET config = jsonb_set(config, '{accumulate,stop_price_usd}', '\"1000000\"'),
                       config_version = config_version + 1, version = version + 1";
    sqlx::query(stop).execute(&world.db.pool).await.expect("a stop");
    let sold = "SELECT count(*) = 1 AND bool_and(status = 'EXECUTED') FROM trades WHERE reason = 'STOP_LOSS'";
    world.until("the stop sells", sold).await;
    daemon.kill().await.expect("killed");
}
