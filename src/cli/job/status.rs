//! `status`: everything about one job.

use std::fmt::Write;

use super::next;
use crate::{
    app::{
        App, AppError,
        jobs::list::JobLine,
        jobs::status::{self, Attempt, DecisionRun, Status},
    },
    cli::{
        out::{Out, dollars, moment, short, table, when},
        target::TargetArgs,
        wording::CommandLine,
    },
    config::Settings,
    domain::units::Usd,
};

pub async fn run(settings: &Settings, out: Out, args: &TargetArgs) -> Result<(), AppError> {
    let app = App::read(settings).await?;
    let mut status = status::status(&app, &args.into()).await?;
    status.why.write(&CommandLine);
    out.show(&status, render)
}

fn render(status: &Status) -> String {
    let mut text = format!("{}\n", super::list::render(std::slice::from_ref(&status.line)));
    for (name, value) in facts(status) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<16} {value}");
    }
    let _ = writeln!(text, "\nlast decisions\n{}", decisions(&status.decisions));
    if !status.trades.is_empty() {
        let _ = writeln!(text, "\nlast trades\n{}", super::trades::render(&status.trades));
        for line in &status.trades {
            if let Some(link) = &line.link {
                let _ = writeln!(text, "  trade {}: {link}", line.trade);
            }
        }
    }
    let config = serde_json::to_value(&status.config).unwrap_or_default();
    let _ = writeln!(
        text,
        "\nconfiguration, version {}\n{}",
        status.config_version,
        super::config::render(&config)
    );
    text
}

fn facts(status: &Status) -> Vec<(&'static str, String)> {
    let high = status
        .recent_high_usd
        .map_or_else(|| "-".to_owned(), |high| short(&high.to_string(), 6));
    let mut facts = vec![("why not buying", status.why.to_string())];
    facts.extend(next::lines(status));
    facts.extend([
        ("wallet", format!("{} pays with {}", status.wallet, status.quote)),
        (
            "cycle",
            format!(
                "{}, started {}, stopped {}",
                status.cycle,
                when(status.started_at),
                when(status.stopped_at)
            ),
        ),
        ("cost basis", format!("{} USD", dollars(status.cost_basis_usd))),
        ("net", net(&status.line)),
        ("money in", money_in(&status.line)),
        (
            "owned quote",
            format!("{} {}", short(&status.quote_balance.to_string(), 6), status.quote),
        ),
        ("recent high", high),
        (
            "slots",
            format!(
                "{} claimed, {} decided, {} missed",
                status.slots_claimed, status.slots_recorded, status.slots_missed
            ),
        ),
    ]);
    if let Some(plan) = &status.liquidation {
        facts.push((
            "liquidation",
            format!(
                "{} of {} slices over {}",
                plan.slices_done(),
                plan.slices(),
                plan.over()
            ),
        ));
    }
    facts.extend(troubles(status));
    if let Some(open) = &status.open_trade {
        facts.push((
            "open trade",
            format!("{} {} {}", open.trade.trade, open.trade.reason, open.trade.status),
        ));
        facts.extend(open.attempts.iter().map(|attempt| ("", sent(attempt))));
    }
    facts
}

/// Net, and what it is made of.
fn net(line: &JobLine) -> String {
    let known = |figure: Option<Usd>| figure.map_or_else(|| "-".to_owned(), dollars);
    format!(
        "{} USD = realised {} + unrealised {} - gas {}",
        known(line.net_usd),
        dollars(line.realized_usd),
        known(line.unrealized_usd),
        dollars(line.gas_usd)
    )
}

/// What the net is measured by.
fn money_in(line: &JobLine) -> String {
    let back = line
        .return_pct
        .map_or_else(String::new, |pct| format!(", return {pct} %"));
    format!("{} USD{back}", dollars(line.money_in_usd))
}

/// What prevents the job from trading, or should be changed.
fn troubles(status: &Status) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(found) = &status.unsellable {
        facts.push((
            "UNSELLABLE",
            format!(
                "since {}: {}; nothing more is bought",
                moment(found.since),
                found.detail
            ),
        ));
    }
    if let Some(reason) = &status.signer_halted {
        facts.push(("SIGNER HALTED", reason.clone()));
    }
    if let Some(warning) = &status.warning {
        facts.push(("WARNING", warning.clone()));
    }
    if status.failures_in_row > 0 {
        let (error, until) = (
            status.last_error.clone().unwrap_or_default(),
            when(status.backoff_until),
        );
        facts.push((
            "failures",
            format!(
                "{} consecutive, next try after {until}: {error}",
                status.failures_in_row
            ),
        ));
    }
    facts
}

fn sent(attempt: &Attempt) -> String {
    let Attempt {
        nonce,
        purpose,
        hash,
        sends,
        last_answer,
        ..
    } = attempt;
    let answer = last_answer.as_deref().unwrap_or("not sent yet");
    format!("nonce {nonce} {purpose} {hash}, sent {sends}x: {answer}")
}

fn decisions(runs: &[DecisionRun]) -> String {
    let rows = runs.iter().map(|run| {
        let price = run
            .price_usd
            .map_or_else(|| "-".to_owned(), |price| short(&price.to_string(), 6));
        let said = run
            .detail
            .clone()
            .or_else(|| run.explanation.map(str::to_owned))
            .unwrap_or_default();
        vec![
            moment(run.last_slot),
            format!("{}x", run.count),
            run.reason.clone(),
            price,
            said,
        ]
    });
    table(&["last slot", "times", "reason", "price", "what it means"], rows)
}
