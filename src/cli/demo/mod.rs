//! `demo`: jobs of both modes trade on paper for a short time, through the real scheduler, queue and workers, each a
//! separate process; with `--crash` the processes are killed at random.

mod board;
mod processes;

use std::{
    collections::VecDeque,
    env,
    path::Path,
    time::{Duration, Instant},
};

use clap::Args;
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;

use board::{Feed, Verdict};
use processes::{Fleet, Killed};

use crate::{
    app::{
        App, AppError,
        audit::{Findings, live::LiveFindings},
        demo::{self, Happened, LiveDemo, Story, Summary},
        jobs::list::{ListRequest, Listing, list as all_jobs},
    },
    cli::{
        devnet::contracts,
        job::list,
        out::{Hue, Out, table, tokens},
        target::actor,
    },
    config::Settings,
    domain::{
        decision::Reason,
        job::{JobId, Realm},
        span::Span,
    },
};

/// Refresh interval of the table.
const REFRESH: Duration = Duration::from_millis(500);
/// How long no process says anything before all have been heard.
const QUIET: Duration = Duration::from_millis(100);
/// Most hashes in the summary; `--json` has all.
const SWAPS_SHOWN: usize = 5;
/// Longest wait for the last trades to become final.
const LAST_TRADES: Duration = Duration::from_secs(120);
/// Lines about kills and take-overs in the summary.
const RECALLED: usize = 12;

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Duration, 5s to 24h
    #[arg(long = "for", default_value = "60s", value_name = "DURATION")]
    lasts: Span,
    /// Kill a process with SIGKILL every 3 s, preferably in the middle of a trade
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
    let fleet = Fleet::start(demo::environment(&app, live)?, args.crash)?;
    out.remark(&format!("metrics: http://{}/metrics", fleet.metrics_address()));
    let mut show = Show::new(&app, out, args, fleet);
    show.run(seller).await?;
    show.settle_all().await?;
    show.fleet.stop().await;
    drop(mover);
    let summary = demo::summary(&app, live).await?;
    show.summarise(&summary).await
}

/// The running demo.
struct Show<'a> {
    app: &'a App,
    out: Out,
    args: &'a DemoArgs,
    fleet: Fleet,
    story: Story,
    feed: Feed,
    /// Lines about kills and take-overs.
    crashes: VecDeque<String>,
    filled: u64,
    takeovers: u64,
}

impl<'a> Show<'a> {
    fn new(app: &'a App, out: Out, args: &'a DemoArgs, fleet: Fleet) -> Self {
        Self {
            app,
            out,
            args,
            fleet,
            story: Story::default(),
            feed: Feed::default(),
            crashes: VecDeque::new(),
            filled: 0,
            takeovers: 0,
        }
    }

    const fn realm(&self) -> Realm {
        if self.args.live { Realm::Live } else { Realm::Paper }
    }

    fn headline(&self) -> String {
        let processes = if self.args.crash {
            "2 schedulers and 3 workers, killed one by one"
        } else {
            "1 scheduler and 2 workers"
        };
        format!(
            "Five jobs trade {}.\nProcesses: {processes}.",
            board::place(self.realm())
        )
    }

    /// Shows the jobs until the time is up or Ctrl-C is pressed.
    async fn run(&mut self, seller: JobId) -> Result<(), AppError> {
        let (begun, lasts) = (Instant::now(), self.args.lasts.std());
        let mut sold = false;
        let screen = self.out.screen();
        if screen.is_none() && !self.out.is_json() {
            self.out.raw(&format!("{}\n", self.headline()))?;
        }
        let mut refresh = tokio::time::interval(REFRESH);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let interrupted = tokio::signal::ctrl_c();
        tokio::pin!(interrupted);
        while begun.elapsed() < lasts {
            tokio::select! {
                _ = &mut interrupted => {
                    drop(screen);
                    self.out.remark("stopping: settling open trades first");
                    return Ok(());
                }
                said = self.fleet.heard() => {
                    if let Some(killed) = self.fleet.kill_in_trade(said).await {
                        self.killed(&killed).await?;
                    }
                    continue;
                }
                _ = refresh.tick() => {}
            }
            if let Some(killed) = self.fleet.kill_any().await {
                self.killed(&killed).await?;
            }
            self.replace()?;
            if !sold && begun.elapsed() > lasts / 2 {
                demo::sell(self.app, seller, &actor()).await?;
                sold = true;
            }
            let listing = self.look().await?;
            if let Some(screen) = &screen {
                let left = lasts.saturating_sub(begun.elapsed()).as_secs();
                let figures = self.figures(left);
                screen.draw(&board::frame(&self.headline(), &listing, &figures, &self.feed))?;
            }
        }
        Ok(())
    }

    fn figures(&self, left: u64) -> String {
        let killed = if self.args.crash {
            format!(
                " · {} processes killed, {} trades taken over",
                self.fleet.kills(),
                self.takeovers
            )
        } else {
            String::new()
        };
        format!("{} trades filled{killed} · {left} s left", self.filled)
    }

    /// Tells what happened since the last look.
    async fn look(&mut self) -> Result<Listing, AppError> {
        self.fleet.catch_up();
        let look = self.story.look(self.app, self.fleet.last_worker()).await?;
        for happened in &look.happened {
            let (text, hue) = board::told(happened);
            let line = self.tell(&text, hue)?;
            match happened {
                Happened::Filled { .. } => self.filled += 1,
                Happened::TakenOver(_) => {
                    self.takeovers += 1;
                    self.recall(line);
                }
                Happened::Unfilled { .. } | Happened::Status { .. } => {}
            }
        }
        Ok(look.listing)
    }

    /// Adds a line to the feed; without a terminal it is printed at once.
    fn tell(&mut self, text: &str, hue: Option<Hue>) -> Result<String, AppError> {
        let line = self.feed.add(text, hue);
        if !(self.out.is_json() || self.out.is_terminal()) {
            self.out.raw(&format!("{line}\n"))?;
        }
        Ok(line)
    }

    fn recall(&mut self, line: String) {
        self.crashes.push_back(line);
        if self.crashes.len() > RECALLED {
            self.crashes.pop_front();
        }
    }

    async fn killed(&mut self, killed: &Killed) -> Result<(), AppError> {
        let in_hand = match &killed.worker {
            Some((worker, trades)) => self.story.killed(self.app, *worker, trades).await?,
            None => vec![],
        };
        let line = self.tell(&board::kill(killed, &in_hand), Some(Hue::Bad))?;
        self.recall(line);
        self.replace()
    }

    fn replace(&mut self) -> Result<(), AppError> {
        for name in self.fleet.replace()? {
            self.tell(&format!("{name} started"), Some(Hue::Faint))?;
        }
        Ok(())
    }

    /// Stops new trades and settles open ones: only then can both sides be compared.
    async fn settle_all(&mut self) -> Result<(), AppError> {
        demo::pause_all(self.app, &actor()).await?;
        let begun = Instant::now();
        loop {
            let open = demo::open_trades(self.app).await?;
            // The worker that worked on a trade last has logged it by now.
            while let Ok(_said) = tokio::time::timeout(QUIET, self.fleet.heard()).await {}
            self.look().await?;
            if open == 0 {
                return Ok(());
            }
            if begun.elapsed() > LAST_TRADES {
                return Err(AppError::Network(format!(
                    "{open} trades are still open after {} s, so ledger and venue cannot be compared; run the demo again",
                    LAST_TRADES.as_secs()
                )));
            }
            self.replace()?;
        }
    }

    async fn summarise(&self, summary: &Summary) -> Result<(), AppError> {
        let mut view = json!({
            "ticks": summary.totals.slots_recorded,
            "missed_slots": summary.totals.slots_missed,
            "trades": trades_by_reason(summary),
            "duplicate_slots": summary.findings.duplicate_slots,
            "position_mismatches": summary.findings.position_mismatches,
        });
        if self.args.crash
            && let Some(view) = view.as_object_mut()
        {
            view.insert("kills".to_owned(), json!(self.fleet.kills()));
            view.insert("takeovers".to_owned(), json!(self.takeovers));
        }
        if let (Some(chain), Some(view)) = (&summary.chain, view.as_object_mut()) {
            view.insert("transactions".to_owned(), json!(chain.mined));
            view.insert("gas_wei".to_owned(), json!(chain.gas));
            view.insert("swaps".to_owned(), json!(chain.swaps));
            view.insert("balances".to_owned(), json!(chain.balances));
        }
        let listing = all_jobs(self.app, &ListRequest::default()).await?;
        self.out.show(&view, |_| {
            let chain = summary.chain.as_ref().map(chain_text).unwrap_or_default();
            let recalled: String = match &self.out.is_terminal() {
                // On a terminal the feed has left the screen.
                true => self.crashes.iter().map(|line| format!("{line}\n")).collect(),
                false => String::new(),
            };
            format!(
                "{recalled}{chain}{}\n{}",
                text(&listing, summary),
                self.verdict(summary).block()
            )
        })?;
        if summary.findings == Findings::default() {
            Ok(())
        } else {
            Err(AppError::Internal(
                "the venue's records and the ledger differ: please report this".to_owned(),
            ))
        }
    }

    fn verdict(&self, summary: &Summary) -> Verdict {
        Verdict {
            realm: self.realm(),
            kills: self.args.crash.then(|| self.fleet.kills()),
            trades: summary.by_reason.iter().map(|count| count.trades).sum(),
            duplicates: summary.findings.duplicate_slots,
            differences: summary.findings.position_mismatches,
        }
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

/// Hashes, gas, and every balance on both sides, exact.
fn chain_text(chain: &LiveFindings) -> String {
    let balances = table(
        &["balance", "ledger", "chain"],
        chain.balances.iter().map(|balance| {
            vec![
                balance.asset.clone(),
                balance.ledger_whole.to_string(),
                balance.chain_whole.to_string(),
            ]
        }),
    );
    let newest = chain.swaps.iter().rev().take(SWAPS_SHOWN);
    let swaps: String = newest.map(|hash| format!("  {hash}\n")).collect();
    format!(
        "\n{} transactions mined, {} of them swaps, gas {} ETH; the newest swaps:\n{swaps}{balances}\n",
        chain.mined,
        chain.swaps.len(),
        tokens(chain.gas.to_whole(18))
    )
}

fn text(listing: &Listing, summary: &Summary) -> String {
    let trades = table(
        &["reason", "trades"],
        summary
            .by_reason
            .iter()
            .map(|count| vec![count.reason.to_string(), count.trades.to_string()]),
    );
    let missed = match summary.totals.slots_missed {
        0 => String::new(),
        missed => format!(
            ", {missed} skipped: the job's last slot was not done yet, or no scheduler ran; of several that are due \
             only the latest runs"
        ),
    };
    let program = program();
    format!(
        "\n{}\n{trades}\n{} slots decided{missed}\n\n\
         what to type next:\n  {program} start 0xbbd9aDe16525acb4B336b6dAd3b9762901522B07 --mode accumulate\n  \
         {program} daemon\n  {program} status 1\n",
        list::render(listing),
        summary.totals.slots_recorded,
    )
}

/// What a shell runs this program by: its name if that is found on `PATH`, else its path.
fn program() -> String {
    let Ok(own) = env::current_exe() else {
        return "lgi-mm".to_owned();
    };
    let name = own.file_name().unwrap_or(own.as_os_str());
    let dirs = env::var_os("PATH").unwrap_or_default();
    let first = env::split_paths(&dirs)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file());
    let same = |file: &Path| matches!((file.canonicalize(), own.canonicalize()), (Ok(a), Ok(b)) if a == b);
    match first {
        Some(found) if same(&found) => name.display().to_string(),
        _ => own.display().to_string(),
    }
}
