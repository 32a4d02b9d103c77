//! `paper wallet|fund|fault`: the paper venue from outside, for trying things out.

use clap::{
    Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use strum::VariantArray;

use super::{
    App, AppError, Out,
    out::{table, when},
};
use crate::{
    config::Settings,
    domain::{
        chains::{self, USDC_DECIMALS},
        span::Span,
        units::Amount,
    },
    paper::{ActiveFault, Fault, FaultKind, Funding, audit, default_wallet},
    ports::Asset,
};

const NATIVE_DECIMALS: u8 = 18;

#[derive(Debug, Subcommand)]
pub(super) enum PaperCommand {
    /// What the paper wallet holds, by the venue's own records
    Wallet {
        /// Chain
        #[arg(long, default_value = "base")]
        chain: String,
    },
    /// Set what the paper wallet holds
    Fund {
        /// USDC, whole coins
        #[arg(long)]
        usdc: Option<Decimal>,
        /// Native coin for gas, whole coins
        #[arg(long)]
        native: Option<Decimal>,
        /// Chain
        #[arg(long, default_value = "base")]
        chain: String,
    },
    /// Make the venue misbehave, to try alerts and crashes; without KIND: show what is ordered
    Fault {
        /// What goes wrong
        #[arg(value_parser = fault_kind())]
        kind: Option<FaultKind>,
        /// So often [default: until cleared]
        #[arg(long)]
        times: Option<u32>,
        /// For so long from now
        #[arg(long = "for", value_name = "DURATION")]
        lasts: Option<Span>,
        /// How late answers come, for kind late
        #[arg(long, default_value = "2s")]
        delay: Span,
        /// Only for this token
        #[arg(long)]
        token: Option<String>,
        /// Chain
        #[arg(long, default_value = "base")]
        chain: String,
        /// Take all faults of the chain back
        #[arg(long, conflicts_with = "kind")]
        clear: bool,
    },
}

pub(super) async fn run(settings: &Settings, out: Out, command: &PaperCommand) -> Result<(), AppError> {
    let world = App::open(settings).await?;
    match command {
        PaperCommand::Wallet { chain } => wallet(&world, out, chain).await,
        PaperCommand::Fund { usdc, native, chain } => {
            let known = chain_of(chain)?;
            let paper = world.paper().await?;
            for (name, amount, asset, decimals) in [
                ("usdc", usdc, Asset::Token(known.usdc), USDC_DECIMALS),
                ("native", native, Asset::Native, NATIVE_DECIMALS),
            ] {
                let Some(amount) = amount else { continue };
                let units = Amount::from_whole(&amount.to_string(), decimals)
                    .map_err(|error| AppError::Usage(format!("--{name} {amount}: {error}")))?;
                paper
                    .fund(known.name, default_wallet(), asset, Funding::Set(units))
                    .await?;
            }
            wallet(&world, out, chain).await
        }
        PaperCommand::Fault {
            kind,
            times,
            lasts,
            delay,
            token,
            chain,
            clear,
        } => {
            let known = chain_of(chain)?;
            let faults = world.paper().await?.faults();
            if *clear {
                faults.clear(Some(known.name)).await?;
            }
            if let Some(kind) = kind {
                let token = token.as_deref().map(crate::app::target::address).transpose()?;
                let fault = Fault {
                    token,
                    count: *times,
                    lasts: *lasts,
                    delay: *delay,
                    ..Fault::new(*kind, known.name)
                };
                faults.add(&fault).await?;
            }
            let active = faults.list().await?;
            let rows: Vec<Value> = active.iter().map(fault_json).collect();
            out.show(&rows, |_| fault_table(&active))
        }
    }
}

fn fault_json(fault: &ActiveFault) -> Value {
    json!({
        "id": fault.id,
        "kind": fault.kind.to_string(),
        "chain": fault.chain,
        "token": fault.token.map(|token| token.to_checksum(None)),
        "remaining": fault.remaining,
        "until": fault.until,
        "delay_ms": u64::try_from(fault.delay.as_millis()).unwrap_or(u64::MAX),
    })
}

fn fault_table(active: &[ActiveFault]) -> String {
    if active.is_empty() {
        return "the paper venue behaves".to_owned();
    }
    let rows = active.iter().map(|fault| {
        vec![
            fault.id.to_string(),
            fault.kind.to_string(),
            fault.chain.clone(),
            fault
                .token
                .map_or_else(|| "all".to_owned(), |token| token.to_checksum(None)),
            fault
                .remaining
                .map_or_else(|| "until cleared".to_owned(), |times| format!("{times}x")),
            when(fault.until),
            match fault.kind {
                FaultKind::Late => format!("{:?}", fault.delay),
                _ => "-".to_owned(),
            },
        ]
    });
    table(&["id", "fault", "chain", "token", "left", "until", "delay"], rows)
}

fn fault_kind() -> impl TypedValueParser<Value = FaultKind> {
    PossibleValuesParser::new(FaultKind::VARIANTS.iter().map(<&str>::from))
        .try_map(|text| text.parse::<FaultKind>())
}

fn chain_of(name: &str) -> Result<&'static chains::ChainInfo, AppError> {
    chains::find(name).map_err(|error| AppError::Usage(format!("--chain: {error}")))
}

async fn wallet(world: &App, out: Out, chain: &str) -> Result<(), AppError> {
    let known = chain_of(chain)?;
    // Asking for nothing opens the wallet if it was never used.
    let paper = world.paper().await?;
    paper
        .fund(
            known.name,
            default_wallet(),
            Asset::Native,
            Funding::Add(Amount::ZERO),
        )
        .await?;
    let held = audit::net_balances(&world.pool, Some(known.name), default_wallet()).await?;
    let rows: Vec<Value> = held
        .iter()
        .map(|net| {
            let (asset, decimals) = match net.asset {
                Asset::Native => (known.native_symbol.to_owned(), Some(NATIVE_DECIMALS)),
                Asset::Token(token) if token == known.usdc => ("USDC".to_owned(), Some(USDC_DECIMALS)),
                Asset::Token(token) => (token.to_checksum(None), None),
            };
            let shown = |amount: Amount| decimals.map_or_else(|| format!("{amount} units"), |d| amount.to_whole(d));
            json!({ "asset": asset, "balance": shown(net.balance), "received": shown(net.received), "spent": shown(net.spent) })
        })
        .collect();
    out.show(&rows, |rows| {
        let cell = |row: &Value, key: &str| {
            row.get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let cells = rows.iter().map(|row| {
            ["asset", "balance", "received", "spent"]
                .map(|key| cell(row, key))
                .to_vec()
        });
        format!(
            "paper wallet {} on {}\n{}",
            default_wallet().to_checksum(None),
            known.name,
            table(&["asset", "balance", "received", "spent"], cells)
        )
    })
}
