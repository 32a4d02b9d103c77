//! `demo`: jobs of both modes trade on paper for a short time, through the real scheduler, queue and workers, each a
//! separate process; with `--crash` the processes are killed at random.

mod processes;

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use processes::Fleet;

use crate::{
    app::{
        App, AppError,
        audit::{Findings, live::LiveFindings},
        demo::{self, LiveDemo, Summary},
        jobs,
    },
    cli::{
        devnet::contracts,
        job::list,
        out::{Out, table},
        target::actor,
    },
    config::Settings,
    domain::{decision::Reason, job::JobId, span::Span},
};

/// Refresh interval of the table.
const REFRESH: Duration = Duration::from_millis(500);
/// Refresh interval without a terminal.
const PRINT_EVERY: Duration = Duration::from_secs(15);
/// Most hashes in the summary; `--json` has all.
const SWAPS_SHOWN: usize = 5;
/// Longest wait for the last trades to become final.
const LAST_TRADES: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Duration, 5s to 24h
    #[arg(long = "for", default_value = "60s", value_name = "DURATION")]
    lasts: Span,
    /// Kill schedulers and workers with SIGKILL at random
    #[arg(long)]
    crash: bool,
    /// Trade on a local chain with the real contracts; every trade is a real transaction
    #[arg(long)]
    live: bool,
}

pub(super) async fn run(settings: &Settings, out: Out, args: &DemoArgs) -> Result<(), AppError> {
    if args.lasts < Span::from_secs(5) || args.lasts > Span::from_secs(24 * 3_600) {
        return Err(AppError::Usage(format!(
            "--for {}: must be 5s to 24h",
            args.lasts
        )));
    }
    let server = demo::server(settings).await?;
    let mut settings = server.settings.clone();
    let live = if args.live {
        let live = LiveDemo::start(contracts()).await?;
        live.add_to(&mut settings);
        Some(live)
    } else {
        None
    };
    let live = live.as_ref();
    let app = App::migrate(&settings).await?;
    let seller = demo::create_jobs(&app, live, &actor()).await?;
    let mover = live.map(|live| live.move_prices(&app)).transpose()?;
    let mut fleet = Fleet::start(demo::environment(&app, live)?, args.crash)?;
    out.remark(&format!("metrics: http://{}/metrics", fleet.metrics_address()));
    watch(&app, out, args, &mut fleet, seller).await?;
    settle_all(&app, out, &mut fleet).await?;
    fleet.stop().await;
    drop(mover);
    let summary = demo::summary(&app, live).await?;
    summarise(&app, out, &fleet, args.crash, &summary).await
}

/// Shows the jobs until the time is up or Ctrl-C is pressed.
async fn watch(
    app: &App,
    out: Out,
    args: &DemoArgs,
    fleet: &mut Fleet,
    seller: JobId,
) -> Result<(), AppError> {
    let (begun, lasts) = (Instant::now(), args.lasts.std());
    let mut printed = begun;
    let mut sold = false;
    let screen = out.screen();
    while begun.elapsed() < lasts {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {
                drop(screen);
                out.remark("stopping: settling open trades first");
                return Ok(());
            }
            () = tokio::time::sleep(REFRESH) => {}
        }
        fleet.keep_up(args.crash).await?;
        if !sold && begun.elapsed() > lasts / 2 {
            demo::sell(app, seller, &actor()).await?;
            sold = true;
        }
        let due = printed.elapsed() >= PRINT_EVERY;
        if out.is_json() || !(out.is_terminal() || due) {
            continue;
        }
        let listing = jobs::list::list(app, &jobs::list::ListRequest::default()).await?;
        let depth = demo::queue_depth(app).await?;
        let left = lasts.saturating_sub(begun.elapsed()).as_secs();
        let frame = format!(
            "{}queue depth {depth} · {} processes, {} killed so far · {left} s left\n",
            list::render(&listing),
            fleet.size(),
            fleet.kills(),
        );
        match &screen {
            Some(screen) => screen.draw(&frame)?,
            None => out.raw(&frame)?,
        }
        printed = Instant::now();
    }
    Ok(())
}

/// Stops new trades and settles open ones: only then can both sides be compared.
async fn settle_all(app: &App, out: Out, fleet: &mut Fleet) -> Result<(), AppError> {
    demo::pause_all(app, &actor()).await?;
    let begun = Instant::now();
    loop {
        let open = demo::open_trades(app).await?;
        if open == 0 {
            return Ok(());
        }
        if begun.elapsed() > LAST_TRADES {
            out.remark(&format!("{open} trades are still open"));
            return Ok(());
        }
        fleet.keep_up(false).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn summarise(
    app: &App,
    out: Out,
    fleet: &Fleet,
    crash: bool,
    summary: &Summary,
) -> Result<(), AppError> {
    let mut view = json!({
        "ticks": summary.totals.slots_recorded,
        "missed_slots": summary.totals.slots_missed,
        "trades": trades_by_reason(summary),
        "duplicate_slots": summary.findings.duplicate_slots,
        "position_mismatches": summary.findings.position_mismatches,
    });
    if crash && let Some(view) = view.as_object_mut() {
        view.insert("kills".to_owned(), json!(fleet.kills()));
    }
    if let (Some(chain), Some(view)) = (&summary.chain, view.as_object_mut()) {
        view.insert("transactions".to_owned(), json!(chain.mined));
        view.insert("gas_wei".to_owned(), json!(chain.gas));
        view.insert("swaps".to_owned(), json!(chain.swaps));
        view.insert("balances".to_owned(), json!(chain.balances));
    }
    let listing = jobs::list::list(app, &jobs::list::ListRequest::default()).await?;
    out.show(&view, |_| {
        let chain = summary.chain.as_ref().map(chain_text).unwrap_or_default();
        chain + &text(&listing, summary, fleet.kills())
    })?;
    if summary.findings == Findings::default() {
        Ok(())
    } else {
        Err(AppError::Internal(
            "the venue's records and the ledger differ: please report this".to_owned(),
        ))
    }
}

/// Every rule, including those without a trade.
fn trades_by_reason(summary: &Summary) -> serde_json::Map<String, Value> {
    <Reason as strum::VariantArray>::VARIANTS
        .iter()
        .map(|reason| {
            let count = summary.by_reason.iter().find(|count| count.reason == *reason);
            (reason.to_string(), json!(count.map_or(0, |count| count.trades)))
        })
        .collect()
}

/// Hashes, gas, and every balance on both sides.
fn chain_text(chain: &LiveFindings) -> String {
    let balances = table(
        &["balance, base units", "ledger", "chain"],
        chain.balances.iter().map(|balance| {
            vec![
                balance.asset.clone(),
                balance.ledger.clone(),
                balance.chain.clone(),
            ]
        }),
    );
    let newest = chain.swaps.iter().rev().take(SWAPS_SHOWN);
    let swaps: String = newest.map(|hash| format!("  {hash}\n")).collect();
    format!(
        "\n{} transactions mined, {} of them swaps, gas {} ETH\n{swaps}{balances}\n",
        chain.mined,
        chain.swaps.len(),
        chain.gas.to_whole(18)
    )
}

fn text(listing: &jobs::list::Listing, summary: &Summary, kills: usize) -> String {
    let trades = table(
        &["reason", "trades"],
        summary
            .by_reason
            .iter()
            .map(|count| vec![count.reason.to_string(), count.trades.to_string()]),
    );
    let killed = if kills == 0 {
        String::new()
    } else {
        format!(", {kills} processes killed with SIGKILL")
    };
    format!(
        "\n{}\n{trades}\n{} slots decided, {} missed{killed}\n\
         the venue's own records against the ledger: {} slots traded twice, {} swaps or positions that differ\n\n\
         what to type next:\n  lgi-mm start 0xbbd9aDe16525acb4B336b6dAd3b9762901522B07 --mode accumulate\n  lgi-mm daemon\n  \
         lgi-mm status 1\n",
        list::render(listing),
        summary.totals.slots_recorded,
        summary.totals.slots_missed,
        summary.findings.duplicate_slots,
        summary.findings.position_mismatches,
    )
}
