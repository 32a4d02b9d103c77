//! Carries a call out.

use rmcp::model::JsonObject;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    agent::Agent,
    tools::{Name, PAGE_MAX},
    untrusted,
    wording::Tools,
};
use crate::{
    app::{
        AppError, Target,
        doctor::doctor,
        jobs::{
            config,
            export::{JobChoice, Period},
            lifecycle::{self, Report},
            list::{self, ListRequest, Page, SortBy},
            logs::Logs,
            overview::overview,
            pnl::{self, PnlRequest},
            sale,
            selected::Jobs,
            status, tick, trades,
        },
        target,
    },
    domain::{
        calendar::Calendar,
        ids::{JobId, TradeId},
        job::{JobStatus, Realm},
        plain::plain_at,
    },
};

/// Why a call gets no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// Its arguments cannot be read.
    Arguments(String),
    /// The application says so.
    App(AppError),
}

impl From<AppError> for Failed {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

/// A job, as it was named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    job: String,
    chain: Option<String>,
}

impl From<One> for Target {
    fn from(One { job: token, chain }: One) -> Self {
        Self { token, chain }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    status: Option<JobStatus>,
    realm: Option<Realm>,
    chain: Option<String>,
    token: Option<String>,
    #[serde(default)]
    removed: bool,
    after: Option<i64>,
    limit: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Traded {
    job: Option<String>,
    realm: Option<Realm>,
    from: Option<String>,
    to: Option<String>,
    before: Option<i64>,
    limit: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Happened {
    job: Option<String>,
    since: Option<String>,
    limit: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Earned {
    job: Option<String>,
    realm: Option<Realm>,
    from: Option<String>,
    to: Option<String>,
    by: Option<Calendar>,
}

/// Rows of an answer if the agent does not say.
const PAGE: u32 = 50;

/// The answer to a call, with the text of strangers marked.
pub(super) async fn call(agent: &Agent, name: Name, arguments: JsonObject) -> Result<Value, Failed> {
    let answer = match name {
        Name::Overview => {
            let Nothing {} = read(arguments)?;
            glance(agent).await?
        }
        Name::ListJobs => jobs(agent, read(arguments)?).await?,
        Name::Job => {
            let mut status = status::status(&agent.app, &read::<One>(arguments)?.into()).await?;
            status.why.write(&Tools);
            shown(&status)?
        }
        Name::JobConfig => {
            let stored = config::show(&agent.app, &read::<One>(arguments)?.into()).await?;
            json!({ "version": stored.version, "config": shown(&stored.config)? })
        }
        Name::Trades => traded(agent, read(arguments)?).await?,
        Name::Logs => happened(agent, read(arguments)?).await?,
        Name::Pnl => earned(agent, read(arguments)?).await?,
        Name::Doctor => {
            let Nothing {} = read(arguments)?;
            let mut checks = doctor(&agent.settings).await?;
            for fix in checks.iter_mut().filter_map(|check| check.fix.as_mut()) {
                fix.write(&Tools);
            }
            json!({ "checks": shown(&checks)? })
        }
        Name::Pause => {
            let jobs = Jobs::Named(vec![read::<One>(arguments)?.into()]);
            changed(lifecycle::pause(&agent.app, &jobs, &agent.actor).await?)?
        }
        Name::Resume => {
            let jobs = Jobs::Named(vec![on_paper(agent, read(arguments)?).await?]);
            changed(lifecycle::resume(&agent.app, &jobs, None, &agent.actor).await?)?
        }
        Name::Tick => {
            let target = on_paper(agent, read(arguments)?).await?;
            shown(&tick::tick(&agent.app, &target, &agent.actor).await?)?
        }
    };
    Ok(untrusted::marked(answer))
}

fn read<T: DeserializeOwned>(arguments: JsonObject) -> Result<T, Failed> {
    let given = Value::Object(arguments);
    if let Some(field) = with_nul(&given) {
        let problem = "it has a NUL character (U+0000): no name and no text may have one; leave it out";
        return Err(Failed::Arguments(format!("{field}: {problem}")));
    }
    serde_path_to_error::deserialize(given)
        .map_err(|error| Failed::Arguments(plain_at(&error.path().to_string(), &error.inner().to_string())))
}

/// The argument whose text has a NUL character. Arguments are flat.
fn with_nul(arguments: &Value) -> Option<&str> {
    let has_nul = |value: &Value| value.as_str().is_some_and(|text| text.contains('\0'));
    let named = arguments.as_object()?.iter().find(|(_, value)| has_nul(value));
    named.map(|(name, _)| name.as_str())
}

fn shown(view: &impl Serialize) -> Result<Value, AppError> {
    serde_json::to_value(view).map_err(|error| AppError::Internal(error.to_string()))
}

fn size(limit: Option<u32>) -> Result<i64, Failed> {
    let limit = limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Failed::Arguments(format!(
            "limit: {limit} is not 1 to {PAGE_MAX}"
        )));
    }
    Ok(i64::from(limit))
}

/// The job, if no real money is at stake. What moves real money is confirmed by a person, and here is none.
async fn on_paper(agent: &Agent, named: One) -> Result<Target, Failed> {
    let target = target::pinned(&agent.app, &named.into()).await?;
    match sale::trader(&agent.app, &target).await? {
        None => Ok(target),
        Some(trader) => Err(AppError::Refused(format!(
            "{} trades with real money: no tool does this; its owner does it, in the console or on the command line",
            trader.name
        ))
        .into()),
    }
}

async fn glance(agent: &Agent) -> Result<Value, AppError> {
    let seen = overview(&agent.app).await?;
    let totals = seen.totals.iter().map(|total| {
        json!({ "realm": total.realm, "jobs": total.jobs, "spent_usd": total.spent_usd, "gas_usd": total.gas_usd,
                "net_usd": total.net_usd, "jobs_of_unknown_net": total.unknown })
    });
    Ok(json!({
        "now": seen.now, "nobody_works": shown(&seen.dead)?, "totals": totals.collect::<Vec<_>>(),
        "jobs_by_status": seen.statuses, "need_their_owner": shown(&seen.attention)?,
        "number_that_need_their_owner": seen.attention_jobs,
    }))
}

async fn jobs(agent: &Agent, asked: Listed) -> Result<Value, Failed> {
    let request = ListRequest {
        status: asked.status,
        realm: asked.realm,
        token: asked.token,
        chain: asked.chain,
        basket: None,
        archived: asked.removed,
        sort: SortBy::Job,
        page: Some(Page {
            after: JobId(asked.after.unwrap_or(0)),
            limit: size(asked.limit)?,
        }),
    };
    let lines = list::list(&agent.app, &request).await?.lines;
    Ok(json!({ "jobs": shown(&lines)? }))
}

async fn traded(agent: &Agent, asked: Traded) -> Result<Value, Failed> {
    let period = Period::read(asked.from.as_deref(), asked.to.as_deref(), None)?;
    let choice = JobChoice {
        token: asked.job,
        realm: asked.realm,
        ..JobChoice::default()
    };
    let page = (asked.before.map(TradeId), size(asked.limit)?);
    let lines = trades::page(&agent.app, &choice, period, page).await?;
    Ok(json!({ "trades": shown(&lines)? }))
}

async fn happened(agent: &Agent, asked: Happened) -> Result<Value, Failed> {
    let choice = JobChoice {
        token: asked.job,
        ..JobChoice::default()
    };
    let limit = size(asked.limit)?;
    let mut logs = Logs::open(&agent.app, &choice, asked.since.as_deref()).await?;
    Ok(json!({ "lines": shown(&logs.newest(limit).await?)? }))
}

async fn earned(agent: &Agent, asked: Earned) -> Result<Value, Failed> {
    let request = PnlRequest {
        jobs: JobChoice {
            token: asked.job,
            realm: asked.realm,
            ..JobChoice::default()
        },
        by: asked.by.unwrap_or(Calendar::All),
        from: asked.from,
        to: asked.to,
        zone: None,
    };
    Ok(shown(&pnl::pnl(&agent.app, &request).await?)?)
}

/// The one job of a call that named one.
fn changed(mut report: Report) -> Result<Value, Failed> {
    if let Some(refused) = report.refused.pop() {
        return Err(refused.error.into());
    }
    let changed = report.jobs.pop();
    let mut changed =
        changed.ok_or_else(|| AppError::Internal("a job was named and not answered".to_owned()))?;
    if let Some(note) = &mut changed.note {
        note.write(&Tools);
    }
    Ok(shown(&changed)?)
}
