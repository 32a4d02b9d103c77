//! `policy allow`: shows the entry, asks for confirmation, then writes it.

use std::io::{IsTerminal, stdin};

use alloy_primitives::Address;
use clap::Args;
use rust_decimal::Decimal;

use super::entry::described;
use crate::{
    app::{
        App, AppError, Target,
        policy::{self, AllowRequest, Limits, PolicyQuote, PolicyRouter, Subject},
    },
    cli::{confirm::says_yes, out::Out, target::actor},
    config::Settings,
    domain::span::Span,
};

#[derive(Debug, Args)]
pub struct AllowArgs {
    /// Job to allow: token address, job number or ticker
    job: Option<String>,
    /// Chain of the job or wallet
    #[arg(long, conflicts_with = "job")]
    chain: Option<String>,
    /// Wallet of the key that signs
    #[arg(long, conflicts_with = "job")]
    wallet: Option<Address>,
    /// Token address to allow, in addition to those already allowed
    #[arg(long, conflicts_with = "job")]
    token: Vec<Address>,
    /// Quote to allow
    #[arg(long, conflicts_with = "job", value_name = "native|wrapped|usdc")]
    quote: Vec<PolicyQuote>,
    /// Maximum spend of one buy, USD
    #[arg(long, value_name = "USD")]
    max_trade_usd: Option<Decimal>,
    /// Maximum spend of all buys in 60 minutes, USD
    #[arg(long, value_name = "USD")]
    max_hour_usd: Option<Decimal>,
    /// Maximum spend of all buys in a UTC day, USD
    #[arg(long, value_name = "USD")]
    max_day_usd: Option<Decimal>,
    /// Maximum gas of one transaction, replacements included, USD
    #[arg(long, value_name = "USD")]
    max_gas_usd: Option<Decimal>,
    /// Maximum loss of a swap: how far its minimum output may be below fair value, basis points, 0 to 10000 [default of
    /// a new entry: 1000]
    #[arg(long, value_name = "BPS", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    max_loss_bps: Option<u32>,
    /// Longest validity of a transaction [default of a new entry: 10m]
    #[arg(long, value_name = "DURATION")]
    max_deadline: Option<Span>,
    /// Lowest valuation of the native coin, USD [default of a new entry: a third of its current price]
    #[arg(long, value_name = "USD")]
    native_usd_min: Option<Decimal>,
    /// An address that `withdraw` and `wallet sweep` may pay, with its checksum, in addition to those already allowed
    #[arg(long, value_name = "ADDRESS")]
    withdraw_to: Vec<String>,
    /// Routers beyond Uniswap's that may be used, in addition to those already allowed
    #[arg(long, value_name = "NAME,..", value_delimiter = ',', value_parser = router)]
    routers: Vec<PolicyRouter>,
    /// Write without asking for confirmation
    #[arg(long)]
    yes: bool,
    /// Print the resulting file and write nothing
    #[arg(long, conflicts_with = "yes")]
    print: bool,
}

pub(super) async fn run(settings: &Settings, out: Out, args: &AllowArgs) -> Result<(), AppError> {
    let app = match &args.job {
        Some(_) => Some(App::open(settings).await?),
        None => None,
    };
    let proposal = policy::propose(settings, app.as_ref(), &args.request()?).await?;
    if args.print {
        return out.raw(&proposal.text);
    }
    if !args.yes {
        out.remark(&described(&proposal.entry));
        if !confirmed(out, &format!("Write this to {}?", proposal.file.display()))? {
            return Err(AppError::Refused("nothing was written".to_owned()));
        }
    }
    let allowed = policy::write(app.as_ref(), proposal, &actor()).await?;
    out.show(&allowed, |allowed| {
        format!(
            "{}written to {}; it applies to running workers from their next signature on\n",
            described(&allowed.entry),
            allowed.file.display()
        )
    })
}

fn router(text: &str) -> Result<PolicyRouter, String> {
    text.parse::<PolicyRouter>().map_err(|error| error.to_string())
}

/// Asks for confirmation on a terminal; without one, `--yes` is needed.
fn confirmed(out: Out, question: &str) -> Result<bool, AppError> {
    if !stdin().is_terminal() {
        return Err(AppError::Usage(
            "nothing was written: there is no terminal to confirm on; review the entry with --print, then give --yes"
                .to_owned(),
        ));
    }
    says_yes(out, question)
}

impl AllowArgs {
    fn request(&self) -> Result<AllowRequest, AppError> {
        let subject = match (&self.job, &self.chain, self.wallet) {
            (Some(job), ..) => Subject::Job(Target::anywhere(job)),
            (None, Some(chain), Some(wallet)) => Subject::Key {
                chain: chain.clone(),
                wallet,
                tokens: self.token.clone(),
                quotes: self.quote.clone(),
            },
            (None, ..) => {
                return Err(AppError::Usage(
                    "give a JOB, or --chain and --wallet with --token, --quote and limits; `lgi-mm policy check` prints the \
                     whole command"
                        .to_owned(),
                ));
            }
        };
        Ok(AllowRequest {
            subject,
            withdraw_to: self.withdraw_to.clone(),
            routers: self.routers.clone(),
            limits: Limits {
                max_trade_usd: self.max_trade_usd,
                max_hour_usd: self.max_hour_usd,
                max_day_usd: self.max_day_usd,
                max_gas_usd: self.max_gas_usd,
                max_loss_bps: self.max_loss_bps,
                max_deadline: self.max_deadline,
                native_usd_min: self.native_usd_min,
            },
        })
    }
}
