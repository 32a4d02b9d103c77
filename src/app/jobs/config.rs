//! A job's configuration.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use strum::VariantArray;

use super::{
    deadline::in_time,
    selected::{Jobs, Refused, Selected},
};
use crate::{
    app::{
        Actor, App, AppError, Target,
        jobs::recorded,
        message::{Message, Piece},
        name::JobName,
        receivers, target,
    },
    config::{JobLayers, Settings, build_job_config},
    domain::{
        Timestamp,
        config::{InvalidConfig, JobConfig, KEYS, OrderConfig, OrderSide},
        ids::JobId,
        job::{JobMode, JobStatus, Realm},
        samples::shortest_window,
    },
    store::{self, bulk, jobs::Job},
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
    pub jobs: Jobs,
    /// The keys to change.
    pub given: JobLayers,
    /// The version that the edit is based on; if the job has another one, the edit is refused. `None`: any version.
    pub version: Option<i32>,
}

/// An edit of several jobs that can be made: shown first, then made as it was shown or not at all.
#[derive(Debug)]
pub struct Proposal {
    /// Jobs that change, by number.
    pub edits: Vec<Edit>,
    /// Jobs that have all of it already.
    pub unchanged: Vec<JobName>,
}

/// What changes in one job's configuration.
#[derive(Debug)]
pub struct Edit {
    pub name: JobName,
    pub keys: Vec<KeyChange>,
    job: Job,
    config: JobConfig,
}

/// A key before and after an edit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyChange {
    pub key: String,
    /// Null: it was not set.
    pub before: Value,
    /// Null: it is not set any more.
    pub after: Value,
}

#[derive(Debug, Serialize)]
pub struct Edited {
    pub changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_version: Option<i32>,
    #[serde(flatten)]
    pub name: JobName,
    pub keys: Vec<KeyChange>,
}

/// What an edit would change. It is refused for all jobs if one of them cannot have it.
///
/// # Errors
/// [`AppError`] names every job that cannot have it.
pub async fn propose(app: &App, request: &EditRequest) -> Result<Proposal, AppError> {
    let selected = Selected::find(app, &request.jobs).await?;
    let mut refused = selected.unknown;
    let mut proposal = Proposal {
        edits: vec![],
        unchanged: vec![],
    };
    let now = store::now(&app.pool).await?;
    for job in selected.jobs {
        let name = JobName::from(&job);
        let wanted = match changed(&job, &request.given, &app.settings, now) {
            // One that is there already stays: another edit is not refused for it.
            Ok(config) if config.notify != job.config.notify => {
                receivers::check_named(app, &config).await.map(|()| config)
            }
            wanted => wanted,
        };
        match wanted {
            Ok(config) if config == job.config => proposal.unchanged.push(name),
            Ok(_)
                if request
                    .version
                    .is_some_and(|version| version != job.config_version) =>
            {
                return Err(edited_meanwhile(&name));
            }
            Ok(config) => proposal.edits.push(Edit {
                keys: difference(&job.config, &config),
                name,
                job,
                config,
            }),
            Err(error) => refused.push(Refused {
                name: name.to_string(),
                error,
            }),
        }
    }
    none_refused(refused, request.jobs.is_one())?;
    Ok(proposal)
}

impl Proposal {
    /// What the edit would answer if it were made now.
    #[must_use]
    pub fn shown(&self) -> Vec<Edited> {
        let changed = self.edits.iter().map(|edit| Edited {
            changed: true,
            config_version: Some(edit.job.config_version.saturating_add(1)),
            name: edit.name.clone(),
            keys: edit.keys.clone(),
        });
        let mut shown: Vec<Edited> = changed.chain(self.unchanged.iter().map(Edited::kept)).collect();
        shown.sort_unstable_by_key(|edited| edited.name.job);
        shown
    }
}

impl Edited {
    /// A job that has all of it already.
    fn kept(name: &JobName) -> Self {
        Self {
            changed: false,
            config_version: None,
            name: name.clone(),
            keys: vec![],
        }
    }
}

/// Makes an edit as it was proposed: all jobs or, if one was edited meanwhile, none. The next slot sees it.
///
/// # Errors
/// [`ErrorKind::Refused`] names the job that was edited meanwhile.
pub async fn edit(app: &App, proposal: Proposal, actor: &Actor) -> Result<Vec<Edited>, AppError> {
    let edited = proposal.shown();
    let edits = proposal.edits;
    let wanted: Vec<_> = edits.iter().map(|edit| (&edit.job, &edit.config)).collect();
    if let Some(raced) = bulk::configure(&app.pool, &wanted, actor.as_str()).await? {
        let edit = edits.iter().find(|edit| edit.job.id == raced);
        return Err(edit.map_or_else(
            || AppError::Refused(format!("job {raced} was edited in the meantime")),
            |edit| edited_meanwhile(&edit.name),
        ));
    }
    Ok(edited)
}

fn edited_meanwhile(name: &JobName) -> AppError {
    AppError::Refused(format!(
        "{name} was edited in the meantime: nothing was changed; review it and edit again"
    ))
}

/// All or nothing: an edit of several jobs that one of them cannot have is refused, and each of those is named.
fn none_refused(mut refused: Vec<Refused>, one: bool) -> Result<(), AppError> {
    let Some(first) = refused.first() else {
        return Ok(());
    };
    let kind = first.error.kind();
    if one {
        return refused.pop().map_or(Ok(()), |refused| Err(refused.error));
    }
    let mut pieces = vec!["nothing was changed, since not every job can have this edit:".into()];
    for Refused { name, error } in refused {
        pieces.push(Piece::Text(format!("\n  {name}: ")));
        pieces.extend(Message::from(error).pieces());
    }
    Err(Message::new(pieces).error(kind))
}

/// The keys that differ, by name.
fn difference(before: &JobConfig, after: &JobConfig) -> Vec<KeyChange> {
    let (before, after) = (leaves(before), leaves(after));
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let value = |of: &BTreeMap<String, Value>, key: &String| of.get(key).cloned().unwrap_or_default();
    keys.into_iter()
        .map(|key| KeyChange {
            key: key.clone(),
            before: value(&before, key),
            after: value(&after, key),
        })
        .filter(|change| change.before != change.after)
        .collect()
}

/// Each value of a configuration by its key, such as `accumulate.dca_amount_usd`.
fn leaves(config: &JobConfig) -> BTreeMap<String, Value> {
    // A configuration is plain data: it always serialises.
    let mut open = vec![(String::new(), serde_json::to_value(config).unwrap_or_default())];
    let mut found = BTreeMap::new();
    while let Some((key, value)) = open.pop() {
        match value {
            Value::Object(fields) => open.extend(fields.into_iter().map(|(field, value)| {
                let key = if key.is_empty() {
                    field
                } else {
                    format!("{key}.{field}")
                };
                (key, value)
            })),
            Value::Null => {}
            value => {
                found.insert(key, value);
            }
        }
    }
    found
}

fn changed(job: &Job, given: &JobLayers, settings: &Settings, now: Timestamp) -> Result<JobConfig, AppError> {
    let config = build_job_config(&job.config, job.mode, given)?;
    config
        .validate_for(job.mode, job.account.realm, &job.account.chain)
        .map_err(AppError::Config)?;
    if config.price != job.config.price {
        recorded::check(&config)?;
    }
    if let (Some(before), Some(after)) = (job.config.rules.order(), config.rules.order()) {
        same_order(job, before, after, now)?;
    }
    if config.rules.look_back().average != job.config.rules.look_back().average {
        check_window(&config, settings)?;
    }
    Ok(config)
}

/// Refuses what would make an order another one, or end it by an edit.
fn same_order(job: &Job, before: &OrderConfig, after: &OrderConfig, now: Timestamp) -> Result<(), AppError> {
    if before == after {
        return Ok(());
    }
    let refused = |key: &str, value: String, allowed: String| {
        let (key, value) = (key.to_owned(), Some(value));
        Err(AppError::Config(vec![InvalidConfig { key, value, allowed }]))
    };
    if before.side != after.side {
        let allowed = format!(
            "{} for this order: its side stays; remove it and place another",
            before.side
        );
        return refused("order.side", after.side.to_string(), allowed);
    }
    if job.status == JobStatus::Idle {
        return Ok(());
    }
    let spent = job.total_accumulated;
    if after.side == OrderSide::Buy && after.amount_usd != before.amount_usd && after.amount_usd < spent {
        let allowed = format!("at least {spent}, which this order has spent already; remove it to end it");
        return refused("order.amount_usd", after.amount_usd.to_string(), allowed);
    }
    in_time(after, job.started_at.unwrap_or(job.created_at), now)
}

/// Refuses a moving average that these processes' samples never fill: its job would hold indefinitely.
pub(super) fn check_window(config: &JobConfig, settings: &Settings) -> Result<(), AppError> {
    let (window, interval) = (config.rules.look_back().average, settings.trading.sample_interval);
    let least = shortest_window(interval);
    if window.is_zero() || window >= least {
        return Ok(());
    }
    Err(AppError::Config(vec![InvalidConfig {
        key: "liquidity.ma_window".to_owned(),
        value: Some(window.to_string()),
        allowed: format!(
            "{least} to 30d: prices are kept once in trading.sample_interval ({interval}), and its average needs five of \
             them; lengthen it, or shorten trading.sample_interval"
        ),
    }]))
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
///
/// # Errors
/// [`AppError::Config`] names every key that cannot have its value.
pub async fn check(settings: &Settings, request: CheckRequest) -> Result<Checked, AppError> {
    let CheckRequest {
        given,
        mode,
        realm,
        chain,
    } = request;
    let layers = given.over_defaults(&settings.defaults, mode);
    let config = build_job_config(&JobConfig::beginning(mode, realm, &chain), mode, &layers)?;
    config
        .validate_for(mode, realm, &chain)
        .map_err(AppError::Config)?;
    recorded::check(&config)?;
    check_window(&config, settings)?;
    receivers::check_named_in(settings, &config).await?;
    Ok(Checked {
        config,
        mode,
        ok: true,
    })
}

/// The keys whose values are not the defaults of the job's mode, with their sections.
pub(super) fn differences(config: &JobConfig, mode: JobMode, realm: Realm, chain: &str) -> Value {
    // A configuration is plain data: it always serialises.
    let [mut own, defaults] = [config, &JobConfig::beginning(mode, realm, chain)]
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
