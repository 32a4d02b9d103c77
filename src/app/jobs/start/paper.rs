//! A new job on paper: everything has a default, and every assumption is reported.

use alloy_primitives::Address;

use super::{
    listing::look_up,
    request::{Groundwork, Plan},
};
use crate::app::message::{Advice, Field, message};
use crate::{
    app::{App, AppError, ticker::is_ticker},
    domain::{
        chains::{self, USDC_DECIMALS},
        config::SourceName,
        job::{Account, Realm, Token},
        units::Price,
    },
    paper::default_wallet,
};

/// Digits of most tokens, assumed on paper unless given.
const USUAL_DECIMALS: u8 = 18;

pub(super) async fn prepare(app: &App, plan: &mut Plan<'_>) -> Result<Groundwork, AppError> {
    let request = plan.request;
    let chain = chains::find(&request.chain)
        .map_err(|error| message![Field::Chain, format!(": {error}")].bad_input())?;
    let decimals = request.decimals.unwrap_or_else(|| {
        plan.assumed.push(message![
            format!("{USUAL_DECIMALS} decimals ("),
            Field::Decimals,
            ")"
        ]);
        USUAL_DECIMALS
    });
    let symbol = choose_source(app, plan, chain.name).await?;
    Ok(Groundwork {
        account: Account {
            realm: Realm::Paper,
            chain: chain.name.to_owned(),
            wallet: default_wallet(),
        },
        token: Token {
            address: request.token,
            symbol,
            decimals,
        },
        quote: Token {
            address: chain.usdc,
            symbol: "USDC".to_owned(),
            decimals: USDC_DECIMALS,
        },
        quote_price: Price::ONE,
    })
}

/// The ticker and, unless one was given, the price source: real prices if there are any, generated ones if not.
async fn choose_source(app: &App, plan: &mut Plan<'_>, chain: &str) -> Result<String, AppError> {
    let request = plan.request;
    let chosen = plan.given.sets("price.sources");
    let sources = &plan.config.price.sources;
    if let Some(source) = sources.iter().find(|source| source.asks_nodes()) {
        let node = app.settings.chain(chain).and_then(|found| found.with_rpc());
        node.map_err(|error| {
            message![format!(
                "price.sources names {source}, which asks the chain's nodes: {error}"
            )]
            .bad_input()
        })?;
    }
    if let (Some(symbol), true) = (&request.symbol, chosen) {
        return Ok(symbol.clone());
    }
    let offline = chosen && !plan.config.price.sources.contains(&SourceName::Dexscreener);
    let found = if offline {
        Err("not looked up".to_owned())
    } else {
        look_up(app, chain, request.token).await?
    };
    let symbol = match (&request.symbol, &found) {
        (Some(symbol), _) => symbol.clone(),
        (None, Ok(info)) if is_ticker(&info.symbol) => {
            plan.assumed.push(message![
                format!("ticker {} from DexScreener (", info.symbol),
                Field::Symbol,
                ")",
            ]);
            info.symbol.clone()
        }
        (None, _) => {
            let symbol = after_address(request.token);
            plan.assumed.push(message![
                format!("ticker {symbol} after its address ("),
                Field::Symbol,
                ")",
            ]);
            symbol
        }
    };
    if chosen {
        return Ok(symbol);
    }
    let (source, assumed) = match found {
        Ok(info) => (
            SourceName::Dexscreener,
            message![
                format!("prices from DexScreener, now {} USD (", info.price_usd),
                Advice::Set("price.sources=..".into()),
                ")",
            ],
        ),
        Err(why) => (
            SourceName::Generated,
            message![
                format!("INVENTED prices, because {why}; real ones: "),
                Advice::Set("price.sources=dexscreener".into()),
                ", your own: ",
                Advice::Set("price.sources=recorded".into()),
                " ",
                Advice::Set("price.recorded.file=FILE".into()),
            ],
        ),
    };
    plan.config.price.sources = vec![source];
    plan.assumed.push(assumed);
    Ok(symbol)
}

/// Six digits of a token's address, as its ticker.
fn after_address(token: Address) -> String {
    let text = format!("{token:#x}");
    let digits = text.chars().skip(2).take(6);
    digits.collect::<String>().to_uppercase()
}
