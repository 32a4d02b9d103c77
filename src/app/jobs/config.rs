//! A job's configuration.

use serde::Serialize;
use serde_json::Value;
use strum::VariantArray;

use crate::{
    app::{Actor, App, AppError, Target, jobs::recorded, target},
    config::{JobLayers, Settings, build_job_config},
    domain::{
        config::{JobConfig, KEYS},
        ids::JobId,
        job::{JobMode, Realm},
    },
    store::{jobs::Job, orders},
};

/// A job's configuration and its version.
#[derive(Debug)]
pub struct Stored {
    pub job: JobId,
    pub config: JobConfig,
    /// Grows by one with every edit.
    pub version: i32,
}

pub async fn show(app: &App, target: &Target) -> Result<Stored, AppError> {
    let job = target::find(&app.pool, target).await?;
    Ok(Stored {
        job: job.id,
        config: job.config,
        version: job.config_version,
    })
}

#[derive(Debug)]
pub struct EditRequest {
    pub target: Target,
    /// The keys to change.
    pub given: JobLayers,
    /// The version that the edit is based on; if the job has another one, the edit is refused. `None`: any version.
    pub version: Option<i32>,
}

#[derive(Debug, Serialize)]
pub struct Edited {
    pub changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_version: Option<i32>,
    pub job: JobId,
}

/// Changes a job's configuration; the next slot sees it.
pub async fn edit(app: &App, request: &EditRequest, actor: &Actor) -> Result<Edited, AppError> {
    let job = target::find(&app.pool, &request.target).await?;
    let config = changed(&job, &request.given)?;
    if config == job.config {
        return Ok(Edited {
            changed: false,
            config_version: None,
            job: job.id,
        });
    }
    let looked_at = request.version.unwrap_or(job.config_version);
    if looked_at != job.config_version || !orders::configure(&app.pool, &job, &config, actor.as_str()).await?
    {
        return Err(AppError::Refused(
            "this job was edited in the meantime; review it and edit again".to_owned(),
        ));
    }
    Ok(Edited {
        changed: true,
        config_version: Some(job.config_version.saturating_add(1)),
        job: job.id,
    })
}

fn changed(job: &Job, given: &JobLayers) -> Result<JobConfig, AppError> {
    let config = build_job_config(&job.config, job.mode, given)?;
    config
        .validate_for(job.mode, job.account.realm, &job.account.chain)
        .map_err(AppError::Config)?;
    if config.price != job.config.price {
        recorded::check(&config)?;
    }
    Ok(config)
}

/// A configuration to check without a job.
#[derive(Debug)]
pub struct CheckRequest {
    pub given: JobLayers,
    pub mode: JobMode,
    /// Checked with the floors for real money.
    pub realm: Realm,
    pub chain: String,
}

#[derive(Debug, Serialize)]
pub struct Checked {
    pub config: JobConfig,
    pub mode: JobMode,
    pub ok: bool,
}

/// Checks a configuration as the start of a job would, over the settings' defaults.
pub fn check(settings: &Settings, request: CheckRequest) -> Result<Checked, AppError> {
    let CheckRequest {
        given,
        mode,
        realm,
        chain,
    } = request;
    let layers = given.over_defaults(&settings.defaults, mode);
    let config = build_job_config(&JobConfig::beginning(mode, realm), mode, &layers)?;
    config
        .validate_for(mode, realm, &chain)
        .map_err(AppError::Config)?;
    recorded::check(&config)?;
    Ok(Checked {
        config,
        mode,
        ok: true,
    })
}

/// The keys whose values are not the defaults of the job's mode, with their sections.
pub(super) fn differences(config: &JobConfig, mode: JobMode, realm: Realm) -> Value {
    // A configuration is plain data: it always serialises.
    let [mut own, defaults] = [config, &JobConfig::beginning(mode, realm)]
        .map(|config| serde_json::to_value(config).unwrap_or_default());
    keep_differences(&mut own, &defaults);
    own
}

fn keep_differences(own: &mut Value, defaults: &Value) {
    let Some(table) = own.as_object_mut() else { return };
    table.retain(|key, value| match defaults.get(key) {
        Some(default) if default == value => false,
        Some(default) => {
            keep_differences(value, default);
            true
        }
        None => !value.is_null(),
    });
}

/// A key that a configuration may have.
#[derive(Debug, Serialize)]
pub struct KeyLine {
    pub about: &'static str,
    pub default: Value,
    pub key: &'static str,
}

/// Every key, of both modes.
pub fn keys() -> Vec<KeyLine> {
    // A configuration is plain data: it always serialises.
    let config = |mode: &JobMode| serde_json::to_value(JobConfig::for_mode(*mode)).unwrap_or_default();
    let defaults: Vec<Value> = JobMode::VARIANTS.iter().map(config).collect();
    let default = |key: &str| {
        let pointer = format!("/{}", key.replace('.', "/"));
        let value = defaults.iter().find_map(|config| config.pointer(&pointer));
        value.cloned().unwrap_or_default()
    };
    KEYS.iter()
        .map(|key| KeyLine {
            about: key.about,
            default: default(key.name),
            key: key.name,
        })
        .collect()
}
