//! `KyberSwap` Aggregator, `GET /CHAIN/api/v1/routes`.

use reqwest::Url;
use serde::Deserialize;

use super::client::{Aggregators, paid, token};
use crate::{domain::units::Amount, ports::RefereeSwap};

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    message: String,
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    route_summary: Option<Summary>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    token_in: String,
    amount_in: String,
    token_out: String,
    amount_out: String,
}

/// What its best route pays out. It names chains as we do: base, ethereum, arbitrum, optimism, polygon, unichain.
pub(super) async fn ask(client: &Aggregators, swap: &RefereeSwap<'_>) -> Result<Amount, String> {
    let base = client.settings.kyberswap_url.trim_end_matches('/');
    let amount = swap.amount_in.to_string();
    let query = [
        ("tokenIn", token(swap.token_in)),
        ("tokenOut", token(swap.token_out)),
        ("amountIn", amount),
    ];
    let url = Url::parse_with_params(&format!("{base}/{}/api/v1/routes", swap.chain), &query);
    let reply: Reply = client.get(url.map_err(|error| error.to_string())?).await?;
    let Some(summary) = reply.data.and_then(|data| data.route_summary) else {
        return Err(match reply.message.as_str() {
            "" => "it names no route".to_owned(),
            said => said.to_owned(),
        });
    };
    paid(
        swap,
        (&summary.token_in, &summary.token_out),
        (&summary.amount_in, &summary.amount_out),
    )
}
