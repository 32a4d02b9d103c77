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
        Some(job) => again(settings, &world, args, job).await?,
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

fn layers(settings: &Settings, args: &StartArgs, mode: JobMode) -> Result<JobLayers, CliError> {
    let mut pairs = args.set.clone();
    if let Some(budget) = args.budget {
        pairs.push(format!("liquidity.budget_usd={budget}"));
    }
    let layers = JobLayers::new(&settings.defaults, mode).file(args.config.as_deref())?;
    Ok(layers.assignments(&pairs)?)
}

/// A job that is there: started from IDLE, resumed from PAUSED, left alone while it runs.
async fn again(settings: &Settings, world: &World, args: &StartArgs, job: Job) -> Result<Started, CliError> {
    if args.mode.is_some_and(|mode| JobMode::from(mode) != job.mode) {
        return Err(CliError::Refused(format!(
            "job {} of this token has mode {}, which never changes; `remove` it first, or start it without --mode",
            job.id, job.mode
        )));
    }
    let given = layers(settings, args, job.mode)?;
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
    let given = layers(settings, args, mode)?;
    let mut config = build_job_config(&JobConfig::for_mode(mode), mode, &given)?;
    let mut assumed = Vec::new();
    let decimals = args.decimals.unwrap_or_else(|| {
        assumed.push(format!("{USUAL_DECIMALS} decimals (--decimals)"));
        USUAL_DECIMALS
    });
    if decimals > TOKEN_DECIMALS_MAX {
        return Err(CliError::Usage(format!(
            "--decimals {decimals}: 0 to {TOKEN_DECIMALS_MAX} are allowed"
        )));
    }
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
    if let Some(symbol) = &args.symbol
        && (symbol.is_empty() || symbol.len() > 32)
    {
        return Err(CliError::Usage(format!(
            "--symbol '{symbol}': 1 to 32 characters are allowed"
        )));
    }
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
        (None, Ok(info)) if (1..=32).contains(&info.symbol.len()) => {
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
