//! The tools, as agents see them.

use std::{collections::BTreeSet, sync::Arc};

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};
use strum::{IntoStaticStr, VariantArray};

/// What the owner may allow an agent besides reading.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::Display, strum::EnumString, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum Allowed {
    /// Any job.
    Pause,
    /// Paper jobs only.
    Resume,
    /// Paper jobs only.
    Tick,
}

/// A tool. Its name is that of the variant.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Name {
    Overview,
    ListJobs,
    Job,
    JobConfig,
    Trades,
    Logs,
    Pnl,
    Doctor,
    Pause,
    Resume,
    Tick,
}

impl Name {
    /// What must be allowed for it; `None`: it only reads.
    pub(super) const fn needs(self) -> Option<Allowed> {
        match self {
            Self::Overview
            | Self::ListJobs
            | Self::Job
            | Self::JobConfig
            | Self::Trades
            | Self::Logs
            | Self::Pnl
            | Self::Doctor => None,
            Self::Pause => Some(Allowed::Pause),
            Self::Resume => Some(Allowed::Resume),
            Self::Tick => Some(Allowed::Tick),
        }
    }

    /// Whether an agent that was allowed these may call it.
    pub(super) fn is_for(self, allowed: &BTreeSet<Allowed>) -> bool {
        self.needs().is_none_or(|needed| allowed.contains(&needed))
    }

    const fn description(self) -> &'static str {
        match self {
            Self::Overview => {
                "All jobs at a glance: totals of live and paper jobs apart, number of jobs by status, jobs that need their \
                 owner, and whether a worker runs. Begin here."
            }
            Self::ListJobs => {
                "Jobs by number, one object each: position, price, cost, profit, status, last decision."
            }
            Self::Job => {
                "Everything about one job: why it does not trade now, when and at which price it does next, position, costs, \
                 open trade, last decisions, errors, configuration that differs from the default."
            }
            Self::JobConfig => "The whole configuration of a job, with its version.",
            Self::Trades => "Trades of all jobs or of one, newest first.",
            Self::Logs => "What happened, oldest first: decisions, trades, orders of people, events.",
            Self::Pnl => {
                "What was earned: realised, unrealised, gas and net, by period and by job. Live and paper apart."
            }
            Self::Doctor => {
                "Checks the installation (database, services, keys, policy, nodes, prices) and names fixes. \
                             It asks nodes and price sources, so it may take some seconds."
            }
            Self::Pause => {
                "Stops new trades of a job and keeps its position. A trade that was sent is still settled."
            }
            Self::Resume => {
                "Continues a PAPER job after a pause or an error. A LIVE job is refused: its owner resumes it."
            }
            Self::Tick => {
                "Evaluates one slot of a PAPER job now, which may trade on paper. A LIVE job is refused."
            }
        }
    }

    fn schema(self) -> Value {
        let job =
            json!({ "type": "string", "minLength": 1, "description": "Job number, ticker or token address" });
        let chain = json!({ "type": "string", "description": "Chain of the job, if several match" });
        let realm = json!({ "type": "string", "enum": ["paper", "live"] });
        let day = json!({ "type": "string", "description": "A day or time, such as 2026-01-01 or 2026-01-01T18:30, UTC" });
        let limit = |most: u32| json!({ "type": "integer", "minimum": 1, "maximum": most, "description": "50 if absent" });
        let (properties, required) = match self {
            Self::Overview | Self::Doctor => (json!({}), json!([])),
            Self::ListJobs => (
                json!({
                    "status": { "type": "string", "enum": ["IDLE", "RUNNING", "PAUSED", "LIQUIDATING", "ERROR"] },
                    "realm": realm, "chain": chain,
                    "token": { "type": "string", "description": "Ticker or token address" },
                    "removed": { "type": "boolean", "description": "Removed jobs as well" },
                    "after": { "type": "integer", "description": "Only jobs with a greater number: the next page" },
                    "limit": limit(PAGE_MAX),
                }),
                json!([]),
            ),
            Self::Trades => (
                json!({
                    "job": job, "realm": realm, "from": day, "to": day,
                    "before": { "type": "integer", "description": "Only trades with a smaller number: the next page" },
                    "limit": limit(PAGE_MAX),
                }),
                json!([]),
            ),
            Self::Logs => (
                json!({
                    "job": job,
                    "since": { "type": "string", "description": "A length of time such as 2h, or a time; a day if absent" },
                    "limit": limit(PAGE_MAX),
                }),
                json!([]),
            ),
            Self::Pnl => (
                json!({
                    "job": job, "realm": realm, "from": day, "to": day,
                    "by": { "type": "string", "enum": ["all", "day", "week", "month", "year"] },
                }),
                json!([]),
            ),
            Self::Job | Self::JobConfig | Self::Pause | Self::Resume | Self::Tick => {
                (json!({ "job": job, "chain": chain }), json!(["job"]))
            }
        };
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
    }

    fn tool(self) -> Tool {
        let schema: JsonObject = match self.schema() {
            Value::Object(schema) => schema,
            _ => JsonObject::new(),
        };
        let name: &'static str = self.into();
        let reads = self.needs().is_none();
        let hints = ToolAnnotations::new()
            .read_only(reads)
            .destructive(false)
            .idempotent(self != Self::Tick)
            .open_world(true);
        Tool::new(name, self.description(), Arc::new(schema)).with_annotations(hints)
    }
}

/// Most rows of an answer.
pub(super) const PAGE_MAX: u32 = 200;

/// The tools of an agent that was allowed these.
pub(super) fn tools(allowed: &BTreeSet<Allowed>) -> Vec<Tool> {
    let names = Name::VARIANTS.iter().filter(|name| name.is_for(allowed));
    names.map(|name| name.tool()).collect()
}
