//! A new live job: what is not known is asked of the chain, and what is missing is an error.

use alloy_primitives::Address;
use rust_decimal::Decimal;

use super::{Groundwork, LOOKUP_PATIENCE, StartArgs, is_ticker, past};
use crate::{
    app::{App, AppError, policy, wallets},
    chain::{ChainSpec, LiveChain, agreed_token_info, one_node_warning},
    config::{JobLayers, Settings},
    domain::{
        chains::USDC_DECIMALS,
        config::{JobConfig, SourceName},
        ids::JobId,
        job::{Account, JobMode, Realm, Token},
        pool::NATIVE,
        units::Price,
    },
    ports::{Asset, Chain, PriceRequest, Prices},
    store::{
        self,
        jobs::{self, Job},
    },
};

/// Every EVM chain's native coin has this many digits, and so has its wrapped form.
const NATIVE_DECIMALS: u8 = 18;

pub(super) async fn prepare(
    settings: &Settings,
    world: &App,
    args: &StartArgs,
    address: Address,
    given: &JobLayers,
    (mode, mut config): (JobMode, JobConfig),
) -> Result<Groundwork, AppError> {
    settings.chain(&args.chain)?.with_rpc()?;
    let wallet = wallets::choose(settings)?;
    let live = world.live().chain(&args.chain)?.clone();
    let mut assumed = vec![format!("wallet {wallet} (wallet.address)")];
    safeguards(world, args, address, given, &mut config, &mut assumed).await?;
    config
        .validate_for(mode, Realm::Live, &args.chain)
        .map_err(AppError::Config)?;
    if let Some(warning) = one_node_warning(&live.spec) {
        assumed.push(format!("WARNING: {warning}"));
    }
    let token = token(&live, args, address, &mut assumed).await?;
    let quote = quote(&live.spec, args, &mut assumed)?;
    require_witness(&live.spec, &config)?;
    let account = Account {
        realm: Realm::Live,
        chain: args.chain.clone(),
        wallet,
    };
    past::require_known(world, &live, &account).await?;
    assumed.extend(past::unexplained(world, &live, &account, &token).await?);
    let quote_price = usd_price(&live, quote.address).await?;
    believe(world, &args.chain, address, quote.address, &config, &mut assumed).await?;
    Ok(Groundwork {
        account,
        token,
        quote,
        quote_price,
        config,
        assumed,
    })
}

/// Says what begins safe since nobody chose it, and adds a second source where there is one. What somebody chose has floors: see [`JobConfig::validate_for`].
async fn safeguards(
    world: &App,
    args: &StartArgs,
    token: Address,
    given: &JobLayers,
    config: &mut JobConfig,
    assumed: &mut Vec<String>,
) -> Result<(), AppError> {
    if !given.sets("schedule.jitter") {
        assumed.push(format!(
            "jitter {0}, so that nobody can foresee a trade (--set schedule.jitter={0})",
            config.schedule.jitter
        ));
    }
    if !given.sets("price.sources") {
        match listed(world, &args.chain, token).await? {
            Ok(price) => {
                config.price.sources = vec![SourceName::Onchain, SourceName::Dexscreener];
                assumed.push(format!(
                    "prices from the pool, checked against DexScreener, which says {price} USD: a trade needs both \
                     (--set price.sources=..)"
                ));
            }
            Err(why) => {
                assumed.push(format!(
                    "prices from the pool ALONE, since there is no second source: {why} (--set \
                     price.sources=onchain,dexscreener asks for one; a V3 pool's own mean: --set \
                     price.sources=onchain,twap)"
                ));
            }
        }
    }
    if !given.sets("price.max_price_move_pct") {
        assumed.push(format!(
            "a price that moves more than {0} % from one sample to the next must last before it is believed (--set \
             price.max_price_move_pct={0})",
            config.price.max_price_move_pct
        ));
    }
    Ok(())
}

/// USD per whole token as DexScreener has it, or why it has none.
async fn listed(world: &App, chain: &str, token: Address) -> Result<Result<Decimal, String>, AppError> {
    let book = world.prices()?;
    let now = store::now(&world.pool).await?;
    let asked = tokio::time::timeout(LOOKUP_PATIENCE, book.dexscreener().lookup(chain, token, now)).await;
    Ok(asked.map_or_else(
        |_| Err(format!("no answer within {} s", LOOKUP_PATIENCE.as_secs())),
        |found| {
            found
                .map(|info| info.price_usd)
                .map_err(|error| error.to_string())
        },
    ))
}

/// With real money, one node is not enough to begin with: whoever answers there decides price and quote.
fn require_witness(spec: &ChainSpec, config: &JobConfig) -> Result<(), AppError> {
    let price = &config.price;
    let enough = !price.on_chain_only() || price.single_source || spec.node_by_node().len() > 1;
    if enough || !spec.is_known() {
        return Ok(());
    }
    let sources: Vec<String> = price.sources.iter().map(ToString::to_string).collect();
    Err(AppError::Refused(format!(
        "price.sources is [{}] and chain {} has one node: nobody confirms the first price, nor that of a liquidation. Give \
         chains.{}.rpc_urls a second URL of another provider, or add a source outside the chain with \
         --set price.sources=onchain,dexscreener, or say that one is enough with --set price.single_source=true",
        sources.join(", "),
        spec.name,
        spec.name
    )))
}

/// What a job pays with never changes.
pub(super) fn require_quote(world: &App, args: &StartArgs, job: &Job, asked: &str) -> Result<(), AppError> {
    let live = world.live().chain(&job.account.chain)?;
    if quote(&live.spec, args, &mut Vec::new())?.address == job.quote.address {
        return Ok(());
    }
    Err(AppError::Refused(format!(
        "job {} pays with {}, which never changes; `remove` it first to pay with --quote {asked}, or start it without --quote",
        job.id, job.quote.symbol
    )))
}

/// USD per whole quote token of a job that is there already.
pub(super) async fn quote_price(world: &App, job: &Job) -> Result<Price, AppError> {
    let live = world.live().chain(&job.account.chain)?.clone();
    usd_price(&live, job.quote.address).await
}

async fn usd_price(live: &LiveChain, quote: Address) -> Result<Price, AppError> {
    let known = live.chain.usd_price(Asset::of(quote)).await;
    known
        .map(|known| known.price)
        .map_err(|error| AppError::Network(format!("the price of the quote token: {error}")))
}

/// What the policy of this machine lacks for the job; it is said where the job is started, for nothing is signed until
/// the worker's own policy allows it.
pub(super) async fn policy(world: &App, job: JobId) -> Result<Option<String>, AppError> {
    let found = jobs::by_ids(&world.pool, &[job]).await?;
    let Some(Ok(job)) = found.first() else {
        return Ok(None);
    };
    let Some(missing) = policy::missing(world, job).await else {
        return Ok(None);
    };
    let mut text = format!("  NOT ALLOWED YET: {}\n", missing.lacks.join("; "));
    text.push_str("  nothing is signed until it is allowed on the machine whose worker holds the key:\n");
    if let Some(command) = missing.command {
        text.push_str(&format!("    {command}\n"));
    }
    Ok(Some(text))
}

/// Ticker and digits as the contract has them: a wrong number of digits would be a wrong amount of money.
async fn token(
    live: &LiveChain,
    args: &StartArgs,
    address: Address,
    assumed: &mut Vec<String>,
) -> Result<Token, AppError> {
    let info = agreed_token_info(&live.rpc, &live.spec, address)
        .await
        .map_err(|error| AppError::Network(error.to_string()))?;
    if let Some(given) = args.decimals.filter(|given| *given != info.decimals) {
        return Err(AppError::Usage(format!(
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
            return Err(AppError::Usage(format!(
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

fn quote(spec: &ChainSpec, args: &StartArgs, assumed: &mut Vec<String>) -> Result<Token, AppError> {
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
        Err(AppError::Usage(format!(
            "--quote {asked}: {native}, {wrapped} or USDC are allowed on {}",
            spec.name
        )))
    }
}

/// No live job starts on a price that cannot be had.
async fn believe(
    world: &App,
    chain: &str,
    token: Address,
    quote: Address,
    config: &JobConfig,
    assumed: &mut Vec<String>,
) -> Result<(), AppError> {
    let request = PriceRequest {
        chain,
        token,
        quote,
        pool: config.venue.pool,
        decimals: None,
        config: &config.price,
    };
    let now = store::now(&world.pool).await?;
    let answers = world.prices()?.answers(&[request], now).await;
    for answer in answers.into_iter().flatten() {
        let observed = answer.map_err(|missing| AppError::Network(missing.to_string()))?;
        assumed.push(format!("{} says {} USD now", observed.source, observed.price_usd));
    }
    Ok(())
}
