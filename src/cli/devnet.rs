//! `devnet`: a local chain with the real contracts, to practise live trading with worthless money.

use std::{env, path::PathBuf};

use alloy_primitives::Address;
use clap::Args;

use super::{
    out::Out,
    stop::{ChildArgs, stop_on_signal},
};
use crate::{
    app::{
        AppError,
        devnet::{self, DevnetRequest, DevnetView},
    },
    domain::span::Span,
};

/// Where `npm ci` in scripts/contracts put the contracts.
const CONTRACTS_VARIABLE: &str = "LGI_MM_CONTRACTS";

#[derive(Debug, Args)]
pub(super) struct DevnetArgs {
    /// Port; 0 for any
    #[arg(long, default_value_t = 8545)]
    port: u16,
    /// Block time, 1s or more [default: one for each transaction]
    #[arg(long, value_name = "DURATION")]
    block_time: Option<Span>,
    /// Begin with the state in this file; made if missing
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Give this wallet 100 native coins and 100000 USDC
    #[arg(long, value_name = "ADDRESS")]
    fund: Vec<Address>,
    /// Write settings with [chains.local] to this file
    #[arg(long, value_name = "FILE")]
    settings_out: Option<PathBuf>,
    /// Stop when standard input closes, because the parent process has exited
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

pub(super) async fn run(out: Out, args: &DevnetArgs) -> Result<(), AppError> {
    let request = DevnetRequest {
        contracts: contracts(),
        port: args.port,
        block_time: args.block_time,
        state: args.state.clone(),
        fund: args.fund.clone(),
        settings_out: args.settings_out.clone(),
    };
    let chain = devnet::start(&request).await?;
    out.show(&chain.view(), text)?;
    let stop = stop_on_signal()?;
    ChildArgs::new(args.until_stdin_closes).watch(&stop);
    stop.cancelled().await;
    Ok(())
}

fn text(view: &DevnetView) -> String {
    let tokens = &view.tokens;
    format!(
        "a local chain at {}: worthless money, real contracts\n  \
         CLAWDIA {}  V4 against WETH, dynamic fee, a hook\n  \
         TT      {}  V4 against the native coin, V3 and V2 against WETH\n  \
         TAXED   {}  takes 1 % of every transfer, V2\n  \
         TRAP    {}  V3\n\
         it runs until Ctrl-C\n",
        view.url, tokens.clawdia, tokens.tt, tokens.taxed, tokens.trap
    )
}

/// Where the contracts of the local chain were installed.
pub(super) fn contracts() -> PathBuf {
    env::var_os(CONTRACTS_VARIABLE).map_or_else(|| PathBuf::from("target/tools/contracts"), PathBuf::from)
}
