//! `start`: a new job, a new cycle, or on after a pause.

mod live;
mod paper;
mod past;

use std::{path::PathBuf, time::Duration};

use alloy_primitives::Address;
use clap::Args;
use rust_decimal::Decimal;
use serde::Serialize;

use crate::{
    app::{App, AppError},
    cli::{mode::ModeArg, out::Out, target},
    config::{JobLayers, Settings, build_job_config},
    domain::{
        chains,
        config::JobConfig,
        foreign::Foreign,
        ids::JobId,
        job::{Account, JobMode, JobStatus, Realm, Token, Transition},
        units::{Amount, Price, Rounding, TOKEN_DECIMALS_MAX, Usd},
    },
    store::{
        self,
        jobs::{self, Filter, Job, NewJob},
        orders::{self, Order},
    },
};

/// Longest ticker that the ledger keeps, characters.
const SYMBOL_LENGTH_MAX: usize = 32;
/// Longest wait for what DexScreener knows of a token.
const LOOKUP_PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub struct StartArgs {
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
    /// Trade with real money: needs a wallet and a node, see docs/going-live.md
    #[arg(long)]
    live: bool,
    /// With --live: what to pay with and be paid in: the native coin, its wrapped form or USDC, by ticker
    /// [default: the native coin]
    #[arg(long, value_name = "TICKER")]
    quote: Option<String>,
}

#[derive(Debug, Serialize)]
struct Started {
    job: JobId,
    token: String,
    symbol: String,
    chain: String,
    mode: JobMode,
    status: JobStatus,
    what: String,
    assumed: Vec<String>,
    /// What must be allowed on the worker's machine before anything is signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
}

pub async fn run(settings: &Settings, out: Out, args: &StartArgs) -> Result<(), AppError> {
    check_token_flags(args)?;
    let token = crate::app::target::address(&args.token)?;
    let realm = if args.live { Realm::Live } else { Realm::Paper };
    if realm == Realm::Paper {
        chains::find(&args.chain).map_err(|error| AppError::Usage(format!("--chain: {error}")))?;
        if let Some(quote) = &args.quote {
            return Err(AppError::Usage(format!(
                "--quote {quote}: the paper venue trades against USDC; --live goes with it"
            )));
        }
    }
    let world = App::open(settings).await?;
    let filter = Filter {
        token: Some(token),
        chain: Some(args.chain.clone()),
        status: None,
    };
    let known = jobs::list(&world.pool, &filter)
        .await?
        .into_iter()
        .filter(|job| job.account.realm == realm)
        .collect();
    let known = this_wallets(settings, realm, known)?;
    let mut started = match known {
        Some(job) => again(&world, args, job).await?,
        None => create(settings, &world, args, token, realm).await?,
    };
    if realm == Realm::Live {
        started.policy = live::policy(&world, started.job).await?;
    }
    out.show(&started, |view| {
        let mut text = format!(
            "job {} ({} on {}): {}\n",
            view.job, view.symbol, view.chain, view.what
        );
        for assumed in &view.assumed {
            text.push_str(&format!("  assumed: {assumed}\n"));
        }
        if let Some(policy) = &view.policy {
            text.push_str(policy);
        }
        text.push_str("`lgi-mm daemon` runs all jobs; `lgi-mm status` shows one.\n");
        text
    })
}

/// The job that this command means: on paper the only one; live that of the wallet that the settings name, or else the
/// only one.
fn this_wallets(settings: &Settings, realm: Realm, mut known: Vec<Job>) -> Result<Option<Job>, AppError> {
    let chosen = settings.wallet.address.parse::<Address>().ok();
    if let (Realm::Live, Some(wallet)) = (realm, chosen) {
        known.retain(|job| job.account.wallet == wallet);
    }
    if known.len() > 1 {
        let jobs: Vec<String> = known
            .iter()
            .map(|job| format!("{} (wallet {})", job.id, job.account.wallet))
            .collect();
        return Err(AppError::Refused(format!(
            "jobs {} trade this token; set wallet.address to the wallet that is meant",
            jobs.join(" and ")
        )));
    }
    Ok(known.pop())
}

/// What the flags alone tell: before anything is opened.
fn check_token_flags(args: &StartArgs) -> Result<(), AppError> {
    if let Some(decimals) = args.decimals.filter(|decimals| *decimals > TOKEN_DECIMALS_MAX) {
        return Err(AppError::Usage(format!(
            "--decimals {decimals}: 0 to {TOKEN_DECIMALS_MAX} are allowed"
        )));
    }
    if let Some(symbol) = args.symbol.as_ref().filter(|symbol| !is_ticker(symbol)) {
        return Err(AppError::Usage(format!(
            "--symbol {symbol:?}: 1 to {SYMBOL_LENGTH_MAX} printable characters without spaces are allowed"
        )));
    }
    Ok(())
}

fn layers(below: JobLayers, args: &StartArgs, mode: JobMode) -> Result<JobLayers, AppError> {
    let mut pairs = args.set.clone();
    if let Some(budget) = args.budget {
        if mode != JobMode::Liquidity {
            return Err(AppError::Usage(format!(
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
    (1..=SYMBOL_LENGTH_MAX).contains(&text.chars().count())
        && !text.contains(char::is_whitespace)
        && !text.contains(char::REPLACEMENT_CHARACTER)
        && Foreign::new(text).as_str() == text
}

/// What never changes is as it was asked for, and the job may trade at all.
fn check_same(args: &StartArgs, job: &Job) -> Result<(), AppError> {
    if args.mode.is_some_and(|mode| JobMode::from(mode) != job.mode) {
        return Err(AppError::Refused(format!(
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
        return Err(AppError::Refused(format!(
            "job {} knows this token as {} with {} decimals, which never changes; `remove` it first, or start it \
             without --symbol and --decimals",
            job.id, job.token.symbol, job.token.decimals
        )));
    }
    if let Some(refused) = &job.refused {
        return Err(AppError::Refused(format!(
            "job {} cannot trade, its configuration is refused: {refused}; change it with `lgi-mm config edit {} \
             --set key=value`",
            job.id, job.id
        )));
    }
    Ok(())
}

/// A job that is there: started from IDLE, resumed from PAUSED, left alone while it runs.
async fn again(world: &App, args: &StartArgs, job: Job) -> Result<Started, AppError> {
    check_same(args, &job)?;
    if let Some(quote) = &args.quote {
        live::require_quote(world, args, &job, quote)?;
    }
    let given = layers(JobLayers::of_job(), args, job.mode)?;
    if !given.is_empty() && build_job_config(&job.config, job.mode, &given)? != job.config {
        return Err(AppError::Refused(format!(
            "job {} has another configuration; change it with `lgi-mm config edit {} --set key=value`",
            job.id, args.token
        )));
    }
    let quote_price = match job.account.realm {
        Realm::Paper => Price::ONE,
        Realm::Live => live::quote_price(world, &job).await?,
    };
    let order = Order::Start {
        deposit: deposit(&job.config, job.quote.decimals, quote_price)?,
    };
    let made = orders::order(&world.pool, job.id, order, target::actor().as_str()).await?;
    let mut what = match (job.status, made) {
        (_, Transition::Already) => "is running already".to_owned(),
        (JobStatus::Idle, _) => format!("started, cycle {}", job.cycle.saturating_add(1)),
        (status, Transition::To(to)) => format!("{status} -> {to}"),
        (status, Transition::Archived) => status.to_string(),
    };
    if job.account.realm == Realm::Live {
        what.push_str(&format!(
            "; LIVE: {}",
            trades_for(&job.account, &job.token, &job.quote)
        ));
    }
    let status = match made {
        Transition::To(status) => status,
        _ => job.status,
    };
    Ok(view(
        job.id,
        &job.token,
        job.account.chain,
        job.mode,
        status,
        what,
        vec![],
    ))
}

/// What a new job needs to know of its world.
struct Groundwork {
    account: Account,
    token: Token,
    quote: Token,
    /// USD per whole quote token, now.
    quote_price: Price,
    config: JobConfig,
    assumed: Vec<String>,
}

async fn create(
    settings: &Settings,
    world: &App,
    args: &StartArgs,
    address: Address,
    realm: Realm,
) -> Result<Started, AppError> {
    let Some(mode) = args.mode.map(JobMode::from) else {
        return Err(AppError::Usage(
            "a new job needs --mode accumulate or --mode liquidity".to_owned(),
        ));
    };
    let given = layers(JobLayers::new(&settings.defaults, mode), args, mode)?;
    let config = build_job_config(&JobConfig::beginning(mode, realm), mode, &given)?;
    let mut ground = match realm {
        Realm::Paper => paper::prepare(world, args, address, &given, config).await?,
        Realm::Live => live::prepare(settings, world, args, address, &given, (mode, config)).await?,
    };
    if !given.sets("schedule.cron") {
        ground.assumed.push(format!(
            "looked at by cron '{}' UTC (--set schedule.cron=..)",
            ground.config.schedule.cron
        ));
    }
    if let Some(recorded) = ground.config.price.recorded.as_mut() {
        let now = store::now(&world.pool).await?;
        recorded.starts_at.get_or_insert(now);
    }
    if ground.token.address == ground.quote.address {
        return Err(AppError::Usage(format!(
            "token {} is {} itself, which this job would pay with",
            args.token, ground.quote.symbol
        )));
    }
    let (its_realm, chain) = (ground.account.realm, ground.account.chain.as_str());
    ground
        .config
        .validate_for(mode, its_realm, chain)
        .map_err(AppError::Config)?;
    let order = Order::Start {
        deposit: deposit(&ground.config, ground.quote.decimals, ground.quote_price)?,
    };
    let new = NewJob {
        account: ground.account,
        token: ground.token,
        quote: ground.quote,
        mode,
        config: ground.config,
    };
    let id = jobs::create(&world.pool, &new, target::actor().as_str()).await?;
    orders::order(&world.pool, id, order, target::actor().as_str()).await?;
    let what = match realm {
        Realm::Paper => format!("started in mode {mode}, on paper"),
        Realm::Live => format!(
            "started in mode {mode}, LIVE: {}",
            trades_for(&new.account, &new.token, &new.quote)
        ),
    };
    Ok(view(
        id,
        &new.token,
        new.account.chain,
        mode,
        JobStatus::Running,
        what,
        ground.assumed,
    ))
}

fn trades_for(account: &Account, token: &Token, quote: &Token) -> String {
    format!(
        "wallet {} trades {} for {}",
        account.wallet, token.symbol, quote.symbol
    )
}

/// What a liquidity job begins with, base units of the quote.
fn deposit(config: &JobConfig, decimals: u8, price: Price) -> Result<Amount, AppError> {
    let budget = config.rules.budget().unwrap_or(Usd::ZERO);
    budget
        .to_amount(decimals, price, Rounding::Down)
        .map_err(|error| AppError::Usage(format!("liquidity.budget_usd = {budget}: {error}")))
}

fn view(
    job: JobId,
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
        policy: None,
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
