//! Backtests of this server: of one token, or of the members of a basket.

use alloy_primitives::Address;
use axum::{extract::State, response::Response};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{jobs::Nothing, once::Write};
use crate::{
    api::{
        extract::At,
        problem::Problem,
        read::trial::{RunView, shown},
        state::Shared,
    },
    app::{
        AppError,
        backtest::runs::{Of, OneToken, RunRequest, Source},
        history::{HistoryRequest, parse_step},
        target::address,
    },
    backtest::{grid::Axis, series::parse_instant, sweep::SortBy},
    config::{JobLayers, MemberGiven, members_of},
    domain::{Timestamp, job::JobMode},
};

/// A backtest to run. Its prices are `csv`, or the candles of a pool of `token`; of a basket, `csvs`, or the candles of
/// each member.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Backtest {
    /// Times and prices, or candles, with a heading
    csv: Option<String>,
    /// With csv: what the prices are called
    name: Option<String>,
    /// Token address
    token: Option<String>,
    /// A basket instead of one token: what the file of `basket start` has, as for POST /baskets
    #[schema(value_type = Option<Object>)]
    file: Option<Map<String, Value>>,
    /// With file: what `csv` is, for each member in their order
    csvs: Option<Vec<String>>,
    /// Chain of the token, or of the basket; base if it is not given
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
    /// Fields that choose candles, and whether they were given.
    fn of_candles(&self) -> [(&'static str, bool); 4] {
        [
            ("chain", self.chain.is_some()),
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
            ("step", self.step.is_some()),
        ]
    }

    /// Fields that would be ignored with these prices.
    fn check_fields(&self) -> Result<(), AppError> {
        if self.csvs.is_some() {
            return Err(AppError::Usage(
                "`csvs`: they are the prices of a basket's members; give its `file`, or `csv` for one token"
                    .to_owned(),
            ));
        }
        let of_candles = self.of_candles();
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
        self.candles(token)
    }

    fn candles(&self, token: Address) -> Result<Source, AppError> {
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

    /// The members of a basket, each with its prices.
    fn members(&mut self, file: Map<String, Value>) -> Result<Of, AppError> {
        let of_one_token = [
            ("csv", self.csv.is_some()),
            ("name", self.name.is_some()),
            ("token", self.token.is_some()),
            ("mode", self.mode.is_some()),
            ("decimals", self.decimals.is_some()),
            ("symbol", self.symbol.is_some()),
            ("tokens", self.tokens.is_some()),
            ("cost", self.cost.is_some()),
        ];
        if let Some((field, _)) = of_one_token.into_iter().find(|(_, given)| *given) {
            return Err(AppError::Usage(format!(
                "`{field}`: it is for one token, and `file` is a basket with several; leave one of them out (`symbol` \
                 and `decimals` stand in each member)"
            )));
        }
        let mut members = members_of("`file`", file)?;
        for member in &mut members {
            member.given = member.given.clone().assignments(&self.set, "`set`")?;
        }
        let sources: Vec<Source> = match self.csvs.take() {
            Some(csvs) => {
                if let Some((field, _)) = self.of_candles().into_iter().find(|(_, given)| *given) {
                    return Err(AppError::Usage(format!(
                        "`{field}`: it chooses candles of the members, and `csvs` is given; leave one of them out"
                    )));
                }
                if csvs.len() != members.len() {
                    return Err(AppError::Usage(format!(
                        "`csvs`: {} for the {} members of the basket; give one for each, in the order of `member`",
                        csvs.len(),
                        members.len()
                    )));
                }
                let called = |member: &MemberGiven| match &member.symbol {
                    Some(symbol) => format!("the given prices of {symbol}"),
                    None => format!("the given prices of {}", member.token),
                };
                let pairs = members.iter().zip(csvs);
                pairs
                    .map(|(member, csv)| Source::Csv(called(member), csv))
                    .collect()
            }
            None => members
                .iter()
                .map(|member| self.candles(address(&member.token)?))
                .collect::<Result<_, _>>()?,
        };
        Ok(Of::Basket(members.into_iter().zip(sources).collect()))
    }

    /// The token and its prices.
    fn one(&mut self) -> Result<Of, AppError> {
        let source = self.source()?;
        Ok(Of::Token(OneToken {
            source,
            given: JobLayers::of_job().assignments(&self.set, "`set`")?,
            mode: self.mode,
            decimals: self.decimals.unwrap_or(18),
            symbol: self.symbol.take(),
            sells: match (self.tokens.take(), self.cost) {
                (Some(tokens), Some(cost)) => Some((tokens, cost)),
                (None, None) => None,
                _ => {
                    return Err(AppError::Usage(
                        "give both `tokens` and `cost`, or neither".to_owned(),
                    ));
                }
            },
        }))
    }

    fn request(mut self) -> Result<(RunRequest, Vec<String>), AppError> {
        let of = match self.file.take() {
            Some(file) => self.members(file)?,
            None => self.one()?,
        };
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
            of,
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
