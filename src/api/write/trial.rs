//! Before a job is started: what its token is, what the start would do, and how its rules did on past prices.

use axum::{Json, extract::State, response::Response};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{
    ToSchema,
    openapi::{
        Ref, RefOr, Schema,
        schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type},
    },
};

use super::{jobs::Nothing, once::Write, start::Start};
use crate::{
    api::{
        body::Question,
        extract::At,
        problem::Problem,
        read::trial::{RunView, shown},
        state::Shared,
        wording::Http,
    },
    app::{
        AppError,
        backtest::runs::{RunRequest, Source},
        costs::Costs,
        history::{HistoryRequest, PoolView, parse_step},
        init,
        jobs::start::{self, KnownToken, TokenName, known_token},
        target::address,
    },
    backtest::{grid::Axis, series::parse_instant, sweep::SortBy},
    config::JobLayers,
    domain::{
        Timestamp,
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

/// A backtest to run. Its prices are `csv`, or the candles of a pool of `token`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Backtest {
    /// Times and prices, or candles, with a heading
    csv: Option<String>,
    /// With csv: what the prices are called
    name: Option<String>,
    /// Token address
    token: Option<String>,
    /// Its chain; base if it is not given
    chain: Option<String>,
    /// The first date or time; half a year ago if it is not given
    from: Option<String>,
    /// The last one; now if it is not given
    to: Option<String>,
    /// Length of a candle: 1m, 5m, 15m, 1h, 4h, 12h or 1d; 1h if it is not given
    step: Option<String>,
    /// ACCUMULATE or LIQUIDITY; the one whose keys are given
    #[schema(value_type = Option<String>)]
    mode: Option<JobMode>,
    /// Keys of the configuration as KEY=VALUE
    #[serde(default)]
    set: Vec<String>,
    /// Ranges as KEY=FROM..TO:STEP, crossed with each other
    #[serde(default)]
    sweep: Vec<String>,
    /// What configurations are ranked by: money_weighted or net
    sort_by: Option<String>,
    /// Parts of a walk-forward test, 2 to 100
    #[schema(minimum = 2, maximum = 100)]
    walk_forward: Option<u16>,
    /// Decimals of the token, 0 to 36
    decimals: Option<u8>,
    /// The token's ticker, for the report
    symbol: Option<String>,
    /// An order to sell: how many whole tokens it begins with
    tokens: Option<String>,
    /// An order to sell: what these cost in all, USD; 0 if they cost nothing
    #[schema(value_type = Option<String>)]
    cost: Option<Decimal>,
}

impl Backtest {
    /// Fields that would be ignored with these prices.
    fn check_fields(&self) -> Result<(), AppError> {
        let of_candles = [
            ("chain", self.chain.is_some()),
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
            ("step", self.step.is_some()),
        ];
        let unused = match (&self.csv, &self.name) {
            (Some(_), _) => of_candles.into_iter().find(|(_, given)| *given),
            (None, Some(_)) => Some(("name", true)),
            (None, None) => None,
        };
        match unused {
            None => Ok(()),
            Some(("name", _)) => Err(AppError::Usage(
                "`name`: it is what the prices of `csv` are called; give `csv`, or leave it out".to_owned(),
            )),
            Some((field, _)) => Err(AppError::Usage(format!(
                "`{field}`: it chooses candles of `token`, and `csv` is given; leave one of them out"
            ))),
        }
    }

    fn source(&mut self) -> Result<Source, AppError> {
        self.check_fields()?;
        let token = match (self.csv.take(), &self.token) {
            (Some(csv), None) => {
                let name = self.name.take().unwrap_or_else(|| "the given prices".to_owned());
                return Ok(Source::Csv(name, csv));
            }
            (None, Some(token)) => address(token)?,
            _ => {
                return Err(AppError::Usage(
                    "a backtest needs prices: give either `csv` or `token`".to_owned(),
                ));
            }
        };
        let step = self.step.as_deref().unwrap_or("1h");
        Ok(Source::History(HistoryRequest {
            token,
            chain: self.chain.clone().unwrap_or_else(|| "base".to_owned()),
            pool: None,
            from: instant("from", self.from.as_deref())?,
            to: instant("to", self.to.as_deref())?,
            step: parse_step(step).map_err(|error| AppError::Usage(format!("`step` {step}: {error}")))?,
        }))
    }

    fn request(mut self) -> Result<(RunRequest, Vec<String>), AppError> {
        let source = self.source()?;
        let axis = |text: &String| {
            let read: Result<Axis, _> = text.parse();
            read.map_err(|error| AppError::Usage(format!("`sweep` {text}: {error}")))
        };
        if self.sweep.is_empty() && self.sort_by.is_some() {
            let problem =
                "`sort_by`: it ranks the configurations of a sweep; give `sweep` too, or leave it out";
            return Err(AppError::Usage(problem.to_owned()));
        }
        let sort_by = match self.sort_by.as_deref() {
            None | Some("money_weighted") => SortBy::MoneyWeighted,
            Some("net") => SortBy::Net,
            Some(other) => {
                let problem = format!("`sort_by` {other}: must be money_weighted or net");
                return Err(AppError::Usage(problem));
            }
        };
        if let Some(parts) = self.walk_forward.filter(|parts| !(2..=100).contains(parts)) {
            return Err(AppError::Usage(format!(
                "`walk_forward` {parts}: must be 2 to 100"
            )));
        }
        let request = RunRequest {
            source,
            given: JobLayers::of_job().assignments(&self.set, "`set`")?,
            mode: self.mode,
            decimals: self.decimals.unwrap_or(18),
            symbol: self.symbol,
            sells: match (self.tokens, self.cost) {
                (Some(tokens), Some(cost)) => Some((tokens, cost)),
                (None, None) => None,
                _ => {
                    return Err(AppError::Usage(
                        "give both `tokens` and `cost`, or neither".to_owned(),
                    ));
                }
            },
            axes: self.sweep.iter().map(axis).collect::<Result<_, _>>()?,
            sort_by,
            walk_forward: self.walk_forward,
        };
        Ok((request, self.set.into_iter().chain(self.sweep).collect()))
    }
}

fn instant(field: &str, text: Option<&str>) -> Result<Option<Timestamp>, AppError> {
    let read = |text: &str| {
        let problem = || {
            AppError::Usage(format!(
                "`{field}` {text}: write a date or time such as 2026-01-31 or 2026-01-31T12:00:00Z"
            ))
        };
        parse_instant(text).ok_or_else(problem)
    };
    text.map(read).transpose()
}

/// Starts a backtest, or a sweep. One runs at a time, and of each token five may wait or run; they end with the server.
#[utoipa::path(post, path = "/api/v1/backtests", tag = "backtests", request_body = Backtest,
    extensions(("x-role" = json!("operator"))),
    responses((status = 200, description = "The run", body = RunView)))]
pub(in crate::api) async fn backtest(
    State(api): State<Shared>,
    write: Write<Backtest>,
) -> Result<Response, Problem> {
    let (body, order) = write.split();
    let (request, set) = body.request()?;
    let (runs, actor) = (api.clone(), order.actor());
    let work = async move {
        let asked = (set, actor.as_str());
        let started = runs.runs.start(&runs.app, request, asked, chrono::Utc::now());
        Ok(shown(&started.await?))
    };
    order.once(&api, work).await
}

/// Cancels a backtest that waits or runs: one's own, or, with the role owner, anybody's.
#[utoipa::path(delete, path = "/api/v1/backtests/{run}", tag = "backtests", params(("run" = i64, Path)),
    extensions(("x-role" = json!("operator"))),
    responses((status = 200, description = "The run", body = RunView)))]
pub(in crate::api) async fn backtest_cancel(
    State(api): State<Shared>,
    At(run): At<i64>,
    write: Write<Nothing>,
) -> Result<Response, Problem> {
    let (_, order) = write.split();
    let (runs, actor, any) = (api.clone(), order.actor(), order.is_owners());
    let work = async move { Ok(shown(&runs.runs.cancel(run, actor.as_str(), any)?)) };
    order.once(&api, work).await
}
