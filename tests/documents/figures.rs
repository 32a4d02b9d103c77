//! The worked examples of `docs/figures.md`, computed by the code that computes the figures.

use lgi_mm::domain::{
    accounting::{Fill, adopt, book, unrealized, withdraw},
    decision::{Position, Side},
    figures::{Pocket, drawdown_pct, net, return_pct, value},
    units::{Amount, Price, Usd},
};
use rust_decimal::Decimal;

const DIGITS: u8 = 18;

fn usd(text: &str) -> Usd {
    Usd::new(text.parse().expect("a decimal")).expect("USD")
}

fn price(text: &str) -> Price {
    Price::new(text.parse().expect("a decimal")).expect("a price")
}

/// A run of an example.
struct Ledger {
    position: Position,
    pocket: Pocket,
    gas: Usd,
    price: Price,
    peak: Usd,
    fall: Usd,
    depth: Decimal,
}

impl Ledger {
    fn new() -> Self {
        Self {
            position: Position {
                token_balance: Amount::ZERO,
                token_decimals: DIGITS,
                cost_basis: Usd::ZERO,
                owns_quote: false,
                quote_balance: Amount::ZERO,
                quote_decimals: 6,
                quote_price: Price::ONE,
                realized_pnl: Usd::ZERO,
            },
            pocket: Pocket::default(),
            gas: Usd::ZERO,
            price: Price::ONE,
            peak: Usd::ZERO,
            fall: Usd::ZERO,
            depth: Decimal::ZERO,
        }
    }

    fn trade(&mut self, side: Side, moved: Option<(Amount, Usd)>, gas: Usd) {
        if let Some((base_amount, quote_usd)) = moved {
            let quote_amount = quote_usd
                .to_amount(6, Price::ONE, lgi_mm::domain::units::Rounding::Down)
                .expect("an amount");
            let fill = Fill {
                side,
                base_amount,
                quote_amount,
                quote_usd,
            };
            self.position = book(self.position, &fill).expect("booked").position;
        }
        let usd = moved.map_or(Usd::ZERO, |(_, usd)| usd);
        self.pocket.traded(side, usd, gas, false).expect("in range");
        self.gas = self.gas.checked_add(gas).expect("USD");
    }

    fn net(&self) -> Usd {
        let open = unrealized(&self.position, self.price).expect("USD");
        let parts = net(self.position.realized_pnl, open, self.gas).expect("USD");
        let worth = value(&self.position, self.price).expect("USD");
        assert_eq!(self.pocket.net(worth), Ok(parts), "value plus cash less money in");
        parts
    }

    fn look(&mut self) {
        let net = self.net();
        self.peak = self.peak.max(net);
        self.fall = self.fall.max(self.peak.checked_sub(net).expect("USD"));
        self.depth = self
            .depth
            .max(drawdown_pct(self.peak, net, self.pocket.money_in()));
    }

    fn line(&mut self, line: &str) {
        let words: Vec<&str> = line.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [
                "buy" | "sell",
                tokens,
                "tokens",
                "for",
                paid,
                "USD",
                "gas",
                gas,
                "then",
                "price",
                at,
            ] => {
                let side = if words[0] == "buy" { Side::Buy } else { Side::Sell };
                let tokens = Amount::from_whole(tokens, DIGITS).expect("tokens");
                self.trade(side, Some((tokens, usd(paid))), usd(gas));
                self.price = price(at);
            }
            ["adopt", tokens, "tokens", "at", "a", "cost", "of", cost, "USD"] => {
                let (tokens, cost) = (Amount::from_whole(tokens, DIGITS).expect("tokens"), usd(cost));
                self.position = adopt(self.position, tokens, cost).expect("adopted");
                self.pocket.moved(cost, Usd::ZERO).expect("in range");
            }
            ["release", tokens, "tokens"] => {
                let tokens = Amount::from_whole(tokens, DIGITS).expect("tokens");
                let taken = withdraw(self.position, tokens).expect("released");
                self.position = taken.position;
                self.pocket.moved(Usd::ZERO, taken.cost_sold).expect("in range");
            }
            ["fail", "gas", gas] => self.trade(Side::Buy, None, usd(gas)),
            ["price", at] => self.price = price(at),
            other => panic!("no such line: {other:?}"),
        }
        self.look();
    }

    /// The two lines of results, as the page has them.
    fn results(&self) -> [String; 2] {
        let open = unrealized(&self.position, self.price).expect("USD");
        let money_in = self.pocket.money_in();
        let back =
            return_pct(self.net(), money_in).map_or_else(|| "n/a".to_owned(), |pct| format!("{pct} %"));
        [
            format!(
                "=> realised {}, unrealised {open}, gas {}, net {}",
                self.position.realized_pnl,
                self.gas,
                self.net()
            ),
            format!(
                "=> money in {money_in}, cash {}, value {}, return {back}, drawdown {} USD, {} %",
                self.pocket.cash().expect("USD"),
                value(&self.position, self.price).expect("USD"),
                self.fall,
                self.depth
            ),
        ]
    }
}

#[test]
fn the_examples_of_the_page_are_computed() {
    let page = include_str!("../../docs/figures.md");
    let mut examples = 0;
    for block in page.split("```text example\n").skip(1) {
        let block = block.split("```").next().expect("an end");
        let mut ledger = Ledger::new();
        let (said, lines): (Vec<&str>, Vec<&str>) = block.lines().partition(|line| line.starts_with("=>"));
        lines.into_iter().for_each(|line| ledger.line(line));
        assert_eq!(said, ledger.results(), "{block}");
        examples += 1;
    }
    assert!(examples >= 8, "{examples} examples");
}

/// A job with a budget: what it sells stays its own, and only gas is paid on top.
#[test]
fn a_budget_is_money_in_and_its_trades_are_not() {
    let mut pocket = Pocket::default();
    pocket.moved(usd("200"), Usd::ZERO).expect("USD");
    for side in [Side::Buy, Side::Sell, Side::Buy] {
        pocket.traded(side, usd("90"), usd("0.5"), true).expect("USD");
    }
    assert_eq!(pocket.money_in(), usd("201.5"));
    assert_eq!(pocket.cash(), Ok(Usd::ZERO));
    assert_eq!(pocket.net(usd("215.25")), Ok(usd("13.75")));
}
