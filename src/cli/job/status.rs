//! `status`: everything about one job.

use std::{collections::BTreeSet, fmt::Write};

use super::{
    alive,
    list::{realm, unreal},
    next,
};
use crate::{
    app::{
        App, AppError,
        jobs::list::JobLine,
        jobs::status::{self, Attempt, DecisionRun, Status},
    },
    cli::{
        costs,
        out::{Clock, Hue, Look, Out, dollars, dollars_or_dash, price, table, tokens},
        target::TargetArgs,
        wording::CommandLine,
    },
    config::Settings,
    domain::{
        Timestamp, brief,
        config::OrderSide,
        job::{JobMode, JobStatus},
        units::Price,
    },
};

/// Columns of the names of what is shown.
const NAMES: usize = 16;

pub async fn run(settings: &Settings, out: Out, args: &TargetArgs) -> Result<(), AppError> {
    let app = App::read(settings).await?;
    let mut status = status::status(&app, &args.into()).await?;
    status.why.write(&CommandLine);
    out.show(&status, render)
}

/// What its owner asks first comes first; the configuration, which they wrote, comes last.
fn render(status: &Status) -> String {
    let look = Look::current();
    let line = &status.line;
    let clock = Clock::of(line.timezone, status.now);
    let mut text = heading(line);
    text.extend(
        status
            .dead
            .map(|dead| format!("{}\n", alive::banner(dead, status.now))),
    );
    text.push('\n');
    let mut facts = answer(status, clock);
    facts.extend(figures(status));
    facts.extend(history(status, clock));
    for (name, value) in facts {
        let hue = if name.chars().any(char::is_lowercase) || name.is_empty() {
            Hue::Faint
        } else {
            Hue::Bad
        };
        // Writing to a string cannot fail.
        let value = look.wrapped(&value, NAMES.saturating_add(1));
        let _ = writeln!(text, "{} {value}", look.paint(&format!("{name:<NAMES$}"), hue));
    }
    let _ = writeln!(text, "\nlast decisions\n{}", decisions(&status.decisions, clock));
    if !status.trades.is_empty() {
        let _ = writeln!(text, "\nlast trades\n{}", super::trades::render(&status.trades));
        for line in &status.trades {
            if let Some(link) = &line.link {
                let _ = writeln!(text, "  trade {}: {link}", line.trade);
            }
        }
    }
    text.push_str(&configuration(status));
    text
}

/// `job 1  LIVE on base  CLAWDIA  accumulate  RUNNING`
fn heading(line: &JobLine) -> String {
    let look = Look::current();
    let realm = look.paint(realm(line.realm), Hue::Strong);
    let hue = match line.status {
        JobStatus::Running => Hue::Good,
        JobStatus::Error => Hue::Bad,
        JobStatus::Paused | JobStatus::Liquidating => Hue::Warning,
        JobStatus::Idle => Hue::Faint,
    };
    format!(
        "job {}  {realm} on {}  {}  {}  {}{}\n",
        line.job,
        line.chain,
        line.symbol,
        line.mode.to_string().to_lowercase(),
        look.paint(&line.status.to_string(), hue),
        if line.archived_at.is_some() {
            ", removed"
        } else {
            ""
        }
    )
}

/// What its owner asks of it.
fn question(status: &Status) -> &'static str {
    let order = status.config.rules.order();
    let sells = order.is_some_and(|rules| rules.side == OrderSide::Sell);
    match status.line.status {
        JobStatus::Liquidating => "why not selling",
        _ if sells => "why not selling",
        _ if matches!(status.line.mode, JobMode::Liquidity | JobMode::Basket) => "why not trading",
        _ => "why not buying",
    }
}

/// Why it does not trade, when it looks again, and what is in its way.
fn answer(status: &Status, clock: Clock) -> Vec<(&'static str, String)> {
    let mut facts = vec![(question(status), status.why.to_string())];
    facts.extend(status.line.paused_by.map(|pause| {
        let undo = format!("together with others; undo: `lgi-mm resume --paused-by {pause}`");
        ("paused", undo)
    }));
    if status.line.next_slot.is_some() {
        facts.push(("next slot", super::list::next(&status.line, status.now)));
    }
    facts.extend(next::lines(status, clock));
    facts.extend(troubles(status, clock));
    if let Some(plan) = &status.liquidation {
        let (done, all, over) = (plan.slices_done(), plan.slices(), plan.over());
        facts.push(("liquidation", format!("{done} of {all} slices over {over}")));
    }
    if let Some(open) = &status.open_trade {
        facts.push((
            "open trade",
            format!("{} {} {}", open.trade.trade, open.trade.reason, open.trade.status),
        ));
        facts.extend(open.attempts.iter().map(|attempt| ("", sent(attempt))));
        if let Some(since) = open.stuck_since {
            let since = clock.full(since);
            facts.push((
                "STUCK",
                format!(
                    "accepted again and again, and in no block (noticed {since}): the node or relay does not pass it on, and \
                     later trades of the wallet wait; `lgi-mm doctor` shows whom to ask"
                ),
            ));
        }
    }
    facts
}

fn figures(status: &Status) -> Vec<(&'static str, String)> {
    let line = &status.line;
    let usd = |price: Option<Price>| {
        price.map_or_else(|| "-".to_owned(), |known| format!("{} USD", brief::price(known)))
    };
    let mut facts = vec![
        ("price", market_price(line)),
        (
            "position",
            format!(
                "{} {}, cost {} USD, average {}",
                tokens(line.position),
                line.symbol,
                dollars(status.cost_basis_usd),
                price(line.average_cost_usd)
            ),
        ),
        ("spent", format!("{} USD in this cycle", dollars(line.spent_usd))),
        ("net", net(line)),
        ("money in", money_in(line)),
        ("recent high", usd(status.recent_high_usd)),
    ];
    if let Some(costs) = &status.costs {
        facts.push(("round trip", costs::line(costs)));
    }
    if matches!(line.mode, JobMode::Liquidity | JobMode::Basket) {
        let owned = format!("{} {}", tokens(status.quote_balance), status.quote);
        facts.push(("owned quote", owned));
    }
    facts
}

/// The last price, and that it is no market's.
fn market_price(line: &JobLine) -> String {
    let shown = line
        .price_usd
        .map_or_else(|| "-".to_owned(), |known| format!("{} USD", brief::price(known)));
    match unreal(line) {
        Some(word) => format!("{shown}, {word}"),
        None => shown,
    }
}

fn history(status: &Status, clock: Clock) -> [(&'static str, String); 3] {
    let on = |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), |time| clock.full(time));
    let stopped = status
        .stopped_at
        .map(|time| format!(", stopped {}", clock.full(time)));
    [
        ("wallet", format!("{} pays with {}", status.wallet, status.quote)),
        (
            "cycle",
            format!(
                "{}, started {}{}",
                status.cycle,
                on(status.started_at),
                stopped.unwrap_or_default()
            ),
        ),
        (
            "slots",
            format!(
                "{} claimed, {} decided, {} missed",
                status.slots_claimed, status.slots_recorded, status.slots_missed
            ),
        ),
    ]
}

fn configuration(status: &Status) -> String {
    let (version, job) = (status.config_version, status.line.job);
    let differs = super::config::render(&status.config_differences);
    if differs.is_empty() {
        return format!(
            "\nconfiguration, version {version}: all defaults; `lgi-mm config show {job}` lists them\n"
        );
    }
    format!(
        "\nconfiguration, version {version}, what differs from the defaults; `lgi-mm config show {job}` has all\n{differs}"
    )
}

/// Net, and what it is made of.
fn net(line: &JobLine) -> String {
    format!(
        "{} USD = realised {} + unrealised {} - gas {}",
        dollars_or_dash(line.net_usd),
        dollars(line.realized_usd),
        dollars_or_dash(line.unrealized_usd),
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
fn troubles(status: &Status, clock: Clock) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(found) = &status.unsellable {
        facts.push((
            "UNSELLABLE",
            format!(
                "since {}: {}; nothing more is bought",
                clock.full(found.since),
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
        let error = status.last_error.as_deref().unwrap_or("no error was kept");
        let retry = match (status.line.status, status.backoff_until) {
            // Nothing is tried again until its owner resumes it.
            (JobStatus::Running | JobStatus::Liquidating, Some(until)) => {
                format!(", next try after {}", clock.near(until))
            }
            _ => String::new(),
        };
        let failures = status.failures_in_row;
        facts.push(("FAILURES", format!("{failures} in a row{retry}: {error}")));
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

/// Below this width what a decision means stands under the table, columns.
const IN_COLUMN: usize = 120;

fn decisions(runs: &[DecisionRun], clock: Clock) -> String {
    let look = Look::current();
    let in_column = look.plain || look.wide || look.width() >= IN_COLUMN;
    let rows = runs.iter().map(|run| {
        let mut row = vec![
            clock.full(run.last_slot),
            format!("{}x", run.count),
            run.reason.clone(),
            price(run.price_usd),
        ];
        row.extend(in_column.then(|| meaning(run)));
        row
    });
    let header = ["last slot", "times", "reason", "price", "what it means"];
    let mut text = table(
        header.get(..if in_column { 5 } else { 4 }).unwrap_or(&header),
        rows,
    );
    let mut said = BTreeSet::new();
    for run in runs.iter().filter(|_| !in_column) {
        let meaning = meaning(run);
        if !meaning.is_empty() && said.insert((&run.reason, meaning.clone())) {
            let line = look.wrapped(&format!("{}: {meaning}", run.reason), 2);
            let _ = write!(text, "\n{line}");
        }
    }
    text
}

fn meaning(run: &DecisionRun) -> String {
    let known = run.detail.clone();
    known
        .or_else(|| run.explanation.map(str::to_owned))
        .unwrap_or_default()
}
