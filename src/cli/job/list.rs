//! `list`, and the live table of the demo.

use serde::Serialize;
use sqlx::PgPool;

use crate::{
    app::{App, AppError},
    cli::out::{Out, dollars, short, table_without},
    config::Settings,
    domain::{
        Timestamp,
        accounting::{average_cost, unrealized},
        ids::JobId,
        job::{JobMode, JobStatus},
        units::{Amount, Price, Usd},
    },
    store::{
        jobs::{self, Filter, Job},
        views::{self, Pulse},
    },
};

/// One job in one line.
#[derive(Debug, Serialize)]
pub struct JobLine {
    pub job: JobId,
    pub symbol: String,
    token: String,
    chain: String,
    realm: String,
    mode: JobMode,
    status: JobStatus,
    price_usd: Option<Price>,
    position: String,
    position_units: Amount,
    spent_usd: Usd,
    average_cost_usd: Option<Price>,
    pub realized_usd: Usd,
    pub unrealized_usd: Option<Usd>,
    gas_usd: Usd,
    last_decision: Option<String>,
    last_detail: Option<String>,
    next_slot: Option<Timestamp>,
}

impl JobLine {
    pub fn new(job: &Job, pulse: &Pulse) -> Self {
        let price = pulse.last_price.map(|(price, _)| price);
        Self {
            job: job.id,
            symbol: job.token.symbol.clone(),
            token: job.token.address.to_checksum(None),
            chain: job.account.chain.clone(),
            realm: job.account.realm.to_string(),
            mode: job.mode,
            status: job.status,
            price_usd: price,
            position: job.position.token_balance.to_whole(job.token.decimals),
            position_units: job.position.token_balance,
            spent_usd: job.total_accumulated,
            average_cost_usd: average_cost(&job.position),
            realized_usd: job.position.realized_pnl,
            unrealized_usd: price.and_then(|price| unrealized(&job.position, price).ok()),
            gas_usd: job.gas_usd,
            last_decision: pulse
                .last_decision
                .as_ref()
                .map(|(outcome, reason, _)| match outcome.as_str() {
                    "trade" => reason.clone(),
                    _ => format!("hold: {reason}"),
                }),
            last_detail: pulse
                .last_decision
                .as_ref()
                .and_then(|(_, _, detail)| detail.clone()),
            next_slot: pulse.next_slot,
        }
    }

    pub const fn gas(&self) -> Usd {
        self.gas_usd
    }

    fn cells(&self) -> Vec<String> {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        vec![
            self.job.to_string(),
            self.symbol.clone(),
            self.mode.to_string().to_lowercase(),
            self.status.to_string(),
            or_dash(self.price_usd.map(|price| short(&price.to_string(), 6))),
            short(&self.position, 4),
            dollars(self.spent_usd),
            or_dash(self.average_cost_usd.map(|price| short(&price.to_string(), 6))),
            or_dash(
                self.unrealized_usd
                    .and_then(|open| open.checked_add(self.realized_usd).ok())
                    .map(dollars),
            ),
            or_dash(self.last_decision.clone()),
            or_dash(self.next_slot.map(|slot| slot.format("%H:%M:%S").to_string())),
        ]
    }
}

const HEADER: [&str; 11] = [
    "job",
    "token",
    "mode",
    "status",
    "price",
    "position",
    "spent",
    "avg cost",
    "PnL",
    "last decision",
    "next",
];

/// What a narrow terminal can do without, least needed first.
const SPARE: [&str; 6] = ["mode", "avg cost", "next", "spent", "price", "last decision"];

/// All jobs that are not archived.
pub async fn lines(pool: &PgPool) -> Result<Vec<JobLine>, AppError> {
    let jobs = jobs::list(pool, &Filter::default()).await?;
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let pulses = views::pulses(pool, &ids).await?;
    Ok(jobs
        .iter()
        .zip(&pulses)
        .map(|(job, pulse)| JobLine::new(job, pulse))
        .collect())
}

pub fn render(lines: &[JobLine]) -> String {
    if lines.is_empty() {
        return "no jobs; `lgi-mm start TOKEN --mode accumulate` makes one\n".to_owned();
    }
    let rows = lines.iter().map(JobLine::cells).collect();
    format!("{}\nUSD, UTC\n", table_without(&HEADER, rows, &SPARE))
}

pub async fn run(settings: &Settings, out: Out) -> Result<(), AppError> {
    let world = App::read(settings).await?;
    let lines = lines(&world.pool).await?;
    out.show(&lines, |lines| render(lines))
}
