//! Wallets of one process share the statements of calls that they make at the same moment.

use std::collections::HashSet;

use alloy_primitives::{Address, B256};
use futures::future::join_all;
use lgi_mm::{
    domain::{
        job::Account,
        onchain::{Asset, Lookup, Sent, SignedTransaction, UnsignedTransaction},
        units::Amount,
    },
    paper::{PaperMarkets, PaperSettings},
    ports::{Market, Markets},
};
use sqlx::postgres::PgPoolOptions;
use testkit::statements::Statements;

use crate::paper::fixture::{Order, TOKEN, account, quick, units, usdc};

/// Wallets of these tests.
const WALLETS: u8 = 32;

/// The market of each wallet in one process.
async fn process(url: &str, settings: &PaperSettings) -> Vec<(Address, Market)> {
    let pool = PgPoolOptions::new().max_connections(4);
    let pool = pool.connect(url).await.expect("a pool");
    let markets = PaperMarkets::new(pool, settings.clone());
    let mut open = Vec::new();
    for wallet in (1..=WALLETS).map(Address::repeat_byte) {
        let account = Account { wallet, ..account() };
        open.push((wallet, markets.market(&account).await.expect("opens")));
    }
    open
}

async fn signed(market: &Market, wallet: Address, order: &Order) -> SignedTransaction {
    let request = order.request(wallet);
    let calls = market.venue.calls(&request, order.amount_out_min, order.deadline);
    let [call] = calls.await.expect("calls").try_into().expect("one call");
    let transaction = UnsignedTransaction {
        call,
        nonce: order.nonce,
        fees: order.fees,
    };
    market.signer.sign(&transaction).await.expect("signs")
}

/// Each buys as much as its address says, so that no balance is another's.
fn buy(wallet: Address, nonce: u64) -> Order {
    Order {
        amount_in: units(1_000_000 + u64::from(wallet[0])),
        ..Order::buy(nonce)
    }
}

/// What the wallet has left after `buys`.
fn rest(wallet: Address, buys: u64) -> Amount {
    units(10_000_000_000 - buys * (1_000_000 + u64::from(wallet[0])))
}

async fn until_mined(market: &Market, hash: B256) {
    loop {
        match market.chain.lookup(&[hash]).await.remove(0).expect("answers") {
            Lookup::Mined(receipt) => {
                assert!(receipt.success);
                return;
            }
            Lookup::Pooled => tokio::time::sleep(std::time::Duration::from_millis(2)).await,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wallets_that_trade_at_once_share_their_statements() {
    let db = testkit::db().await;
    let venue = Statements::start(&db.url).await;
    let wallets = process(&venue.url(), &quick()).await;
    let place = usize::try_from(venue.seen().0).expect("a count");
    join_all(wallets.iter().map(async |(wallet, market)| {
        let signed = signed(market, *wallet, &buy(*wallet, 0)).await;
        assert_eq!(
            market.chain.send(&signed.raw).await.expect("taken"),
            Sent::Accepted
        );
        until_mined(market, signed.hash).await;
        let held = market.chain.balances(*wallet, &[Asset::Token(usdc())]).await;
        assert_eq!(held.expect("answers"), [rest(*wallet, 1)]);
        assert_eq!(market.chain.nonces(*wallet).await.expect("answers").latest, 1);
    }))
    .await;
    let made = venue.since(place).len();
    println!("{made} statements of {WALLETS} wallets");
    // A wallet alone takes six to send and eight to mine, and its reads.
    assert!(made <= 6 * usize::from(WALLETS), "{made} statements");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_that_mine_the_same_wallets_never_wait_for_each_other_without_end() {
    const ROUNDS: u64 = 8;
    let db = testkit::db().await;
    let settings = quick();
    let processes = [
        process(&db.url, &settings).await,
        process(&db.url, &settings).await,
    ];
    for nonce in 0..ROUNDS {
        // Both send the same bytes, in opposite order, and both look and mine.
        let work = processes.iter().enumerate().map(async |(number, wallets)| {
            let mut wallets: Vec<_> = wallets.iter().collect();
            if number == 1 {
                wallets.reverse();
            }
            let taken = join_all(wallets.into_iter().map(async |(wallet, market)| {
                let order = Order {
                    deadline: chrono::DateTime::from_timestamp(4_000_000_000, 0).expect("a time"),
                    ..buy(*wallet, nonce)
                };
                let signed = signed(market, *wallet, &order).await;
                let answer = market.chain.send(&signed.raw).await;
                until_mined(market, signed.hash).await;
                (signed.hash, matches!(answer, Ok(Sent::Accepted)))
            }));
            taken.await
        });
        let taken: Vec<(B256, bool)> = join_all(work).await.into_iter().flatten().collect();
        let accepted = taken.iter().filter(|(_, accepted)| *accepted);
        let hashes: HashSet<B256> = accepted.clone().map(|(hash, _)| *hash).collect();
        assert_eq!(accepted.count(), usize::from(WALLETS), "each was taken once");
        assert_eq!(hashes.len(), usize::from(WALLETS));
    }
    for (wallet, market) in &processes[0] {
        let assets = [Asset::Token(usdc()), Asset::Token(TOKEN)];
        let held = market.chain.balances(*wallet, &assets).await.expect("answers");
        assert_eq!(held[0], rest(*wallet, ROUNDS), "{wallet}");
        assert_eq!(held[1], units(49_800_150 * ROUNDS), "{wallet}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_of_one_wallet_that_come_together_are_taken_in_their_order() {
    let db = testkit::db().await;
    let wallets = process(&db.url, &quick()).await;
    let (wallet, market) = &wallets[0];
    let mut all = Vec::new();
    for nonce in 0..40 {
        all.push(signed(market, *wallet, &buy(*wallet, nonce)).await);
    }
    let answers = join_all(all.iter().map(|signed| market.chain.send(&signed.raw))).await;
    assert!(
        answers.iter().all(|answer| matches!(answer, Ok(Sent::Accepted))),
        "{answers:?}"
    );
    for signed in &all {
        until_mined(market, signed.hash).await;
    }
    let held = market.chain.balances(*wallet, &[Asset::Token(usdc())]).await;
    assert_eq!(held.expect("answers"), [rest(*wallet, 40)]);
}
