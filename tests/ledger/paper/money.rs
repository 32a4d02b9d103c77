//! What swaps, gas and funding do to balances.

use std::collections::HashMap;

use alloy_primitives::{Address, U256};
use lgi_mm::{
    domain::{
        job::{Account, Realm},
        onchain::{Asset, Call, Lookup, Transfer},
        units::Amount,
    },
    paper::{
        Funding, PaperError, PaperMarkets, PaperSettings,
        audit::{self, PaperStatus},
        pool_address,
    },
    ports::{Markets, QuoteError},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::paper::fixture::{GWEI, Order, Paper, TOKEN, account, fees, quick, still, units, usdc};

/// 50 USDC's worth less 30 and then 10 basis points.
const FILLED: u64 = 49_800_150;
/// 150000 units at base fee and tip.
const SWAP_GAS: u64 = 150_000 * 11_000_000;

#[tokio::test]
async fn a_fill_is_exactly_the_quote_and_the_receipt_says_who_moved_what() {
    let paper = Paper::open(quick()).await;
    let order = Order::buy(0);
    let quote = paper
        .market
        .venue
        .quote(&order.request(paper.wallet))
        .await
        .expect("quote");
    assert_eq!(quote.amount_out, units(FILLED));
    assert_eq!((quote.price_impact_bps, quote.gas_units), (0, 150_000));

    let receipt = paper.receipt(paper.place(&order).await).await;

    let moved = |token, from, to, amount| Transfer {
        token,
        from,
        to,
        amount,
    };
    assert!(receipt.success);
    assert_eq!(receipt.gas_native, units(SWAP_GAS));
    assert_eq!(
        receipt.transfers,
        [
            moved(usdc(), paper.wallet, pool_address(), units(100_000_000)),
            moved(TOKEN, pool_address(), paper.wallet, units(FILLED)),
        ]
    );
    assert_eq!(paper.token(usdc()).await, units(9_900_000_000));
    assert_eq!(paper.token(TOKEN).await, units(FILLED));
    assert_eq!(
        paper.balance(Asset::Native).await,
        units(1_000_000_000_000_000_000 - SWAP_GAS)
    );
    assert_eq!(paper.nonces().await, (1, 1));
}

#[tokio::test]
async fn a_receipt_stays_the_same_and_only_gets_deeper() {
    let paper = Paper::open(quick()).await;
    let hash = paper.place(&Order::buy(0)).await;
    let receipt = paper.receipt(hash).await;
    let head = paper.market.chain.head().await.expect("head");
    assert!(head.number >= receipt.block_number && head.time >= receipt.block_time);
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    assert_eq!(paper.lookup(hash).await, Lookup::Mined(receipt));
    let later = paper.market.chain.head().await.expect("head");
    assert!(later.number > head.number && later.time > head.time);
}

#[tokio::test]
async fn what_cannot_be_quoted_says_why() {
    let paper = Paper::open(quick()).await;
    let buy = Order::buy(0);
    for (order, expected) in [
        (
            Order {
                token_out: usdc(),
                ..buy.clone()
            },
            "cannot be swapped for itself",
        ),
        (
            Order {
                amount_in: Amount::ZERO,
                ..buy.clone()
            },
            "nothing goes in",
        ),
        (
            Order {
                fair: units(1),
                ..buy
            },
            "too little",
        ),
    ] {
        let request = order.request(paper.wallet);
        let quoted = paper.market.venue.quote(&request).await;
        let called = paper.market.venue.calls(&request, units(1), order.deadline).await;
        for error in [quoted.err(), called.err()] {
            let Some(QuoteError::NoLiquidity(why)) = error else {
                panic!("{order:?} was quoted: {error:?}")
            };
            assert!(why.contains(expected), "{why}");
        }
    }
}

#[tokio::test]
async fn the_settings_decide_costs_fees_and_funds_to_the_last_unit() {
    let settings: PaperSettings = serde_json::from_str(
        r#"{"wallet_usd": "12.345678", "native": "0.5", "native_price_usd": "2500.5", "fee_bps": 0, "slippage_bps": 1,
            "impact_bps": 77, "gas_units": 21000, "base_fee_gwei": 3, "tip_gwei": "0.5", "block_time": "1ms"}"#,
    )
    .expect("settings");
    let paper = Paper::open(settings).await;
    assert_eq!(paper.token(usdc()).await, units(12_345_678));
    assert_eq!(paper.balance(Asset::Native).await, units(500_000_000_000_000_000));
    let chain = &paper.market.chain;
    assert_eq!(
        chain
            .usd_price(Asset::Native)
            .await
            .expect("price")
            .price
            .to_string(),
        "2500.5"
    );
    let fees = chain.fees().await.expect("fees");
    assert_eq!(
        (fees.max_fee_per_gas, fees.max_priority_fee_per_gas),
        (6_500_000_000, GWEI / 2)
    );

    let order = Order {
        amount_in: units(1_000_000),
        fair: units(19_999),
        gas_limit: 21_000,
        fees,
        ..Order::buy(0)
    };
    let quote = paper
        .market
        .venue
        .quote(&order.request(paper.wallet))
        .await
        .expect("quote");
    assert_eq!((quote.price_impact_bps, quote.gas_units), (77, 21_000));
    let receipt = paper.receipt(paper.place(&order).await).await;
    assert_eq!(
        paper.token(TOKEN).await,
        units(19_997),
        "19,997.0001 rounded down"
    );
    assert_eq!(
        receipt.gas_native,
        units(21_000 * 3_500_000_000),
        "base fee and tip, not the maximum"
    );
}

#[tokio::test]
async fn a_wallet_is_opened_once_however_many_open_it() {
    let paper = Paper::open(quick()).await;
    paper.receipt(paper.place(&Order::buy(0)).await).await;
    let opening = (0..16).map(|_| {
        let markets = PaperMarkets::new(paper.pool.clone(), quick());
        async move { markets.market(&account()).await.map(|_| ()) }
    });
    for opened in futures::future::join_all(opening).await {
        opened.expect("opens");
    }
    assert_eq!(paper.token(usdc()).await, units(9_900_000_000));
}

#[tokio::test]
async fn wallets_and_chains_do_not_share_money() {
    let paper = Paper::open(quick()).await;
    paper.receipt(paper.place(&Order::buy(0)).await).await;
    for (chain, wallet) in [("ethereum", paper.wallet), ("base", Address::repeat_byte(9))] {
        let other = Account {
            chain: chain.into(),
            wallet,
            ..account()
        };
        let market = paper.markets.market(&other).await.expect("opens");
        let bought = market
            .chain
            .balances(wallet, &[Asset::Token(TOKEN)])
            .await
            .expect("answers");
        assert_eq!(bought, [Amount::ZERO]);
        assert_eq!(market.chain.nonces(wallet).await.expect("answers").latest, 0);
    }
}

#[tokio::test]
async fn only_paper_accounts_on_known_chains_have_a_market() {
    let paper = Paper::open(quick()).await;
    let live = Account {
        realm: Realm::Live,
        ..account()
    };
    let lost = Account {
        chain: "solana".into(),
        ..account()
    };
    for (account, expected) in [(live, "paper accounts only"), (lost, "known: base, ethereum")] {
        let error = paper
            .markets
            .market(&account)
            .await
            .err()
            .expect("no market")
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
    let error = paper
        .markets
        .fund("solana", paper.wallet, Asset::Native, Funding::Add(units(1)))
        .await
        .expect_err("no chain");
    assert!(matches!(error, PaperError::UnknownChain(_)), "{error}");
}

#[tokio::test]
async fn funding_adds_or_sets_and_never_overflows() {
    let paper = Paper::open(quick()).await;
    let fund = |funding| {
        paper
            .markets
            .fund("base", paper.wallet, Asset::Token(TOKEN), funding)
    };
    assert_eq!(fund(Funding::Add(units(5))).await.expect("adds"), units(5));
    assert_eq!(fund(Funding::Add(units(5))).await.expect("adds"), units(10));
    assert_eq!(fund(Funding::Set(units(3))).await.expect("sets"), units(3));
    assert_eq!(
        fund(Funding::Set(Amount::new(U256::MAX))).await.expect("sets"),
        Amount::new(U256::MAX)
    );
    assert!(matches!(
        fund(Funding::Add(units(1))).await,
        Err(PaperError::Balance(_))
    ));
    assert_eq!(paper.token(TOKEN).await, Amount::new(U256::MAX));
}

#[tokio::test]
async fn the_records_name_every_swap_and_what_it_really_moved() {
    let paper = Paper::open(quick()).await;
    let bought = paper.place(&Order::buy(0)).await;
    let greedy = Order {
        amount_out_min: units(50_000_000),
        ..Order::buy(1)
    };
    let reverted = paper.place(&greedy).await;
    let cancel = paper.sign_call(Call::cancel(paper.wallet), 2, fees(100)).await;
    paper.send(&cancel).await.expect("taken");
    let gap = paper.place(&Order::buy(9)).await;
    paper.receipt(cancel.hash).await;

    let records = audit::records(&paper.pool, Some("base"), paper.wallet)
        .await
        .expect("records");
    let told: Vec<_> = records
        .iter()
        .map(|swap| {
            (
                swap.hash,
                swap.nonce,
                swap.status,
                swap.amount_in,
                swap.amount_out,
                swap.gas_native,
            )
        })
        .collect();
    let none = Amount::ZERO;
    assert_eq!(
        told,
        [
            (
                bought,
                0,
                PaperStatus::Mined,
                units(100_000_000),
                units(FILLED),
                units(SWAP_GAS)
            ),
            (reverted, 1, PaperStatus::Reverted, none, none, units(SWAP_GAS)),
            (gap, 9, PaperStatus::Pooled, none, none, none),
        ]
    );
    assert!(
        records
            .iter()
            .all(|swap| (swap.token_in, swap.token_out) == (usdc(), TOKEN))
    );
    assert!(records[0].mined_at.is_some() && records[2].mined_at.is_none());
    assert_eq!(
        audit::records(&paper.pool, None, paper.wallet)
            .await
            .expect("records"),
        records
    );
    assert_eq!(
        audit::records(&paper.pool, Some("ethereum"), paper.wallet)
            .await
            .expect("records"),
        []
    );
}

#[tokio::test]
async fn the_audit_mines_what_is_due_before_it_speaks() {
    let paper = Paper::open(quick()).await;
    paper.place(&Order::buy(0)).await;
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    let records = audit::records(&paper.pool, None, paper.wallet)
        .await
        .expect("records");
    assert_eq!(records[0].status, PaperStatus::Mined);
}

#[tokio::test]
async fn money_is_neither_made_nor_lost_whatever_is_sent() {
    const SEED: u64 = 7;
    let paper = Paper::open(quick()).await;
    let mut random = StdRng::seed_from_u64(SEED);
    for nonce in 0..120 {
        let amount = units(random.random_range(1..400_000_000));
        let fair = units(random.random_range(2..400_000_000));
        let usual = if random.random_bool(0.5) {
            Order {
                amount_in: amount,
                fair,
                ..Order::buy(nonce)
            }
        } else {
            Order::sell(nonce, amount, fair)
        };
        let order = match random.random_range(0..6) {
            0 => Order {
                amount_out_min: fair,
                ..usual
            },
            1 => Order {
                gas_limit: 21_000,
                ..usual
            },
            _ => usual,
        };
        if random.random_bool(0.1) {
            let cancel = paper
                .sign_call(Call::cancel(paper.wallet), nonce, fees(100))
                .await;
            paper.send(&cancel).await.expect("taken");
        } else {
            paper.place(&order).await;
        }
    }
    paper.mined(120).await;

    let start = HashMap::from([
        (Asset::Native, units(1_000_000_000_000_000_000)),
        (Asset::Token(usdc()), units(10_000_000_000)),
    ]);
    let nets = audit::net_balances(&paper.pool, Some("base"), paper.wallet)
        .await
        .expect("balances");
    assert_eq!(nets.len(), 3);
    for net in nets {
        let begun = start.get(&net.asset).copied().unwrap_or(Amount::ZERO);
        let expected = begun
            .checked_add(net.received)
            .and_then(|sum| sum.checked_sub(net.spent));
        assert_eq!(Ok(net.balance), expected, "{:?}, seed {SEED}", net.asset);
        assert_eq!(paper.balance(net.asset).await, net.balance);
    }
    let records = audit::records(&paper.pool, Some("base"), paper.wallet)
        .await
        .expect("records");
    let count = |status| records.iter().filter(|swap| swap.status == status).count();
    assert!(
        count(PaperStatus::Mined) > 20 && count(PaperStatus::Reverted) > 20,
        "a dull seed"
    );
}

#[tokio::test]
async fn nothing_moves_while_a_swap_is_only_pooled() {
    let paper = Paper::open(still()).await;
    let hash = paper.place(&Order::buy(0)).await;
    assert_eq!(paper.lookup(hash).await, Lookup::Pooled);
    assert_eq!(paper.nonces().await, (0, 1));
    assert_eq!(paper.token(usdc()).await, units(10_000_000_000));
    assert_eq!(paper.token(TOKEN).await, Amount::ZERO);
}
