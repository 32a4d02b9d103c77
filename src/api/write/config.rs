//! The edit of a job's configuration.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::Response,
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::once::{Failed, Order, Write};
use crate::{
    api::{
        body::Question,
        extract::{At, JobQuery, Params},
        problem::Problem,
        state::Shared,
    },
    app::{
        App, AppError, ErrorKind, Target,
        jobs::{
            config::{self, EditRequest, Edited, Proposal},
            selected::Jobs,
        },
    },
    config::JobLayers,
    domain::job::Realm,
};

/// Which keys to change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Edit {
    /// KEY=VALUE, such as accumulate.dca_amount_usd=25
    #[schema(min_items = 1)]
    set: Vec<String>,
    /// What the answer before said, for a live job
    confirm: Option<String>,
}

/// An edit that is not made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct EditToCheck {
    /// KEY=VALUE, such as accumulate.dca_amount_usd=25
    set: Vec<String>,
}

/// Changes keys from the next slot on, if nobody has edited the job since the version in If-Match.
#[utoipa::path(patch, path = "/api/v1/jobs/{job}/config", tag = "jobs",
    params(("job" = String, Path), JobQuery,
           ("If-Match" = String, Header,
            description = "The ETag of the configuration that the edit is based on, or * for any")),
    request_body = Edit, extensions(("x-role" = json!("owner"))),
    responses((status = 200, description = "What has changed", body = ref("#/components/schemas/config-edit.Edited")),
              (status = 412, description = "It was edited meanwhile", body = Problem,
               content_type = "application/problem+json")))]
pub(in crate::api) async fn edit(
    State(api): State<Shared>,
    At(job): At<String>,
    Params(query): Params<JobQuery>,
    write: Write<Edit>,
) -> Result<Response, Problem> {
    let (target, (body, order)) = (query.target(job), write.split());
    if body.set.is_empty() {
        let detail = "set: give at least one KEY=VALUE; GET /api/v1/config/keys lists all keys";
        return Err(Problem::malformed(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let version = version(&order)?;
    let given = JobLayers::of_job()
        .assignments(&body.set, "`set`")
        .map_err(AppError::from)?;
    let (app, asked) = (api.clone(), order.clone());
    let work = async move {
        let request = request(&app.app, &target, given, version).await?;
        let made = edited(&app.app, &request, &asked, body.confirm.as_deref()).await;
        match made {
            // Between the two looks at its version.
            Err(Failed::App(error)) if error.kind() == ErrorKind::Refused => {
                request_again(&app.app, &target, version).await?;
                Err(error.into())
            }
            made => made,
        }
    };
    order.once(&api, work).await
}

/// What an edit would change, or why it cannot be made. It changes nothing.
#[utoipa::path(post, path = "/api/v1/jobs/{job}/config/check", tag = "jobs",
    params(("job" = String, Path), JobQuery), request_body = EditToCheck,
    extensions(("x-role" = json!("owner")), ("x-question" = json!(true))),
    responses((status = 200, description = "What it would change", body = ref("#/components/schemas/config-edit.Edited"))))]
pub(in crate::api) async fn edit_check(
    State(api): State<Shared>,
    At(job): At<String>,
    Params(query): Params<JobQuery>,
    Question(body): Question<EditToCheck>,
) -> Result<Json<Edited>, Problem> {
    let given = JobLayers::of_job()
        .assignments(&body.set, "`set`")
        .map_err(AppError::from)?;
    let request = EditRequest {
        jobs: Jobs::Named(vec![query.target(job)]),
        given,
        version: None,
    };
    let proposal = config::propose(&api.app, &request).await?;
    proposal.shown().pop().map(Json).ok_or_else(|| nobody().into())
}

fn nobody() -> AppError {
    AppError::Internal("a job was named and not answered".to_owned())
}

/// The version in If-Match; `None`: any.
fn version(order: &Order) -> Result<Option<i32>, Problem> {
    let given = order.if_match.as_deref().ok_or_else(|| {
        Problem::http(
            StatusCode::PRECONDITION_REQUIRED,
            "if_match",
            "If-Match is missing",
            "send the ETag of GET /api/v1/jobs/{job}/config as If-Match, so that no edit of another is lost, or * for any",
        )
    })?;
    if given == "*" {
        return Ok(None);
    }
    let number = given
        .trim()
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .and_then(|version| version.parse().ok());
    number.map(Some).ok_or_else(|| {
        let detail = format!(
            "{} {given}: send the ETag as it was answered, such as \"3\"",
            header::IF_MATCH
        );
        Problem::malformed(StatusCode::BAD_REQUEST, &detail)
    })
}

async fn request(
    app: &App,
    target: &Target,
    given: JobLayers,
    version: Option<i32>,
) -> Result<EditRequest, Failed> {
    let job = request_again(app, target, version).await?;
    Ok(EditRequest {
        // The job whose version was compared, whatever the text of the target means by then.
        jobs: Jobs::Named(vec![Target::anywhere(&format!("#{job}"))]),
        given,
        version,
    })
}

/// The job, if it still has this version.
async fn request_again(app: &App, target: &Target, version: Option<i32>) -> Result<i64, Failed> {
    let stored = config::show(app, target).await?;
    if version.is_none_or(|version| version == stored.version) {
        return Ok(stored.job.0);
    }
    let detail = format!(
        "job {} was edited since: its configuration has version {}; nothing was changed. Read it again and edit that",
        stored.job, stored.version
    );
    Err(Problem::http(
        StatusCode::PRECONDITION_FAILED,
        "edited_meanwhile",
        "it was edited meanwhile",
        &detail,
    )
    .into())
}

async fn edited(
    app: &App,
    request: &EditRequest,
    order: &Order,
    confirm: Option<&str>,
) -> Result<Edited, Failed> {
    let proposal = config::propose(app, request).await?;
    confirm_edit(&proposal, order, confirm)?;
    let mut edited = config::edit(app, proposal, &order.actor()).await?;
    Ok(edited.pop().ok_or_else(nobody)?)
}

/// What a live job may spend, and when, is confirmed.
fn confirm_edit(proposal: &Proposal, order: &Order, confirm: Option<&str>) -> Result<(), Failed> {
    let live = proposal.edits.iter().find(|edit| edit.name.realm == Realm::Live);
    let Some(edit) = live else { return Ok(()) };
    let keys = edit
        .keys
        .iter()
        .map(|change| format!("{}: {} -> {}", change.key, change.before, change.after));
    let keys: Vec<String> = keys.collect();
    let would = format!("change {}: {}", edit.name, keys.join("; "));
    order.confirmed(&would, vec![], confirm)
}
