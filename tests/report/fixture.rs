//! A result built by hand: a random walk, bought every day, a dip now and then, profit taken on the way.

use chrono::{DateTime, TimeDelta, Utc};
use lgi_mm::{
    backtest::{
        result::{
            BacktestResult, Comparison, Drawdown, HoldRun, HoldTotal, Interval, Plan, Point, ReasonTotal,
            SeriesSummary, SetupSummary, Summary, TradeLine,
        },
        thin::Thinned,
    },
    domain::{
        config::JobConfig,
        decision::{HoldReason, Reason, Side},
        job::JobMode,
        span::Span,
        units::{Amount, Price, Usd},
    },
    paper::PaperSettings,
    report::POINTS_MAX,
};
use rust_decimal::Decimal;

pub const DECIMALS: u8 = 18;

/// How long, and how often it is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub ticks: u32,
    pub every: TimeDelta,
    /// Ticks from one trade to the next.
    pub trade_every: u32,
}

impl Size {
    pub const QUARTER: Self = Self {
        ticks: 90 * 24,
        every: TimeDelta::hours(1),
        trade_every: 24,
    };
}

pub fn start() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().expect("an instant")
}

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

pub fn usd(value: Decimal) -> Usd {
    Usd::new(value.round_dp(6)).expect("USD")
}

fn amount(whole: Decimal) -> Amount {
    Amount::from_whole(&whole.round_dp(18).normalize().to_string(), DECIMALS).expect("an amount")
}

/// What the walk has come to.
#[derive(Default)]
struct Book {
    tokens: Decimal,
    cost: Decimal,
    money_in: Decimal,
    paid_out: Decimal,
    realized: Decimal,
    peak: Decimal,
    drawdown: Drawdown,
}

impl Book {
    fn average(&self) -> Option<Price> {
        (self.tokens > Decimal::ZERO)
            .then(|| Price::new((self.cost / self.tokens).round_dp(12)).expect("a price"))
    }

    fn trade(&mut self, at: DateTime<Utc>, price: Decimal, reason: Reason) -> TradeLine {
        let sells = reason == Reason::TakeProfit;
        let (side, worth) = if sells {
            (Side::Sell, self.tokens * price * Decimal::new(2, 1))
        } else {
            (
                Side::Buy,
                if reason == Reason::DipBuy {
                    Decimal::from(40)
                } else {
                    Decimal::from(10)
                },
            )
        };
        let moved = (worth / price).round_dp(12);
        let mut realized = Decimal::ZERO;
        if sells {
            let cost = self.cost * moved / self.tokens;
            realized = worth - cost;
            self.cost -= cost;
            self.tokens -= moved;
            self.paid_out += worth;
            self.realized += realized;
        } else {
            self.tokens += moved;
            self.cost += worth;
            self.money_in += worth;
        }
        TradeLine {
            at,
            side,
            reason,
            price: Price::new(price).expect("a price"),
            fill_price: Price::new((price * Decimal::new(1004, 3)).round_dp(12)).expect("a price"),
            base_amount: amount(moved),
            quote_amount: Amount::from_whole(&worth.round_dp(6).to_string(), 6).expect("an amount"),
            quote_usd: usd(worth),
            fee_usd: usd(worth * Decimal::new(4, 3)),
            gas_usd: usd(Decimal::new(5, 3)),
            realized_usd: usd(realized),
            token_balance: amount(self.tokens),
            cost_basis: usd(self.cost),
            average_cost: self.average(),
        }
    }

    fn point(&mut self, at: DateTime<Utc>, price: Decimal) -> Point {
        let value = self.tokens * price;
        let profit = value + self.paid_out - self.money_in;
        self.peak = self.peak.max(profit);
        let base = self.money_in + self.peak;
        let pct = if base > Decimal::ZERO {
            ((self.peak - profit) / base * Decimal::ONE_HUNDRED).round_dp(6)
        } else {
            Decimal::ZERO
        };
        if pct > self.drawdown.pct {
            self.drawdown = Drawdown {
                usd: usd(self.peak - profit),
                pct,
                at: Some(at),
            };
        }
        Point {
            at,
            price: Price::new(price).expect("a price"),
            value_usd: usd(value),
            money_in_usd: usd(self.money_in),
            paid_out_usd: usd(self.paid_out),
            average_cost: self.average(),
            profit_usd: usd(profit),
            drawdown_pct: pct,
        }
    }
}

pub fn result(size: Size) -> BacktestResult {
    let (mut dice, mut book) = (Dice(7), Book::default());
    let mut price = Decimal::new(1_850, 3);
    let mut points = Thinned::new(POINTS_MAX);
    let (mut trades, mut holds) = (Vec::new(), Vec::<HoldRun>::new());
    for tick in 0..size.ticks {
        let at = start() + size.every * i32::try_from(tick).expect("few");
        let step = Decimal::from(dice.roll(2_001)) - Decimal::from(993);
        price = (price * (Decimal::ONE + step * Decimal::new(8, 6))).round_dp(9);
        let reason = match tick % size.trade_every {
            0 => Some(Reason::Dca),
            11 if dice.roll(9) == 0 => Some(Reason::DipBuy),
            17 if dice.roll(12) == 0 && book.tokens > Decimal::ZERO => Some(Reason::TakeProfit),
            _ => None,
        };
        match reason {
            Some(reason) => trades.push(book.trade(at, price, reason)),
            None => hold(&mut holds, at, &mut dice),
        }
        points.push(book.point(at, price));
    }
    finish(size, points.points(), trades, holds, &book)
}

fn hold(holds: &mut Vec<HoldRun>, at: DateTime<Utc>, dice: &mut Dice) {
    let reason = match dice.roll(200) {
        0 => HoldReason::PriceJump,
        1..4 => HoldReason::DipUnconfirmed,
        4 => HoldReason::DailySpend,
        _ => HoldReason::NotDue,
    };
    match holds.last_mut() {
        Some(run) if run.reason == reason => {
            run.to = at;
            run.ticks += 1;
        }
        _ => holds.push(HoldRun {
            reason,
            from: at,
            to: at,
            ticks: 1,
        }),
    }
}

fn finish(
    size: Size,
    points: Vec<Point>,
    trades: Vec<TradeLine>,
    holds: Vec<HoldRun>,
    book: &Book,
) -> BacktestResult {
    let last = *points.last().expect("a point");
    let mut totals: Vec<HoldTotal> = Vec::new();
    for run in &holds {
        match totals.iter_mut().find(|total| total.reason == run.reason) {
            Some(total) => total.ticks += run.ticks,
            None => totals.push(HoldTotal {
                reason: run.reason,
                ticks: run.ticks,
            }),
        }
    }
    totals.sort_by_key(|total| std::cmp::Reverse(total.ticks));
    let profit = book.tokens * last.price.decimal() + book.paid_out - book.money_in;
    let of = |reason, side| ReasonTotal {
        reason,
        side,
        trades: trades.iter().filter(|trade| trade.reason == reason).count() as u64,
        usd: usd(trades
            .iter()
            .filter(|trade| trade.reason == reason)
            .map(|trade| trade.quote_usd.decimal())
            .sum()),
    };
    let sells = trades.iter().filter(|trade| trade.side == Side::Sell).count() as u64;
    let summary = Summary {
        from: points.first().map(|point| point.at),
        to: Some(last.at),
        ticks: u64::from(size.ticks),
        last_price: Some(last.price),
        buys: trades.len() as u64 - sells,
        sells,
        by_reason: vec![
            of(Reason::Dca, Side::Buy),
            of(Reason::DipBuy, Side::Buy),
            of(Reason::TakeProfit, Side::Sell),
        ],
        holds: totals,
        spent_usd: usd(book.money_in),
        proceeds_usd: usd(book.paid_out),
        money_in_usd: usd(book.money_in),
        token_balance: amount(book.tokens),
        value_usd: last.value_usd,
        cost_basis_usd: usd(book.cost),
        average_cost: book.average(),
        realized_usd: usd(book.realized),
        unrealized_usd: usd(last.value_usd.decimal() - book.cost),
        fees_usd: usd(Decimal::new(412, 2)),
        gas_usd: usd(Decimal::new(48, 2)),
        profit_usd: usd(profit),
        return_pct: Some((profit / book.money_in * Decimal::ONE_HUNDRED).round_dp(6)),
        money_weighted_pct: Some(31.4),
        drawdown: book.drawdown,
        longest_wait: Some(Interval {
            from: start(),
            to: start() + TimeDelta::hours(31),
        }),
        ..Summary::default()
    };
    let other = |plan, pct: i64| Comparison {
        plan,
        summary: Summary {
            buys: if plan == Plan::LumpSum { 1 } else { summary.buys },
            profit_usd: usd(book.money_in * Decimal::new(pct, 2)),
            return_pct: Some(Decimal::from(pct)),
            money_weighted_pct: Some(-4.2),
            ..summary.clone()
        },
    };
    let comparisons = vec![other(Plan::LumpSum, -6), other(Plan::EqualDca, 3)];
    let mut config = JobConfig::for_mode(JobMode::Accumulate);
    if let Some(rules) = config.accumulate.as_mut() {
        rules.take_profit_pct = Decimal::from(20);
    }
    BacktestResult {
        setup: SetupSummary {
            mode: JobMode::Accumulate,
            config,
            costs: PaperSettings::default(),
            token_decimals: DECIMALS,
            quote_decimals: 6,
            sample_interval: Span::from_secs(60),
            assumptions: vec!["Each row's price holds until the next row.".to_owned()],
        },
        series: SeriesSummary {
            name: "walk.csv".to_owned(),
            rows: u64::from(size.ticks),
            first: start(),
            last: last.at,
            spacing: Span::from_secs(size.every.num_seconds().unsigned_abs()),
            candles: false,
            gaps: 0,
            longest_gap: None,
            duplicates: 0,
            skipped: 0,
        },
        summary,
        comparisons,
        trades,
        points,
        holds,
    }
}
