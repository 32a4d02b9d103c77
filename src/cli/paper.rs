//! `paper wallet|fund|fault`: controls the paper venue, for experiments.

use clap::{
    Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use rust_decimal::Decimal;
use strum::VariantArray;

use super::{
    out::{Out, table, tokens, when},
    target::actor,
};
use crate::{
    app::{
        App, AppError,
        paper::{self, FaultKind, FaultRequest, FaultView, FundRequest, PaperWallet, TokenFunds},
        whole::Whole,
    },
    config::Settings,
    domain::span::Span,
};

#[derive(Debug, Subcommand)]
pub(super) enum PaperCommand {
    /// Show the balances of the paper wallet, by the venue's own records
    Wallet {
        /// Chain of the paper venue
        #[arg(long, default_value = "base")]
        chain: String,
    },
    /// Set balances of the paper wallet
    Fund {
        /// New balance of USDC, whole coins
        #[arg(long)]
        usdc: Option<Decimal>,
        /// New balance of the native coin, for gas, whole coins
        #[arg(long)]
        native: Option<Decimal>,
        /// New balance of a token, whole tokens, such as 0x..=1500.5: by its address, or by the ticker of a paper job;
        /// may be given several times
        #[arg(long = "token", value_name = "TOKEN=AMOUNT")]
        tokens: Vec<TokenFunds>,
        /// Decimals of a token that no job trades or traded [default: 18]
        #[arg(long, value_parser = clap::value_parser!(u8).range(0..=36))]
        decimals: Option<u8>,
        /// Chain of the paper venue
        #[arg(long, default_value = "base")]
        chain: String,
    },
    /// Inject a fault into the venue, to test alerts and crashes; without KIND: list the faults
    Fault {
        /// Kind of fault
        #[arg(value_parser = fault_kind())]
        kind: Option<FaultKind>,
        /// Number of times [default: until cleared]
        #[arg(long)]
        times: Option<u32>,
        /// Duration, from now [default: until cleared]
        #[arg(long = "for", value_name = "DURATION")]
        lasts: Option<Span>,
        /// Delay of answers, for kind late
        #[arg(long, default_value = "2s")]
        delay: Span,
        /// Only for this token's address [default: all]
        #[arg(long)]
        token: Option<String>,
        /// Chain of the paper venue
        #[arg(long, default_value = "base")]
        chain: String,
        /// Remove all faults of the chain
        #[arg(long, conflicts_with = "kind")]
        clear: bool,
    },
}

pub(super) async fn run(settings: &Settings, out: Out, command: &PaperCommand) -> Result<(), AppError> {
    let app = App::open(settings).await?;
    match command {
        PaperCommand::Wallet { chain } => show(out, &paper::wallet(&app, chain).await?),
        PaperCommand::Fund {
            usdc,
            native,
            tokens,
            decimals,
            chain,
        } => {
            let request = FundRequest {
                usdc: *usdc,
                native: *native,
                tokens: tokens.clone(),
                decimals: *decimals,
            };
            show(out, &paper::fund(&app, chain, &request, &actor()).await?)
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
            if *clear {
                paper::clear_faults(&app, chain, &actor()).await?;
            }
            if let Some(kind) = *kind {
                let request = FaultRequest {
                    kind,
                    times: *times,
                    lasts: *lasts,
                    delay: *delay,
                    token: token.clone(),
                };
                paper::add_fault(&app, chain, &request, &actor()).await?;
            }
            let active = paper::faults(&app, chain).await?;
            out.show(&active, |active| fault_table(active))
        }
    }
}

fn fault_table(active: &[FaultView]) -> String {
    if active.is_empty() {
        return "no faults".to_owned();
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

fn show(out: Out, wallet: &PaperWallet) -> Result<(), AppError> {
    out.show(&wallet.balances, |balances| {
        let rows = balances.iter().map(|held| {
            let amount = |whole: Whole| match held.decimals {
                Some(_) => tokens(whole),
                None => format!("{whole} base units"),
            };
            let address = held.token.map(|token| token.to_checksum(None));
            vec![
                held.asset.clone(),
                amount(held.balance),
                amount(held.received),
                amount(held.spent),
                address.unwrap_or_default(),
            ]
        });
        format!(
            "paper wallet {} on {}\n{}",
            wallet.wallet.to_checksum(None),
            wallet.chain,
            table(&["asset", "balance", "received", "spent", "address"], rows)
        )
    })
}
