//! A local chain with the real contracts, to practise live trading with worthless money.

use std::{
    fs,
    path::{Path, PathBuf},
};

use alloy_primitives::Address;
use serde::Serialize;
use serde_json::json;

use super::error::AppError;
use crate::app::message::{Field, message};
use crate::{
    chain::ChainFile,
    devnet::{BlockTime, Devnet, DevnetError, DevnetOptions, NAME},
    domain::span::Span,
};

/// Options of a local chain.
#[derive(Debug, Default)]
pub struct DevnetRequest {
    /// Directory with the contracts.
    pub contracts: PathBuf,
    /// Port; 0 for any.
    pub port: u16,
    /// Block time, 1s or more; none: a block for each transaction.
    pub block_time: Option<Span>,
    /// State file to start from; created if missing.
    pub state: Option<PathBuf>,
    /// Wallets that get 100 native coins and 100000 USDC.
    pub fund: Vec<Address>,
    /// Where to write settings with `[chains.local]`.
    pub settings_out: Option<PathBuf>,
}

/// A running local chain; it stops when this is dropped.
pub struct LocalChain {
    pub(super) devnet: Devnet,
}

/// Addresses on the local chain.
#[derive(Debug, Serialize)]
pub struct DevnetView {
    /// The chain's name in settings.
    pub chain: &'static str,
    /// Tokens.
    pub tokens: DevnetTokens,
    /// The node's address.
    pub url: String,
}

/// Tokens of the local chain.
#[derive(Debug, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub struct DevnetTokens {
    /// V4 against WETH, dynamic fee, a hook.
    pub clawdia: Address,
    /// Takes 1 % of every transfer, V2.
    pub taxed: Address,
    /// Cannot be sold, V3.
    pub trap: Address,
    /// V4 against the native coin, V3 and V2 against WETH.
    pub tt: Address,
    /// A dollar of 6 digits.
    pub usdc: Address,
    /// The wrapped native coin.
    pub weth: Address,
}

/// Starts a local chain.
///
/// # Errors
/// [`AppError`] for a block time below a second, contracts that are not there, or a node that does not start.
pub async fn start(request: &DevnetRequest) -> Result<LocalChain, AppError> {
    if let Some(span) = request.block_time.filter(|span| *span < Span::from_secs(1)) {
        return Err(message![Field::BlockTime, format!(" {span}: 1s or more is allowed"),].bad_input());
    }
    let options = DevnetOptions {
        contracts: request.contracts.clone(),
        state: request.state.clone(),
        port: request.port,
        block_time: request
            .block_time
            .map_or(BlockTime::OnTransaction, BlockTime::Every),
    };
    let devnet = Devnet::start(&options).await.map_err(failed)?;
    for wallet in &request.fund {
        devnet.fund(*wallet).await.map_err(failed)?;
    }
    if let Some(path) = &request.settings_out {
        write_settings(path, &devnet.chain_file())?;
    }
    Ok(LocalChain { devnet })
}

impl LocalChain {
    /// Addresses on the local chain.
    #[must_use]
    pub fn view(&self) -> DevnetView {
        let deployed = self.devnet.deployment();
        DevnetView {
            chain: NAME,
            tokens: DevnetTokens {
                clawdia: deployed.clanker,
                taxed: deployed.taxed,
                trap: deployed.trap,
                tt: deployed.token,
                usdc: deployed.usdc,
                weth: deployed.weth,
            },
            url: self.devnet.node.url().as_str().to_owned(),
        }
    }
}

fn failed(error: DevnetError) -> AppError {
    AppError::Network(format!("the local chain: {error}"))
}

fn write_settings(path: &Path, keys: &ChainFile) -> Result<(), AppError> {
    fs::write(path, settings_text(keys)?).map_err(|source| {
        let problem = format!(
            " {}: {source}; give a file in a directory that is there and can be written",
            path.display()
        );
        message![Field::SettingsOut, problem].bad_input()
    })
}

/// `[chains.local]` as a settings file has it.
pub(super) fn settings_text(keys: &ChainFile) -> Result<String, AppError> {
    let written = |error: &dyn std::fmt::Display| AppError::Internal(format!("[chains.{NAME}]: {error}"));
    let mut value = serde_json::to_value(keys).map_err(|error| written(&error))?;
    if let Some(fields) = value.as_object_mut() {
        let unset = |value: &serde_json::Value| value.is_null() || value.as_str() == Some("");
        fields.retain(|_, value| !unset(value));
    }
    let chains = json!({ "chains": { NAME: value } });
    toml_edit::ser::to_string_pretty(&chains).map_err(|error| written(&error))
}
