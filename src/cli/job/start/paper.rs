//! A new job on paper: everything has a default, and what was assumed is said.

use alloy_primitives::Address;

use super::{Groundwork, LOOKUP_PATIENCE, StartArgs, is_ticker};
use crate::{
    app::{App, AppError},
    config::JobLayers,
    domain::{
        chains::{self, USDC_DECIMALS},
        config::{JobConfig, SourceName},
        job::{Account, Realm, Token},
        units::Price,
    },
    paper::default_wallet,
    store,
};

/// Digits of most tokens, assumed on paper unless told.
const USUAL_DECIMALS: u8 = 18;

pub(super) async fn prepare(
    world: &App,
    args: &StartArgs,
    address: Address,
    given: &JobLayers,
    mut config: JobConfig,
) -> Result<Groundwork, AppError> {
    let chain = chains::find(&args.chain).map_err(|error| AppError::Usage(format!("--chain: {error}")))?;
    let mut assumed = Vec::new();
    let decimals = args.decimals.unwrap_or_else(|| {
        assumed.push(format!("{USUAL_DECIMALS} decimals (--decimals)"));
        USUAL_DECIMALS
    });
    let symbol = choose_source(world, args, address, chain.name, given, &mut config, &mut assumed).await?;
    Ok(Groundwork {
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
        quote_price: Price::ONE,
        config,
        assumed,
    })
}

/// The ticker and, unless one was chosen, the price source: real prices if they can be had, invented ones if
/// not, and either is said.
async fn choose_source(
    world: &App,
    args: &StartArgs,
    token: Address,
    chain: &str,
    given: &JobLayers,
    config: &mut JobConfig,
    assumed: &mut Vec<String>,
) -> Result<String, AppError> {
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
        let asked = tokio::time::timeout(LOOKUP_PATIENCE, book.dexscreener().lookup(chain, token, now)).await;
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
