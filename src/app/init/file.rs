//! The job file.

use std::{
    fs::File,
    io::{ErrorKind, Write},
    path::Path,
};

use super::found::{Found, Wanted};
use crate::{
    app::{
        AppError,
        message::{Field, message},
    },
    config::{JobLayers, build_job_config},
    domain::{config::JobConfig, job::JobMode},
};

/// Checks the job, and writes its file; one that is there is never replaced.
///
/// # Errors
/// [`AppError`] for a value that no job may have, or a file that cannot be made.
pub fn written(path: &Path, found: &Found, wanted: &Wanted) -> Result<(), AppError> {
    let assignments = [
        format!("accumulate.dca_amount_usd={}", wanted.amount),
        format!("accumulate.dca_interval={}", wanted.interval),
        format!("accumulate.max_accumulation_usd={}", wanted.most),
    ];
    let mode = JobMode::Accumulate;
    let given = JobLayers::of_job().assignments(&assignments, "the job")?;
    build_job_config(&JobConfig::for_mode(mode), mode, &given)?;
    let shown = |source: std::io::Error| match source.kind() {
        ErrorKind::AlreadyExists => message![format!(
            "{} is there already and is not replaced; name another file, or remove it",
            path.display()
        )]
        .refused(),
        _ => message![
            Field::Out,
            format!(
                " {}: {source}; give a file in a directory that is there and can be written",
                path.display()
            )
        ]
        .bad_input(),
    };
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(shown)?;
    file.write_all(text(found, wanted).as_bytes()).map_err(shown)
}

fn text(found: &Found, wanted: &Wanted) -> String {
    let ticker = found.symbol.as_deref().unwrap_or("token");
    format!(
        "# {ticker} {} on {}\n\n\
         [accumulate]\n\
         dca_amount_usd = {}            # buy for this much ..\n\
         dca_interval = \"{}\"            # .. this often ..\n\
         max_accumulation_usd = {}      # .. while what is held cost less than this\n\
         dip_buy_threshold_pct = 0      # 10: buy more when the price is 10 % below the high of the last day\n\
         take_profit_pct = 0            # 20: sell a part when the price is 20 % above the average cost\n",
        found.token.to_checksum(None),
        found.chain,
        wanted.amount,
        wanted.interval,
        wanted.most,
    )
}
