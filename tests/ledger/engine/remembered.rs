//! What rules remember is about what is still held: it ends with it, and a reorg takes it back.

use chrono::TimeDelta;
use lgi_mm::{
    domain::{
        config::{AccumulateConfig, JobConfig},
        decision::{HoldReason, LastFills, Reason},
        ids::TradeId,
        units::{Amount, Price},
    },
    store::{
        fill_watches::{self, Reversed},
        repairs, trades,
    },
};

use crate::engine::{
    taken_back::cancelled,
    world::{World, accumulate},
};

/// One DCA buy a day; profit is taken at 20 %, without a cooldown.
pub(super) fn selling(sell_pct: i64) -> JobConfig {
    let mut config = accumulate();
    let rules: &mut AccumulateConfig = config.rules.accumulate_mut().expect("accumulate");
    rules.dca_interval = Some("36h".parse().expect("span"));
    rules.take_profit_pct = 20.into();
    rules.take_profit_sell_pct = sell_pct.into();
    rules.take_profit_cooldown = "0s".parse().expect("span");
    config
}

fn price(text: &str) -> Price {
    Price::new(text.parse().expect("a decimal")).expect("a price")
}

/// The next slot, at this price: it trades for this reason.
pub(super) async fn trades_at(world: &World, at: &str, reason: Reason) -> TradeId {
    world.market.set(at);
    let trade = world.trade().await;
    let found = trades::load(&world.pool, trade).await.expect("trade");
    assert_eq!(found.reason, reason, "at {at}");
    trade
}

pub(super) async fn holds_at(world: &World, at: &str) {
    world.market.set(at);
    assert_eq!(world.hold().await, HoldReason::NotDue, "at {at}");
}

pub(super) async fn last(world: &World) -> LastFills {
    world.job().await.last
}

/// A reorg takes the fill of this trade back, and it fails then.
pub(super) async fn take_back(world: &World, trade: TradeId) {
    let watched = fill_watches::all(&world.pool).await.expect("watched");
    let watched = fill_watches::load(&world.pool, &watched).await.expect("fills");
    let watched = watched.iter().find(|fill| fill.trade == trade).expect("watched");
    let open = trades::load(&world.pool, trade).await.expect("trade");
    let reversed = fill_watches::reverse(&world.pool, &open, watched, "a test").await;
    assert_eq!(reversed.expect("reversed"), Reversed::Committed);
}

pub(super) async fn fails(world: &World, trade: TradeId) {
    cancelled(world, trade).await;
    world.pass(TimeDelta::minutes(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_take_profit_comes_again_below_the_last_and_a_reversed_one_is_forgotten() {
    let world = World::new(selling(25)).await;
    trades_at(&world, "2", Reason::Dca).await;
    trades_at(&world, "3", Reason::TakeProfit).await;
    holds_at(&world, "3").await;
    let first = last(&world).await.take_profit.expect("taken");
    assert_eq!(first.price, price("3"));
    assert!(
        first
            .average_cost
            .is_some_and(|cost| cost > price("2") && cost < price("2.1"))
    );
    // Still held, and its average cost has not changed: 20 % over 3 are 3.6.
    holds_at(&world, "3.59").await;
    world.pass(TimeDelta::days(2));
    trades_at(&world, "1", Reason::Dca).await;
    let before = last(&world).await;
    assert_eq!(before.take_profit, Some(first));
    // About 3.75 tokens of 2 and 10 of 1: 1.27 on average.
    holds_at(&world, "1.5").await;
    let second = trades_at(&world, "1.8", Reason::TakeProfit).await;
    assert_eq!(last(&world).await.take_profit.expect("taken").price, price("1.8"));
    holds_at(&world, "1.8").await;
    take_back(&world, second).await;
    assert_eq!(last(&world).await, before);
    fails(&world, second).await;
    trades_at(&world, "1.8", Reason::TakeProfit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_of_all_is_forgotten_by_the_next_holding_and_comes_back_with_it() {
    let world = World::new(selling(100)).await;
    trades_at(&world, "2", Reason::Dca).await;
    let all = trades_at(&world, "3", Reason::TakeProfit).await;
    assert_eq!(world.job().await.position.token_balance, Amount::ZERO);
    let sold = last(&world).await;
    assert_eq!(sold.take_profit.expect("taken").average_cost, None);
    // After its reversal it never happened.
    take_back(&world, all).await;
    assert_eq!(last(&world).await.take_profit, None);
    fails(&world, all).await;
    trades_at(&world, "3", Reason::TakeProfit).await;
    world.pass(TimeDelta::days(2));
    // Bought cheaper: 1.2 is 20 % more, and far below the 3 of before.
    trades_at(&world, "1", Reason::Dca).await;
    holds_at(&world, "1.1").await;
    let again = trades_at(&world, "1.3", Reason::TakeProfit).await;
    take_back(&world, again).await;
    assert_eq!(
        last(&world).await.take_profit.expect("the first").average_cost,
        None
    );
}

/// Tokens that left the wallet: what was sold of them is nothing to climb over.
#[tokio::test(flavor = "multi_thread")]
async fn a_holding_that_is_gone_without_a_sale_is_forgotten_too() {
    let world = World::new(selling(25)).await;
    trades_at(&world, "2", Reason::Dca).await;
    trades_at(&world, "3", Reason::TakeProfit).await;
    let fills = fill_watches::all(&world.pool).await.expect("watched");
    fill_watches::finish(&world.pool, &fills).await.expect("final");
    let held = world.job().await.position.token_balance;
    let gone = repairs::write_down(&world.pool, world.job, held, Amount::ZERO, "test").await;
    assert!(gone.expect("written down"));
    let emptied = last(&world).await;
    assert_eq!(emptied.take_profit.expect("taken").average_cost, None);
    world.pass(TimeDelta::days(2));
    trades_at(&world, "2", Reason::Dca).await;
    let bought = last(&world).await;
    let again = trades_at(&world, "2.6", Reason::TakeProfit).await;
    take_back(&world, again).await;
    assert_eq!(
        last(&world).await,
        bought,
        "the ledger knows that nothing was left"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversed_dip_buy_has_used_up_neither_the_dip_nor_its_cooldown() {
    let mut config = accumulate();
    let rules = config.rules.accumulate_mut().expect("accumulate");
    rules.dca_interval = Some("36h".parse().expect("span"));
    rules.dip_buy_threshold_pct = 10.into();
    rules.dip_cooldown = "4h".parse().expect("span");
    let world = World::new(config).await;
    trades_at(&world, "2", Reason::Dca).await;
    world.market.set("1.7");
    assert_eq!(world.hold().await, HoldReason::DipUnconfirmed);
    let before = last(&world).await;
    let dip = trades_at(&world, "1.7", Reason::DipBuy).await;
    assert!(last(&world).await.dip.is_some());
    holds_at(&world, "1.5").await;
    take_back(&world, dip).await;
    assert_eq!(last(&world).await, before);
    fails(&world, dip).await;
    trades_at(&world, "1.7", Reason::DipBuy).await;
}
