//! `list`, and the live table of the demo.

use std::{collections::BTreeMap, time::Duration};

use clap::{
    Args, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser as _},
};

use super::alive;
use crate::{
    app::{
        App, AppError, info,
        jobs::list::{self, JobLine, ListRequest, Listing, SortBy, Total},
    },
    cli::{
        out::{Clock, Look, Out, Sheet, dollars, dollars_or_dash, price, tokens},
        stop::stop_on_signal,
    },
    config::Settings,
    domain::{
        Timestamp,
        config::SourceName,
        ids::JobId,
        job::{JobStatus, Realm},
    },
};

const HEADER: [&str; 19] = [
    "job", "realm", "chain", "token", "mode", "status", "price", "position", "spent", "avg cost", "gas",
    "net", "reason", "next", "money in", "return %", "prices", "address", "detail",
];

/// Columns that a narrow terminal omits, least important first.
const SPARE: [&str; 8] = [
    "mode", "avg cost", "gas", "spent", "position", "next", "net", "chain",
];

/// Columns of `-o wide`.
const WIDE: [&str; 5] = ["money in", "return %", "prices", "address", "detail"];

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only jobs of this token: ticker, address or job number
    #[arg(long)]
    token: Option<String>,
    /// Only jobs on this chain
    #[arg(long)]
    chain: Option<String>,
    /// Only members of this basket, by its basket.name
    #[arg(long, value_name = "NAME")]
    basket: Option<String>,
    /// Only jobs with this status
    #[arg(long, ignore_case = true, value_parser = status())]
    status: Option<JobStatus>,
    /// Only live jobs
    #[arg(long, conflicts_with = "paper")]
    live: bool,
    /// Only paper jobs
    #[arg(long)]
    paper: bool,
    /// Removed jobs as well
    #[arg(long)]
    all: bool,
    /// Order of the jobs
    #[arg(long, value_enum, value_name = "KEY", default_value_t = SortArg::Attention)]
    sort: SortArg,
    /// Show the list again every SECS seconds until Ctrl-C
    #[arg(long, value_name = "SECS", num_args = 0..=1, default_missing_value = "2", conflicts_with = "json",
          value_parser = clap::value_parser!(u16).range(1..=3600))]
    watch: Option<u16>,
}

/// `--sort`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SortArg {
    /// Jobs in ERROR, halted or late first, then live jobs
    Attention,
    /// Job number
    Job,
    /// Ticker
    Token,
    /// ERROR first, IDLE last
    Status,
    /// Next slot, soonest first
    Next,
    /// Price, highest first
    Price,
    /// Spent, highest first
    Spent,
    /// Net, highest first
    Net,
}

impl From<SortArg> for SortBy {
    fn from(argument: SortArg) -> Self {
        match argument {
            SortArg::Attention => Self::Attention,
            SortArg::Job => Self::Job,
            SortArg::Token => Self::Token,
            SortArg::Status => Self::Status,
            SortArg::Next => Self::Next,
            SortArg::Price => Self::Price,
            SortArg::Spent => Self::Spent,
            SortArg::Net => Self::Net,
        }
    }
}

fn status() -> impl clap::builder::TypedValueParser<Value = JobStatus> {
    PossibleValuesParser::new(["running", "paused", "liquidating", "error", "idle"])
        .try_map(|text| text.parse::<JobStatus>())
}

impl ListArgs {
    fn request(&self) -> ListRequest {
        ListRequest {
            status: self.status,
            realm: match (self.live, self.paper) {
                (true, _) => Some(Realm::Live),
                (_, true) => Some(Realm::Paper),
                _ => None,
            },
            token: self.token.clone(),
            chain: self.chain.clone(),
            basket: self.basket.clone(),
            archived: self.all,
            sort: self.sort.into(),
            page: None,
        }
    }
}

fn cells(line: &JobLine, now: Timestamp) -> Vec<String> {
    let reason = if line.signer_halted {
        "signer halted".to_owned()
    } else {
        let last = line.last_decision.as_ref();
        last.map_or_else(|| "-".to_owned(), |last| last.reason.clone())
    };
    vec![
        line.job.to_string(),
        realm(line.realm).to_owned(),
        line.chain.clone(),
        line.symbol.clone(),
        mode(line),
        match line.archived_at {
            Some(_) => "removed".to_owned(),
            None => line.status.to_string(),
        },
        price(line.price_usd),
        tokens(line.position),
        dollars(line.spent_usd),
        price(line.average_cost_usd),
        dollars(line.gas_usd),
        dollars_or_dash(line.net_usd),
        reason,
        next(line, now),
        dollars(line.money_in_usd),
        line.return_pct
            .map_or_else(|| "-".to_owned(), |percent| percent.to_string()),
        sources(line),
        line.token.to_checksum(None),
        line.last_detail.clone().unwrap_or_default(),
    ]
}

/// `accumulate`, `basket index`
fn mode(line: &JobLine) -> String {
    let mode = line.mode.to_string().to_lowercase();
    match &line.basket {
        Some(name) => format!("{mode} {name}"),
        None => mode,
    }
}

/// `onchain, dexscreener`
fn sources(line: &JobLine) -> String {
    let names: Vec<String> = line.price_sources.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// What its owner must know of a job's prices if they are no market's.
pub(super) fn unreal(line: &JobLine) -> Option<String> {
    unreal_sources(&line.price_sources)
}

fn unreal_sources(sources: &[SourceName]) -> Option<String> {
    let source = sources.iter().find(|source| !source.is_real())?;
    let word = match source {
        SourceName::Recorded => "RECORDED",
        _ => "INVENTED",
    };
    let names: Vec<String> = sources.iter().map(ToString::to_string).collect();
    Some(format!("{word} (price.sources is {})", names.join(", ")))
}

/// Which jobs have prices that are no market's, one line for each kind.
pub(super) fn unreal_jobs<'a>(lines: impl IntoIterator<Item = (JobId, &'a [SourceName])>) -> String {
    let mut jobs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (job, sources) in lines {
        if let Some(word) = unreal_sources(sources) {
            jobs.entry(word).or_default().push(job.to_string());
        }
    }
    let look = Look::current();
    let lines = jobs.iter().map(|(word, jobs)| {
        let of = if jobs.len() == 1 {
            "price of job"
        } else {
            "prices of jobs"
        };
        format!(
            "{}\n",
            look.wrapped(&format!("{of} {}: {word}", jobs.join(", ")), 0)
        )
    });
    lines.collect()
}

/// Which jobs one pause stopped, and how to undo it, one line for each pause.
fn paused_together(lines: &[JobLine]) -> String {
    let mut pauses: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for line in lines {
        if let Some(pause) = line.paused_by {
            pauses.entry(pause.0).or_default().push(line.job.to_string());
        }
    }
    let look = Look::current();
    let lines = pauses.iter().map(|(pause, jobs)| {
        let jobs = jobs.join(", ");
        let text = format!("paused together: {jobs}; undo: `lgi-mm resume --paused-by {pause}`");
        format!("{}\n", look.wrapped(&text, 0))
    });
    lines.collect()
}

/// Real money stands out.
pub const fn realm(realm: Realm) -> &'static str {
    match realm {
        Realm::Live => "LIVE",
        Realm::Paper => "paper",
    }
}

/// The next slot; one that nobody took is not shown as if it were coming.
pub(super) fn next(line: &JobLine, now: Timestamp) -> String {
    let clock = Clock::of(line.timezone, now);
    match (line.next_slot, line.late_since) {
        (Some(slot), _) if Look::current().plain => clock.full(slot),
        (_, Some(late)) => format!("was due {}, {}", clock.wall(late), clock.distance(late)),
        (Some(slot), None) if slot <= now => "due now".to_owned(),
        (Some(slot), None) => clock.near(slot),
        (None, None) => "-".to_owned(),
    }
}

fn total(total: &Total) -> Vec<String> {
    let jobs = if total.jobs == 1 { "job" } else { "jobs" };
    let mut cells = vec![String::new(); HEADER.len()];
    let written = [
        ("realm", realm(total.realm).to_owned()),
        ("token", format!("{} {jobs}", total.jobs)),
        ("spent", dollars(total.spent_usd)),
        ("gas", dollars(total.gas_usd)),
        ("net", dollars(total.net_usd)),
    ];
    for (name, value) in written {
        let place = HEADER.iter().position(|header| *header == name);
        if let Some(cell) = place.and_then(|place| cells.get_mut(place)) {
            *cell = value;
        }
    }
    cells
}

pub fn render(listing: &Listing) -> String {
    let look = Look::current();
    let lines = &listing.lines;
    let totals = if lines.len() > 1 {
        listing.totals.as_slice()
    } else {
        &[]
    };
    let sheet = Sheet {
        header: &HEADER,
        rows: lines.iter().map(|line| cells(line, listing.now)).collect(),
        spare: &SPARE,
        wide: &WIDE,
        totals: totals.iter().map(total).collect(),
    };
    let mut text = String::new();
    if let Some(dead) = listing.dead.filter(|_| !look.plain) {
        text = alive::banner(dead, listing.now);
        text.push('\n');
    }
    text.push_str(&sheet.print(look));
    text.push('\n');
    if !look.plain {
        text.push_str("USD, cut and not rounded; net is after gas\n");
        let prices = lines.iter().map(|line| (line.job, &*line.price_sources));
        text.push_str(&unreal_jobs(prices));
        text.push_str(&paused_together(lines));
        for total in totals.iter().filter(|total| total.unknown > 0) {
            text.push_str(&format!(
                "the {} net leaves out {} without a price yet\n",
                realm(total.realm),
                total.unknown
            ));
        }
    }
    text
}

/// A user who expects jobs may be looking at another user's database.
fn nothing(app: &App, request: &ListRequest) -> String {
    if request.is_all() {
        let place = info::whose(app);
        format!("no jobs in {place}; create one with `lgi-mm start TOKEN --mode accumulate`")
    } else {
        "no job fits; `lgi-mm list` shows all".to_owned()
    }
}

pub async fn run(settings: &Settings, out: Out, args: &ListArgs) -> Result<(), AppError> {
    let app = App::read(settings).await?;
    let request = args.request();
    if let Some(seconds) = args.watch {
        return watch(&app, out, &request, Duration::from_secs(seconds.into())).await;
    }
    let listing = list::list(&app, &request).await?;
    if let Some(dead) = listing.dead.filter(|_| !out.is_json() && Look::current().plain) {
        out.remark(&alive::banner(dead, listing.now));
    }
    out.show(&listing.lines, |lines| {
        if lines.is_empty() {
            nothing(&app, &request)
        } else {
            render(&listing)
        }
    })
}

/// Redraws the list in place; ends with Ctrl-C.
async fn watch(app: &App, out: Out, request: &ListRequest, every: Duration) -> Result<(), AppError> {
    let Some(screen) = out.screen() else {
        return Err(AppError::Usage(
            "--watch needs a terminal and text; leave it out to print the list once".to_owned(),
        ));
    };
    let stop = stop_on_signal()?;
    loop {
        let listing = list::list(app, request).await?;
        let text = if listing.lines.is_empty() {
            format!("{}\n", nothing(app, request))
        } else {
            render(&listing)
        };
        screen.draw(&format!("{text}every {} s; Ctrl-C ends", every.as_secs()))?;
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(every) => {}
        }
    }
}
