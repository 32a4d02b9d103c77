//! `export`.

mod format;
mod sink;
mod text;
mod tools;

use std::path::PathBuf;

use clap::Args;

use self::{
    format::{Format, Writer},
    sink::Sink,
};
use super::filters::FilterArgs;
use crate::{
    app::{
        App, AppError,
        jobs::export::{self, ExportRequest, Exported},
    },
    cli::out::Out,
    config::Settings,
    domain::job::Realm,
};

#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    filters: FilterArgs,
    /// What the file is for; the formats of tax tools have live jobs only, unless --paper is given [default: csv]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Also what moved nothing: open and failed trades, dust that was written down, budgets of cycles
    #[arg(long)]
    all: bool,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// With --out: replace the file if it exists
    #[arg(long, requires = "out")]
    force: bool,
}

pub async fn run(settings: &Settings, out: Out, args: &ExportArgs) -> Result<(), AppError> {
    let format = chosen_format(args.format, out.is_json())?;
    let period = args.filters.period()?;
    let mut jobs = args.filters.jobs();
    if format.is_of_a_tool() {
        if args.all {
            return Err(AppError::Usage(format!(
                "--all: a {format} file has only what moved; use --format csv or json with --all"
            )));
        }
        // Simulated trades must not get into books unless asked for.
        jobs.realm = jobs.realm.or(Some(Realm::Live));
    }
    let request = ExportRequest {
        jobs,
        period,
        all: args.all,
    };
    let sink = Sink::open(out, args.out.as_deref(), args.force)?;
    let app = App::read(settings).await?;
    let mut writer = Writer::new(format, sink)?;
    let exported = export::each(&app, &request, |line| writer.line(line)).await?;
    writer.finish()?;
    remark(out, args, format, &request, exported);
    Ok(())
}

/// `--json` asks for JSON, as for every command.
fn chosen_format(format: Option<Format>, json: bool) -> Result<Format, AppError> {
    match (format, json) {
        (None, true) => Ok(Format::Json),
        (Some(format), true) if format != Format::Json => Err(AppError::Usage(format!(
            "--json and --format {format} contradict each other: leave one of them out"
        ))),
        (format, _) => Ok(format.unwrap_or(Format::Csv)),
    }
}

fn remark(out: Out, args: &ExportArgs, format: Format, request: &ExportRequest, exported: Exported) {
    if let Some(path) = &args.out {
        out.remark(&format!("{} rows written to {}", exported.rows, path.display()));
    }
    if !format.is_of_a_tool() {
        return;
    }
    if request.jobs.realm == Some(Realm::Paper) {
        out.remark("these trades are simulated: do not import them into the books of real money");
    } else if exported.paper_left_out {
        out.remark("only live trades are exported to a tax tool; --paper exports the simulated ones instead");
    }
}
