//! Answers in plain text. Each names realm and chain of what it is about.

use crate::{
    app::{
        AppError,
        jobs::{
            alive::Dead, lifecycle::Report, list::JobLine, overview::Overview, pnl::Pnl, status::Status,
            tick::Ticked, trades::TradeLine,
        },
        message::{Advice, Field, Wording},
    },
    commands::on_the_machine,
    domain::{
        Timestamp, brief,
        units::{Price, Usd},
    },
};

/// Lines of changed jobs that are shown.
const LINES_MAX: usize = 20;

/// How a chat reads fields and advice of the application's messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chat;

impl Wording for Chat {
    fn field(&self, field: Field) -> String {
        field.to_string()
    }

    fn advice(&self, advice: &Advice) -> String {
        match advice {
            Advice::ListJobs => "/jobs".to_owned(),
            Advice::ListTrades => "/trades".to_owned(),
            Advice::Pause(job) => format!("/pause {job}"),
            Advice::Resume => "/resume N".to_owned(),
            Advice::Status => "/job N".to_owned(),
            Advice::Set(assignment) => format!("{assignment} in the job's configuration"),
            // What each of these says is in the snapshot `remedies`.
            _ => on_the_machine(advice),
        }
    }
}

pub(super) fn described(error: &AppError) -> String {
    error.rendered(&Chat)
}

/// A job as every message names it: `job 3 (CLAWD, LIVE on base)`.
pub(super) fn name(line: &JobLine) -> String {
    format!(
        "job {} ({}, {} on {})",
        line.job,
        line.symbol,
        line.realm.label(),
        line.chain
    )
}

fn usd(value: Usd) -> String {
    format!("{} USD", brief::usd(value))
}

fn known(value: Option<Usd>) -> String {
    value.map_or_else(|| "not known yet".to_owned(), usd)
}

fn price(value: Option<Price>) -> String {
    value.map_or_else(
        || "no price yet".to_owned(),
        |value| format!("{} USD", brief::price(value)),
    )
}

fn time(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn nobody(dead: Dead) -> &'static str {
    match dead {
        Dead::Worker { .. } => "NOBODY WORKS ON THE JOBS: no worker runs.",
        Dead::Scheduler { .. } => "NOBODY WORKS ON THE JOBS: no scheduler runs.",
    }
}

pub(super) fn glance(seen: &Overview) -> String {
    let mut lines: Vec<String> = seen
        .dead
        .map(|dead| nobody(dead).to_owned())
        .into_iter()
        .collect();
    lines.extend(seen.totals.iter().map(|total| {
        let unknown = match total.unknown {
            0 => String::new(),
            unknown => format!(" (and {unknown} jobs whose net is not known yet)"),
        };
        format!(
            "{}: {} jobs, net {}{unknown}, gas {}",
            total.realm.label(),
            total.jobs,
            usd(total.net_usd),
            usd(total.gas_usd)
        )
    }));
    if seen.totals.is_empty() {
        lines.push("There is no job.".to_owned());
    }
    lines.extend(
        seen.statuses
            .iter()
            .map(|(status, number)| format!("{status}: {number}")),
    );
    if seen.attention_jobs > 0 {
        lines.push(format!("{} need you:", seen.attention_jobs));
        lines.extend(
            seen.attention
                .iter()
                .take(LINES_MAX)
                .map(|line| format!("{}: {}", name(line), line.status)),
        );
    }
    lines.push(format!("As of {}", time(seen.now)));
    lines.join("\n")
}

pub(super) fn jobs(lines: &[JobLine], more: bool) -> String {
    let mut text: Vec<String> = lines
        .iter()
        .map(|line| {
            format!(
                "{}: {}, {}, net {}",
                name(line),
                line.status,
                price(line.price_usd),
                known(line.net_usd)
            )
        })
        .collect();
    match lines.last() {
        None => text.push("There are no more jobs.".to_owned()),
        Some(last) if more => text.push(format!("/jobs {} shows more.", last.job)),
        Some(_) => {}
    }
    text.join("\n")
}

pub(super) fn job(status: &Status) -> String {
    let line = &status.line;
    let mut lines = vec![
        format!("{}: {}, {}", name(line), line.mode, line.status),
        format!(
            "position {} {}, average cost {}",
            brief::amount(&line.position.to_string()),
            line.symbol,
            price(line.average_cost_usd)
        ),
        format!("price {}", price(line.price_usd)),
        format!(
            "spent {}, net {}, gas {}",
            usd(line.spent_usd),
            known(line.net_usd),
            usd(line.gas_usd)
        ),
    ];
    lines.extend(status.dead.map(|dead| nobody(dead).to_owned()));
    lines.extend(
        status
            .last_error
            .iter()
            .map(|error| format!("last error: {error}")),
    );
    lines.extend(
        status
            .signer_halted
            .iter()
            .map(|why| format!("nothing is signed: {why}")),
    );
    lines.extend(waits(status));
    lines.join("\n")
}

pub(super) fn why(status: &Status) -> String {
    let line = &status.line;
    let first = format!("{}: {}", name(line), line.status);
    [first]
        .into_iter()
        .chain(waits(status))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Why it does not trade now, and what its rules wait for.
fn waits(status: &Status) -> Vec<String> {
    let next = &status.next;
    let mut lines = vec![status.why.to_string()];
    lines.extend(next.dca.map(|at| format!("next DCA: {}", time(at))));
    let at = |price: Price| brief::price(price);
    lines.extend(
        next.dip_buy
            .map(|dip| format!("dip buy: at {} USD or below", at(dip.at_or_below_usd))),
    );
    lines.extend(
        next.take_profit
            .map(|sale| format!("take profit: at {} USD or above", at(sale.at_or_above_usd))),
    );
    lines.extend(
        next.stops
            .iter()
            .map(|stop| format!("stop: at {} USD or below", at(stop.at_or_below_usd))),
    );
    lines.extend(
        next.buys_again
            .map(|again| format!("buys nothing before {}", time(again))),
    );
    lines.extend(
        next.slice
            .map(|slice| format!("next part of its sale: {}", time(slice))),
    );
    lines.extend(
        status
            .line
            .next_slot
            .map(|slot| format!("next slot: {}", time(slot))),
    );
    lines
}

pub(super) fn pnl(found: &Pnl) -> String {
    let lines = found.realms.iter().map(|realm| {
        let total = realm.total;
        format!(
            "{}: net {}\n  realised {}, unrealised {}, gas {}, {} trades",
            realm.realm.label(),
            known(total.net_usd),
            usd(total.realized_usd),
            known(total.unrealized_usd),
            usd(total.gas_usd),
            total.trades
        )
    });
    let text: Vec<String> = lines.collect();
    match text.is_empty() {
        true => "Nothing was traded yet.".to_owned(),
        false => text.join("\n"),
    }
}

pub(super) fn trades(lines: &[TradeLine]) -> String {
    let each = lines.iter().map(|line| {
        let base = brief::amount(&line.base_amount.to_string());
        let quote = brief::amount(&line.quote_amount.to_string());
        let ended = line.executed_at.unwrap_or(line.created_at);
        let error = line
            .error
            .as_ref()
            .map(|error| format!(": {error}"))
            .unwrap_or_default();
        format!(
            "trade {} of job {} ({}, {} on {}): {} {base} for {quote} {}, {}, {}{error}, {}",
            line.trade,
            line.job,
            line.symbol,
            line.realm.label(),
            line.chain,
            line.side,
            line.quote_currency,
            line.reason,
            line.status,
            time(ended)
        )
    });
    let text: Vec<String> = each.collect();
    match text.is_empty() {
        true => "There are no trades.".to_owned(),
        false => text.join("\n"),
    }
}

/// What a command did, job by job.
pub(super) fn changed(report: Report) -> String {
    let all = report.jobs.len().saturating_add(report.refused.len());
    let refused = report
        .refused
        .iter()
        .map(|refused| format!("{}: {}", refused.name, described(&refused.error)));
    let done = report.jobs.into_iter().map(|mut line| {
        let note = line.note.as_mut().map(|note| {
            note.write(&Chat);
            format!("; {note}")
        });
        let note = note.unwrap_or_default();
        match line.changed {
            true => format!("{}: {} -> {}{note}", line.name, line.before, line.after),
            false => format!("{}: {} as before{note}", line.name, line.after),
        }
    });
    let mut lines: Vec<String> = refused.chain(done).take(LINES_MAX).collect();
    match all {
        0 => lines.push("No job is concerned.".to_owned()),
        all if all > LINES_MAX => lines.push(format!("and {} more", all.saturating_sub(LINES_MAX))),
        _ => {}
    }
    lines.join("\n")
}

pub(super) fn ticked(ticked: &Ticked) -> String {
    let why = ticked
        .explanation
        .as_ref()
        .map(|text| format!(": {text}"))
        .unwrap_or_default();
    match ticked.trade {
        Some(trade) if ticked.is_final => {
            format!("{}: trade {trade} has ended; /trades shows it", ticked.name)
        }
        Some(trade) => format!(
            "{}: trade {trade} is not final yet; a worker settles it",
            ticked.name
        ),
        None => format!("{}: {}{why}", ticked.name, ticked.decision),
    }
}
