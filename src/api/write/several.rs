//! A pause of several jobs, and its undo.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{jobs::confirm_traders, once::Write};
use crate::{
    api::{
        problem::Problem,
        state::Shared,
        wording::{Http, described},
    },
    app::{
        Target,
        jobs::{
            lifecycle::{self, Changed, Report},
            sale,
            selected::{Jobs, Kind},
        },
    },
    domain::{
        ids::AuditId,
        job::{JobStatus, Realm},
    },
};

/// Which jobs: by name, or all of a kind.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Selection {
    /// Job numbers, tickers or token addresses
    #[serde(default)]
    jobs: Vec<String>,
    /// All jobs, if nothing else is given
    #[serde(default)]
    all: bool,
    /// All jobs of this realm: paper or live
    #[schema(value_type = Option<String>)]
    realm: Option<Realm>,
    /// All jobs of this status
    #[schema(value_type = Option<String>)]
    status: Option<JobStatus>,
    /// All jobs of this token: address or ticker
    token: Option<String>,
    /// Only jobs on this chain
    chain: Option<String>,
}

/// Which pause to undo.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct PausedBy {
    /// The number that the pause answered
    pause: i64,
    /// What the answer before said, if live jobs are among them
    confirm: Option<String>,
}

/// Several jobs, and how to undo a pause of them.
#[derive(Debug, Serialize)]
pub(super) struct Several {
    jobs: Vec<Changed>,
    refused: Vec<RefusedLine>,
    /// Number of jobs that the request means
    matched: usize,
    /// Why nothing was changed, if nothing was
    #[serde(skip_serializing_if = "Option::is_none")]
    nothing: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pause: Option<AuditId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<String>,
}

/// A job that could not follow.
#[derive(Debug, Serialize)]
struct RefusedLine {
    job: String,
    code: u8,
    message: String,
}

impl From<Report> for Several {
    fn from(mut report: Report) -> Self {
        for note in report.jobs.iter_mut().filter_map(|line| line.note.as_mut()) {
            note.write(&Http);
        }
        let refused = report.refused.iter().map(|refused| RefusedLine {
            job: refused.name.clone(),
            code: refused.error.kind().code(),
            message: described(&refused.error),
        });
        let undo = |pause| format!("POST /api/v1/resume with pause: {pause}");
        Self {
            refused: refused.collect(),
            matched: report.matched,
            nothing: report.nothing().map(|why| why.rendered(&Http)),
            undo: report.pause.map(undo),
            pause: report.pause,
            jobs: report.jobs,
        }
    }
}

impl Selection {
    fn jobs(self) -> Result<Jobs, Problem> {
        let kind = Kind {
            realm: self.realm,
            chain: self.chain,
            token: self.token,
            status: self.status,
        };
        let target = |token: &String| Target {
            token: token.clone(),
            chain: kind.chain.clone(),
        };
        match (self.jobs.is_empty(), self.all, kind == Kind::default()) {
            (false, false, _) if kind.realm.is_none() && kind.status.is_none() && kind.token.is_none() => {
                Ok(Jobs::Named(self.jobs.iter().map(target).collect()))
            }
            (true, true, _) | (true, false, false) => Ok(Jobs::Kind(kind)),
            _ => Err(Problem::malformed(
                StatusCode::UNPROCESSABLE_ENTITY,
                "give either jobs (and chain), or all = true, or some of realm, status, token and chain",
            )),
        }
    }
}

/// Stops new trades of several jobs and keeps their positions. A named job that cannot follow stops no other.
#[utoipa::path(post, path = "/api/v1/pause", operation_id = "pause_several", tag = "jobs",
    request_body = Selection, extensions(("x-role" = json!("operator"))),
    responses((status = 200, description = "Each job, and the number that undoes it",
               body = ref("#/components/schemas/pause.Several"))))]
pub(in crate::api) async fn pause(
    State(api): State<Shared>,
    write: Write<Selection>,
) -> Result<Response, Problem> {
    let (body, order) = write.split();
    let jobs = body.jobs()?;
    let (app, actor) = (api.clone(), order.actor());
    let work = async move { Ok(Several::from(lifecycle::pause(&app.app, &jobs, &actor).await?)) };
    order.once(&api, work).await
}

/// Undoes a pause of several jobs: those that it stopped, and whose status has not changed since, are as before. Live
/// ones are confirmed by a second request.
#[utoipa::path(post, path = "/api/v1/resume", operation_id = "resume_several", tag = "jobs",
    request_body = PausedBy, extensions(("x-role" = json!("operator"))),
    responses((status = 200, description = "Each job", body = ref("#/components/schemas/pause.Several"))))]
pub(in crate::api) async fn resume(
    State(api): State<Shared>,
    write: Write<PausedBy>,
) -> Result<Response, Problem> {
    let (body, order) = write.split();
    let (app, asked) = (api.clone(), order.clone());
    let work = async move {
        let pause = AuditId(body.pause);
        let traders = sale::resumable_after(&app.app, pause).await?;
        confirm_traders("continue", &traders, &asked, body.confirm.as_deref())?;
        let report = lifecycle::resume_paused_by(&app.app, pause, &asked.actor()).await?;
        Ok(Several::from(report))
    };
    order.once(&api, work).await
}
