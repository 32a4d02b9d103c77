//! Orders that sell tokens of the wallet.

use lgi_mm::{
    backtest::Held as Holding,
    domain::onchain::Asset,
    paper::{Funding, default_wallet},
    store::placed::{self, Placing},
};

use super::*;

/// An order to sell, and the backtest of it.
pub(super) struct Sale {
    pub(super) job: JobId,
    pub(super) setup: Setup,
}

/// At a price in parts, below a price, from the highest price, and at any.
fn configs(file: &str) -> [JobConfig; 4] {
    [
        &[
            "order.side=sell",
            "order.limit_usd=0.026",
            "order.slices=6",
            "order.over=6h",
        ][..],
        &["order.side=sell", "order.stop_usd=0.0248"],
        &["order.side=sell", "order.trail_pct=4"],
        &["order.side=sell"],
    ]
    .map(|pairs| config(JobMode::Order, file, pairs))
}

/// Places each with tokens that the wallet holds.
pub(super) async fn place(pool: &PgPool, file: &str) -> Vec<Sale> {
    let paper = PaperMarkets::new(pool.clone(), costs());
    let held = Holding {
        tokens: Amount::from_whole("1234.5", 18).expect("tokens"),
        cost: Usd::new("27.3".parse().expect("a number")).expect("USD"),
    };
    let mut sales = Vec::new();
    for (number, config) in (40..).zip(configs(file)) {
        let token = Address::repeat_byte(number);
        let funded = paper.fund(
            "base",
            default_wallet(),
            Asset::Token(token),
            Funding::Set(held.tokens),
        );
        funded.await.expect("funded");
        let new = paper_job(token, format!("S{number}"), JobMode::Order, config.clone());
        let placing = Placing {
            tokens: Some((held.tokens, held.cost)),
            ..Placing::default()
        };
        let job = placed::place(pool, &new, &placing, "test").await.expect("placed");
        let setup = Setup {
            held: Some(held),
            ..Setup::new(JobMode::Order, config, costs())
        };
        sales.push(Sale { job, setup });
    }
    sales
}
