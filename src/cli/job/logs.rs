//! `logs`.

use std::time::Duration;

use clap::Args;

use crate::{
    app::{
        App, AppError,
        jobs::{
            export::JobChoice,
            logs::{LogLine, Logs, Moved},
        },
    },
    cli::{
        out::{Clock, Look, Out, dollars, tokens},
        stop::stop_on_signal,
    },
    config::Settings,
    domain::{decision::Side, units::Usd},
};

/// Pause between two looks of `--follow`.
const EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Only this token or job, removed jobs too: token address, job number or ticker
    job: Option<String>,
    /// Show what happens from now on, too; Ctrl-C ends
    #[arg(short, long)]
    follow: bool,
    /// From then on: a length of time such as 2h, or a time such as 2026-01-01 or 2026-01-01T18:30, UTC [default: 1d]
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Maximum number of lines from the past, the newest
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
}

/// `2026-11-30 09:00:00 EST  LIVE base CLAWD #7  hold price_stale: onchain: 40 min old`
fn text(line: &LogLine) -> String {
    let at = Clock::of(line.timezone, line.at).full(line.at);
    let job = match (&line.realm, &line.chain, &line.symbol, line.job) {
        (Some(realm), Some(chain), Some(symbol), Some(job)) => {
            let realm = if realm == "live" { "LIVE" } else { realm };
            format!("{realm} {chain} {symbol} #{job}")
        }
        (Some(realm), Some(chain), ..) if line.kind == "withdrawal" || line.kind == "payout" => {
            let realm = if realm == "live" { "LIVE" } else { realm };
            format!("{realm} {chain} withdrawal {}", line.id)
        }
        _ => "installation".to_owned(),
    };
    let slots = line.fields.get("slots").and_then(serde_json::Value::as_i64);
    let times = match slots {
        Some(slots @ 2..) => format!(" ({slots} slots)"),
        _ => String::new(),
    };
    let detail = line
        .detail
        .as_ref()
        .map(|detail| format!(": {detail}"))
        .unwrap_or_default();
    let moved = line.moved.as_ref().map(moved).unwrap_or_default();
    let undo = if line.kind == "audit" && line.name == "pause_jobs" {
        format!("; undo: `lgi-mm resume --paused-by {}`", line.id)
    } else {
        String::new()
    };
    // An order to buy or sell is something else to its owner.
    let kind = match line.kind.as_str() {
        "order" => "command",
        kind => kind,
    };
    let said = format!("{job}  {kind} {}{times}{moved}{detail}{undo}", line.name).replace('\n', " ");
    let indent = at.chars().count().saturating_add(2);
    format!("{at}  {}", Look::current().wrapped(&said, indent))
}

/// `: bought 100 CLAWD for 10.00 USD (0.004 ETH), gas 0.02 USD`
fn moved(moved: &Moved) -> String {
    let worth = |usd: &Option<Usd>| {
        usd.map(|usd| format!(" ({} USD)", dollars(usd)))
            .unwrap_or_default()
    };
    match moved {
        Moved::Trade {
            side,
            tokens: amount,
            symbol,
            quote,
            quote_symbol,
            usd,
            gas,
        } => {
            let verb = match side {
                Side::Buy => "bought",
                Side::Sell => "sold",
            };
            format!(
                ": {verb} {} {symbol} for {} {quote_symbol}{}, gas {} USD",
                tokens(amount),
                tokens(quote),
                worth(usd),
                dollars(*gas)
            )
        }
        Moved::Payout {
            amount,
            symbol,
            receiver,
            usd,
            gas,
        } => {
            let gas = gas.map(|gas| format!(", gas {} USD", dollars(gas)));
            format!(
                ": {} {symbol}{} to {receiver}{}",
                tokens(amount),
                worth(usd),
                gas.unwrap_or_default()
            )
        }
    }
}

/// Prints one object or one line for each; `false`: nobody reads any more.
fn print(out: Out, lines: &[LogLine]) -> Result<bool, AppError> {
    for line in lines {
        let printed = if out.is_json() {
            serde_json::to_string(line).map_err(|error| AppError::Internal(error.to_string()))?
        } else {
            text(line)
        };
        if !out.line(&printed)? {
            return Ok(false);
        }
    }
    Ok(true)
}

pub async fn run(settings: &Settings, out: Out, args: &LogsArgs) -> Result<(), AppError> {
    let app = App::read(settings).await?;
    let choice = JobChoice {
        token: args.job.clone(),
        ..JobChoice::default()
    };
    let mut logs = Logs::open(&app, &choice, args.since.as_deref()).await?;
    let past = logs.newest(args.limit).await?;
    if !print(out, &past)? {
        return Ok(());
    }
    if !args.follow {
        if past.is_empty() && !out.is_json() {
            out.remark("nothing happened in this time; --since looks further back");
        }
        return Ok(());
    }
    let stop = stop_on_signal()?;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(EVERY) => {}
        }
        if !print(out, &logs.unseen().await?)? {
            return Ok(());
        }
    }
}
