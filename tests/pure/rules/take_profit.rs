//! Take-profit: when it fires, what it sells, and what it remembers of the last sale.

use chrono::TimeDelta;
use lgi_mm::domain::{
    accumulate as rule,
    config::{AccumulateConfig, ScheduleConfig},
    decision::{Decision, Facts, HoldReason, Plan, ProfitTaken, Reason, Side},
    span::Span,
    units::{Rounding, Usd},
};
use rust_decimal::Decimal;

use super::{
    accumulate::{between_dcas, decide, in_profit, plan, rules},
    support::{apply, dec, hours, price, tokens, usd},
};

#[test]
fn take_profit_goes_first_and_sells_its_share() {
    let (config, mut facts) = in_profit();
    // A dip and a DCA could fire as well.
    facts.last.dca = None;
    facts.recent_high = price("4");
    facts.previous_price = Some(facts.price);
    let sell = plan(decide(&config, &facts));
    assert_eq!((sell.reason, sell.side), (Reason::TakeProfit, Side::Sell));
    assert_eq!((sell.amount_in, sell.value), (tokens("2.5"), usd("5")));
}

#[test]
fn take_profit_arms_again_only_above_the_last_one_and_after_its_cooldown() {
    let (config, facts) = in_profit();
    for (name, secs_ago, last_price, now_price, fires) in [
        ("exactly at the goal", None, "1", "1.5", true),
        ("just below the goal", None, "1", "1.4999", false),
        ("at the price of the last one", Some(hours(99)), "2", "2", false),
        ("not far enough above it", Some(hours(99)), "2", "2.999", false),
        ("far enough above it", Some(hours(99)), "2", "3", true),
        (
            "far above it, but cooling down",
            Some(hours(24) - 1),
            "2",
            "9",
            false,
        ),
        ("cooled down", Some(hours(24)), "2", "9", true),
    ] {
        let mut facts = facts.clone();
        facts.price = price(now_price);
        facts.recent_high = facts.price;
        facts.last.take_profit = secs_ago.map(|secs| ProfitTaken {
            at: facts.now - TimeDelta::seconds(secs),
            price: price(last_price),
            average_cost: Some(price("1")),
        });
        let found =
            matches!(decide(&config, &facts), Decision::Trade(plan) if plan.reason == Reason::TakeProfit);
        assert_eq!(found, fires, "{name}");
    }
}

/// What a job holds and remembers, and what it would do next. Trades fill at the price, without fees.
struct Holder {
    config: AccumulateConfig,
    facts: Facts,
}

impl Holder {
    /// Takes profit at 20 %, once a day, and buys only when told to.
    fn selling(pct: &str) -> Self {
        let config = AccumulateConfig {
            take_profit_pct: dec("20"),
            take_profit_sell_pct: dec(pct),
            take_profit_cooldown: Span::from_secs(86_400),
            dip_buy_threshold_pct: Decimal::ZERO,
            ..rules()
        };
        Self {
            config,
            facts: between_dcas(),
        }
    }

    fn buys(&mut self, amount: &str, at_price: &str) {
        self.facts.price = price(at_price);
        let cost = tokens(amount)
            .value(18, self.facts.price, Rounding::Down)
            .expect("in range");
        let buy = Plan::buy(Reason::Dca, cost, &self.facts).expect("in range");
        apply(&buy.expect("a buy"), &mut self.facts);
    }

    /// Some hours later, at this price: the amount sold, if any.
    fn sells(&mut self, hours_later: i64, at_price: &str) -> Option<Plan> {
        self.facts.now += TimeDelta::hours(hours_later);
        self.facts.last.dca = Some(self.facts.now);
        self.facts.price = price(at_price);
        self.facts.recent_high = self.facts.price;
        match decide(&self.config, &self.facts) {
            Decision::Trade(plan) => {
                assert_eq!(plan.reason, Reason::TakeProfit);
                apply(&plan, &mut self.facts);
                Some(plan)
            }
            Decision::Hold(_) => None,
        }
    }
}

#[test]
fn a_price_that_stays_at_its_goal_takes_profit_once() {
    let mut holder = Holder::selling("25");
    holder.buys("40", "2.5");
    assert_eq!(
        holder.sells(1, "3").map(|plan| plan.amount_in),
        Some(tokens("10"))
    );
    // 20 % over the last sale: 3.6.
    for (hours, at_price) in [(24, "3"), (24, "3.599999"), (24, "3")] {
        assert_eq!(holder.sells(hours, at_price), None, "{at_price}");
    }
    assert_eq!(
        holder.sells(24, "3.6").map(|plan| plan.amount_in),
        Some(tokens("7.5"))
    );
}

#[test]
fn take_profit_comes_again_once_the_average_cost_has_fallen() {
    let mut holder = Holder::selling("25");
    holder.buys("40", "2.5");
    holder.sells(1, "3").expect("20 % over 2.5");
    holder.buys("98", "1");
    // 30 tokens that cost 75 and 98 that cost 98: 173 / 128 = 1.3515625, and 20 % more are 1.621875.
    assert_eq!(holder.sells(240, "1.621874"), None);
    assert_eq!(
        holder.sells(0, "1.621875").map(|plan| plan.amount_in),
        Some(tokens("32"))
    );
    // From there on the same holds of this sale: 20 % over it are 1.94625.
    assert_eq!(holder.sells(24, "1.946249"), None);
    assert!(holder.sells(0, "1.94625").is_some());
}

/// The least that lowers the average ends the step. That takes a price below the average cost and then one 20 % above
/// it again, and a day: no sale at the price of the last one without a fall in between.
#[test]
fn a_tiny_buy_below_the_average_cost_sells_nothing_before_the_price_has_gained_again() {
    let mut holder = Holder::selling("25");
    holder.buys("40", "2.5");
    holder.sells(1, "3").expect("20 % over 2.5");
    holder.buys("0.01", "2.4");
    for (hours, at_price) in [(1, "3"), (1, "9"), (24, "2.4"), (24, "2.99")] {
        assert_eq!(holder.sells(hours, at_price), None, "{at_price}");
    }
    // 75.024 / 30.01 x 1.2 = 2.99996..
    assert!(holder.sells(0, "3").is_some());
}

#[test]
fn buys_above_the_average_cost_do_not_end_the_step_of_the_last_take_profit() {
    let mut holder = Holder::selling("25");
    holder.buys("40", "2.5");
    holder.sells(1, "3").expect("20 % over 2.5");
    holder.buys("1", "2.6");
    // 77.6 / 31 x 1.2 = 3.0038..
    assert_eq!(holder.sells(48, "3.1"), None);
    assert!(holder.sells(0, "3.6").is_some());
}

#[test]
fn take_profit_forgets_the_last_one_when_all_was_sold_but_not_its_cooldown() {
    let mut holder = Holder::selling("100");
    holder.buys("40", "2.5");
    assert_eq!(
        holder.sells(1, "7").map(|plan| plan.amount_in),
        Some(tokens("40"))
    );
    holder.buys("10", "5");
    assert_eq!(holder.sells(23, "6"), None, "the cooldown of a day");
    assert_eq!(holder.sells(1, "5.99"), None, "less than 20 % over 5");
    assert!(
        holder.sells(0, "6").is_some(),
        "20 % over 5, far below the 7 of before"
    );
}

#[test]
fn tokens_that_cost_nothing_have_no_profit_to_take() {
    let (config, mut facts) = in_profit();
    facts.position.cost_basis = Usd::ZERO;
    assert_eq!(decide(&config, &facts), Decision::Hold(HoldReason::NotDue));
}

/// 20 % above the average cost of 1, then 5 % below the high.
#[test]
fn a_trailing_take_profit_follows_the_price_up_and_sells_below_its_high() {
    let config = AccumulateConfig {
        take_profit_pct: dec("20"),
        trailing_take_profit_pct: dec("5"),
        take_profit_cooldown: Span::ZERO,
        dip_buy_threshold_pct: dec("0"),
        ..rules()
    };
    let mut facts = between_dcas();
    facts.position.token_balance = tokens("10");
    facts.position.cost_basis = usd("10");
    let mut sold = |at: &str| {
        facts.price = price(at);
        facts.recent_high = facts.recent_high.max(facts.price);
        let high = rule::remembered_profit_high(&config, &ScheduleConfig::default(), &facts);
        let sells =
            matches!(decide(&config, &facts), Decision::Trade(plan) if plan.reason == Reason::TakeProfit);
        facts.profit_high = high.filter(|_| !sells);
        (sells, high)
    };
    let at = |text: &str| Some(price(text));
    assert_eq!(sold("1.19"), (false, None));
    assert_eq!(sold("1.2"), (false, at("1.2")));
    assert_eq!(sold("1.15"), (false, at("1.2")));
    assert_eq!(sold("1.6"), (false, at("1.6")));
    assert_eq!(sold("1.53"), (false, at("1.6")));
    // At its line, and below the goal alike: once the goal was reached it does not matter any more.
    assert_eq!(sold("1.52"), (true, at("1.6")));
    assert_eq!(sold("1.1"), (false, None));
    assert_eq!(sold("1.2"), (false, at("1.2")));
    assert_eq!(sold("1.05"), (true, at("1.2")));
}
