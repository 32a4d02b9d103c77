//! Money of the paper wallet.

use axum::{extract::State, http::StatusCode, response::Response};
use rust_decimal::Decimal;
use serde::Deserialize;
use utoipa::ToSchema;

use super::once::Write;
use crate::{
    api::{extract::At, problem::Problem, state::Shared},
    app::paper::{self, FundRequest, TokenFunds},
    domain::units::exact_decimal_or_none,
};

/// New balances; what is not given stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Fund {
    /// USDC, whole coins
    #[serde(default, deserialize_with = "exact_decimal_or_none")]
    #[schema(value_type = Option<String>)]
    usdc: Option<Decimal>,
    /// The native coin, whole coins
    #[serde(default, deserialize_with = "exact_decimal_or_none")]
    #[schema(value_type = Option<String>)]
    native: Option<Decimal>,
    /// Tokens as TOKEN=BALANCE: an address, or the ticker of a token that a paper job trades; such as CLAWD=1500.5
    #[serde(default)]
    tokens: Vec<String>,
    /// Decimals of tokens that no job trades or traded; 18 without it
    decimals: Option<u8>,
}

/// Sets balances of the paper wallet.
#[utoipa::path(post, path = "/api/v1/paper/{chain}/fund", tag = "paper", params(("chain" = String, Path)),
    request_body = Fund, extensions(("x-role" = json!("owner"))),
    responses((status = 200, description = "All balances", body = ref("#/components/schemas/paper-wallet"))))]
pub(in crate::api) async fn fund(
    State(api): State<Shared>,
    At(chain): At<String>,
    write: Write<Fund>,
) -> Result<Response, Problem> {
    let (body, order) = write.split();
    let tokens: Result<Vec<TokenFunds>, String> = body.tokens.iter().map(|text| text.parse()).collect();
    let tokens = tokens.map_err(|why| {
        let detail = format!("tokens: {why}");
        Problem::malformed(StatusCode::UNPROCESSABLE_ENTITY, &detail)
    })?;
    let request = FundRequest {
        usdc: body.usdc,
        native: body.native,
        tokens,
        decimals: body.decimals,
    };
    let (app, actor) = (api.clone(), order.actor());
    let work = async move { Ok(paper::fund(&app.app, &chain, &request, &actor).await?.balances) };
    order.once(&api, work).await
}
