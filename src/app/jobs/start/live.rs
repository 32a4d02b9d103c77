//! A new live job: values that are not given are read from the chain; what cannot be read is an error.

use alloy_primitives::Address;
use rust_decimal::Decimal;

use super::{
    listing::look_up,
    past,
    request::{Groundwork, Plan, StartRequest},
};
use crate::app::message::{Advice, Field, Message, message};
use crate::{
    app::{App, AppError, ErrorKind, name::JobName, ticker::is_ticker, wallets},
    chain::{ChainSpec, LiveChain, agreed_token_info, one_node_warning},
    domain::{
        brief,
        chains::USDC_DECIMALS,
        config::{JobConfig, SourceName},
        job::{Account, Realm, Token},
        onchain::Asset,
        pool::NATIVE,
        units::{NATIVE_DECIMALS, Price},
    },
    ports::{Chain, PriceRequest, Prices},
    prices::TokenListing,
    store::{self, jobs::Job},
};

pub(super) async fn prepare(app: &App, plan: &mut Plan<'_>) -> Result<Groundwork, AppError> {
    let request = plan.request;
    app.settings.chain(&request.chain)?.with_rpc()?;
    let wallet = wallets::choose(&app.settings)?;
    let live = app.live().chain(&request.chain)?.clone();
    plan.assumed
        .push(format!("wallet {wallet} (wallet.address)").into());
    safeguards(app, plan).await?;
    plan.config
        .validate_for(plan.mode, Realm::Live, &request.chain)
        .map_err(AppError::Config)?;
    if let Some(warning) = one_node_warning(&live.spec) {
        plan.assumed.push(format!("WARNING: {warning}").into());
    }
    let token = token(&live, request, &mut plan.assumed).await?;
    let quote = quote(&live.spec, request, &mut plan.assumed)?;
    require_witness(&live.spec, &plan.config)?;
    let account = Account {
        realm: Realm::Live,
        chain: request.chain.clone(),
        wallet,
    };
    past::require_known(app, &live, &account).await?;
    plan.assumed
        .extend(past::unexplained(app, &live, &account, &token).await?);
    let quote_price = usd_price(&live, quote.address).await?;
    require_price(app, plan, quote.address).await?;
    Ok(Groundwork {
        account,
        token,
        quote,
        quote_price,
    })
}

/// Reports the safe defaults of a live job, and adds a second price source if there is one. Given values have
/// floors: see [`JobConfig::validate_for`].
async fn safeguards(app: &App, plan: &mut Plan<'_>) -> Result<(), AppError> {
    let Plan {
        request,
        given,
        config,
        assumed,
        ..
    } = plan;
    if !given.sets("schedule.jitter") {
        let jitter = config.schedule.jitter;
        assumed.push(message![
            format!("jitter {jitter}, so that trades cannot be predicted ("),
            Advice::Set(format!("schedule.jitter={jitter}").into()),
            ")",
        ]);
    }
    if !given.sets("price.sources") {
        match look_up(app, &request.chain, request.token).await? {
            Ok(TokenListing { price_usd: price, .. }) => {
                config.price.sources = vec![SourceName::Onchain, SourceName::Dexscreener];
                assumed.push(message![
                    format!(
                        "prices from the pool, checked against DexScreener, which says {price} USD: a trade needs both ("
                    ),
                    Advice::Set("price.sources=..".into()),
                    ")",
                ]);
            }
            Err(why) => {
                assumed.push(message![
                    format!("prices from the pool ALONE, since there is no second source: {why} ("),
                    Advice::Set("price.sources=onchain,dexscreener".into()),
                    " asks for one; a V3 pool's own mean: ",
                    Advice::Set("price.sources=onchain,twap".into()),
                    ")",
                ]);
            }
        }
    }
    if !given.sets("price.max_price_move_pct") {
        let most = config.price.max_price_move_pct;
        assumed.push(message![
            format!(
                "a price that moves more than {most} % from one sample to the next must last before it is accepted ("
            ),
            Advice::Set(format!("price.max_price_move_pct={most}").into()),
            ")",
        ]);
    }
    Ok(())
}

/// With real money one node is not enough to start: it alone would determine price and quote.
fn require_witness(spec: &ChainSpec, config: &JobConfig) -> Result<(), AppError> {
    let price = &config.price;
    let enough = !price.on_chain_only() || price.single_source || spec.node_by_node().len() > 1;
    if enough || !spec.is_known() {
        return Ok(());
    }
    let sources: Vec<String> = price.sources.iter().map(ToString::to_string).collect();
    let problem = format!(
        "price.sources is [{}] and chain {} has one node: nothing confirms the first price, nor that of a liquidation. Give \
         chains.{}.rpc_urls a second URL of another provider, or add a source outside the chain with ",
        sources.join(", "),
        spec.name,
        spec.name
    );
    Err(message![
        problem,
        Advice::Set("price.sources=onchain,dexscreener".into()),
        ", or say that one is enough with ",
        Advice::Set("price.single_source=true".into()),
    ]
    .refused())
}

/// A job's quote token never changes.
pub(super) fn require_quote(
    app: &App,
    request: &StartRequest,
    job: &Job,
    asked: &str,
) -> Result<(), AppError> {
    let live = app.live().chain(&job.account.chain)?;
    if quote(&live.spec, request, &mut Vec::new())?.address == job.quote.address {
        return Ok(());
    }
    let problem = format!(
        "{} pays with {}, which never changes; run ",
        JobName::from(job),
        job.quote.symbol
    );
    let without = format!(" {asked}, or start it without ");
    let first = " first to pay with ";
    Err(message![
        problem,
        Advice::Remove(job.id),
        first,
        Field::Quote,
        without,
        Field::Quote
    ]
    .refused())
}

/// USD per whole quote token of an existing job.
pub(super) async fn quote_price(app: &App, job: &Job) -> Result<Price, AppError> {
    let live = app.live().chain(&job.account.chain)?.clone();
    usd_price(&live, job.quote.address).await
}

async fn usd_price(live: &LiveChain, quote: Address) -> Result<Price, AppError> {
    let known = live.chain.usd_price(Asset::of(quote)).await;
    known
        .map(|known| known.price)
        .map_err(|error| AppError::Network(format!("the price of the quote token: {error}")))
}

/// Ticker and decimals from the contract: wrong decimals would mean wrong amounts of money.
async fn token(
    live: &LiveChain,
    request: &StartRequest,
    assumed: &mut Vec<Message>,
) -> Result<Token, AppError> {
    let address = request.token;
    let info = agreed_token_info(&live.rpc, &live.spec, address)
        .await
        .map_err(|error| AppError::Network(error.to_string()))?;
    if let Some(given) = request.decimals.filter(|given| *given != info.decimals) {
        let problem = format!(" {given}: the contract says {}; omit ", info.decimals);
        return Err(message![Field::Decimals, problem, Field::Decimals].bad_input());
    }
    let symbol = match (&request.symbol, info.symbol.filter(|symbol| is_ticker(symbol))) {
        (Some(symbol), _) => symbol.clone(),
        (None, Some(symbol)) => {
            assumed.push(message![
                format!("ticker {symbol} from the contract ("),
                Field::Symbol,
                ")",
            ]);
            symbol
        }
        (None, None) => {
            let problem = format!("token {address} has no ticker that can be shown; give one with ");
            return Err(message![problem, Field::Symbol].bad_input());
        }
    };
    Ok(Token {
        address,
        symbol,
        decimals: info.decimals,
    })
}

fn quote(spec: &ChainSpec, request: &StartRequest, assumed: &mut Vec<Message>) -> Result<Token, AppError> {
    let native = spec.native_symbol.as_str();
    let wrapped = format!("W{native}");
    let asked = request.quote.as_deref().unwrap_or_else(|| {
        assumed.push(message![
            format!("pays with {native} ("),
            Field::Quote,
            format!(" {native}, {wrapped} or USDC)"),
        ]);
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
        let problem = format!(" {asked}: on {} use {native}, {wrapped} or USDC", spec.name);
        Err(message![Field::Quote, problem].bad_input())
    }
}

/// A live job without a current price does not start.
async fn require_price(app: &App, plan: &mut Plan<'_>, quote: Address) -> Result<(), AppError> {
    let request = PriceRequest {
        chain: &plan.request.chain,
        token: plan.request.token,
        quote,
        pool: plan.config.venue.pool,
        decimals: None,
        config: &plan.config.price,
    };
    let now = store::now(&app.pool).await?;
    let answers = app.prices()?.answers(&[request], now).await;
    for answer in answers.into_iter().flatten() {
        let observed = match answer {
            Ok(observed) => observed,
            Err(missing)
                if missing.source_name == SourceName::Onchain && plan.config.venue.pool.is_none() =>
            {
                let next = Advice::Pools(plan.request.token);
                return Err(message![
                    format!("{missing}; what was asked, and what each pool costs: "),
                    next
                ]
                .error(ErrorKind::Network));
            }
            Err(missing) => return Err(AppError::Network(missing.to_string())),
        };
        let price = brief_price(observed.price_usd);
        plan.assumed
            .push(format!("{} says {price} USD now", observed.source).into());
    }
    Ok(())
}

/// As people read it; one that is no price is shown as it came.
fn brief_price(value: Decimal) -> String {
    Price::new(value).map_or_else(|_| value.to_string(), brief::price)
}
