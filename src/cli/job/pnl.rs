//! `pnl`: what was earned, by period and by job.

use std::fmt::Write;

use clap::{Args, ValueEnum};

use super::list::unreal_jobs;
use crate::{
    app::{
        App, AppError,
        jobs::{
            export::JobChoice,
            pnl::{self, Earned, Pnl, PnlRequest, RealmPnl},
            taken_out::TakenOut,
        },
    },
    cli::out::{Look, Out, Sheet, dollars, moment, table},
    config::Settings,
    domain::{calendar::Calendar, job::Realm, units::Usd},
};

#[derive(Debug, Args)]
pub struct PnlArgs {
    /// Only this job, removed ones too: job number, ticker or token address
    #[arg(long, value_name = "JOB")]
    job: Option<String>,
    /// Only jobs on this chain
    #[arg(long)]
    chain: Option<String>,
    /// Only live jobs
    #[arg(long, conflicts_with = "paper")]
    live: bool,
    /// Only paper jobs
    #[arg(long)]
    paper: bool,
    /// Also by day, week (from Monday), month or year
    #[arg(long, value_enum, default_value_t = By::All)]
    by: By,
    /// From this day or time on, such as 2026-01-01 or 2026-01-01T18:30
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Until this day, which is included, or until before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Time zone of all days [default: that of the jobs' schedules if it is the same for all, else UTC]
    #[arg(long, value_name = "ZONE", conflicts_with = "utc")]
    zone: Option<String>,
    /// Days of UTC
    #[arg(long)]
    utc: bool,
}

/// Columns of jobs that a narrow terminal omits, least important first.
const SPARE: [&str; 2] = ["trades", "chain"];

/// How time is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Day,
    Week,
    Month,
    Year,
    All,
}

impl From<By> for Calendar {
    fn from(by: By) -> Self {
        match by {
            By::Day => Self::Day,
            By::Week => Self::Week,
            By::Month => Self::Month,
            By::Year => Self::Year,
            By::All => Self::All,
        }
    }
}

impl PnlArgs {
    fn request(&self) -> PnlRequest {
        PnlRequest {
            jobs: JobChoice {
                token: self.job.clone(),
                chain: self.chain.clone(),
                realm: match (self.live, self.paper) {
                    (true, _) => Some(Realm::Live),
                    (_, true) => Some(Realm::Paper),
                    _ => None,
                },
                ..JobChoice::default()
            },
            by: self.by.into(),
            from: self.from.clone(),
            to: self.to.clone(),
            zone: if self.utc {
                Some("UTC".to_owned())
            } else {
                self.zone.clone()
            },
        }
    }
}

pub async fn run(settings: &Settings, out: Out, args: &PnlArgs) -> Result<(), AppError> {
    let request = args.request();
    let app = App::read(settings).await?;
    let found = pnl::pnl(&app, &request).await?;
    let narrowed = request.jobs != JobChoice::default() || found.from.is_some() || found.until.is_some();
    out.show(&found, |found| render(found, narrowed))
}

fn render(found: &Pnl, narrowed: bool) -> String {
    if found.realms.is_empty() {
        let of_these = if narrowed {
            "nothing was traded by these jobs in this period"
        } else {
            "nothing was traded yet"
        };
        return format!("{of_these}\n");
    }
    let look = Look::current();
    let mut text = String::new();
    for realm in &found.realms {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", title(found, realm.realm));
        if found.by != Calendar::All {
            let _ = writeln!(text, "{}", periods(found, realm));
        }
        let _ = writeln!(text, "{}", jobs(realm));
        if let Some(taken) = &realm.taken_out {
            let _ = writeln!(text, "{}", look.wrapped(&taken_out(taken), 2));
        }
        let prices = realm.jobs.iter().map(|job| (job.job, &*job.price_sources));
        text.push_str(&unreal_jobs(prices));
        text.push('\n');
    }
    for line in legend(found).lines() {
        let _ = writeln!(text, "{}", look.wrapped(line, 0));
    }
    text
}

/// What the tables below are about.
fn title(found: &Pnl, realm: Realm) -> String {
    let mut parts = vec![
        realm.to_string().to_uppercase(),
        "USD".to_owned(),
        format!("days of {}", found.zone),
    ];
    let end = |end: Option<crate::domain::Timestamp>| end.map(moment);
    parts.extend(end(found.from).map(|from| format!("from {from} UTC")));
    parts.extend(end(found.until).map(|until| format!("until {until} UTC")));
    parts.join(", ")
}

fn or_dash(usd: Option<Usd>) -> String {
    usd.map_or_else(|| "-".to_owned(), dollars)
}

fn periods(found: &Pnl, realm: &RealmPnl) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for period in &realm.periods {
        rows.push(vec![
            period.period.clone(),
            period.trades.to_string(),
            dollars(period.realized_usd),
            dollars(period.gas_usd),
            dollars(period.net_usd),
        ]);
    }
    let Earned {
        trades,
        realized_usd,
        unrealized_usd,
        gas_usd,
        net_usd,
    } = realm.total;
    if found.held_now {
        let open = or_dash(unrealized_usd);
        rows.push(vec![
            "unrealised now".to_owned(),
            String::new(),
            String::new(),
            String::new(),
            open,
        ]);
    }
    rows.push(vec![
        "total".to_owned(),
        trades.to_string(),
        dollars(realized_usd),
        dollars(gas_usd),
        or_dash(net_usd),
    ]);
    let by = found.by.to_string();
    table(&[&by, "trades", "realised", "gas", "net"], rows)
}

fn jobs(realm: &RealmPnl) -> String {
    let figures = |earned: &Earned| {
        [
            earned.trades.to_string(),
            dollars(earned.realized_usd),
            or_dash(earned.unrealized_usd),
            dollars(earned.gas_usd),
            or_dash(earned.net_usd),
        ]
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for job in &realm.jobs {
        let removed = if job.removed { " (removed)" } else { "" };
        let mut row = vec![
            format!("{}{removed}", job.job),
            job.symbol.clone(),
            job.chain.clone(),
        ];
        row.extend(figures(&job.total));
        rows.push(row);
    }
    if let Some(taken) = &realm.taken_out {
        let row = [
            "-",
            "withdrawals",
            "",
            "",
            "",
            "",
            &dollars(taken.gas_usd),
            &negative(taken.gas_usd),
        ];
        rows.push(row.map(str::to_owned).to_vec());
    }
    let mut total = vec!["all".to_owned(), String::new(), String::new()];
    total.extend(figures(&realm.total));
    rows.push(total);
    let header = [
        "job",
        "token",
        "chain",
        "trades",
        "realised",
        "unrealised",
        "gas",
        "net",
    ];
    let sheet = Sheet {
        header: &header,
        rows,
        spare: &SPARE,
        ..Sheet::default()
    };
    sheet.print(Look::current())
}

/// What was paid for gas, as a part of net.
fn negative(usd: Usd) -> String {
    Usd::ZERO
        .checked_sub(usd)
        .map_or_else(|_| "-".to_owned(), dollars)
}

/// `taken out, not part of net: 1.5 ETH on base (3,750.00 USD), 100 CLAWD on base`
fn taken_out(taken: &TakenOut) -> String {
    if taken.assets.is_empty() {
        return "taken out: nothing; withdrawals that failed paid gas".to_owned();
    }
    let assets: Vec<String> = taken
        .assets
        .iter()
        .map(|asset| {
            let worth = asset.value_usd.map(|usd| format!(" ({} USD)", dollars(usd)));
            format!(
                "{} {} on {}{}",
                asset.amount,
                asset.symbol,
                asset.chain,
                worth.unwrap_or_default()
            )
        })
        .collect();
    format!("taken out, not part of net: {}", assets.join(", "))
}

fn legend(found: &Pnl) -> String {
    let unknown = found.realms.iter().any(|realm| realm.total.net_usd.is_none());
    let mut text = if found.held_now {
        "net is realised plus unrealised less gas; unrealised is all that is held now, at the last price"
            .to_owned()
    } else {
        "net is realised less gas; the period has ended, so what is held now is no part of it".to_owned()
    };
    if found.by != Calendar::All {
        text.push_str("; periods in which nothing happened are left out");
    }
    if unknown {
        text.push_str("\n-: tokens are held whose price is not known yet");
    }
    text
}
