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
    domain::units::NATIVE_DECIMALS,
    ports::{Asset, Chain},
};

/// Time between two questions to nodes: an operator needs minutes to send coins.
const EVERY: Duration = Duration::from_secs(60);

/// Nodes that are slower do not hold a census up; they are asked again a minute later.
const PATIENCE: Duration = Duration::from_secs(5);

/// Chains with a node to ask, by name.
pub type Nodes = BTreeMap<String, Arc<dyn Chain>>;

/// What was answered last.
#[derive(Default)]
pub(super) struct Balances {
    asked: Option<Instant>,
    coins: HashMap<(String, String), f64>,
}

impl Balances {
    /// Asks again if the last answers are old. A wallet whose node does not answer has no balance.
    pub(super) async fn refresh(
        &mut self,
        connection: &mut PgConnection,
        nodes: &Nodes,
    ) -> Result<(), sqlx::Error> {
        if self.asked.is_some_and(|asked| asked.elapsed() < EVERY) {
            return Ok(());
        }
        let live = "SELECT chain, address::text FROM signers WHERE realm = 'live'";
        let wallets: Vec<(String, String)> = sqlx::query_as(live).fetch_all(connection).await?;
        let asking = wallets.into_iter().map(|(chain, wallet)| async move {
            let address: Address = wallet.parse().ok()?;
            let asked = nodes.get(&chain)?.balances(address, &[Asset::Native]);
            let balances = tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()?;
            let coins = balances.first()?.to_whole(NATIVE_DECIMALS).parse().ok()?;
            Some(((chain, wallet), coins))
        });
        self.coins = join_all(asking).await.into_iter().flatten().collect();
        self.asked = Some(Instant::now());
        Ok(())
    }

    /// Whole coins of a live wallet.
    pub(super) fn of(&self, chain: &str, wallet: &str) -> Option<f64> {
        self.coins.get(&(chain.to_owned(), wallet.to_owned())).copied()
    }
}
