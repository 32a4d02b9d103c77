//! Native balances of live wallets, which only nodes know.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_primitives::Address;
use futures::future::join_all;
use sqlx::PgConnection;

use crate::{
    domain::{onchain::Asset, units::NATIVE_DECIMALS},
    ports::Chain,
    store::{
        StoreError,
        census::{self, LiveWallet, SignerFacts},
    },
};

/// Time between two questions to nodes while nothing is traded: coins leave a wallet by its own transactions alone.
const EVERY: Duration = Duration::from_secs(600);
/// The same while its transactions come and go: an operator needs minutes to send coins.
const AFTER_TRADES: Duration = Duration::from_secs(60);

/// Longest wait for a node. A slower one is asked again at the next time.
const PATIENCE: Duration = Duration::from_secs(5);

/// Chains with a node to ask, by name.
pub type Nodes = BTreeMap<String, Arc<dyn Chain>>;

/// The last answers.
#[derive(Default)]
pub(super) struct Balances {
    asked: Option<Instant>,
    /// What the live wallets had signed and open then.
    traded: Vec<(i64, i64)>,
    coins: HashMap<LiveWallet, f64>,
}

impl Balances {
    /// Asks again if the last answers are old, earlier after trades. A wallet whose node does not answer has no
    /// balance.
    pub(super) async fn refresh(
        &mut self,
        connection: &mut PgConnection,
        nodes: &Nodes,
        signers: &[SignerFacts],
    ) -> Result<(), StoreError> {
        let live = signers.iter().filter(|signer| signer.realm == "live");
        let traded: Vec<(i64, i64)> = live
            .map(|signer| (signer.next_nonce, signer.open_transactions))
            .collect();
        let every = if traded == self.traded {
            EVERY
        } else {
            AFTER_TRADES
        };
        if self.asked.is_some_and(|asked| asked.elapsed() < every) {
            return Ok(());
        }
        let wallets = census::live_wallets(connection).await?;
        let asking = wallets.into_iter().map(|wallet| async move {
            let address: Address = wallet.wallet.parse().ok()?;
            let asked = nodes.get(&wallet.chain)?.balances(address, &[Asset::Native]);
            let balances = tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()?;
            let coins = balances.first()?.to_whole(NATIVE_DECIMALS).parse().ok()?;
            Some((wallet, coins))
        });
        self.coins = join_all(asking).await.into_iter().flatten().collect();
        self.asked = Some(Instant::now());
        self.traded = traded;
        Ok(())
    }

    /// Whole coins of a live wallet.
    pub(super) fn of(&self, chain: &str, wallet: &str) -> Option<f64> {
        let wallet = LiveWallet {
            chain: chain.to_owned(),
            wallet: wallet.to_owned(),
        };
        self.coins.get(&wallet).copied()
    }
}
