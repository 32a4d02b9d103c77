//! `start`: a new job, a new cycle, or on after a pause.

use std::{path::PathBuf, time::Duration};

use alloy_primitives::Address;
use clap::Args;
use rust_decimal::Decimal;
use serde::Serialize;

use super::{CliError, ModeArg, Out, target, world::World};
use crate::{
    config::{JobLayers, Settings, build_job_config},
    domain::{
        chains::{self, ChainInfo, USDC_DECIMALS},
        config::{JobConfig, SourceName},
        job::{Account, JobMode, JobStatus, Realm, Token, Transition},
        units::{Amount, Price, Rounding, TOKEN_DECIMALS_MAX, Usd},
    },
    paper::default_wallet,
    store::{
        self,
        jobs::{self, Filter, Job, NewJob},
        orders::{self, Order},
    },
};

/// Digits of most tokens, assumed on paper unless told.
const USUAL_DECIMALS: u8 = 18;
/// Longest ticker that the ledger keeps, characters.
const SYMBOL_LENGTH_MAX: usize = 32;
/// Longest wait for a token's ticker and price.
const LOOKUP_PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub(super) struct StartArgs {
    /// Token address
    token: String,
    /// What the job is for
    #[arg(long, value_enum)]
    mode: Option<ModeArg>,
    /// Job configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one key of the configuration, such as accumulate.dca_amount_usd=25
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Chain
    #[arg(long, default_value = "base")]
    chain: String,
    /// The token's ticker [default: looked up]
    #[arg(long)]
    symbol: Option<String>,
    /// Digits of one whole token [default: 18]
    #[arg(long)]
    decimals: Option<u8>,
    /// Mode liquidity: money to begin with, USD; the same as --set liquidity.budget_usd=..
    #[arg(long, value_name = "USD", allow_negative_numbers = true)]
    budget: Option<Decimal>,
    /// Trade with real money
    #[arg(long)]
    live: bool,
}

#[derive(Debug, Serialize)]
struct Started {
    job: i64,
    token: String,
    symbol: String,
    chain: String,
    mode: JobMode,
    status: JobStatus,
    what: String,
    assumed: Vec<String>,
}

pub(super) async fn run(settings: &Settings, out: Out, args: &StartArgs) -> Result<(), CliError> {
    if args.live {
        return Err(CliError::Refused(
            "live trading is not in this version: --live needs a venue, an RPC URL and a keystore, which come with a \
             later one; without --live the job trades on paper"
                .to_owned(),
        ));
    }
    check_token_flags(args)?;
    let token = target::address(&args.token)?;
    let chain = chains::find(&args.chain).map_err(|error| CliError::Usage(format!("--chain: {error}")))?;
    let world = World::open(settings).await?;
    let filter = Filter {
        token: Some(token),
        chain: Some(chain.name.to_owned()),
        status: None,
    };
    let known = jobs::list(&world.pool, &filter)
        .await?
        .into_iter()
        .find(|job| job.account.realm == Realm::Paper);
    let started = match known {
        Some(job) => again(&world, args, job).await?,
        None => create(settings, &world, args, token, chain).await?,
    };
    out.show(&started, |view| {
        let mut text = format!(
            "job {} ({} on {}): {}\n",
            view.job, view.symbol, view.chain, view.what
        );
        for assumed in &view.assumed {
            text.push_str(&format!("  assumed: {assumed}\n"));
        }
        text.push_str("`lgi-mm daemon` runs all jobs; `lgi-mm status` shows one.\n");
        text
    })
}

/// What the flags alone tell: before anything is opened.
fn check_token_flags(args: &StartArgs) -> Result<(), CliError> {
    if let Some(decimals) = args.decimals.filter(|decimals| *decimals > TOKEN_DECIMALS_MAX) {
        return Err(CliError::Usage(format!(
            "--decimals {decimals}: 0 to {TOKEN_DECIMALS_MAX} are allowed"
        )));
    }
    if let Some(symbol) = args.symbol.as_ref().filter(|symbol| !is_ticker(symbol)) {
        return Err(CliError::Usage(format!(
            "--symbol {symbol:?}: 1 to {SYMBOL_LENGTH_MAX} printable characters without spaces are allowed"
        )));
    }
    Ok(())
}

fn layers(below: JobLayers, args: &StartArgs, mode: JobMode) -> Result<JobLayers, CliError> {
    let mut pairs = args.set.clone();
    if let Some(budget) = args.budget {
        if mode != JobMode::Liquidity {
            return Err(CliError::Usage(format!(
                "--budget {budget}: only a job of mode liquidity has a budget; what mode accumulate may spend is \
                 accumulate.max_accumulation_usd"
            )));
        }
        pairs.push(format!("liquidity.budget_usd={budget}"));
    }
    Ok(below.file(args.config.as_deref())?.assignments(&pairs)?)
}

/// A ticker of printable characters only: one from outside must not write to a terminal or into a file's lines.
fn is_ticker(text: &str) -> bool {
    let hidden = |c: char| {
        c.is_control()
            || c.is_whitespace()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    (1..=SYMBOL_LENGTH_MAX).contains(&text.chars().count()) && !text.chars().any(hidden)
}

/// A job that is there: started from IDLE, resumed from PAUSED, left alone while it runs.
async fn again(world: &World, args: &StartArgs, job: Job) -> Result<Started, CliError> {
    if args.mode.is_some_and(|mode| JobMode::from(mode) != job.mode) {
        return Err(CliError::Refused(format!(
            "job {} of this token has mode {}, which never changes; `remove` it first, or start it without --mode",
            job.id, job.mode
        )));
    }
    let other_token = args
        .decimals
        .is_some_and(|decimals| decimals != job.token.decimals)
        || args
            .symbol
            .as_ref()
            .is_some_and(|symbol| *symbol != job.token.symbol);
    if other_token {
        return Err(CliError::Refused(format!(
            "job {} knows this token as {} with {} decimals, which never changes; `remove` it first, or start it \
             without --symbol and --decimals",
            job.id, job.token.symbol, job.token.decimals
        )));
    }
    let given = layers(JobLayers::of_job(), args, job.mode)?;
    if !given.is_empty() && build_job_config(&job.config, job.mode, &given)? != job.config {
        return Err(CliError::Refused(format!(
            "job {} has another configuration; change it with `lgi-mm config edit {} --set key=value`",
            job.id, args.token
        )));
    }
    let order = Order::Start {
        deposit: deposit(&job.config)?,
    };
    let made = orders::order(&world.pool, job.id, order, &target::actor()).await?;
    let what = match (job.status, made) {
        (_, Transition::Already) => "is running already".to_owned(),
        (JobStatus::Idle, _) => format!("started, cycle {}", job.cycle.saturating_add(1)),
        (status, Transition::To(to)) => format!("{status} -> {to}"),
        (status, Transition::Archived) => status.to_string(),
    };
    let status = match made {
        Transition::To(status) => status,
        _ => job.status,
    };
    Ok(view(
        job.id.0,
        &job.token,
        job.account.chain,
        job.mode,
        status,
        what,
        vec![],
    ))
}

async fn create(
    settings: &Settings,
    world: &World,
    args: &StartArgs,
    address: Address,
    chain: &ChainInfo,
) -> Result<Started, CliError> {
    let Some(mode) = args.mode.map(JobMode::from) else {
        return Err(CliError::Usage(
            "a new job needs --mode accumulate or --mode liquidity".to_owned(),
        ));
    };
    let given = layers(JobLayers::new(&settings.defaults, mode), args, mode)?;
    let mut config = build_job_config(&JobConfig::for_mode(mode), mode, &given)?;
    let mut assumed = Vec::new();
    let decimals = args.decimals.unwrap_or_else(|| {
        assumed.push(format!("{USUAL_DECIMALS} decimals (--decimals)"));
        USUAL_DECIMALS
    });
    let symbol = choose_source(world, args, address, chain, &given, &mut config, &mut assumed).await?;
    if !given.sets("schedule.cron") {
        assumed.push(format!(
            "looked at by cron '{}' UTC (--set schedule.cron=..)",
            config.schedule.cron
        ));
    }
    if let Some(recorded) = config.price.recorded.as_mut() {
        let now = store::now(&world.pool).await?;
        recorded.starts_at.get_or_insert(now);
    }
    let new = NewJob {
        account: Account {
            realm: Realm::Paper,
            chain: chain.name.to_owned(),
            wallet: default_wallet(),
        },
        token: Token {
            address,
            symbol,
            decimals,
        },
        quote: Token {
            address: chain.usdc,
            symbol: "USDC".to_owned(),
            decimals: USDC_DECIMALS,
        },
        mode,
        config,
    };
    if new.token.address == new.quote.address {
        return Err(CliError::Usage(format!(
            "token {} is USDC itself, which this job would pay with",
            args.token
        )));
    }
    let order = Order::Start {
        deposit: deposit(&new.config)?,
    };
    let id = jobs::create(&world.pool, &new, &target::actor()).await?;
    orders::order(&world.pool, id, order, &target::actor()).await?;
    let what = format!("started in mode {mode}, on paper");
    Ok(view(
        id.0,
        &new.token,
        new.account.chain,
        mode,
        JobStatus::Running,
        what,
        assumed,
    ))
}

/// The ticker and, unless one was chosen, the price source: real prices if they can be had, invented ones if
/// not, and either is said.
async fn choose_source(
    world: &World,
    args: &StartArgs,
    token: Address,
    chain: &ChainInfo,
    given: &JobLayers,
    config: &mut JobConfig,
    assumed: &mut Vec<String>,
) -> Result<String, CliError> {
    let chosen = given.sets("price.sources");
    if let (Some(symbol), true) = (&args.symbol, chosen) {
        return Ok(symbol.clone());
    }
    let offline = chosen && !config.price.sources.contains(&SourceName::Dexscreener);
    let found = if offline {
        Err("not asked".to_owned())
    } else {
        let book = world.prices()?;
        let now = store::now(&world.pool).await?;
        let asked =
            tokio::time::timeout(LOOKUP_PATIENCE, book.dexscreener().lookup(chain.name, token, now)).await;
        asked.map_or_else(
            |_| Err("no answer within 3 s".to_owned()),
            |found| found.map_err(|error| error.to_string()),
        )
    };
    let fallback = || {
        format!("{:#x}", token)
            .chars()
            .skip(2)
            .take(6)
            .collect::<String>()
            .to_uppercase()
    };
    let symbol = match (&args.symbol, &found) {
        (Some(symbol), _) => symbol.clone(),
        (None, Ok(info)) if is_ticker(&info.symbol) => {
            assumed.push(format!("ticker {} from DexScreener (--symbol)", info.symbol));
            info.symbol.clone()
        }
        (None, _) => {
            assumed.push(format!("ticker {} after its address (--symbol)", fallback()));
            fallback()
        }
    };
    if !chosen {
        match found {
            Ok(info) => {
                config.price.sources = vec![SourceName::Dexscreener];
                assumed.push(format!(
                    "prices from DexScreener, now {} USD (--set price.sources=..)",
                    info.price_usd
                ));
            }
            Err(why) => {
                config.price.sources = vec![SourceName::Generated];
                assumed.push(format!(
                    "INVENTED prices, because {why}; real ones: --set price.sources=dexscreener, your own: \
                     --set price.sources=recorded --set price.recorded.file=FILE"
                ));
            }
        }
    }
    Ok(symbol)
}

/// What a liquidity job begins with, base units of the quote.
fn deposit(config: &JobConfig) -> Result<Amount, CliError> {
    let budget = config
        .liquidity
        .as_ref()
        .map_or(Usd::ZERO, |rules| rules.budget_usd);
    budget
        .to_amount(USDC_DECIMALS, Price::ONE, Rounding::Down)
        .map_err(|error| CliError::Usage(format!("liquidity.budget_usd = {budget}: {error}")))
}

fn view(
    job: i64,
    token: &Token,
    chain: String,
    mode: JobMode,
    status: JobStatus,
    what: String,
    assumed: Vec<String>,
) -> Started {
    let (token, symbol) = (token.address.to_checksum(None), token.symbol.clone());
    Started {
        job,
        token,
        symbol,
        chain,
        mode,
        status,
        what,
        assumed,
    }
}

#[cfg(test)]
mod tests {
    use super::is_ticker;

    #[test]
    fn a_ticker_cannot_write_to_a_terminal() {
        let long = "x".repeat(33);
        for (text, allowed) in [
            ("CLAWD", true),
            ("$WIF", true),
            ("币安人生", true),
            ("", false),
            ("A B", false),
            ("A\nB", false),
            ("\u{1b}[31mRED", false),
            ("\u{202e}CDSU", false),
            ("U\u{200b}SDC", false),
            (long.as_str(), false),
        ] {
            assert_eq!(is_ticker(text), allowed, "{text:?}");
        }
    }
}
