//! `devnet`: a local chain with the real contracts, to practise live trading with worthless money.

use std::{env, fs, path::PathBuf};

use alloy_primitives::Address;
use clap::Args;
use serde_json::json;

use super::{AppError, Out};
use crate::{
    chain::ChainKeys,
    devnet::{BlockTime, Devnet, DevnetOptions, NAME},
    domain::span::Span,
};

/// Where `npm ci` in scripts/contracts put the contracts.
const CONTRACTS_VARIABLE: &str = "LGI_MM_CONTRACTS";

#[derive(Debug, Args)]
pub(super) struct DevnetArgs {
    /// Port; 0 for any
    #[arg(long, default_value_t = 8545)]
    port: u16,
    /// A block so often, 1s or more [default: one for each transaction]
    #[arg(long, value_name = "DURATION")]
    block_time: Option<Span>,
    /// Begin with the state in this file, made if it is missing
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Give this wallet 100 native coins and 100000 USDC
    #[arg(long, value_name = "ADDRESS")]
    fund: Vec<Address>,
    /// Write settings with [chains.local] to this file
    #[arg(long, value_name = "FILE")]
    settings_out: Option<PathBuf>,
    /// Stop when standard input closes: whoever started this is gone
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

pub(super) async fn run(out: Out, args: &DevnetArgs) -> Result<(), AppError> {
    let devnet = start(args.port, args.block_time, args.state.clone()).await?;
    for wallet in &args.fund {
        devnet.fund(*wallet).await.map_err(failed)?;
    }
    if let Some(path) = &args.settings_out {
        fs::write(path, settings(&devnet.chain_keys())?).map_err(|source| AppError::Io {
            what: format!("writing {}", path.display()),
            source,
        })?;
    }
    let deployed = devnet.deployment();
    let view = json!({
        "url": devnet.node.url().as_str(),
        "chain": NAME,
        "tokens": {
            "CLAWDIA": deployed.clanker, "TT": deployed.token, "TAXED": deployed.taxed, "TRAP": deployed.trap,
            "USDC": deployed.usdc, "WETH": deployed.weth,
        },
    });
    out.show(&view, |_| {
        format!(
            "a local chain at {}: worthless money, real contracts\n  \
             CLAWDIA {}  V4 against WETH, dynamic fee, a hook\n  \
             TT      {}  V4 against the native coin, V3 and V2 against WETH\n  \
             TAXED   {}  takes 1 % of every transfer, V2\n  \
             TRAP    {}  V3\n\
             it runs until Ctrl-C\n",
            devnet.node.url(),
            deployed.clanker,
            deployed.token,
            deployed.taxed,
            deployed.trap
        )
    })?;
    let stop = super::services::stop_on_signal()?;
    super::services::ChildArgs::new(args.until_stdin_closes).watch(&stop);
    stop.cancelled().await;
    Ok(())
}

/// Starts a local chain with the contracts that were installed.
pub(super) async fn start(
    port: u16,
    block_time: Option<Span>,
    state: Option<PathBuf>,
) -> Result<Devnet, AppError> {
    if let Some(span) = block_time.filter(|span| *span < Span::from_secs(1)) {
        return Err(AppError::Usage(format!(
            "--block-time {span}: 1s or more is allowed"
        )));
    }
    let contracts = env::var_os(CONTRACTS_VARIABLE).map(PathBuf::from);
    let options = DevnetOptions {
        contracts: contracts.unwrap_or_else(|| PathBuf::from("target/tools/contracts")),
        state,
        port,
        block_time: block_time.map_or(BlockTime::OnTransaction, BlockTime::Every),
    };
    Devnet::start(&options).await.map_err(failed)
}

fn failed(error: crate::devnet::DevnetError) -> AppError {
    AppError::Network(format!("the local chain: {error}"))
}

/// `[chains.local]` as a settings file has it.
pub(super) fn settings(keys: &ChainKeys) -> Result<String, AppError> {
    let written = |error: &dyn std::fmt::Display| AppError::Internal(format!("[chains.{NAME}]: {error}"));
    let mut value = serde_json::to_value(keys).map_err(|error| written(&error))?;
    if let Some(fields) = value.as_object_mut() {
        let unset = |value: &serde_json::Value| value.is_null() || value.as_str() == Some("");
        fields.retain(|_, value| !unset(value));
    }
    let chains = json!({ "chains": { NAME: value } });
    toml_edit::ser::to_string_pretty(&chains).map_err(|error| written(&error))
}
