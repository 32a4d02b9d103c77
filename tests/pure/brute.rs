//! A backtest trades where a few lines of whole-number arithmetic over every slot say, to the last unit: take-profits
//! with their step and cooldown, dips with their high, regular buys.
#![expect(clippy::expect_used, reason = "an error in a test's set-up fails the test")]

use chrono::TimeDelta;
use lgi_mm::{
    backtest::{Detail, PricePoint, Runner, Setup},
    domain::{
        Timestamp,
        config::{AccumulateConfig, AfterStop, JobConfig, Rules},
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
    profit_trail_pct: u128,
    /// Lowest and highest price of a buy, 10^-6 USD; 0: none.
    band: (u128, u128),
    loss_pct: u128,
    /// 10^-6 USD; 0: none.
    stop_price: u128,
    trail_pct: u128,
    arm_pct: u128,
    stop_sells_pct: u128,
    stop_cooldown: usize,
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
            profit_trail_pct: of(&[0, 0, 2, 7]) as u128,
            band: (of(&[0, 0, 600_000]) as u128, of(&[0, 0, 1_500_000]) as u128),
            loss_pct: of(&[0, 0, 8, 20]) as u128,
            stop_price: of(&[0, 0, 0, 700_000]) as u128,
            trail_pct: of(&[0, 0, 5, 15]) as u128,
            arm_pct: of(&[0, 10]) as u128,
            stop_sells_pct: of(&[100, 100, 40]) as u128,
            stop_cooldown: of(&[0, 20, 150]),
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
            trailing_take_profit_pct: percent(self.profit_trail_pct),
            stop_loss_pct: percent(self.loss_pct),
            stop_price_usd: micros(self.stop_price),
            trailing_stop_pct: percent(self.trail_pct),
            trailing_arm_pct: percent(self.arm_pct),
            stop_sells_pct: percent(self.stop_sells_pct),
            after_stop: AfterStop::Continue,
            stop_cooldown: minutes(self.stop_cooldown),
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
    stop: Option<usize>,
    /// Of the trailing stop.
    high: Option<u128>,
    /// Since the goal of take-profit was reached.
    profit_high: Option<u128>,
    /// Of the last sale while some of it is held: price, cost and tokens sold.
    step: Option<(u128, u128, u128)>,
}

impl Holder {
    fn buys(&mut self, keys: Keys, money: u128, price: u128) -> u128 {
        let tokens = money * 10_u128.pow(18) / price;
        self.tokens += tokens;
        if keys.trail_pct > 0 && keys.arm_pct == 0 {
            self.high = Some(self.high.unwrap_or(0).max(price));
        }
        self.cost += money * 1_000_000;
        tokens
    }

    fn sells(&mut self, pct: u128, price: u128, is_profit: bool) -> u128 {
        let sold = self.tokens * pct / 100;
        let cost = if sold == self.tokens {
            self.cost
        } else {
            self.cost * sold / self.tokens
        };
        self.tokens -= sold;
        self.cost -= cost;
        if is_profit {
            self.step = Some((price, cost, sold));
        }
        if self.tokens == 0 {
            self.step = None;
        }
        sold
    }

    /// Less than five cents: a sale of them is rounded by more than its limit.
    fn holds_dust(&self, price: u128) -> bool {
        self.tokens > 0 && self.tokens * price / 10_u128.pow(12) < 50_000_000_000
    }

    fn follows_profit(&mut self, keys: Keys, slot: usize, price: u128) {
        let high = self
            .profit_high
            .filter(|_| keys.profit_trail_pct > 0 && self.tokens > 0);
        let reached = high.is_some() || self.reaches_goal(keys, slot, price);
        self.profit_high = reached.then_some(high.unwrap_or(0).max(price));
    }

    fn takes_profit(&mut self, keys: Keys, price: u128) -> bool {
        let left = 100 - keys.profit_trail_pct;
        let sells = self.profit_high.is_some_and(|high| price * 100 <= high * left);
        if sells {
            self.profit_high = None;
        }
        sells
    }

    fn reaches_goal(&self, keys: Keys, slot: usize, price: u128) -> bool {
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

    fn is_at_stop(&self, keys: Keys, price: u128) -> bool {
        let loss = keys.loss_pct > 0
            && self.tokens > 0
            && self.tokens * price / 10_u128.pow(12) * 100 <= self.cost * (100 - keys.loss_pct);
        price <= keys.stop_price || loss
    }

    fn has_stopped(&self) -> bool {
        let bought = self.dca.max(self.dip);
        self.stop
            .is_some_and(|stop| bought.is_none_or(|bought| bought < stop))
    }

    /// The high as it is in this slot.
    fn trails(&mut self, keys: Keys, price: u128) {
        let gained = self.tokens * price / 10_u128.pow(12) * 100 >= self.cost * (100 + keys.arm_pct);
        self.high = match self.high {
            _ if keys.trail_pct == 0 || self.tokens == 0 || self.has_stopped() => None,
            None if keys.arm_pct > 0 && !gained => None,
            high => Some(high.unwrap_or(0).max(price)),
        };
    }

    fn stops(&self, keys: Keys, slot: usize, prices: &[u128]) -> Option<Reason> {
        let before = slot.checked_sub(1).map(|before| prices[before])?;
        if self.tokens == 0 || self.has_stopped() {
            return None;
        }
        let both = |is_at: &dyn Fn(u128) -> bool| is_at(prices[slot]) && is_at(before);
        let trails = |price| self.is_at_trail(keys, price);
        if both(&|price| self.is_at_stop(keys, price)) {
            return Some(Reason::StopLoss);
        }
        both(&trails).then_some(Reason::TrailingStop)
    }

    fn is_at_trail(&self, keys: Keys, price: u128) -> bool {
        self.high
            .is_some_and(|high| price * 100 <= high * (100 - keys.trail_pct))
    }

    fn cools_after_stop(&self, keys: Keys, slot: usize) -> bool {
        self.stop.is_some_and(|stop| slot < stop + keys.stop_cooldown)
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
        self.trails(keys, price);
        self.follows_profit(keys, slot, price);
        if let Some(reason) = self.stops(keys, slot, prices) {
            self.stop = Some(slot);
            return Some((slot, reason, self.sells(keys.stop_sells_pct, price, false)));
        }
        if self.takes_profit(keys, price) {
            self.profit = Some(slot);
            return Some((slot, Reason::TakeProfit, self.sells(keys.sell_pct, price, true)));
        }
        if self.is_at_stop(keys, price) || self.is_at_trail(keys, price) || self.cools_after_stop(keys, slot)
        {
            return None;
        }
        if price < keys.band.0 || (keys.band.1 > 0 && price > keys.band.1) {
            return None;
        }
        if self.buys_dip(keys, slot, prices) {
            self.dip = Some(slot);
            return Some((slot, Reason::DipBuy, self.buys(keys, 2 * keys.amount, price)));
        }
        if self.dca.is_none_or(|last| slot >= last + keys.every) {
            self.dca = Some(slot);
            return Some((slot, Reason::Dca, self.buys(keys, keys.amount, price)));
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
        let mut until = prices.len() - 1;
        for slot in 0..until {
            if holder.holds_dust(prices[slot]) {
                until = slot;
                break;
            }
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
        let mut found = backtest(keys, &prices);
        found.retain(|(slot, ..)| *slot < until);
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "seed {seed}: {keys:?}");
        }
        assert_eq!(found.len(), expected.len(), "seed {seed}: {keys:?}");
    }
    // The walks do what they are for: sales below the last one, and of all that was held.
    let count = |reason| seen.get(&reason).copied().unwrap_or(0);
    assert!(
        count(Reason::TakeProfit) > 100
            && count(Reason::DipBuy) > 100
            && count(Reason::Dca) > 100
            && count(Reason::StopLoss) > 30
            && count(Reason::TrailingStop) > 30,
        "{seen:?}"
    );
    assert!(lower > 20 && exits > 20, "{lower} lower, {exits} exits");
}
