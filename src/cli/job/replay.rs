//! `replay`: re-runs a job's history with another configuration and compares.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;

use crate::{
    app::{
        App, AppError,
        jobs::replay::{self, Figures, Replay, ReplayRequest, ReplayedTrade},
    },
    cli::{
        out::{Out, dollars, moment, price, table, tokens},
        target::TargetArgs,
    },
    config::{JobLayers, Settings},
    domain::Timestamp,
};

/// Most listed slots that differ; JSON has all trades.
const SHOWN_MAX: usize = 20;

#[derive(Debug, Args)]
pub struct ReplayArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Change the configuration by the keys of this file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Change one key, such as accumulate.dca_amount_usd=25
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

pub async fn run(settings: &Settings, out: Out, args: &ReplayArgs) -> Result<(), AppError> {
    let app = App::read(settings).await?;
    let request = ReplayRequest {
        target: (&args.target).into(),
        given: JobLayers::of_job()
            .file(args.config.as_deref())?
            .assignments(&args.set, "--set")?,
    };
    out.show(&replay::replay(&app, &request).await?, render)
}

fn render(replay: &Replay) -> String {
    let columns = [&replay.did, &replay.unchanged, &replay.changed];
    let row = |name: &str, show: &dyn Fn(&Figures) -> String| {
        let mut row = vec![name.to_owned()];
        row.extend(columns.map(show));
        row
    };
    let figures = table(
        &["", "what it did", "replayed", "with the changes"],
        [
            row("buys, sells", &|f| format!("{}, {}", f.buys, f.sells)),
            row("bought, USD", &|f| dollars(f.spent_usd)),
            row("sold, USD", &|f| dollars(f.proceeds_usd)),
            row("tokens held", &|f| tokens(f.token_balance)),
            row("quote owned", &|f| tokens(f.quote_balance)),
            row("value, USD", &|f| dollars(f.value_usd)),
            row("average cost", &|f| price(f.average_cost)),
            row("realised, USD", &|f| dollars(f.realized_usd)),
            row("unrealised, USD", &|f| dollars(f.unrealized_usd)),
            row("gas, USD", &|f| dollars(f.gas_usd)),
            row("net, USD", &|f| dollars(f.net_usd)),
            row("money in, USD", &|f| dollars(f.money_in_usd)),
            row("return", &|f| {
                f.return_pct
                    .map_or_else(|| "n/a".to_owned(), |pct| format!("{pct} %"))
            }),
        ],
    );
    let mut text = format!(
        "{}, cycle {}: {} samples from {} to {} UTC\n{figures}\n",
        replay.name,
        replay.cycle,
        replay.samples.rows,
        moment(replay.samples.first),
        moment(replay.samples.last),
    );
    text.push_str(&differences(replay));
    text.push_str("\nassumptions:");
    for assumption in &replay.assumptions {
        text.push_str(&format!("\n- {assumption}"));
    }
    text
}

/// Slots with a different decision, oldest first.
fn differences(replay: &Replay) -> String {
    let mut slots: BTreeMap<Timestamp, [Option<&ReplayedTrade>; 2]> = BTreeMap::new();
    for (column, lines) in [&replay.trades_did, &replay.trades_changed]
        .into_iter()
        .enumerate()
    {
        for line in lines {
            if let Some(place) = slots.entry(line.slot).or_default().get_mut(column) {
                *place = Some(line);
            }
        }
    }
    slots.retain(|_, [did, would]| did != would);
    if slots.is_empty() {
        return "all trades are the same\n".to_owned();
    }
    let cell = |line: Option<&ReplayedTrade>| {
        line.map_or_else(
            || "-".to_owned(),
            |line| {
                format!(
                    "{} {} for {} USD",
                    line.reason,
                    tokens(line.base_amount),
                    dollars(line.quote_usd)
                )
            },
        )
    };
    let rows = slots
        .iter()
        .take(SHOWN_MAX)
        .map(|(slot, [did, would])| vec![moment(*slot), cell(*did), cell(*would)]);
    let mut text = table(&["slot", "what it did", "with the changes"], rows);
    if let Some(more) = slots.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
        text.push_str(&format!("\nand {more} more slots; --json has every trade"));
    }
    text.push('\n');
    text
}
