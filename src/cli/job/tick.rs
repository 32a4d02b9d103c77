//! `tick`: one slot, now, here.

use std::time::Duration;

use serde::Serialize;

use crate::{
    app::{App, AppError},
    cli::{out::Out, target::TargetArgs},
    config::Settings,
    domain::{
        Timestamp,
        decision::HoldReason,
        ids::{JobId, TradeId},
    },
    engine::{Outcome, Progress, Tick},
    store,
};

/// Longest wait for a trade to be final; after that a daemon carries it on.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Serialize)]
struct Ticked {
    job: JobId,
    slot: Timestamp,
    decision: String,
    explanation: Option<String>,
    trade: Option<TradeId>,
    is_final: bool,
}

pub async fn run(settings: &Settings, out: Out, args: &TargetArgs) -> Result<(), AppError> {
    let world = App::open(settings).await?;
    let job = crate::app::target::find(&world.pool, &args.into()).await?;
    let engine = world.engine().await?;
    let tick = Tick {
        job: job.id,
        slot: store::slots::by_hand(&world.pool, job.id).await?,
    };
    let mut view = Ticked {
        job: job.id,
        slot: tick.slot,
        decision: String::new(),
        explanation: None,
        trade: None,
        is_final: true,
    };
    for result in engine.evaluate(&[tick]).await {
        match result.outcome? {
            Outcome::Held { reason, detail } => {
                view.decision = format!("hold: {reason}");
                view.explanation = Some(detail.unwrap_or_else(|| HoldReason::explain(reason).to_owned()));
            }
            Outcome::Traded { trade } | Outcome::AlreadyRecorded { trade: Some(trade) } => {
                view.decision = "trade".to_owned();
                view.trade = Some(trade);
            }
            Outcome::AlreadyRecorded { trade: None } => "decided before".clone_into(&mut view.decision),
            Outcome::NoSuchJob => return Err(AppError::NotFound(format!("job {} is gone", job.id))),
        }
    }
    if let Some(trade) = view.trade {
        let begun = std::time::Instant::now();
        view.is_final = false;
        while !view.is_final && begun.elapsed() < PATIENCE {
            view.is_final = engine.drive(trade).await? == Progress::Final;
            if !view.is_final {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
    out.show(&view, |view| {
        let explained = view
            .explanation
            .as_ref()
            .map(|text| format!(": {text}"))
            .unwrap_or_default();
        match view.trade {
            Some(trade) if view.is_final => format!("job {}: trade {trade}; see `lgi-mm trades`", view.job),
            Some(trade) => format!(
                "job {}: trade {trade} is not final yet; `lgi-mm daemon` carries it on",
                view.job
            ),
            None => format!("job {}: {}{explained}", view.job, view.decision),
        }
    })
}
