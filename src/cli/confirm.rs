//! Asks for confirmation on the terminal.

use std::io::{BufRead, IsTerminal, stderr, stdin};

use super::out::Out;
use crate::app::AppError;

/// Whether to ask before something that moves real money or cannot be undone: on a terminal, unless `--yes` is given. A
/// script is not asked.
pub(super) fn asks(out: Out, yes: bool) -> bool {
    !yes && !out.is_json() && stdin().is_terminal() && stderr().is_terminal()
}

/// Asks a question that [`asks`] allows.
///
/// # Errors
/// [`AppError::Refused`] unless the answer is yes.
pub(super) fn confirm(out: Out, question: &str) -> Result<(), AppError> {
    if says_yes(out, question)? {
        Ok(())
    } else {
        Err(AppError::Refused("nothing was changed".to_owned()))
    }
}

/// Asks a question; only `y` or `yes` agrees. The caller has checked that there is a terminal.
pub(super) fn says_yes(out: Out, question: &str) -> Result<bool, AppError> {
    let io = |source| AppError::Io {
        what: "the terminal".to_owned(),
        source,
    };
    out.prompt(&format!("{question} [y/N] "));
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer).map_err(io)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
