//! What a buy, a sale, a hold and a minute of rest cost: requests to the node, statements and transactions of the
//! database, and time, next to a bare loop that approves, swaps and waits. Blocks of two seconds, three confirmations.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, U256};
use chrono::{TimeDelta, Utc};
use lgi_mm::{
    chain::ChainFile,
    devnet::BlockTime,
    domain::{
        onchain::{Checks, SwapRequest},
        pool::NATIVE,
        span::Span,
        units::Amount,
    },
    store::orders::{self, Order},
};
use serde_json::{Value, json};
use testkit::{
    live::{World, coins},
    meter::{Count, Meter},
    statements::Statements,
};

use crate::bare::Bare;

const DEPTH: u64 = 3;
const BLOCK_TIME: Duration = Duration::from_secs(2);
/// Seconds between two buys: longer than a buy takes.
const PERIOD: u64 = 30;
/// Slots that hold, five seconds apart.
const HOLDS: u64 = 6;
/// Buys that are measured; the median counts.
const BUYS: usize = 3;

const EXECUTED: &str = "SELECT count(*) FROM trades WHERE status = 'EXECUTED'";

/// A program's own intervals instead of a test's.
const USUAL: [(&str, &str); 6] = [
    ("LGI_MM__TRADING__CHECK_INTERVAL", "1s"),
    ("LGI_MM__TRADING__SAMPLE_INTERVAL", "60s"),
    ("LGI_MM__SCHEDULER__SETTLE_LEASE", "10s"),
    ("LGI_MM__SCHEDULER__TICK_LEASE", "60s"),
    ("LGI_MM__WORKER__HEARTBEAT", "10s"),
    ("LGI_MM__WORKER__LEASE", "30s"),
];

struct Measured {
    what: &'static str,
    ours: Row,
    bare: Option<Row>,
}

struct Row {
    requests: f64,
    calls: f64,
    units: f64,
    statements: f64,
    transactions: f64,
    seconds: f64,
}

fn float(count: u64) -> f64 {
    f64::from(u32::try_from(count).expect("a small number"))
}

fn of(count: &Count, seconds: f64) -> Row {
    let number = |count: usize| float(u64::try_from(count).expect("a small number"));
    Row {
        requests: number(count.http()),
        calls: number(count.calls().values().sum()),
        units: number(count.compute_units()),
        statements: 0.0,
        transactions: 0.0,
        seconds,
    }
}

/// The two doors of the program, and what came through both since they were last asked.
struct Doors {
    meter: Meter,
    database: Statements,
    last: Mutex<((u64, u64), Instant)>,
}

impl Doors {
    /// Requests, statements and transactions since the last call, and the seconds.
    fn take(&self) -> (Count, f64, f64, f64) {
        let (seen, now) = (self.database.seen(), Instant::now());
        let mut last = self.last.lock().expect("the last count");
        let (before, since) = std::mem::replace(&mut *last, (seen, now));
        let of = |later: u64, earlier: u64| float(later.saturating_sub(earlier));
        (
            self.meter.take(),
            of(seen.0, before.0),
            of(seen.1, before.1),
            now.duration_since(since).as_secs_f64(),
        )
    }
}

async fn world() -> (World, Doors) {
    let meter = Mutex::new(None);
    let span = |text: &str| -> Option<Span> { Some(text.parse().expect("a span")) };
    let mut world = World::with(BlockTime::Every("2s".parse().expect("a span")), |keys| {
        let started = Meter::start(keys.rpc_urls[0].parse().expect("a URL"));
        let url = started.url();
        *meter.lock().expect("the meter") = Some(started);
        ChainFile {
            rpc_urls: vec![url],
            required_depth: Some(DEPTH),
            block_time: span("2s"),
            resend_after: span("4s"),
            replace_after: span("15s"),
            ..keys
        }
    })
    .await;
    let database = Statements::start(&world.db.url).await;
    world.db.url = database.url();
    let doors = Doors {
        meter: meter.into_inner().expect("the meter").expect("started"),
        last: Mutex::new((database.seen(), Instant::now())),
        database,
    };
    (world, doors)
}

/// Waits for one more trade; the database is asked past the door that counts.
async fn executed(world: &World, count: i64) {
    let begun = Instant::now();
    loop {
        let seen: i64 = sqlx::query_scalar(EXECUTED)
            .fetch_one(&world.db.pool)
            .await
            .expect("a count");
        if seen >= count {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(180),
            "{}",
            world.story().await
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What the venue itself would send, for the bare loop to send.
async fn bare_calls(
    world: &World,
    wallet: Address,
    sides: [Address; 2],
    amount: U256,
) -> Vec<lgi_mm::domain::onchain::Call> {
    let [token_in, token_out] = sides;
    let request = SwapRequest {
        wallet,
        token_in,
        token_out,
        amount_in: Amount::new(amount),
        amount_out_fair: Amount::ZERO,
        fair_rest: 0,
        pool: Some(world.devnet.deployment().clanker_pool),
        prove_sell: false,
        checks: Checks::none(),
    };
    let least = Amount::new(U256::from(1));
    let calls = world
        .live
        .venue
        .calls(&request, least, Utc::now() + TimeDelta::hours(1));
    calls.await.expect("calls")
}

/// A buy and a sale by the bare loop.
async fn bare(world: &World) -> (Row, Row, Bare) {
    let url = world.devnet.node.url().to_string();
    let bare = Bare::new(&url, DEPTH, BLOCK_TIME);
    world.devnet.fund(bare.wallet).await.expect("money");
    let token = world.devnet.deployment().clanker;
    let calls = bare_calls(world, bare.wallet, [NATIVE, token], coins(1) / U256::from(300)).await;
    bare.meter.take();
    let took = bare.trade(&calls).await;
    let buy = of(&bare.meter.take(), took.as_secs_f64());
    let data = [&[0x70, 0xa0, 0x82, 0x31][..], bare.wallet.into_word().as_slice()].concat();
    let held = world
        .devnet
        .node
        .call(token, &data.into())
        .await
        .expect("a balance");
    let held = U256::from_be_slice(held.get(..32).expect("a word"));
    let calls = bare_calls(world, bare.wallet, [token, NATIVE], held).await;
    bare.meter.take();
    let took = bare.trade(&calls).await;
    let sale = of(&bare.meter.take(), took.as_secs_f64());
    (buy, sale, bare)
}

/// Buys of a pool that is known; the one in the middle by its requests.
async fn buys(world: &World, doors: &Doors, rest: &Row) -> Row {
    let mut rows = Vec::new();
    for index in 0..BUYS {
        executed(world, i64::try_from(index).expect("a few") + 1).await;
        doors.take();
        executed(world, i64::try_from(index).expect("a few") + 2).await;
        let (count, statements, transactions, seconds) = doors.take();
        let buy = count.between("eth_call");
        let took = buy.requests.last().map(|(at, _)| *at).unwrap_or_default()
            - buy.requests.first().map(|(at, _)| *at).unwrap_or_default();
        rows.push(Row {
            statements: (statements - rest.statements * seconds / 60.0).max(0.0),
            transactions: (transactions - rest.transactions * seconds / 60.0).max(0.0),
            ..of(&buy, took.as_secs_f64())
        });
    }
    rows.sort_by(|one, other| one.requests.total_cmp(&other.requests));
    rows.swap_remove(BUYS / 2)
}

/// A minute with one fill watched.
async fn resting(doors: &Doors) -> Row {
    doors.take();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let (count, statements, transactions, seconds) = doors.take();
    Row {
        statements,
        transactions,
        ..of(&count, seconds)
    }
}

/// Three jobs that wait for a price: what one slot of all of them costs.
async fn holds(world: &World, doors: &Doors) -> Row {
    let waiting = json!({
        "schedule": { "cron": "*/5 * * * * *", "jitter": "1s" },
        "accumulate": { "dca_amount_usd": 10, "dip_buy_threshold_pct": 0, "buy_below_usd": "0.000000001" },
    });
    let tokens = world.devnet.deployment().practice.values();
    for (token, symbol) in tokens.zip(["ONE", "TWO", "THREE"]) {
        world.start(*token, symbol, waiting.clone()).await;
    }
    // The one that never buys has held before.
    let held = "SELECT count(DISTINCT job_id) = 4 FROM ticks WHERE reason = 'price_band' AND count > 1";
    world.until("holds", held).await;
    doors.take();
    tokio::time::sleep(Duration::from_secs(5 * HOLDS)).await;
    let (count, statements, transactions, seconds) = doors.take();
    let each = |sum: f64| sum / float(HOLDS);
    let row = of(&count, seconds);
    Row {
        requests: each(row.requests),
        calls: each(row.calls),
        units: each(row.units),
        statements: each(statements),
        transactions: each(transactions),
        seconds: each(seconds),
    }
}

fn rules() -> Value {
    json!({
        "schedule": { "cron": format!("*/{PERIOD} * * * * *") },
        "accumulate": { "dca_amount_usd": 10, "dca_interval": format!("{PERIOD}s"), "dip_buy_threshold_pct": 0 },
    })
}

/// Measures and prints.
pub async fn compare() {
    let (world, doors) = world().await;
    let (bare_buy, bare_sale, bare) = bare(&world).await;
    let token = world.devnet.deployment().clanker;
    // What the program does whatever is traded is measured first, with a job that never buys.
    let mut idle = rules();
    idle["accumulate"]["buy_below_usd"] = json!("0.000000001");
    let waits = world.start(world.devnet.deployment().token, "IDLE", idle).await;
    let mut daemon = world.daemon_with(&USUAL);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let own = resting(&doors).await;
    let ordered = orders::order(&world.db.pool, waits, Order::Pause, "bench").await;
    ordered.expect("paused");
    let job = world.start(token, "CLAWDIA", rules()).await;
    let buy = buys(&world, &doors, &own).await;
    let ordered = orders::order(&world.db.pool, job, Order::Pause, "bench").await;
    ordered.expect("paused");
    let rest = resting(&doors).await;
    let begun = Instant::now();
    doors.take();
    let order = Order::Liquidate {
        over: Span::ZERO,
        slices: 1,
    };
    let ordered = orders::order(&world.db.pool, job, order, "bench").await;
    ordered.expect("ordered");
    executed(&world, i64::try_from(BUYS).expect("a few") + 2).await;
    let (count, statements, transactions, seconds) = doors.take();
    let sale = Row {
        statements: (statements - own.statements * seconds / 60.0).max(0.0),
        transactions: (transactions - own.transactions * seconds / 60.0).max(0.0),
        ..of(&count.between("eth_call"), begun.elapsed().as_secs_f64())
    };
    let hold = holds(&world, &doors).await;
    daemon.kill().await.expect("killed");
    bare.meter.take();
    print(&[
        Measured {
            what: "a buy in a known pool",
            ours: buy,
            bare: Some(bare_buy),
        },
        Measured {
            what: "a sale with two approvals",
            ours: sale,
            bare: Some(bare_sale),
        },
        Measured {
            what: "a slot of three jobs that hold",
            ours: hold,
            bare: None,
        },
        Measured {
            what: "a minute, one fill watched",
            ours: rest,
            bare: None,
        },
        Measured {
            what: "a minute, one job that holds twice",
            ours: own,
            bare: None,
        },
    ]);
    world.audit().await;
}

fn print(rows: &[Measured]) {
    println!(
        "Blocks of {BLOCK_TIME:?}, {DEPTH} confirmations; of trades, statements beyond those of a minute without one."
    );
    println!(
        "The bare loop approves, swaps and waits; it asks no price, proves nothing and remembers nothing.\n"
    );
    println!("| | requests | calls | compute units | statements | transactions | seconds |");
    println!("|---|---|---|---|---|---|---|");
    for measured in rows {
        line(measured.what, &measured.ours);
        if let Some(bare) = &measured.bare {
            line("the same, bare loop", bare);
        }
    }
    println!();
}

fn line(what: &str, row: &Row) {
    println!(
        "| {what} | {:.1} | {:.1} | {:.0} | {:.1} | {:.1} | {:.1} |",
        row.requests, row.calls, row.units, row.statements, row.transactions, row.seconds
    );
}
