//! `init`: a guided beginning on a terminal; by flags alone elsewhere.

use std::{
    fs::File,
    io::{BufRead, stdin},
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Args;
use rust_decimal::Decimal;
use serde::Serialize;

use super::{
    backtest::table::render as backtested,
    prices::{progress, write_history},
};
use crate::{
    app::{
        AppError,
        backtest::{self, BacktestRequest},
        costs::Costs,
        init::{self, Found, Looked, Wanted},
        message::{Advice, Wording},
        target::address,
    },
    backtest::{
        Detail,
        result::{BacktestResult, Summary},
        series::{CandleTime, ReadOptions},
    },
    cli::{
        confirm::asks,
        costs::{percent, sentence},
        out::{Out, has_directory, price, unwritable},
        wording::CommandLine,
    },
    config::{JobLayers, Settings},
    domain::{brief, job::JobMode, span::Span, units::Usd},
};

#[derive(Debug, Args)]
pub struct InitArgs {
    /// Token address; asked for on a terminal
    token: Option<String>,
    /// Chain of the token
    #[arg(long, default_value = "base")]
    chain: String,
    /// USD of one buy [default: 10]
    #[arg(long, value_name = "USD")]
    amount: Option<Decimal>,
    /// Time between two buys [default: 1d]
    #[arg(long, value_name = "SPAN")]
    interval: Option<Span>,
    /// Most USD in the position [default: a hundred buys]
    #[arg(long, value_name = "USD")]
    most: Option<Decimal>,
    /// Write the job to this file; one that is there is not replaced [default: the ticker and .toml]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Take the defaults without asking
    #[arg(long)]
    yes: bool,
}

/// What was found and written.
#[derive(Serialize)]
struct InitView<'a> {
    #[serde(flatten)]
    found: &'a Found,
    costs: &'a Costs,
    file: &'a Path,
    prices_file: Option<&'a Path>,
    backtest: Option<&'a Summary>,
    paper: Vec<String>,
    live: Vec<String>,
    live_needs: Option<String>,
}

pub async fn run(settings: &Settings, out: Out, args: &InitArgs) -> Result<(), AppError> {
    let ask = asks(out, args.yes);
    let given = args.amount.map(usd).transpose()?;
    let token = match &args.token {
        Some(token) => address(token)?,
        None if ask => answered(out, "Token address", None, |text| {
            address(text).map_err(|error| error.to_string())
        })?,
        None => {
            return Err(AppError::Usage(
                "which token? Give its address: `lgi-mm init ADDRESS`; on a terminal it is asked for"
                    .to_owned(),
            ));
        }
    };
    if let Some(file) = &args.out {
        free(file)?;
    }
    let looked = init::look(settings, token, &args.chain, |at| progress(out, at)).await?;
    let file = file(args, &looked.found);
    free(&file)?;
    let mut costs = looked.costs(given.unwrap_or(usd(Decimal::TEN)?)).await?;
    if !out.is_json() {
        out.raw(&found_text(&looked.found))?;
        out.raw(&costs_text(&costs))?;
    }
    let wanted = wanted(out, args, &costs, ask)?;
    if wanted.amount != costs.amount_usd {
        costs = looked.costs(wanted.amount).await?;
        if !out.is_json() {
            out.raw(&costs_text(&costs))?;
        }
    }
    init::written(&file, &looked.found, &wanted)?;
    let prices = prices(&looked, &file)?;
    let result = match &prices {
        Some(prices) => Some(tested(settings, &looked, &file, prices)?),
        None => None,
    };
    show(out, &looked, &costs, (&file, prices.as_deref()), result.as_ref())
}

/// What was given; on a terminal, what is not given is asked for.
fn wanted(out: Out, args: &InitArgs, costs: &Costs, ask: bool) -> Result<Wanted, AppError> {
    let money = |text: &str| {
        let value: Decimal = text
            .parse()
            .map_err(|_| "write an amount of USD such as 25".to_owned())?;
        usd(value).map_err(|error| error.to_string())
    };
    let amount = match args.amount {
        Some(amount) => usd(amount)?,
        None if ask => {
            let advised = costs.use_usd.unwrap_or(costs.amount_usd);
            answered(out, "USD of one buy", Some(&advised.to_string()), money)?
        }
        None => costs.amount_usd,
    };
    let interval = match args.interval {
        Some(interval) => interval,
        None if ask => answered(out, "Time between two buys", Some("1d"), |text| {
            Span::from_str(text).map_err(|error| error.to_string())
        })?,
        None => Span::from_secs(24 * 60 * 60),
    };
    let hundred = usd(amount.decimal().saturating_mul(Decimal::ONE_HUNDRED))?;
    let most = match args.most {
        Some(most) => usd(most)?,
        None if ask => answered(out, "Most USD in the position", Some(&hundred.to_string()), money)?,
        None => hundred,
    };
    Ok(Wanted {
        amount,
        interval,
        most,
    })
}

fn usd(value: Decimal) -> Result<Usd, AppError> {
    if value <= Decimal::ZERO {
        return Err(AppError::Usage(format!("{value} USD: must be more than 0")));
    }
    Usd::new(value).map_err(|error| AppError::Usage(format!("{value} USD: {error}")))
}

/// Asks until the answer can be used; an empty one takes the default.
fn answered<T>(
    out: Out,
    question: &str,
    default: Option<&str>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<T, AppError> {
    loop {
        let shown = default.map_or_else(String::new, |default| format!(" [{default}]"));
        out.prompt(&format!("{question}{shown}: "));
        let mut line = String::new();
        let read_bytes = stdin()
            .lock()
            .read_line(&mut line)
            .map_err(|source| AppError::Io {
                what: "the terminal".to_owned(),
                source,
            })?;
        if read_bytes == 0 {
            return Err(AppError::Refused("nothing was written".to_owned()));
        }
        let text = match (line.trim(), default) {
            ("", Some(default)) => default,
            (text, _) => text,
        };
        match read(text) {
            Ok(value) => return Ok(value),
            Err(why) => out.remark(&why),
        }
    }
}

/// The given file, else one named after the ticker, or after the address of a token whose ticker is no file's name.
fn file(args: &InitArgs, found: &Found) -> PathBuf {
    let named = |symbol: &String| {
        let plain = symbol.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (plain && !symbol.is_empty()).then(|| symbol.to_ascii_lowercase())
    };
    let stem = found.symbol.as_ref().and_then(named);
    let stem = stem.unwrap_or_else(|| format!("{:#x}", found.token));
    args.out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{stem}.toml")))
}

fn prices_file(file: &Path) -> PathBuf {
    file.with_extension("prices.csv")
}

/// Before anything is asked or written.
fn free(file: &Path) -> Result<(), AppError> {
    has_directory("--out", file)?;
    for path in [file, &prices_file(file)] {
        if path.symlink_metadata().is_ok() {
            return Err(AppError::Refused(format!(
                "{} is there already and is not replaced; name another file with --out, or remove it",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Writes the history next to the job file.
fn prices(looked: &Looked, file: &Path) -> Result<Option<PathBuf>, AppError> {
    let Some(history) = &looked.found.history else {
        return Ok(None);
    };
    let path = prices_file(file);
    let io = |error| unwritable("--out", file, error);
    let to = File::options()
        .write(true)
        .create_new(true)
        .open(&path)
        .map_err(io)?;
    write_history(history, to).map_err(io)?;
    Ok(Some(path))
}

fn tested(
    settings: &Settings,
    looked: &Looked,
    file: &Path,
    prices: &Path,
) -> Result<BacktestResult, AppError> {
    let request = BacktestRequest {
        prices: prices.to_owned(),
        read: ReadOptions {
            from: None,
            to: None,
            candle_time: CandleTime::Open,
            skip_bad: false,
        },
        given: JobLayers::of_job().file(Some(file))?,
        mode: Some(JobMode::Accumulate),
        decimals: looked.found.decimals,
        symbol: looked.found.symbol.clone(),
        sells: None,
    };
    backtest::run(settings, &request, Detail::SUMMARY)
}

fn show(
    out: Out,
    looked: &Looked,
    costs: &Costs,
    (file, prices): (&Path, Option<&Path>),
    result: Option<&BacktestResult>,
) -> Result<(), AppError> {
    let (paper, live) = looked.next(file.to_owned());
    let lines = |advice: Vec<Advice>| -> Vec<String> {
        let line = |advice: &Advice| CommandLine.advice(advice).trim_matches('`').to_owned();
        advice.iter().map(line).collect()
    };
    let view = InitView {
        found: &looked.found,
        costs,
        file,
        prices_file: prices,
        backtest: result.map(|result| &result.summary),
        paper: lines(paper),
        live: lines(live),
        live_needs: looked.live_needs(),
    };
    out.show(&view, |view| {
        let mut text = String::new();
        if let Some(result) = result {
            text.push_str(&format!("\n{}\n", backtested(result)));
        }
        text.push_str(&format!("\njob written to {}", file.display()));
        if let Some(prices) = prices {
            text.push_str(&format!(", prices to {}", prices.display()));
        }
        text.push('\n');
        let mut block = |title: &str, lines: &[String]| {
            if !lines.is_empty() {
                text.push_str(&format!("\n{title}\n"));
                text.extend(lines.iter().map(|line| format!("  {line}\n")));
            }
        };
        block("on paper:", &view.paper);
        block("with real money, after docs/going-live.md:", &view.live);
        if let Some(needs) = &view.live_needs {
            text.push_str(&format!("  ({needs})\n"));
        }
        text
    })
}

fn found_text(found: &Found) -> String {
    let symbol = found.symbol.as_deref().unwrap_or("(no ticker)");
    let name = found
        .name
        .as_ref()
        .map_or_else(String::new, |name| format!(", {name}"));
    let mut text = format!(
        "{symbol}{name}: {} on {}, {} decimals, {} USD\n",
        found.token.to_checksum(None),
        found.chain,
        found.decimals,
        price(found.price_usd),
    );
    for pool in &found.pools {
        text.push_str(&format!(
            "  {} USD deep: {} on {}, {}\n",
            brief::grouped(&pool.depth_usd.round().to_string()),
            pool.name,
            pool.dex,
            pool.id.as_str(),
        ));
    }
    for remark in &found.remarks {
        text.push_str(&format!("  {}\n", remark.rendered(&CommandLine)));
    }
    text
}

fn costs_text(costs: &Costs) -> String {
    let mut text = format!("{}\n", sentence(costs));
    if let Some(advised) = costs.use_usd {
        text.push_str(&format!(
            "{} USD buys pay up to {} gas: use {} USD\n",
            costs.amount_usd,
            percent(costs.gas_share_pct),
            advised
        ));
    }
    text
}
