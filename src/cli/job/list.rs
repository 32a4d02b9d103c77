//! `list`, and the live table of the demo.

use crate::{
    app::{
        App, AppError, info,
        jobs::list::{self, JobLine},
    },
    cli::out::{Out, dollars, short, table_without},
    config::Settings,
};

const HEADER: [&str; 11] = [
    "job",
    "token",
    "mode",
    "status",
    "price",
    "position",
    "spent",
    "avg cost",
    "net",
    "last decision",
    "next",
];

/// Columns that a narrow terminal omits, least important first.
const SPARE: [&str; 6] = ["mode", "avg cost", "next", "spent", "price", "last decision"];

fn cells(line: &JobLine) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    vec![
        line.job.to_string(),
        line.symbol.clone(),
        line.mode.to_string().to_lowercase(),
        line.status.to_string(),
        or_dash(line.price_usd.map(|price| short(&price.to_string(), 6))),
        short(&line.position.to_string(), 4),
        dollars(line.spent_usd),
        or_dash(line.average_cost_usd.map(|price| short(&price.to_string(), 6))),
        or_dash(line.net_usd.map(dollars)),
        or_dash(line.last_decision.as_ref().map(ToString::to_string)),
        or_dash(line.next_slot.map(|slot| slot.format("%H:%M:%S").to_string())),
    ]
}

pub fn render(lines: &[JobLine]) -> String {
    if lines.is_empty() {
        return "no jobs; create one with `lgi-mm start TOKEN --mode accumulate`\n".to_owned();
    }
    let rows = lines.iter().map(cells).collect();
    format!(
        "{}\nUSD, UTC; net is after gas\n",
        table_without(&HEADER, rows, &SPARE)
    )
}

pub async fn run(settings: &Settings, out: Out) -> Result<(), AppError> {
    let app = App::read(settings).await?;
    let lines = list::list(&app).await?;
    out.show(&lines, |lines| match lines.as_slice() {
        // A user who expects jobs may be looking at another user's database.
        [] => format!(
            "no jobs in {}; create one with `lgi-mm start TOKEN --mode accumulate`",
            info::whose(&app)
        ),
        lines => render(lines),
    })
}
