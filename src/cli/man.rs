//! `man`: manual pages, made from the command line's own help.

use std::{fs, path::PathBuf};

use clap::{Args, Command, ValueHint};
use clap_mangen::Man;

use super::out::{Out, unwritable};
use crate::app::AppError;

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Directory for a page of each command; without it, the main page is printed
    #[arg(value_hint = ValueHint::DirPath)]
    dir: Option<PathBuf>,
}

pub(super) fn run(out: Out, mut command: Command, args: &ManArgs) -> Result<(), AppError> {
    // Names the subcommands in full, as their pages are called.
    command.build();
    let Some(dir) = &args.dir else {
        return out.verbatim(&page(&command)?);
    };
    let io = |error| unwritable("DIR", dir, error);
    fs::create_dir_all(dir).map_err(io)?;
    let mut written = Vec::new();
    let mut open = vec![command];
    while let Some(command) = open.pop() {
        open.extend(command.get_subcommands().filter(|below| shown(below)).cloned());
        let name = Man::new(command.clone()).get_filename();
        fs::write(dir.join(&name), page(&command)?).map_err(io)?;
        written.push(name);
    }
    written.sort();
    out.show(&written, |written| {
        let dir = dir.display();
        format!(
            "{} manual pages written to {dir}; read one with `man -l {dir}/lgi-mm.1`",
            written.len()
        )
    })
}

/// Commands for people.
fn shown(command: &Command) -> bool {
    !command.is_hide_set() && command.get_name() != "help"
}

fn page(command: &Command) -> Result<Vec<u8>, AppError> {
    let mut page = Vec::new();
    Man::new(command.clone())
        .manual("lgi-mm")
        .render(&mut page)
        .map_err(|error| AppError::Internal(error.to_string()))?;
    Ok(page)
}
