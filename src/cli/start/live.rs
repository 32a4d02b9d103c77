//! A new live job: what is not known is asked of the chain, and what is missing is an error.

use alloy_primitives::Address;
use rust_decimal::Decimal;

use super::{Groundwork, StartArgs, is_ticker};
use crate::{
    chain::{ChainSpec, LiveChain, one_node_warning, token_info},
    cli::{CliError, wallet, world::World},
    config::{JobLayers, Settings},
    domain::{
        chains::USDC_DECIMALS,
        config::{JobConfig, SourceName},
        job::{Account, Realm, Token},
        pool::NATIVE,
        span::Span,
        units::Price,
    },
    ports::{Asset, Chain, PriceRequest, Prices},
    store::{self, jobs::Job},
};

/// Every EVM chain's native coin has this many digits, and so has its wrapped form.
const NATIVE_DECIMALS: u8 = 18;
/// Slots are predictable to others; a live job's start within so long after them.
const USUAL_JITTER: Span = Span::from_secs(10);

/// Per cent. Where only the pool itself is asked, our own last sample is the independent source: whoever pushes the
/// price further than this within a block gets no trade out of it.
fn believable_move() -> Decimal {
    Decimal::from(5)
}

pub(super) async fn prepare(
    settings: &Settings,
    world: &World,
    args: &StartArgs,
    address: Address,
    given: &JobLayers,
    mut config: JobConfig,
) -> Result<Groundwork, CliError> {
    settings.chain(&args.chain)?.with_rpc()?;
    let wallet = wallet::choose(settings, &settings.keys()?)?;
    let live = world.live().chain(&args.chain)?.clone();
    let mut assumed = vec![format!("wallet {wallet} (wallet.address)")];
    if let Some(warning) = one_node_warning(&live.spec) {
        assumed.push(format!("WARNING: {warning}"));
    }
    let token = token(&live, args, address, &mut assumed).await?;
    let quote = quote(&live.spec, args, &mut assumed)?;
    if !given.sets("schedule.jitter") && USUAL_JITTER < config.schedule.max_lateness {
        config.schedule.jitter = USUAL_JITTER;
        assumed.push(format!(
            "jitter {USUAL_JITTER}, so that nobody can foresee a trade (--set schedule.jitter=..)"
        ));
    }
    if !given.sets("price.sources") {
        config.price.sources = vec![SourceName::Onchain];
        assumed.push(
            "prices from the pool itself (--set price.sources=onchain,dexscreener checks them against another source)"
                .to_owned(),
        );
    }
    if !given.sets("price.max_price_move_pct") && config.price.sources == [SourceName::Onchain] {
        config.price.max_price_move_pct = believable_move();
        assumed.push(format!(
            "a price that moves more than {} % from one sample to the next must last before it is believed: the pool \
             alone says it (--set price.max_price_move_pct=..)",
            config.price.max_price_move_pct
        ));
    }
    let quote_price = usd_price(&live, quote.address).await?;
    believe(world, &args.chain, address, quote.address, &config, &mut assumed).await?;
    Ok(Groundwork {
        account: Account {
            realm: Realm::Live,
            chain: args.chain.clone(),
            wallet,
        },
        token,
        quote,
        quote_price,
        config,
        assumed,
    })
}

/// What a job pays with never changes.
pub(super) fn require_quote(world: &World, args: &StartArgs, job: &Job, asked: &str) -> Result<(), CliError> {
    let live = world.live().chain(&job.account.chain)?;
    if quote(&live.spec, args, &mut Vec::new())?.address == job.quote.address {
        return Ok(());
    }
    Err(CliError::Refused(format!(
        "job {} pays with {}, which never changes; `remove` it first to pay with --quote {asked}, or start it without --quote",
        job.id, job.quote.symbol
    )))
}

/// USD per whole quote token of a job that is there already.
pub(super) async fn quote_price(world: &World, job: &Job) -> Result<Price, CliError> {
    let live = world.live().chain(&job.account.chain)?.clone();
    usd_price(&live, job.quote.address).await
}

async fn usd_price(live: &LiveChain, quote: Address) -> Result<Price, CliError> {
    let known = live.chain.usd_price(Asset::of(quote)).await;
    known
        .map(|known| known.price)
        .map_err(|error| CliError::Network(format!("the price of the quote token: {error}")))
}

/// Ticker and digits as the contract has them: a wrong number of digits would be a wrong amount of money.
async fn token(
    live: &LiveChain,
    args: &StartArgs,
    address: Address,
    assumed: &mut Vec<String>,
) -> Result<Token, CliError> {
    let info = token_info(&live.rpc, address)
        .await
        .map_err(|error| CliError::Network(error.to_string()))?;
    if let Some(given) = args.decimals.filter(|given| *given != info.decimals) {
        return Err(CliError::Usage(format!(
            "--decimals {given}: the contract says {}; leave the flag out",
            info.decimals
        )));
    }
    let symbol = match (&args.symbol, info.symbol.filter(|symbol| is_ticker(symbol))) {
        (Some(symbol), _) => symbol.clone(),
        (None, Some(symbol)) => {
            assumed.push(format!("ticker {symbol} from the contract (--symbol)"));
            symbol
        }
        (None, None) => {
            return Err(CliError::Usage(format!(
                "token {address} has no ticker that can be shown; give one with --symbol"
            )));
        }
    };
    Ok(Token {
        address,
        symbol,
        decimals: info.decimals,
    })
}

fn quote(spec: &ChainSpec, args: &StartArgs, assumed: &mut Vec<String>) -> Result<Token, CliError> {
    let native = spec.native_symbol.as_str();
    let wrapped = format!("W{native}");
    let asked = args.quote.as_deref().unwrap_or_else(|| {
        assumed.push(format!(
            "pays with {native} (--quote {native}, {wrapped} or USDC)"
        ));
        native
    });
    let token = |address, symbol: &str, decimals| Token {
        address,
        symbol: symbol.to_owned(),
        decimals,
    };
    if asked.eq_ignore_ascii_case(native) {
        Ok(token(NATIVE, native, NATIVE_DECIMALS))
    } else if asked.eq_ignore_ascii_case(&wrapped) {
        Ok(token(spec.wrapped_native, &wrapped, NATIVE_DECIMALS))
    } else if asked.eq_ignore_ascii_case("USDC") {
        Ok(token(spec.usdc, "USDC", USDC_DECIMALS))
    } else {
        Err(CliError::Usage(format!(
            "--quote {asked}: {native}, {wrapped} or USDC are allowed on {}",
            spec.name
        )))
    }
}

/// No live job starts on a price that cannot be had.
async fn believe(
    world: &World,
    chain: &str,
    token: Address,
    quote: Address,
    config: &JobConfig,
    assumed: &mut Vec<String>,
) -> Result<(), CliError> {
    let request = PriceRequest {
        chain,
        token,
        quote,
        pool: config.venue.pool,
        config: &config.price,
    };
    let now = store::now(&world.pool).await?;
    let answers = world.prices()?.answers(&[request], now).await;
    for answer in answers.into_iter().flatten() {
        let observed = answer.map_err(|missing| CliError::Network(missing.to_string()))?;
        assumed.push(format!("{} says {} USD now", observed.source, observed.price_usd));
    }
    Ok(())
}
