//! A paper market of its own for every test, and orders for it.

use std::time::Duration;

use alloy_primitives::{Address, B256, U256};
use chrono::Utc;
use lgi_mm::{
    domain::{
        Timestamp, chains,
        job::{Account, Realm},
        onchain::{
            Asset, Call, Checks, Fees, Lookup, Receipt, Sent, SignedTransaction, SwapRequest,
            UnsignedTransaction,
        },
        span::Span,
        units::Amount,
    },
    paper::{PaperMarkets, PaperSettings, default_wallet},
    ports::{Market, Markets, SendError},
};
use sqlx::PgPool;
use testkit::TestDb;

pub(crate) const TOKEN: Address = Address::repeat_byte(0x77);
pub(crate) const GWEI: u128 = 1_000_000_000;

const PATIENCE: Duration = Duration::from_secs(30);

/// Makes something that was fine wrong.
pub(crate) type Spoil<T> = fn(&mut T);

pub(crate) fn usdc() -> Address {
    chains::find("base").expect("known").usdc
}

pub(crate) fn units(units: u64) -> Amount {
    Amount::new(U256::from(units))
}

/// A transaction is mined within a millisecond.
pub(crate) fn quick() -> PaperSettings {
    PaperSettings {
        block_time: Span::from_millis(1),
        ..PaperSettings::default()
    }
}

/// Nothing is mined while a test lasts.
pub(crate) fn still() -> PaperSettings {
    PaperSettings {
        mine_after: Span::from_secs(3_600),
        ..quick()
    }
}

pub(crate) fn account() -> Account {
    Account {
        realm: Realm::Paper,
        chain: "base".into(),
        wallet: default_wallet(),
    }
}

pub(crate) struct Paper {
    pub(crate) markets: PaperMarkets,
    pub(crate) market: Market,
    pub(crate) wallet: Address,
    pub(crate) pool: PgPool,
    _db: TestDb,
}

impl Paper {
    pub(crate) async fn open(settings: PaperSettings) -> Self {
        settings.validate().expect("valid settings");
        let db = testkit::db().await;
        let markets = PaperMarkets::new(db.pool.clone(), settings);
        let market = markets.market(&account()).await.expect("opens");
        Self {
            markets,
            market,
            wallet: default_wallet(),
            pool: db.pool.clone(),
            _db: db,
        }
    }

    /// The same ledger, as a process with other settings sees it.
    pub(crate) async fn seen_with(&self, settings: PaperSettings) -> Market {
        let markets = PaperMarkets::new(self.pool.clone(), settings);
        markets.market(&account()).await.expect("opens")
    }

    pub(crate) async fn sign(&self, order: &Order) -> SignedTransaction {
        let calls = self
            .market
            .venue
            .calls(&order.request(self.wallet), order.amount_out_min, order.deadline)
            .await
            .expect("calls");
        let [call] = calls.try_into().expect("one call");
        let call = Call {
            gas_limit: order.gas_limit,
            ..call
        };
        self.sign_call(call, order.nonce, order.fees).await
    }

    pub(crate) async fn sign_call(&self, call: Call, nonce: u64, fees: Fees) -> SignedTransaction {
        let transaction = UnsignedTransaction { call, nonce, fees };
        self.market.signer.sign(&transaction).await.expect("signs")
    }

    pub(crate) async fn send(&self, signed: &SignedTransaction) -> Result<Sent, SendError> {
        self.market.chain.send(&signed.raw).await
    }

    /// Signs and sends what must be accepted; its hash.
    pub(crate) async fn place(&self, order: &Order) -> B256 {
        let signed = self.sign(order).await;
        assert_eq!(self.send(&signed).await.expect("taken"), Sent::Accepted);
        signed.hash
    }

    pub(crate) async fn lookup(&self, hash: B256) -> Lookup {
        let mut found = self.market.chain.lookup(&[hash]).await;
        assert_eq!(found.len(), 1);
        found.remove(0).expect("answers")
    }

    /// The receipt of what is mined soon.
    pub(crate) async fn receipt(&self, hash: B256) -> Receipt {
        let mined = async {
            loop {
                if let Lookup::Mined(receipt) = self.lookup(hash).await {
                    return receipt;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, mined).await.expect("is mined")
    }

    /// Until `count` transactions are mined.
    pub(crate) async fn mined(&self, count: u64) {
        let mined = async {
            while self.nonces().await.0 < count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, mined).await.expect("are mined");
    }

    pub(crate) async fn balance(&self, asset: Asset) -> Amount {
        let balances = self.market.chain.balances(self.wallet, &[asset]).await;
        balances.expect("answers")[0]
    }

    pub(crate) async fn token(&self, token: Address) -> Amount {
        self.balance(Asset::Token(token)).await
    }

    /// Latest and pending.
    pub(crate) async fn nonces(&self) -> (u64, u64) {
        let nonces = self.market.chain.nonces(self.wallet).await.expect("answers");
        (nonces.latest, nonces.pending)
    }
}

/// A swap to be: by default 100 USDC for 50 of a token with 6 decimals, before costs.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) nonce: u64,
    pub(crate) token_in: Address,
    pub(crate) token_out: Address,
    pub(crate) amount_in: Amount,
    pub(crate) fair: Amount,
    pub(crate) amount_out_min: Amount,
    pub(crate) deadline: Timestamp,
    pub(crate) fees: Fees,
    pub(crate) gas_limit: u64,
}

impl Order {
    pub(crate) fn buy(nonce: u64) -> Self {
        Self {
            nonce,
            token_in: usdc(),
            token_out: TOKEN,
            amount_in: units(100_000_000),
            fair: units(50_000_000),
            amount_out_min: units(1),
            deadline: Utc::now() + Duration::from_secs(3_600),
            fees: fees(100),
            gas_limit: 150_000,
        }
    }

    pub(crate) fn sell(nonce: u64, amount_in: Amount, fair: Amount) -> Self {
        Self {
            token_in: TOKEN,
            token_out: usdc(),
            amount_in,
            fair,
            ..Self::buy(nonce)
        }
    }

    pub(crate) fn request(&self, wallet: Address) -> SwapRequest {
        SwapRequest {
            pool: None,
            prove_sell: false,
            checks: Checks::none(),
            wallet,
            token_in: self.token_in,
            token_out: self.token_out,
            amount_in: self.amount_in,
            amount_out_fair: self.fair,
            fair_rest: 0,
        }
    }
}

/// `percent` of fees that get mined: 0.021 gwei in all, 0.001 gwei of it as tip.
pub(crate) fn fees(percent: u128) -> Fees {
    Fees {
        max_fee_per_gas: GWEI * 21 / 1_000 * percent / 100,
        max_priority_fee_per_gas: GWEI / 1_000 * percent / 100,
    }
}
