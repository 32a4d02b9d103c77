//! What all wallets of a chain share within a process: calls that are made at the same moment share their statements,
//! as calls to a node share a request.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

use alloy_primitives::{Address, B256};
use sqlx::PgPool;
use tokio::sync::Mutex;

use super::{
    admit::{self, Sending},
    error::PaperError,
    faults::Armed,
    gauge::{Gauge, Reading},
    mine::catch_up,
    open::open,
    reads::{self, Balances, Counted, States, Wanted},
    settings::PaperSettings,
    together::Together,
};
use crate::{
    domain::{
        chains::ChainInfo,
        onchain::{Lookup, Sent},
        units::Amount,
    },
    ports::{RpcError, SendError},
    store::session::begin,
};

/// The node of one chain.
#[derive(Debug)]
pub(super) struct Node {
    pool: PgPool,
    chain: &'static ChainInfo,
    settings: PaperSettings,
    gauge: Gauge,
    opens: Together<Address, ()>,
    balances: Together<Wanted, Vec<Amount>>,
    nonces: Together<Address, Option<Counted>>,
    states: Together<Vec<B256>, Vec<Lookup>>,
    sends: Together<Arc<Sending>, Result<Sent, SendError>>,
    /// One caller at a time mines. Others would wait for its rows in the database, each with a connection that lives on
    /// if this host vanishes.
    mining: Mutex<()>,
}

impl Node {
    pub(super) fn new(pool: PgPool, chain: &'static ChainInfo, settings: PaperSettings) -> Self {
        Self {
            gauge: Gauge::new(pool.clone(), chain.name),
            pool,
            chain,
            settings,
            opens: Together::default(),
            balances: Together::default(),
            nonces: Together::default(),
            states: Together::default(),
            sends: Together::default(),
            mining: Mutex::const_new(()),
        }
    }

    pub(super) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(super) const fn name(&self) -> &'static str {
        self.chain.name
    }

    pub(super) const fn settings(&self) -> &PaperSettings {
        &self.settings
    }

    /// Creates and funds a wallet unless it exists.
    pub(super) async fn open(&self, wallet: Address) -> Result<(), RpcError> {
        let ask = |wallets: Vec<Address>| async move {
            self.open_all(&wallets).await?;
            Ok(vec![(); wallets.len()])
        };
        self.opens.ask(wallet, ask).await
    }

    pub(super) async fn open_all(&self, wallets: &[Address]) -> Result<(), PaperError> {
        open(&self.pool, self.chain, wallets, &self.settings).await
    }

    /// The faults that may strike a call, and the time.
    pub(super) async fn read(&self) -> Result<Reading, PaperError> {
        self.gauge.read().await
    }

    /// What every call asks first; fails if the node is down.
    pub(super) async fn up(&self, tokens: &[Address]) -> Result<Reading, PaperError> {
        let reading = self.read().await?;
        let armed = reading.armed(self.name());
        if !armed.is_none() {
            let mut conn = self.pool.acquire().await?;
            armed.refuse_if_down(&mut conn, tokens).await?;
        }
        Ok(reading)
    }

    /// Balances in the order asked.
    pub(super) async fn balances(&self, wanted: Wanted) -> Result<Vec<Amount>, RpcError> {
        let ask = |wanted: Vec<Wanted>| async move {
            let (mut held, due) = reads::balances(&self.pool, self.name(), &wanted).await?;
            if self.mine_due(due).await? {
                held = reads::balances(&self.pool, self.name(), &wanted).await?.0;
            }
            Ok(wanted.iter().map(|wanted| Balances::of(&held, wanted)).collect())
        };
        self.balances.ask(wanted, ask).await
    }

    /// The nonces of a wallet, if it was ever opened.
    pub(super) async fn nonces(&self, sender: Address) -> Result<Option<Counted>, RpcError> {
        let ask = |senders: Vec<Address>| async move {
            let (mut counted, due) = reads::nonces(&self.pool, self.name(), &senders).await?;
            if self.mine_due(due).await? {
                counted = reads::nonces(&self.pool, self.name(), &senders).await?.0;
            }
            Ok(senders
                .iter()
                .map(|sender| counted.get(sender).cloned())
                .collect())
        };
        self.nonces.ask(sender, ask).await
    }

    /// What is known of some hashes, in the order asked.
    pub(super) async fn states(&self, hashes: &[B256]) -> Result<Vec<Lookup>, RpcError> {
        let ask = |asked: Vec<Vec<B256>>| async move {
            let all: Vec<B256> = asked.iter().flatten().copied().collect();
            let (mut states, due) = reads::states(&self.pool, self.name(), &all).await?;
            if self.mine_due(due).await? {
                states = reads::states(&self.pool, self.name(), &all).await?.0;
            }
            Ok(asked.iter().map(|hashes| States::of(&states, hashes)).collect())
        };
        self.states.ask(hashes.to_vec(), ask).await
    }

    /// The tokens that these transactions touch; asked for only if a fault is armed.
    pub(super) async fn tokens_of(&self, hashes: &[B256]) -> Result<Vec<Address>, PaperError> {
        let (states, _) = reads::states(&self.pool, self.name(), hashes).await?;
        Ok(states.tokens(hashes))
    }

    /// Mines what is due for these senders. `false`: there are none, and nothing that was read has changed.
    async fn mine_due(&self, due: HashSet<Address>) -> Result<bool, PaperError> {
        if due.is_empty() {
            return Ok(false);
        }
        let _alone = self.mining.lock().await;
        let due: Vec<Address> = due.into_iter().collect();
        catch_up(&self.pool, self.name(), &due).await?;
        Ok(true)
    }

    /// Takes bytes while no fault is armed.
    pub(super) async fn take(&self, sending: Sending) -> Result<Sent, SendError> {
        let ask = |sendings: Vec<Arc<Sending>>| async move {
            let unarmed = Armed::of(self.name(), Vec::new());
            let count = sendings.len();
            let mut answers: Vec<Option<Result<Sent, SendError>>> = Vec::new();
            answers.resize_with(count, || None);
            let mut rest: VecDeque<_> = sendings.into_iter().enumerate().collect();
            while !rest.is_empty() {
                // One of each wallet: what comes second sees what came first.
                let mut senders = HashSet::new();
                let (now, later) = rest
                    .into_iter()
                    .partition(|(_, sending)| senders.insert(sending.sender()));
                rest = later;
                let (places, some): (Vec<usize>, Vec<Arc<Sending>>) = VecDeque::into_iter(now).unzip();
                let answered = self.admit(&some, &unarmed).await?;
                for (place, answer) in places.into_iter().zip(answered) {
                    if let Some(place) = answers.get_mut(place) {
                        *place = Some(answer);
                    }
                }
            }
            Ok(answers.into_iter().flatten().collect())
        };
        self.sends
            .ask(Arc::new(sending), ask)
            .await
            .map_err(SendError::Ambiguous)?
    }

    /// Whether the bytes of some wallets are taken, one of each, in one database transaction.
    pub(super) async fn admit(
        &self,
        sendings: &[Arc<Sending>],
        armed: &Armed<'_>,
    ) -> Result<Vec<Result<Sent, SendError>>, PaperError> {
        let mut transaction = begin(&self.pool).await?;
        let answers = admit::admit(&mut transaction, self.name(), sendings, armed, &self.settings).await?;
        // Whatever the answers: mined blocks and used faults stay.
        transaction.commit().await?;
        Ok(answers)
    }
}
