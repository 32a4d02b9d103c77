//! Velora (formerly `ParaSwap`), `GET /prices`.

use reqwest::Url;
use serde::Deserialize;

use super::client::{Aggregators, paid, token};
use crate::{domain::units::Amount, ports::RefereeSwap};

/// The version of its contracts whose routes it is asked for.
const VERSION: &str = "6.2";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reply {
    price_route: Option<Route>,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Route {
    network: u64,
    src_token: String,
    src_amount: String,
    dest_token: String,
    dest_amount: String,
}

/// What its best route pays out on the chain of this id.
pub(super) async fn ask(
    client: &Aggregators,
    swap: &RefereeSwap<'_>,
    chain_id: u64,
) -> Result<Amount, String> {
    let base = client.settings.velora_url.trim_end_matches('/');
    let (decimals_in, decimals_out) = swap.decimals;
    let query = [
        ("srcToken", token(swap.token_in)),
        ("destToken", token(swap.token_out)),
        ("amount", swap.amount_in.to_string()),
        ("srcDecimals", decimals_in.to_string()),
        ("destDecimals", decimals_out.to_string()),
        ("side", "SELL".to_owned()),
        ("network", chain_id.to_string()),
        ("version", VERSION.to_owned()),
    ];
    let url = Url::parse_with_params(&format!("{base}/prices/"), &query);
    let reply: Reply = client.get(url.map_err(|error| error.to_string())?).await?;
    let Some(route) = reply.price_route.filter(|route| route.network == chain_id) else {
        return Err(reply
            .error
            .unwrap_or_else(|| "it names no route of this chain".to_owned()));
    };
    paid(
        swap,
        (&route.src_token, &route.dest_token),
        (&route.src_amount, &route.dest_amount),
    )
}
