//! What a trade, a hold and a watched fill ask of a node and of the database, counted at their doors: blocks of two
//! seconds, depth three.
#![expect(
    clippy::print_stdout,
    reason = "the counts are figures of docs/live-figures.md"
)]

use std::{
    fmt,
    sync::Mutex,
    time::{Duration, Instant},
};

use lgi_mm::{
    devnet::BlockTime,
    domain::{job::JobId, span::Span, units::Amount},
    store::orders::{self, Order},
};
use serde_json::{Value, json};
use testkit::{
    live::World,
    meter::{Count, Meter},
    statements::{Statement, Statements},
};

use crate::live::{
    clanker, pause,
    statements::{Cost, Costs, Part},
};

/// Looks that come a moment before their block where other tests keep the machine busy, each with a request and a
/// transaction of its own. Alone on an idle machine there are none, and a buy takes 12 requests, a sale 16 at most
/// (docs/live-figures.md).
const BUSY: usize = 4;

/// Most HTTP requests of a buy in a pool that is known, from its slot to its fill.
const BUY_MAX: usize = 12 + BUSY;
/// The same of a sale whose token must be approved twice.
const SELL_MAX: usize = 16 + BUSY;
/// Most requests in a minute in which nothing is done but watching a fill.
const REST_MAX: usize = 2;

const fn cost(statements: usize, transactions: usize) -> Cost {
    Cost {
        statements,
        transactions,
    }
}

/// Most statements and transactions of the engine from the plan of a buy to its fill.
const PLAN_TO_FILL: Cost = cost(25, 10 + BUSY);
/// Most statements and transactions of a buy and its slot: the engine's, and with them those of scheduler and queue.
const BUY_STATEMENTS: [Cost; 2] = [cost(24 + BUSY, 18 + BUSY), cost(80 + 2 * BUSY, 65 + 2 * BUSY)];
/// The same of a sale whose token must be approved twice.
const SELL_STATEMENTS: [Cost; 2] = [cost(42 + BUSY, 25 + BUSY), cost(100 + 2 * BUSY, 75 + 2 * BUSY)];

/// The world, the meter between it and its node, and the one between it and its database.
async fn metered() -> (World, Meter, Statements) {
    let meter = Mutex::new(None);
    let span = |text: &str| -> Option<Span> { Some(text.parse().expect("a span")) };
    let mut world = World::with(BlockTime::Every("2s".parse().expect("a span")), |keys| {
        let node = keys.rpc_urls[0].parse().expect("a URL");
        let started = Meter::start(node);
        let url = started.url();
        *meter.lock().expect("the meter") = Some(started);
        lgi_mm::chain::ChainFile {
            rpc_urls: vec![url],
            required_depth: Some(3),
            block_time: span("2s"),
            resend_after: span("4s"),
            replace_after: span("15s"),
            ..keys
        }
    })
    .await;
    let meter = meter.into_inner().expect("the meter").expect("started");
    let database = Statements::start(&world.db.url).await;
    world.db.url = database.url();
    (world, meter, database)
}

/// The usual intervals instead of a test's.
const USUAL: [(&str, &str); 4] = [
    ("LGI_MM__TRADING__CHECK_INTERVAL", "1s"),
    ("LGI_MM__TRADING__SAMPLE_INTERVAL", "60s"),
    ("LGI_MM__SCHEDULER__SETTLE_LEASE", "10s"),
    ("LGI_MM__SCHEDULER__TICK_LEASE", "60s"),
];

/// A DCA at every slot of this schedule.
fn rules(cron: &str, interval: &str) -> Value {
    json!({
        "schedule": { "cron": cron },
        "accumulate": { "dca_amount_usd": 10, "dca_interval": interval, "dip_buy_threshold_pct": 0 },
    })
}

/// How many trades were executed, in all.
async fn trades(world: &World) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM trades WHERE status = 'EXECUTED'")
        .fetch_one(&world.db.pool)
        .await
        .expect("a count")
}

/// Waits until `count` trades were executed, in all.
async fn executed(world: &World, count: i64) {
    let begun = Instant::now();
    loop {
        let found = trades(world).await;
        if found >= count {
            return;
        }
        let patience = Duration::from_secs(120);
        assert!(
            begun.elapsed() < patience,
            "{found} of {count} trades: {}",
            world.story().await
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn liquidate(world: &World, job: JobId) {
    let order = Order::Liquidate {
        over: Span::ZERO,
        slices: 1,
    };
    orders::order(&world.db.pool, job, order, "test")
        .await
        .expect("ordered");
}

fn calls_of(count: &Count, method: &str) -> usize {
    count.calls().get(method).copied().unwrap_or_default()
}

/// All that was done from the plan to the fill, if both are among these.
fn from_plan_to_fill(statements: &[Statement]) -> Option<Costs> {
    let place = |words: &str| {
        statements
            .iter()
            .position(|statement| statement.sql.contains(words))
    };
    // The fill commits within a few statements.
    let between = place("INSERT INTO trades").zip(place("INSERT INTO fills"));
    let (plan, fill) = between.filter(|(plan, fill)| plan < fill)?;
    let booked = &statements[fill];
    let ends =
        |statement: &&Statement| statement.connection == booked.connection && statement.sql == "COMMIT";
    let rest = &statements[fill..];
    let end = rest
        .iter()
        .position(|statement| ends(&statement))
        .unwrap_or_default();
    Some(Costs::of(&statements[plan..=fill + end]))
}

/// What one trade, or a part of it, cost; its requests are none if some of its bytes were sent again.
struct Tried {
    what: &'static str,
    costs: Costs,
    http: Option<usize>,
}

impl Tried {
    /// A trade that sends `sent` transactions. On a busy machine a look comes a moment before its block and once more,
    /// or bytes are sent again before their block: that is the machine's, and one trade of a few is without it.
    fn of(what: &'static str, costs: Costs, asked: &Count, sent: usize) -> Self {
        println!("{what}: {asked}");
        let once = calls_of(asked, "eth_sendRawTransaction") == sent;
        let http = Some(asked.http()).filter(|_| once);
        println!("{what}: {costs}");
        Self { what, costs, http }
    }

    /// A meter that sees nothing holds every bound.
    fn fits(&self, [engine, whole]: [Cost; 2], http: usize) -> bool {
        let did = self.costs.part(Part::Engine);
        let seen = did.statements >= 15 && self.http.is_some_and(|asked| asked >= 5);
        let within = did.fits(engine) && self.costs.trade().fits(whole);
        seen && within && self.http.is_some_and(|asked| asked <= http)
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: requests {:?}; {}", self.what, self.http, self.costs)
    }
}

/// One of these is within its bounds.
fn bounded(tried: &[Tried], most: [Cost; 2], http: usize) {
    let all: String = tried.iter().map(ToString::to_string).collect();
    let fits = tried.iter().any(|one| one.fits(most, http));
    assert!(fits, "none of {most:?} and {http} requests:\n{all}");
}

/// Buys until one is within its bounds, at most; sales half as often.
const TRIES: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_trade_a_hold_and_a_watch_ask_no_more_than_they_must() {
    let (world, meter, database) = metered().await;
    let job = clanker(&world, rules("*/15 * * * * *", "15s")).await;
    let daemon = world.daemon_with(&USUAL);
    executed(&world, 1).await;
    println!("the first buy: {}", meter.take());
    let mut buys = Vec::new();
    while !buys.last().is_some_and(Bought::fits) && buys.len() < TRIES {
        let begun = database.seen().0;
        executed(&world, trades(&world).await + 1).await;
        let statements = database.since(usize::try_from(begun).expect("a count"));
        // A trade begins and ends with a read of prices; what comes before and after watches other fills.
        let asked = meter.take().between("eth_call");
        buys.push(Bought {
            core: from_plan_to_fill(&statements),
            whole: Tried::of("a buy", Costs::of(&statements), &asked, 1),
        });
    }
    pause(&world, job).await;
    let all: String = buys.iter().map(ToString::to_string).collect();
    assert!(buys.last().is_some_and(Bought::fits), "{all}");

    rest(&meter).await;
    sale(&world, &meter, &database, job).await;
    holds(&world, &meter).await;
    drop(daemon);
    world.audit().await;
}

/// A buy, and what was done from its plan to its fill, if both came after the fill of the one before.
struct Bought {
    core: Option<Costs>,
    whole: Tried,
}

impl Bought {
    fn fits(&self) -> bool {
        let core = self.core.as_ref().map(|costs| costs.part(Part::Engine));
        let within = core.is_some_and(|cost| cost.statements >= 8 && cost.fits(PLAN_TO_FILL));
        within && self.whole.fits(BUY_STATEMENTS, BUY_MAX)
    }
}

impl fmt::Display for Bought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let core = self.core.as_ref().map(ToString::to_string);
        writeln!(f, "{}from plan to fill: {}", self.whole, core.unwrap_or_default())
    }
}

/// A minute in which nothing is done but watching fills: the best of three.
async fn rest(meter: &Meter) {
    let mut least = usize::MAX;
    for _ in 0..3 {
        meter.take();
        tokio::time::sleep(Duration::from_secs(60)).await;
        let rest = meter.take();
        println!("at rest: {rest}");
        least = least.min(rest.http());
        if least <= REST_MAX {
            break;
        }
    }
    assert!(least <= REST_MAX, "at rest: {least} requests a minute");
    // And they are still watched, whenever their minute began.
    let (begun, mut watched) = (Instant::now(), least);
    while watched == 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(90),
            "nobody watches the fill"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
        watched += meter.take().http();
    }
}

/// A sale of all, which needs two approvals.
async fn sale(world: &World, meter: &Meter, database: &Statements, job: JobId) {
    let mut sales: Vec<Tried> = Vec::new();
    loop {
        world.until("no trade is open", NONE_OPEN).await;
        meter.take();
        let begun = usize::try_from(database.seen().0).expect("a count");
        let before = trades(world).await;
        liquidate(world, job).await;
        executed(world, before + 1).await;
        let costs = Costs::of(&database.since(begun));
        let asked = meter.take().between("eth_call");
        sales.push(Tried::of("a sale", costs, &asked, 3));
        let fits = sales
            .last()
            .is_some_and(|sale| sale.fits(SELL_STATEMENTS, SELL_MAX));
        if fits || sales.len() >= TRIES / 2 {
            return bounded(&sales, SELL_STATEMENTS, SELL_MAX);
        }
        world
            .until("all is sold", "SELECT bool_and(status = 'IDLE') FROM jobs")
            .await;
        let again = Order::Start {
            deposit: Amount::ZERO,
        };
        let before = trades(world).await;
        orders::order(&world.db.pool, job, again, "test")
            .await
            .expect("started");
        executed(world, before + 1).await;
        pause(world, job).await;
    }
}

/// No plan waits for its transaction, and none for its fill.
const NONE_OPEN: &str = "SELECT count(*) = 0 FROM trades WHERE status IN ('PENDING', 'SUBMITTED')";

/// Three jobs that wait for a price, with a slot every five seconds: one request for all at each slot, in the best of
/// three tries.
async fn holds(world: &World, meter: &Meter) {
    let waiting = json!({
        "schedule": { "cron": "*/5 * * * * *", "jitter": "2s" },
        "accumulate": { "dca_amount_usd": 10, "dip_buy_threshold_pct": 0, "buy_below_usd": "0.000000001" },
    });
    let tokens = world.devnet.deployment().practice.values();
    for (token, symbol) in tokens.zip(["ONE", "TWO", "THREE"]) {
        world.start(*token, symbol, waiting.clone()).await;
    }
    let held = "SELECT count(*) = 3 FROM ticks WHERE reason = 'price_band' AND count > 1";
    world.until("holds", held).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (slots, hold) = some_slots(world, meter).await;
        println!("holds: {hold}");
        if slots >= 3 && (1..=slots + 1).contains(&hold.http()) {
            return;
        }
        seen.push(format!("{slots} slots: {hold}"));
    }
    panic!("{seen:#?}");
}

/// How many slots all three jobs had in some seconds, and what they asked for.
async fn some_slots(world: &World, meter: &Meter) -> (usize, Count) {
    // Between two slots: a delay is below two seconds.
    let begun = slots(world).await;
    while slots(world).await == begun {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (before, _) = (slots(world).await, meter.take());
    tokio::time::sleep(Duration::from_secs(20)).await;
    let (hold, after) = (meter.take(), slots(world).await);
    (usize::try_from((after - before) / 3).expect("a few"), hold)
}

async fn slots(world: &World) -> i64 {
    sqlx::query_scalar("SELECT coalesce(sum(count), 0)::bigint FROM ticks WHERE reason = 'price_band'")
        .fetch_one(&world.db.pool)
        .await
        .expect("a count")
}
