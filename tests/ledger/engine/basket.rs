//! A basket on the paper venue: jobs that sell, hand quote over and buy, each trade a trade of its own job.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use alloy_primitives::Address;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use lgi_mm::{
    domain::{
        basket::Move,
        config::{BasketConfig, JobConfig, Rules, SourceName},
        decision::{HoldReason, Side},
        job::{JobId, JobMode, JobStatus},
        price::{Answer, Observation, PriceMissing},
        span::Span,
        units::{Amount, Usd},
    },
    engine::{Engine, Progress, Tick, TickOutcome},
    paper::PaperMarkets,
    ports::{PriceRequest, Prices},
    store::{
        basket, fill_watches,
        jobs::{self, Job},
        orders::{self, Order},
        trades,
    },
};
use rust_decimal::Decimal;
use sqlx::PgPool;
use testkit::paper_job;

use crate::engine::world::{engine_settings, paper_settings};

/// A price for each token.
#[derive(Clone, Default)]
struct Quotes(Arc<Mutex<HashMap<Address, Decimal>>>);

#[async_trait]
impl Prices for Quotes {
    async fn answers(&self, requests: &[PriceRequest<'_>], now: DateTime<Utc>) -> Vec<Vec<Answer>> {
        let prices = self.0.lock().expect("prices").clone();
        let answer = |request: &PriceRequest<'_>| match prices.get(&request.token) {
            Some(price) => Ok(Observation {
                source: SourceName::Generated,
                price_usd: *price,
                observed_at: now,
            }),
            None => Err(PriceMissing {
                source_name: SourceName::Generated,
                detail: "down".to_owned(),
                reason: HoldReason::PriceMissing,
            }),
        };
        requests.iter().map(|request| vec![answer(request)]).collect()
    }
}

pub(super) struct Basket {
    pub(super) pool: PgPool,
    pub(super) engine: Engine,
    quotes: Quotes,
    pub(super) jobs: Vec<JobId>,
    pub(super) last: DateTime<Utc>,
}

fn config(weight: u32, members: u32) -> JobConfig {
    let mut config = JobConfig::for_mode(JobMode::Basket);
    config.price.sources = vec![SourceName::Generated];
    config.price.max_price_move_pct = Decimal::ZERO;
    config.limits.max_trades_per_hour = 0;
    config.limits.max_daily_spend_usd = Usd::ZERO;
    config.limits.max_position_usd = Usd::ZERO;
    config.rules = Rules::Basket(BasketConfig {
        name: "index".to_owned(),
        members,
        weight: weight.into(),
        ..BasketConfig::default()
    });
    config
}

pub(super) fn token(number: usize) -> Address {
    Address::with_last_byte(u8::try_from(number + 1).expect("few"))
}

impl Basket {
    pub(super) async fn new(weights: &[u32]) -> Self {
        let pool = testkit::db().await.pool.clone();
        let quotes = Quotes::default();
        let paper = Arc::new(PaperMarkets::new(pool.clone(), paper_settings()));
        let engine = Engine::new(pool.clone(), Arc::new(quotes.clone()), paper, engine_settings());
        let members = u32::try_from(weights.len()).expect("few");
        let mut jobs = Vec::new();
        for (number, weight) in weights.iter().enumerate() {
            let new = paper_job(
                token(number),
                format!("T{number}"),
                JobMode::Basket,
                config(*weight, members),
            );
            jobs.push(jobs::create(&pool, &new, "test").await.expect("a job"));
        }
        let mut basket = Self {
            pool,
            engine,
            quotes,
            jobs,
            last: Utc::now(),
        };
        for number in 0..weights.len() {
            basket.price(number, "2");
        }
        basket.start(0).await;
        basket
    }

    pub(super) async fn start(&mut self, member: usize) {
        let deposit = "100000000".parse().expect("100 USDC");
        self.order(member, Order::Start { deposit }).await;
    }

    async fn order(&self, member: usize, order: Order) {
        let made = orders::order(&self.pool, self.jobs[member], order, "test").await;
        made.expect("an order");
    }

    pub(super) fn price(&self, member: usize, price: &str) {
        let price = price.parse().expect("a price");
        self.quotes.0.lock().expect("prices").insert(token(member), price);
    }

    async fn evaluate(&mut self, member: usize) -> TickOutcome {
        self.last = Utc::now().max(self.last + TimeDelta::milliseconds(1));
        let tick = Tick {
            job: self.jobs[member],
            slot: self.last,
        };
        let mut results = self.engine.evaluate(&[tick]).await;
        results.remove(0).outcome.expect("a tick that works")
    }

    /// A tick that must hold.
    pub(super) async fn hold(&mut self, member: usize) -> HoldReason {
        match self.evaluate(member).await {
            TickOutcome::Held { reason, .. } => reason,
            other => panic!("member {member} should hold: {other:?}"),
        }
    }

    /// A tick that must trade; its trade is filled, and a reorg could still undo it.
    pub(super) async fn trade(&mut self, member: usize) -> Side {
        let trade = match self.evaluate(member).await {
            TickOutcome::Traded { trade } => trade,
            other => panic!("member {member} should trade: {other:?}"),
        };
        for _ in 0..400 {
            if self
                .engine
                .drive(trade)
                .await
                .is_ok_and(|progress| progress == Progress::Final)
            {
                let trade = trades::load(&self.pool, trade).await.expect("a trade");
                return trade.side;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("trade {trade} never ended");
    }

    pub(super) async fn all_final(&self) {
        let fills = fill_watches::all(&self.pool).await.expect("watched");
        fill_watches::finish(&self.pool, &fills).await.expect("final");
    }

    async fn job(&self, member: usize) -> Job {
        let found = jobs::by_ids(&self.pool, &[self.jobs[member]])
            .await
            .expect("jobs");
        found.into_iter().next().expect("a job").expect("a readable one")
    }

    /// Quote of all members by the ledger, and by its history: fills, deposits and moves.
    async fn quote(&self) -> (Decimal, Decimal) {
        sqlx::query_as(
            "SELECT sum(j.quote_balance::numeric),
                    sum((SELECT coalesce(sum(a.quote_delta), 0) FROM adjustments a WHERE a.job_id = j.id)
                        + (SELECT coalesce(sum(CASE f.side WHEN 'SELL' THEN 1 ELSE -1 END
                                               * f.quote_amount::numeric), 0) FROM fills f WHERE f.job_id = j.id))
             FROM jobs j",
        )
        .fetch_one(&self.pool)
        .await
        .expect("sums")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_basket_of_three_buys_its_weights_and_moves_with_prices_by_sales_before_buys() {
    let mut basket = Basket::new(&[2, 1, 1]).await;
    assert_eq!(basket.hold(0).await, HoldReason::BasketIncomplete);
    basket.start(1).await;
    basket.start(2).await;
    assert_eq!(
        basket.hold(0).await,
        HoldReason::BasketPrice,
        "the others were never priced"
    );
    assert_eq!(basket.hold(1).await, HoldReason::BasketPrice);
    // 300 in all: 150, 75 and 75. The first has 100, and the others have 25 each that they do not need.
    assert_eq!(basket.trade(2).await, Side::Buy);
    assert_eq!(
        basket.hold(0).await,
        HoldReason::BasketQuote,
        "moved from the second, not from the third"
    );
    assert_eq!(basket.trade(0).await, Side::Buy);
    assert_eq!(basket.trade(1).await, Side::Buy);
    basket.all_final().await;
    assert_eq!(
        basket.hold(0).await,
        HoldReason::BasketQuote,
        "the rest comes from the third"
    );
    assert_eq!(basket.trade(0).await, Side::Buy);
    basket.all_final().await;
    for member in 0..3 {
        assert_eq!(basket.hold(member).await, HoldReason::BasketInBalance, "{member}");
    }
    // The second doubles: it has 150 of 375 and should have 94.
    basket.price(1, "4");
    assert_eq!(
        basket.hold(0).await,
        HoldReason::BasketInBalance,
        "it does not know the new price yet"
    );
    assert_eq!(basket.trade(1).await, Side::Sell);
    assert_eq!(
        basket.hold(2).await,
        HoldReason::BasketQuote,
        "the sale could still be undone"
    );
    let before = basket.job(2).await.position.quote_balance;
    assert!(before < "1000000".parse::<Amount>().expect("1 USDC"), "{before}");
    basket.all_final().await;
    assert_eq!(basket.hold(2).await, HoldReason::BasketQuote);
    assert_eq!(basket.trade(2).await, Side::Buy);
    basket.all_final().await;
    assert_eq!(basket.hold(0).await, HoldReason::BasketQuote);
    assert_eq!(basket.trade(0).await, Side::Buy);
    let (balances, history) = basket.quote().await;
    assert_eq!(balances, history, "quote is neither made nor lost");
    let profit: Decimal = sqlx::query_scalar("SELECT sum(out_of_pocket::numeric) FROM jobs")
        .fetch_one(&basket.pool)
        .await
        .expect("a sum");
    let paid = Decimal::from(300)..Decimal::from(301);
    assert!(paid.contains(&profit), "moves are nobody's deposit: {profit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_stopped_or_sold_is_left_out_with_what_it_has_and_the_others_go_on() {
    let mut basket = Basket::new(&[1, 1, 1]).await;
    basket.start(1).await;
    basket.start(2).await;
    for member in 0..2 {
        assert_eq!(basket.hold(member).await, HoldReason::BasketPrice);
    }
    // The third has no price at all: it is paused, and the others share what they brought.
    basket.quotes.0.lock().expect("prices").remove(&token(2));
    assert_eq!(basket.hold(0).await, HoldReason::BasketPrice);
    basket.order(2, Order::Pause).await;
    assert_eq!(basket.trade(0).await, Side::Buy);
    assert_eq!(basket.trade(1).await, Side::Buy);
    basket.all_final().await;
    let third = basket.job(2).await;
    assert_eq!(
        third.position.quote_balance,
        "100000000".parse().expect("its own"),
        "untouched"
    );
    basket.price(2, "2");
    basket.order(2, Order::Resume).await;
    assert_eq!(basket.trade(2).await, Side::Buy);
    basket.all_final().await;
    // The first is sold: what it got is its own, and no other member's.
    basket
        .order(
            0,
            Order::Liquidate {
                over: Span::ZERO,
                slices: 1,
            },
        )
        .await;
    assert_eq!(basket.trade(0).await, Side::Sell);
    assert_eq!(basket.job(0).await.status, JobStatus::Idle);
    basket.price(1, "1");
    basket.all_final().await;
    assert_eq!(
        basket.hold(1).await,
        HoldReason::BasketIncomplete,
        "two of three are left"
    );
    let (balances, history) = basket.quote().await;
    assert_eq!(balances, history);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_reach_for_the_same_quote_at_once_get_it_once() {
    let mut basket = Basket::new(&[2, 2, 1]).await;
    basket.start(1).await;
    basket.start(2).await;
    let amount: Amount = "70000000".parse().expect("70 USDC");
    let before = basket.job(0).await;
    let from = Move {
        from: basket.jobs[2],
        amount,
    };
    for round in 0..10 {
        sqlx::query("UPDATE jobs SET quote_balance = 100000000 WHERE id = $1")
            .bind(basket.jobs[2].0)
            .execute(&basket.pool)
            .await
            .expect("100 USDC");
        let moves = [from];
        let (first, second) = (basket.job(0).await, basket.job(1).await);
        let (one, other) = tokio::join!(
            basket::gather(&basket.pool, &first, &moves),
            basket::gather(&basket.pool, &second, &moves)
        );
        let got = [one.expect("an answer"), other.expect("an answer")];
        assert_eq!(
            got.iter().filter(|got| **got).count(),
            1,
            "round {round}: {got:?}"
        );
        let left = basket.job(2).await.position.quote_balance;
        assert_eq!(left, "30000000".parse().expect("30 USDC"), "round {round}");
        // What a member lacked was counted from what it had: the one that got it does not get it twice.
        let winner = if got[0] { &first } else { &second };
        let little = [Move {
            amount: "1000000".parse().expect("1 USDC"),
            ..from
        }];
        let again = basket::gather(&basket.pool, winner, &little).await;
        assert!(!again.expect("an answer"), "round {round}");
    }
    // A plan that was made before quote left is void: its job is another version.
    assert_ne!(basket.job(0).await.version, before.version);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_moves_from_a_member_that_is_stopped_of_another_basket_or_with_a_trade_that_could_be_undone()
{
    let mut basket = Basket::new(&[2, 2, 1]).await;
    basket.start(1).await;
    basket.start(2).await;
    let first = basket.job(0).await;
    let small = [Move {
        from: basket.jobs[2],
        amount: "1000000".parse().expect("1 USDC"),
    }];
    basket.order(2, Order::Pause).await;
    assert!(
        !basket::gather(&basket.pool, &first, &small)
            .await
            .expect("an answer")
    );
    basket.order(2, Order::Resume).await;
    let first = basket.job(0).await;
    assert!(
        basket::gather(&basket.pool, &first, &small)
            .await
            .expect("an answer")
    );
    for member in 0..2 {
        assert_eq!(basket.hold(member).await, HoldReason::BasketPrice);
    }
    assert_eq!(basket.trade(2).await, Side::Buy);
    let first = basket.job(0).await;
    assert!(
        !basket::gather(&basket.pool, &first, &small)
            .await
            .expect("an answer")
    );
    basket.all_final().await;
    assert!(
        basket::gather(&basket.pool, &first, &small)
            .await
            .expect("an answer")
    );
    let first = basket.job(0).await;
    let other = "UPDATE jobs SET config = jsonb_set(config, '{basket,name}', '\"other\"') WHERE id = $1";
    sqlx::query(other)
        .bind(basket.jobs[2].0)
        .execute(&basket.pool)
        .await
        .expect("another basket");
    assert!(
        !basket::gather(&basket.pool, &first, &small)
            .await
            .expect("an answer")
    );
}
