//! `backup` and `restore`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::{
    out::{Out, counted},
    target::actor,
};
use crate::{
    app::{
        App, AppError,
        keep::{self, BackupView, Elsewhere, RestoreView},
    },
    config::Settings,
};

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// File to write, readable by you only
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// Backup to restore
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,
}

pub(super) async fn backup(settings: &Settings, out: Out, args: &BackupArgs) -> Result<(), AppError> {
    let app = App::any_schema(settings).await?;
    let view = keep::backup(&app, &actor(), &args.file, args.force).await?;
    out.show(&view, written)
}

pub(super) async fn restore(settings: &Settings, out: Out, args: &RestoreArgs) -> Result<(), AppError> {
    let view = keep::restore(settings, &actor(), &args.file).await?;
    out.show(&view, restored)
}

fn written(view: &BackupView) -> String {
    format!(
        "{}: {} and {}, {} bytes, PostgreSQL {}, lgi-mm {}\nread back as a whole. Restore it with `lgi-mm \
         restore {}`\n{}",
        view.file.display(),
        counted(view.jobs, "job"),
        counted(view.trades, "trade"),
        view.bytes,
        view.server,
        view.version,
        view.file.display(),
        not_in_it(
            &view.elsewhere,
            "not in it, back up separately (the keystore's password apart from the keystore):"
        ),
    )
}

fn restored(view: &RestoreView) -> String {
    let mut text = format!(
        "restored {}, made {}: {} and {}{}\n",
        view.file.display(),
        view.made,
        counted(view.jobs, "job"),
        counted(view.trades, "trade"),
        if view.migrated {
            "; its tables were migrated to this version"
        } else {
            ""
        },
    );
    if !view.halted.is_empty() {
        text.push_str(
            "Live wallets sign nothing until you have compared them with the chain, because they may have traded since the \
             backup:\n",
        );
        for halted in &view.halted {
            text.push_str(&format!("  {} on {}\n", halted.wallet, halted.chain));
        }
        text.push_str("Run `lgi-mm reconcile`, then `lgi-mm reconcile --apply`.\n");
    }
    text.push_str(
        "Never start lgi-mm on the old database again: two copies would trade with the same wallets.\n",
    );
    text.push_str(&not_in_it(
        &view.elsewhere,
        "not in a backup, bring them along separately:",
    ));
    text
}

fn not_in_it(elsewhere: &[Elsewhere], title: &str) -> String {
    let mut text = format!("{title}\n");
    for place in elsewhere {
        let there = if place.there { "" } else { " (not there)" };
        text.push_str(&format!("  {}: {}{there}\n", place.what, place.path.display()));
    }
    text
}
