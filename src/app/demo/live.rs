//! The live demo: a local chain with the real contracts, a fresh wallet, and a trader that moves prices.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use alloy_primitives::{Address, U256};
use chrono::TimeDelta;
use serde_json::json;
use tempfile::TempDir;

use super::jobs::Stage;
use crate::{
    app::{
        audit::live as audit,
        context::App,
        devnet::{self, DevnetRequest},
        error::AppError,
        policy,
    },
    chain::{
        ChainSpec,
        keystore::{KeySource, SecretText},
        policy::{Entry, NamedContracts, Quote, edit},
    },
    config::{PASSWORD_VARIABLE, POLICY_STATE_VARIABLE, POLICY_VARIABLE, Settings},
    devnet::{DEPLOYER, Devnet, NAME},
    domain::{
        job::{Account, Realm},
        onchain::{Asset, Checks, SwapRequest},
        pool::NATIVE,
        span::Span,
        units::{Amount, Price, Rounding, Usd},
    },
    ports::{Chain, Venue},
};

/// Password of the demo's keystore, which holds no real money.
const PASSWORD: &str = "a demo has no secrets";
/// Worthless dollars, more than a demo trades.
const MUCH: rust_decimal::Decimal = rust_decimal::Decimal::from_parts(1_000_000, 0, 0, false, 0);
/// Time between two swaps that move a price.
const MOVE_EVERY: Duration = Duration::from_secs(1);
/// Swaps in one direction before it turns: about two per cent each.
const MOVES: u64 = 6;

/// Resources that must stay alive while the demo runs.
pub struct LiveDemo {
    devnet: Arc<Devnet>,
    dir: TempDir,
    account: Account,
    before: Amount,
}

impl LiveDemo {
    /// Starts the chain, then creates and funds the wallet.
    ///
    /// # Errors
    /// [`AppError`] if the chain does not start.
    pub async fn start(contracts: PathBuf) -> Result<Self, AppError> {
        let dir = tempfile::tempdir().map_err(|source| AppError::Io {
            what: "a temporary directory".to_owned(),
            source,
        })?;
        let request = DevnetRequest {
            contracts,
            block_time: Some(Span::from_secs(1)),
            ..DevnetRequest::default()
        };
        let devnet = devnet::start(&request).await?.devnet;
        let keys = KeySource {
            dir: dir.path().to_owned(),
            ..KeySource::default()
        };
        let wallet = keys
            .create_for_devnet(&SecretText::new(PASSWORD.to_owned()))?
            .address;
        let coins = U256::from(100) * U256::from(10).pow(U256::from(18));
        devnet
            .node
            .set_balance(wallet, coins)
            .await
            .map_err(|error| AppError::Network(error.to_string()))?;
        Ok(Self {
            devnet: Arc::new(devnet),
            dir,
            account: Account {
                realm: Realm::Live,
                chain: NAME.to_owned(),
                wallet,
            },
            before: Amount::new(coins),
        })
    }

    /// Adds the chain and the wallet to the settings of this process.
    pub fn add_to(&self, settings: &mut Settings) {
        settings.chains.insert(NAME.to_owned(), self.devnet.chain_file());
        settings.wallet.keystore_dir = self.dir.path().display().to_string();
    }

    /// Environment variables that give other processes the chain, the wallet and a policy.
    pub(super) fn variables(&self) -> Result<Vec<(String, String)>, AppError> {
        let path = self.dir.path().join("settings.toml");
        let mut text = devnet::settings_text(&self.devnet.chain_file())?;
        text.push_str(&format!(
            "\n[wallet]\nkeystore_dir = {}\n",
            json!(self.dir.path().display().to_string())
        ));
        std::fs::write(&path, text).map_err(|source| AppError::Io {
            what: "the demo's settings".to_owned(),
            source,
        })?;
        let (policy, state) = (
            self.dir.path().join("policy.toml"),
            self.dir.path().join("signed"),
        );
        edit::write(&policy, &edit::with_entry(&policy, &self.allowed()?)?)?;
        Ok(vec![
            (PASSWORD_VARIABLE.to_owned(), PASSWORD.to_owned()),
            ("LGI_MM_SETTINGS".to_owned(), path.display().to_string()),
            (POLICY_VARIABLE.to_owned(), policy.display().to_string()),
            (POLICY_STATE_VARIABLE.to_owned(), state.display().to_string()),
        ])
    }

    /// Policy of the demo's key: trade its own tokens, with worthless money.
    fn allowed(&self) -> Result<Entry, AppError> {
        let much = Usd::rounded(MUCH, Rounding::Down);
        let mut entry = Entry {
            chain: NAME.to_owned(),
            wallet: self.account.wallet,
            chain_id: None,
            tokens: self.tokens().into_values().collect(),
            quotes: vec![Quote::Native],
            max_trade_usd: much,
            max_hour_usd: much,
            max_day_usd: much,
            max_gas_usd: much,
            max_loss_bps: 5_000,
            max_deadline: Span::from_secs(600),
            native_usd_min: Price::ONE,
            withdraw_to: vec![],
            routers: vec![],
            stop: false,
            contracts: NamedContracts::default(),
        };
        policy::name_contracts(&mut entry, &ChainSpec::resolve(NAME, &self.devnet.chain_file())?);
        Ok(entry)
    }

    /// The tokens of the jobs by ticker; the one that is sold is the design's own.
    fn tokens(&self) -> BTreeMap<String, Address> {
        let deployed = self.devnet.deployment();
        let mut tokens = deployed.practice.clone();
        tokens.insert("SELLER".to_owned(), deployed.clanker);
        tokens
    }

    /// Where the demo's jobs trade.
    pub(super) async fn stage(&self, app: &App) -> Result<Stage, AppError> {
        Ok(Stage::Live {
            account: self.account.clone(),
            tokens: self.tokens(),
            native: self.native(app).await?,
        })
    }

    /// USD per native coin.
    async fn native(&self, app: &App) -> Result<Price, AppError> {
        let live = app.live().chain(NAME)?;
        let known = live.chain.usd_price(Asset::Native).await;
        known
            .map(|known| known.price)
            .map_err(|error| AppError::Network(error.to_string()))
    }

    /// Trades against the pools for as long as the returned value lives.
    ///
    /// # Errors
    /// [`AppError`] if the settings lack the chain.
    pub fn move_prices(&self, app: &App) -> Result<Mover, AppError> {
        let venue = app.live().chain(NAME)?.venue.clone();
        let devnet = self.devnet.clone();
        let practice: Vec<Address> = self.devnet.deployment().practice.values().copied().collect();
        let task = tokio::spawn(async move {
            for round in 0_u64.. {
                let buying = (round / MOVES) % 2 == 1;
                for token in &practice {
                    // A failed swap moves no price; the next one follows in a second.
                    let _ = push(&devnet, venue.as_ref(), *token, buying).await;
                }
                tokio::time::sleep(MOVE_EVERY).await;
            }
        });
        Ok(Mover(task))
    }

    /// Compares the wallet's transactions on the chain with the ledger.
    pub(super) async fn compare(&self, app: &App) -> Result<audit::LiveFindings, AppError> {
        let live = app.live().chain(NAME)?;
        audit::compare(&app.pool, live.chain.as_ref(), &self.account, self.before).await
    }
}

/// Moves prices until it is dropped.
pub struct Mover(tokio::task::JoinHandle<()>);

impl Drop for Mover {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One swap of a hundredth of the pool.
async fn push(devnet: &Devnet, venue: &dyn Venue, token: Address, buying: bool) -> Result<(), AppError> {
    let network = |error: &dyn std::fmt::Display| AppError::Network(error.to_string());
    let coin = U256::from(10).pow(U256::from(18));
    let (token_in, token_out, amount) = if buying {
        (NATIVE, token, coin)
    } else {
        (token, NATIVE, coin * U256::from(1_500))
    };
    let request = SwapRequest {
        wallet: DEPLOYER,
        token_in,
        token_out,
        amount_in: Amount::new(amount),
        amount_out_fair: Amount::ZERO,
        fair_rest: 0,
        pool: None,
        prove_sell: false,
        checks: Checks::none(),
    };
    let deadline = chrono::Utc::now() + TimeDelta::hours(1);
    let floor = Amount::new(U256::from(1));
    let calls = venue
        .calls(&request, floor, deadline)
        .await
        .map_err(|error| network(&error))?;
    for call in calls {
        let sent = devnet
            .node
            .submit(DEPLOYER, Some(call.to), &call.data, call.value, call.gas_limit)
            .await;
        sent.map_err(|error| network(&error))?;
    }
    Ok(())
}
