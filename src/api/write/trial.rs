//! Before a job is started: what its token is, and what the start would do.

use axum::{Json, extract::State};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{
    ToSchema,
    openapi::{
        Ref, RefOr, Schema,
        schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type},
    },
};

use super::start::Start;
use crate::{
    api::{body::Question, problem::Problem, state::Shared, wording::Http},
    app::{
        AppError,
        costs::Costs,
        history::PoolView,
        init,
        jobs::start::{self, KnownToken, TokenName, known_token},
    },
    domain::{
        config::JobConfig,
        ids::JobId,
        job::{JobMode, Realm},
        units::{Price, Rounding, Usd, exact_decimal_or_none},
    },
};

/// A token to look up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Look {
    /// Its address, or the ticker or number of a job that trades or traded it on paper
    token: String,
    /// Its chain; base if it is not given
    chain: Option<String>,
    /// Size of the buy whose costs are asked, USD; 10 if it is not given
    #[serde(default, deserialize_with = "exact_decimal_or_none")]
    #[schema(value_type = Option<String>)]
    amount_usd: Option<Decimal>,
}

/// What is known of a token.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct Found {
    /// Its address
    token: String,
    chain: String,
    symbol: Option<String>,
    name: Option<String>,
    decimals: u8,
    /// USD of a whole token, as the price site has it
    #[schema(value_type = Option<String>)]
    price_usd: Option<Price>,
    /// The deepest first
    #[schema(schema_with = pools)]
    pools: Vec<PoolView>,
    /// What could not be found out, and why
    remarks: Vec<String>,
    /// Of a buy of this size and a sale right after it
    #[schema(schema_with = costs)]
    costs: Costs,
}

fn pools() -> RefOr<Schema> {
    let pool = Ref::new("#/components/schemas/init.PoolView");
    ArrayBuilder::new().items(pool).into()
}

fn costs() -> Ref {
    Ref::new("#/components/schemas/init.Costs")
}

/// Looks a token up: ticker, decimals, pools, and what a buy costs all in. It changes nothing.
#[utoipa::path(post, path = "/api/v1/look", tag = "jobs", request_body = Look,
    extensions(("x-role" = json!("owner")), ("x-question" = json!(true))),
    responses((status = 200, description = "What is known of it", body = Found)))]
pub(in crate::api) async fn look(
    State(api): State<Shared>,
    Question(body): Question<Look>,
) -> Result<Json<Found>, Problem> {
    let app = &api.app;
    let (token, chain) = match TokenName::read(&body.token)? {
        TokenName::Address(token) => (token, body.chain.unwrap_or_else(|| "base".to_owned())),
        TokenName::Job(name) => {
            let known = known_token(app, &name, body.chain.as_deref(), Realm::Paper).await?;
            let KnownToken { token, chain, .. } = known;
            (token, chain)
        }
    };
    let amount = body.amount_usd.unwrap_or(Decimal::TEN);
    if amount <= Decimal::ZERO {
        let detail = format!("`amount_usd` {amount}: must be more than 0");
        return Err(AppError::Usage(detail).into());
    }
    let found = init::found(app, token, &chain).await?;
    let costs = init::costs(app, &found, Usd::rounded(amount, Rounding::Up)).await?;
    Ok(Json(Found {
        token: found.token.to_checksum(None),
        chain: found.chain,
        symbol: found.symbol,
        name: found.name,
        decimals: found.decimals,
        price_usd: found.price_usd,
        pools: found.pools,
        remarks: found
            .remarks
            .iter()
            .map(|remark| remark.rendered(&Http))
            .collect(),
        costs,
    }))
}

/// What a start would do.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct WouldStart {
    /// The job that is there already; null: a new one
    #[schema(value_type = Option<i64>)]
    job: Option<JobId>,
    symbol: String,
    decimals: u8,
    /// What it pays with
    quote: String,
    chain: String,
    /// paper or live
    #[schema(value_type = String)]
    realm: Realm,
    #[schema(value_type = String)]
    mode: JobMode,
    /// What becomes of the job
    does: Option<String>,
    /// What it may spend, in one sentence
    spends: String,
    /// All sections and keys
    #[schema(value_type = serde_json::Value)]
    config: JobConfig,
    /// What its first buy and a sale right after it cost
    #[schema(schema_with = costs_or_none)]
    costs: Option<Costs>,
    /// Assumptions for what was not given, one line each
    assumed: Vec<String>,
}

fn costs_or_none() -> RefOr<Schema> {
    let none = ObjectBuilder::new().schema_type(Type::Null);
    OneOfBuilder::new().item(costs()).item(none).into()
}

/// What a start would do, or why it cannot be made. It changes nothing.
#[utoipa::path(post, path = "/api/v1/jobs/check", tag = "jobs", request_body = Start,
    extensions(("x-role" = json!("owner")), ("x-question" = json!(true))),
    responses((status = 200, description = "What it would do", body = WouldStart)))]
pub(in crate::api) async fn start_check(
    State(api): State<Shared>,
    Question(body): Question<Start>,
) -> Result<Json<WouldStart>, Problem> {
    let request = body.request()?;
    let proposal = start::propose(&api.app, &request).await?;
    let proposed = proposal
        .shown()
        .ok_or_else(|| AppError::Internal("a start without a job".to_owned()))?;
    Ok(Json(WouldStart {
        job: proposed.job,
        symbol: proposed.token.symbol.clone(),
        decimals: proposed.token.decimals,
        quote: proposed.quote.symbol.clone(),
        chain: proposed.account.chain.clone(),
        realm: proposed.account.realm,
        mode: proposed.mode,
        does: proposed.step.map(|step| step.to_string()),
        config: proposed.config.clone(),
        costs: proposed.costs.cloned(),
        assumed: proposed.assumed.iter().map(|line| line.rendered(&Http)).collect(),
        spends: proposed.spends,
    }))
}
