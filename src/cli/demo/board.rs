//! What the demo shows: a table whose columns never move, and under it what happens, line by line.

use std::collections::VecDeque;

use chrono::Utc;
use crossterm::terminal;

use super::processes::Killed;
use crate::{
    app::{
        demo::{Happened, InHand, TakenOver},
        jobs::list::{JobLine, Listing, Total},
    },
    cli::out::{Hue, Look, dollars, dollars_or_dash, price, tokens},
    domain::{
        brief,
        decision::Side,
        job::{JobStatus, Realm},
    },
};

/// Columns of the table: name, width, whether it is a figure. With one blank between two they fit 80 columns.
const COLUMNS: [(&str, usize, bool); 7] = [
    ("token", 8, false),
    ("status", 11, false),
    ("price", 9, true),
    ("position", 10, true),
    ("spent", 9, true),
    ("net", 8, true),
    ("last decision", 17, false),
];
/// Lines of the feed that are kept, and shown without knowing the terminal's height.
const KEPT: usize = 200;
const LEAST_SHOWN: usize = 5;

/// The newest lines of the feed.
#[derive(Debug, Default)]
pub(super) struct Feed(VecDeque<String>);

impl Feed {
    /// Adds a line with the time; returns it.
    pub(super) fn add(&mut self, text: &str, hue: Option<Hue>) -> String {
        let line = format!("{} {text}", Utc::now().format("%H:%M:%S"));
        let line = hue.map_or(line.clone(), |hue| Look::current().paint(&line, hue));
        self.0.push_back(line.clone());
        if self.0.len() > KEPT {
            self.0.pop_front();
        }
        line
    }

    fn newest(&self, count: usize) -> impl Iterator<Item = &String> {
        self.0.iter().skip(self.0.len().saturating_sub(count))
    }
}

/// One frame: headline, table, one line of figures, and as much of the feed as the terminal has lines for.
pub(super) fn frame(headline: &str, listing: &Listing, figures: &str, feed: &Feed) -> String {
    let mut text = format!("{headline}\n\n{}\n{figures}\n\n", table(listing));
    let height = terminal::size().map_or(0, |(_, rows)| usize::from(rows));
    let left = height.saturating_sub(text.lines().count().saturating_add(1));
    for line in feed.newest(left.max(LEAST_SHOWN)) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn table(listing: &Listing) -> String {
    let look = Look::current();
    let mut lines = vec![look.paint(&row(&COLUMNS.map(|(name, ..)| name.to_owned())), Hue::Strong)];
    let mut jobs: Vec<&JobLine> = listing.lines.iter().collect();
    jobs.sort_by_key(|job| job.job);
    lines.extend(jobs.into_iter().map(|job| {
        let hue = match job.status {
            JobStatus::Error => Some(Hue::Bad),
            JobStatus::Liquidating => Some(Hue::Warning),
            JobStatus::Idle => Some(Hue::Faint),
            JobStatus::Running | JobStatus::Paused => None,
        };
        let line = row(&cells(job));
        hue.map_or(line.clone(), |hue| look.paint(&line, hue))
    }));
    lines.extend(listing.totals.iter().map(|sums| row(&total(sums))));
    lines.join("\n")
}

fn cells(job: &JobLine) -> [String; 7] {
    let decision = job.last_decision.as_ref();
    [
        job.symbol.clone(),
        job.status.to_string(),
        price(job.price_usd),
        tokens(job.position),
        dollars(job.spent_usd),
        dollars_or_dash(job.net_usd),
        decision.map_or_else(|| "-".to_owned(), |last| last.reason.replace('_', " ")),
    ]
}

fn total(sums: &Total) -> [String; 7] {
    [
        "total".to_owned(),
        String::new(),
        String::new(),
        String::new(),
        dollars(sums.spent_usd),
        dollars(sums.net_usd),
        String::new(),
    ]
}

/// Cells at the columns' places. What is too long is cut, so that nothing moves.
fn row(cells: &[String; 7]) -> String {
    let placed: Vec<String> = cells
        .iter()
        .zip(COLUMNS)
        .map(|(cell, (_, width, figure))| {
            let cell: String = cell.chars().take(width).collect();
            if figure {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            }
        })
        .collect();
    placed.join(" ").trim_end().to_owned()
}

/// One line of the feed about what happened.
pub(super) fn told(happened: &Happened) -> (String, Option<Hue>) {
    match happened {
        Happened::Filled {
            symbol,
            side,
            reason,
            tokens: amount,
            usd,
            price,
        } => (
            format!(
                "{symbol} {} {} for ${} at {} ({})",
                past(*side),
                tokens(amount),
                dollars(*usd),
                brief::price(*price),
                reason.to_string().to_lowercase().replace('_', " ")
            ),
            None,
        ),
        Happened::Unfilled {
            symbol,
            side,
            failure,
        } => {
            let why = failure.as_deref().map_or_else(
                || "dropped before anything was signed".to_owned(),
                |kind| format!("failed: {kind}"),
            );
            (format!("{symbol} {side}: {why}"), Some(Hue::Warning))
        }
        Happened::Status { symbol, before, now } => {
            (format!("{symbol} was {before} and is {now}"), Some(Hue::Faint))
        }
        Happened::TakenOver(taken) => taken_over(taken),
    }
}

fn taken_over(taken: &TakenOver) -> (String, Option<Hue>) {
    let (symbol, killed) = (&taken.symbol, taken.killed);
    let who = taken.by.map_or_else(
        || format!("{symbol}'s {} outlived worker {killed}", noun(taken.side)),
        |by| {
            format!(
                "worker {by} took over {symbol}'s {} from worker {killed}",
                noun(taken.side)
            )
        },
    );
    let nonces: Vec<String> = taken.nonces.iter().map(u64::to_string).collect();
    let nonce = match (taken.nonce_then, nonces.as_slice()) {
        (_, []) => "no transaction".to_owned(),
        (Some(then), [only]) if *only == then.to_string() => format!("same nonce {only}"),
        (_, [only]) => format!("nonce {only}"),
        (_, several) => format!("nonces {}", several.join(", ")),
    };
    let (filled, hue) = match taken.fills {
        0 => ("not filled".to_owned(), Hue::Warning),
        1 => ("filled once".to_owned(), Hue::Good),
        more => (format!("FILLED {more} TIMES"), Hue::Bad),
    };
    (format!("{who}: {nonce}, {filled}"), Some(hue))
}

/// The line about a killed process.
pub(super) fn kill(killed: &Killed, in_hand: &[InHand]) -> String {
    let doing: Vec<String> = in_hand.iter().map(doing).collect();
    let mut text = format!("KILL -9 {} (pid {})", killed.name, killed.pid);
    if !doing.is_empty() {
        text.push_str(&format!(" while {}", doing.join(" and ")));
    }
    text
}

fn doing(hand: &InHand) -> String {
    let nonce = hand
        .nonce
        .map_or_else(|| "nothing sent yet".to_owned(), |nonce| format!("nonce {nonce}"));
    let verb = match hand.side {
        Side::Buy => "buying",
        Side::Sell => "selling",
    };
    format!("{} was {verb} ({nonce})", hand.symbol)
}

const fn past(side: Side) -> &'static str {
    match side {
        Side::Buy => "bought",
        Side::Sell => "sold",
    }
}

const fn noun(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sale",
    }
}

/// Where the jobs of the demo trade.
pub(super) const fn place(realm: Realm) -> &'static str {
    match realm {
        Realm::Paper => "on paper, at invented prices",
        Realm::Live => "on a local chain with the real Uniswap contracts",
    }
}

/// The last line: what was done to the processes, what they did, and whether it is right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict {
    pub(super) realm: Realm,
    /// None without `--crash`.
    pub(super) kills: Option<usize>,
    pub(super) trades: u64,
    pub(super) duplicates: u64,
    pub(super) differences: u64,
}

impl Verdict {
    /// The line between two rules.
    pub(super) fn block(self) -> String {
        let line = self.line();
        let rule = "=".repeat(line.chars().count());
        let hue = match (self.duplicates, self.differences) {
            (0, 0) => Hue::Good,
            _ => Hue::Bad,
        };
        format!("{rule}\n{}\n{rule}\n", Look::current().paint(&line, hue))
    }

    fn line(self) -> String {
        let many = |number: u64, thing: &str| {
            let plural = if number == 1 { "" } else { "s" };
            format!("{number} {thing}{plural}. ")
        };
        let kills = self
            .kills
            .map(|kills| many(u64::try_from(kills).unwrap_or(u64::MAX), "kill"));
        let other = match self.realm {
            Realm::Paper => "venue",
            Realm::Live => "chain",
        };
        let equal = match self.differences {
            0 => format!("Ledger = {other}, to the last unit."),
            some => format!("Ledger and {other} DIFFER in {some} swaps or positions."),
        };
        format!(
            "{}{}{}{equal}",
            kills.unwrap_or_default(),
            many(self.trades, "trade"),
            many(self.duplicates, "duplicate"),
        )
    }
}
