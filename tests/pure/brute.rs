//! A backtest trades where a few lines of whole-number arithmetic over every slot say, to the last unit: take-profits
//! with their step and cooldown, dips with their high, regular buys.
#![expect(clippy::expect_used, reason = "an error in a test's set-up fails the test")]

use chrono::TimeDelta;
use lgi_mm::{
    backtest::{Detail, PricePoint, Runner, Setup},
    domain::{
        Timestamp,
        config::{AccumulateConfig, JobConfig, Rules},
        decision::Reason,
        job::JobMode,
        span::Span,
        units::{Price, Usd},
    },
    paper::PaperSettings,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rust_decimal::Decimal;

/// Prices in millionths of a USD, one a minute.
fn walk(random: &mut StdRng) -> Vec<u128> {
    let mut price: i64 = 1_000_000;
    let drift = random.random_range(-2_i64..=2);
    (0..900)
        .map(|_| {
            price += price / 1_000 * (random.random_range(-45_i64..=45) + drift);
            price = price.clamp(150_000, 6_000_000);
            u128::try_from(price).expect("above zero")
        })
        .collect()
}

/// Whole numbers only: per cent, minutes, millionths of a USD.
#[derive(Debug, Clone, Copy)]
struct Keys {
    amount: u128,
    every: usize,
    dip_pct: u128,
    dip_window: usize,
    dip_cooldown: usize,
    profit_pct: u128,
    sell_pct: u128,
    profit_cooldown: usize,
    /// Lowest and highest price of a buy, 10^-6 USD; 0: none.
    band: (u128, u128),
}

impl Keys {
    fn any(random: &mut StdRng) -> Self {
        let mut of = |values: &[usize]| values[random.random_range(0..values.len())];
        Self {
            amount: 10_000_000,
            every: of(&[7, 30, 61, 200]),
            dip_pct: of(&[0, 3, 6, 12]) as u128,
            dip_window: of(&[5, 45, 300]),
            dip_cooldown: of(&[0, 4, 90]),
            profit_pct: of(&[2, 5, 11, 20]) as u128,
            sell_pct: of(&[10, 25, 60, 100]) as u128,
            profit_cooldown: of(&[0, 3, 50]),
            band: (of(&[0, 0, 600_000]) as u128, of(&[0, 0, 1_500_000]) as u128),
        }
    }

    fn config(self) -> JobConfig {
        let minutes = |count: usize| Span::from_secs(60 * u64::try_from(count).expect("few"));
        let percent = |value: u128| Decimal::from(u64::try_from(value).expect("few"));
        let micros = |value: u128| Decimal::new(i64::try_from(value).expect("few"), 6);
        let mut config = JobConfig::for_mode(JobMode::Accumulate);
        config.schedule.cron = "* * * * *".parse().expect("a line");
        config.price.max_price_move_pct = Decimal::ZERO;
        config.limits.max_daily_spend_usd = Usd::ZERO;
        config.limits.max_trades_per_hour = 0;
        config.limits.min_trade_usd = Usd::new(Decimal::new(1, 6)).expect("USD");
        config.rules = Rules::Accumulate(AccumulateConfig {
            dca_amount_usd: Usd::new(Decimal::from(10)).expect("USD"),
            dca_interval: Some(minutes(self.every)),
            dca_schedule: None,
            buy_above_usd: micros(self.band.0),
            buy_below_usd: micros(self.band.1),
            max_accumulation_usd: Usd::new(Decimal::from(1_000_000)).expect("USD"),
            dip_buy_threshold_pct: percent(self.dip_pct),
            dip_buy_multiplier: Decimal::TWO,
            dip_window: minutes(self.dip_window),
            dip_cooldown: minutes(self.dip_cooldown),
            take_profit_pct: percent(self.profit_pct),
            take_profit_sell_pct: percent(self.sell_pct),
            take_profit_cooldown: minutes(self.profit_cooldown),
        });
        config
    }
}

/// A trade: the row it was decided on, why, and tokens of 18 digits.
type Traded = (usize, Reason, u128);

/// What a holder remembers; cost in 10^-12 USD.
#[derive(Default)]
struct Holder {
    tokens: u128,
    cost: u128,
    dca: Option<usize>,
    dip: Option<usize>,
    profit: Option<usize>,
    /// Of the last sale while some of it is held: price, cost and tokens sold.
    step: Option<(u128, u128, u128)>,
}

impl Holder {
    fn buys(&mut self, money: u128, price: u128) -> u128 {
        let tokens = money * 10_u128.pow(18) / price;
        self.tokens += tokens;
        self.cost += money * 1_000_000;
        tokens
    }

    fn sells(&mut self, pct: u128, price: u128) -> u128 {
        let sold = self.tokens * pct / 100;
        let cost = if sold == self.tokens {
            self.cost
        } else {
            self.cost * sold / self.tokens
        };
        self.tokens -= sold;
        self.cost -= cost;
        self.step = (self.tokens > 0).then_some((price, cost, sold));
        sold
    }

    fn takes_profit(&self, keys: Keys, slot: usize, price: u128) -> bool {
        let goal = 100 + keys.profit_pct;
        let cooling = self.profit.is_some_and(|last| slot < last + keys.profit_cooldown);
        if self.tokens == 0 || cooling {
            return false;
        }
        if let Some((last, cost, sold)) = self.step
            // The average cost now is no less than that of what was sold.
            && self.cost * sold >= cost * self.tokens
            && price * 100 < last * goal
        {
            return false;
        }
        self.tokens * price / 10_u128.pow(12) * 100 >= self.cost * goal
    }

    fn buys_dip(&self, keys: Keys, slot: usize, prices: &[u128]) -> bool {
        let cooling = self.dip.is_some_and(|last| slot < last + keys.dip_cooldown);
        if keys.dip_pct == 0 || cooling {
            return false;
        }
        // The price that a dip was bought at counts neither for the high nor as the first of two.
        let from = self
            .dip
            .map_or(0, |last| last + 1)
            .max(slot.saturating_sub(keys.dip_window));
        let high = prices[from..=slot].iter().max().expect("the slot's own");
        let is_dip = |price: u128| price * 100 <= high * (100 - keys.dip_pct);
        let previous = slot
            .checked_sub(1)
            .filter(|previous| self.dip.is_none_or(|last| *previous > last));
        is_dip(prices[slot]) && previous.is_some_and(|previous| is_dip(prices[previous]))
    }

    fn next(&mut self, keys: Keys, slot: usize, prices: &[u128]) -> Option<Traded> {
        let price = prices[slot];
        if self.takes_profit(keys, slot, price) {
            self.profit = Some(slot);
            return Some((slot, Reason::TakeProfit, self.sells(keys.sell_pct, price)));
        }
        if price < keys.band.0 || (keys.band.1 > 0 && price > keys.band.1) {
            return None;
        }
        if self.buys_dip(keys, slot, prices) {
            self.dip = Some(slot);
            return Some((slot, Reason::DipBuy, self.buys(2 * keys.amount, price)));
        }
        if self.dca.is_none_or(|last| slot >= last + keys.every) {
            self.dca = Some(slot);
            return Some((slot, Reason::Dca, self.buys(keys.amount, price)));
        }
        None
    }
}

/// Rows half a minute before their slots.
fn backtest(keys: Keys, prices: &[u128]) -> Vec<Traded> {
    let begin: Timestamp = "2027-03-01T00:00:30Z".parse().expect("an instant");
    let costs: PaperSettings = serde_json::from_value(serde_json::json!({
        "fee_bps": 0, "slippage_bps": 0, "base_fee_gwei": 0, "tip_gwei": 0, "wallet_usd": 100_000
    }))
    .expect("paper settings");
    let setup = Setup::new(JobMode::Accumulate, keys.config(), costs);
    let mut runner = Runner::new(&setup, Detail::REPORT);
    for (row, price) in (0_i64..).zip(prices) {
        let price = Decimal::new(i64::try_from(*price).expect("few digits"), 6);
        runner.feed(PricePoint {
            at: begin + TimeDelta::minutes(row),
            price: Price::new(price).expect("a price"),
        });
    }
    let trades = runner.finish().trades;
    let row = |at: Timestamp| usize::try_from((at - begin).num_minutes()).expect("after the start");
    let units = |amount: lgi_mm::domain::units::Amount| amount.units().to::<u128>();
    trades
        .iter()
        .map(|trade| (row(trade.at), trade.reason, units(trade.base_amount)))
        .collect()
}

#[test]
fn a_backtest_trades_where_every_slot_counted_by_hand_trades() {
    let (mut seen, mut lower, mut exits) = (std::collections::BTreeMap::new(), 0, 0);
    for seed in 0..150 {
        let mut random = StdRng::seed_from_u64(seed);
        let (keys, prices) = (Keys::any(&mut random), walk(&mut random));
        let mut holder = Holder::default();
        let mut expected: Vec<Traded> = Vec::new();
        let mut last_sale = None;
        // The last row has no slot after it.
        for slot in 0..prices.len() - 1 {
            let Some(traded) = holder.next(keys, slot, &prices) else {
                continue;
            };
            if traded.1 == Reason::TakeProfit {
                lower += usize::from(
                    last_sale
                        .replace(prices[slot])
                        .is_some_and(|last| prices[slot] < last),
                );
                exits += usize::from(holder.tokens == 0);
            }
            *seen.entry(traded.1).or_insert(0) += 1;
            expected.push(traded);
        }
        let found = backtest(keys, &prices);
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "seed {seed}: {keys:?}");
        }
        assert_eq!(found.len(), expected.len(), "seed {seed}: {keys:?}");
    }
    // The walks do what they are for: sales below the last one, and of all that was held.
    let count = |reason| seen.get(&reason).copied().unwrap_or(0);
    assert!(
        count(Reason::TakeProfit) > 100 && count(Reason::DipBuy) > 100 && count(Reason::Dca) > 100,
        "{seen:?}"
    );
    assert!(lower > 20 && exits > 20, "{lower} lower, {exits} exits");
}
