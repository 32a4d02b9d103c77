//! All jobs at a glance.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{
        Ref, RefOr, Schema,
        schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type},
    },
};

use crate::{
    api::{problem::Problem, state::Shared},
    app::jobs::{
        alive::Dead,
        list::JobLine,
        overview::{self, Overview},
    },
    domain::{Timestamp, job::Realm, units::Usd},
};

/// All jobs at a glance.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct OverviewView {
    /// The database's clock
    #[schema(value_type = String, format = DateTime)]
    now: Timestamp,
    /// What is missing if nobody works on the jobs; null: a worker does, or no job waits
    #[schema(schema_with = dead)]
    dead: Option<Dead>,
    /// Live and paper apart, live first
    totals: Vec<TotalView>,
    /// Number of jobs by status
    #[schema(value_type = BTreeMap<String, u32>)]
    statuses: BTreeMap<String, usize>,
    /// Jobs in ERROR, halted or late, live ones first; at most 20
    #[schema(schema_with = lines)]
    attention: Vec<JobLine>,
    /// Number of all such jobs
    #[schema(value_type = u32)]
    attention_jobs: usize,
}

/// Sums of the jobs of one realm.
#[derive(Debug, Serialize, ToSchema)]
struct TotalView {
    /// paper or live
    #[schema(schema_with = realm)]
    realm: Realm,
    #[schema(value_type = u32)]
    jobs: usize,
    /// Spent on buys in their cycles, USD
    #[schema(value_type = String)]
    spent_usd: Usd,
    /// Gas of their cycles, USD
    #[schema(value_type = String)]
    gas_usd: Usd,
    /// Realised plus unrealised less gas, of the jobs whose net is known, USD
    #[schema(value_type = String)]
    net_usd: Usd,
    /// Jobs whose net is not known yet
    #[schema(value_type = u32)]
    unknown: usize,
}

fn dead() -> RefOr<Schema> {
    let nobody = ObjectBuilder::new().schema_type(Type::Null);
    let dead = Ref::new("#/components/schemas/status.Dead");
    OneOfBuilder::new().item(dead).item(nobody).into()
}

fn realm() -> Ref {
    Ref::new("#/components/schemas/list.Realm")
}

fn lines() -> RefOr<Schema> {
    let line = Ref::new("#/components/schemas/list.JobLine");
    ArrayBuilder::new().items(line).into()
}

/// All jobs at a glance: totals, jobs that need their owner, and whether a worker runs.
#[utoipa::path(get, path = "/api/v1/overview", tag = "jobs", extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "All jobs that were not removed", body = OverviewView)))]
pub(in crate::api) async fn overview(State(api): State<Shared>) -> Result<Json<OverviewView>, Problem> {
    let Overview {
        now,
        dead,
        totals,
        statuses,
        attention,
        attention_jobs,
    } = overview::overview(&api.app).await?;
    let totals = totals.into_iter().map(|total| TotalView {
        realm: total.realm,
        jobs: total.jobs,
        spent_usd: total.spent_usd,
        gas_usd: total.gas_usd,
        net_usd: total.net_usd,
        unknown: total.unknown,
    });
    Ok(Json(OverviewView {
        now,
        dead,
        totals: totals.collect(),
        statuses,
        attention,
        attention_jobs,
    }))
}
