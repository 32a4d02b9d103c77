//! `demo`: jobs of both modes trade on paper for a while, through the real scheduler, queue and workers, each a
//! process of its own; with `--crash` they are killed while they work.

mod jobs;
mod live;
mod processes;

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use super::{App, AppError, Out, job::list, out::table};
use crate::{
    app::audit::{Findings, live::LiveFindings, paper},
    config::{Secret, Settings},
    domain::{decision::Reason, span::Span},
    embedded::{self, Options},
    store::views::{self, LedgerTotals},
};
use jobs::Stage;
use live::Live;
use processes::Fleet;

/// Time between two looks at the jobs.
const REFRESH: Duration = Duration::from_millis(500);
/// Without a terminal the table is printed this often.
const PRINT_EVERY: Duration = Duration::from_secs(15);
/// Hashes that the summary shows; `--json` has all.
const SWAPS_SHOWN: usize = 5;
/// Longest wait for the last trades to be final.
const LAST_TRADES: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// How long
    #[arg(long = "for", default_value = "60s", value_name = "DURATION")]
    lasts: Span,
    /// Kill schedulers and workers with SIGKILL while they work
    #[arg(long)]
    crash: bool,
    /// Trade on a local chain with the real contracts; every trade is a real transaction
    #[arg(long)]
    live: bool,
}

pub(super) async fn run(settings: &Settings, out: Out, args: &DemoArgs) -> Result<(), AppError> {
    if args.lasts < Span::from_secs(5) || args.lasts > Span::from_secs(24 * 3_600) {
        return Err(AppError::Usage(format!(
            "--for {}: 5s to 24h are allowed",
            args.lasts
        )));
    }
    let (mut settings, _server) = private(settings).await?;
    let live = if args.live {
        let live = Live::start().await?;
        live.settle_into(&mut settings);
        Some(live)
    } else {
        None
    };
    let world = App::migrate(&settings).await?;
    let (seller, extra, mover) = match &live {
        None => (jobs::create(&world.pool, &Stage::Paper).await?, vec![], None),
        Some(live) => {
            let stage = Stage::Live {
                account: live.account.clone(),
                tokens: &live.tokens(),
                native: live.native(&world).await?,
            };
            let seller = jobs::create(&world.pool, &stage).await?;
            (seller, live.variables()?, Some(live.move_prices(&world)?))
        }
    };
    let mut fleet = Fleet::start(&world.url, args.crash, extra)?;
    out.remark(&format!("metrics: http://{}/metrics", fleet.metrics_address()));
    watch(&world, out, args, &mut fleet, seller).await?;
    settle_all(&world, out, &mut fleet).await?;
    fleet.stop().await;
    drop(mover);
    let chain = match &live {
        Some(live) => Some(live.compare(&world).await?),
        None => None,
    };
    summarise(&world, out, &fleet, args.crash, chain).await
}

/// A server of the demo's own, durable, removed at the end.
async fn private(settings: &Settings) -> Result<(Settings, embedded::Server), AppError> {
    let dir = std::env::temp_dir().join(format!("lgi-mm-demo-{}", std::process::id()));
    let options = Options {
        data_dir: Some(dir),
        fast: false,
        remove: true,
    };
    let server = tokio::task::spawn_blocking(move || embedded::start_or_join(&options))
        .await
        .map_err(|error| AppError::Internal(error.to_string()))??;
    embedded::ensure_database(&server, "lgi_mm").await?;
    let mut settings = settings.clone();
    settings.database.url = Secret(server.app_url("lgi_mm"));
    Ok((settings, server))
}

/// Shows the jobs until the time is over or somebody presses Ctrl-C.
async fn watch(
    world: &App,
    out: Out,
    args: &DemoArgs,
    fleet: &mut Fleet,
    seller: crate::domain::job::JobId,
) -> Result<(), AppError> {
    let (begun, lasts) = (Instant::now(), args.lasts.std());
    let mut printed = begun;
    let mut sold = false;
    while begun.elapsed() < lasts {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {
                out.remark("stopping: open trades are settled first");
                return Ok(());
            }
            () = tokio::time::sleep(REFRESH) => {}
        }
        fleet.keep_up(args.crash).await?;
        if !sold && begun.elapsed() > lasts / 2 {
            jobs::liquidate(&world.pool, seller).await?;
            sold = true;
        }
        let due = printed.elapsed() >= PRINT_EVERY;
        if out.is_json() || !(out.is_terminal() || due) {
            continue;
        }
        let lines = list::lines(&world.pool).await?;
        let depth = views::queue_depth(&world.pool).await?;
        let left = lasts.saturating_sub(begun.elapsed()).as_secs();
        out.clear()?;
        out.raw(&format!(
            "{}queue depth {depth} · {} processes, {} killed so far · {left} s left\n",
            list::render(&lines),
            fleet.size(),
            fleet.kills(),
        ))?;
        printed = Instant::now();
    }
    Ok(())
}

/// No new trades, and the open ones to their end: only then can both sides be compared.
async fn settle_all(world: &App, out: Out, fleet: &mut Fleet) -> Result<(), AppError> {
    jobs::pause_all(&world.pool).await?;
    let begun = Instant::now();
    loop {
        let open = crate::store::trades::open(&world.pool).await?;
        if open.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > LAST_TRADES {
            out.remark(&format!("trades still open: {open:?}"));
            return Ok(());
        }
        fleet.keep_up(false).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn summarise(
    world: &App,
    out: Out,
    fleet: &Fleet,
    crash: bool,
    chain: Option<LiveFindings>,
) -> Result<(), AppError> {
    let totals = views::ledger_totals(&world.pool).await?;
    let by_reason = views::executed_by_reason(&world.pool).await?;
    let found = match &chain {
        Some(chain) => chain.findings,
        None => paper::compare(&world.pool).await?,
    };
    let count = |reason: Reason| {
        by_reason
            .iter()
            .find(|(of, _)| *of == reason)
            .map_or(0, |(_, count)| *count)
    };
    let trades: serde_json::Map<String, Value> = <Reason as strum::VariantArray>::VARIANTS
        .iter()
        .map(|reason| (reason.to_string(), json!(count(*reason))))
        .collect();
    let mut view = json!({
        "ticks": totals.slots_recorded,
        "missed_slots": totals.slots_missed,
        "trades": trades,
        "duplicate_slots": found.duplicate_slots,
        "position_mismatches": found.position_mismatches,
    });
    if crash && let Some(view) = view.as_object_mut() {
        view.insert("kills".to_owned(), json!(fleet.kills()));
    }
    if let (Some(chain), Some(view)) = (&chain, view.as_object_mut()) {
        view.insert("transactions".to_owned(), json!(chain.mined));
        view.insert("gas_wei".to_owned(), json!(chain.gas));
        view.insert("swaps".to_owned(), json!(chain.swaps));
        view.insert("balances".to_owned(), json!(chain.balances));
    }
    let lines = list::lines(&world.pool).await?;
    out.show(&view, |_| {
        let summary = text(&lines, &by_reason, &totals, found, fleet.kills());
        chain.as_ref().map(chain_text).unwrap_or_default() + &summary
    })?;
    if found == Findings::default() {
        Ok(())
    } else {
        Err(AppError::Internal(
            "the venue's records and the ledger differ: please report this".to_owned(),
        ))
    }
}

/// Hashes, gas, and both sides of every balance.
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

fn text(
    lines: &[list::JobLine],
    by_reason: &[(Reason, u64)],
    totals: &LedgerTotals,
    found: Findings,
    kills: usize,
) -> String {
    let trades = table(
        &["reason", "trades"],
        by_reason
            .iter()
            .map(|(reason, count)| vec![reason.to_string(), count.to_string()]),
    );
    let killed = if kills == 0 {
        String::new()
    } else {
        format!(", {kills} processes killed with SIGKILL on the way")
    };
    format!(
        "\n{}\n{trades}\n{} slots decided, {} missed{killed}\n\
         the venue's own records against the ledger: {} slots traded twice, {} swaps or positions that differ\n\n\
         what to type next:\n  lgi-mm start 0xbbd9aDe16525acb4B336b6dAd3b9762901522B07 --mode accumulate\n  lgi-mm daemon\n  \
         lgi-mm status 1\n",
        list::render(lines),
        totals.slots_recorded,
        totals.slots_missed,
        found.duplicate_slots,
        found.position_mismatches,
    )
}
