//! The question before something that moves real money or cannot be undone.

use std::io::{BufRead, IsTerminal, stderr, stdin};

use super::out::Out;
use crate::app::AppError;

/// Asks on a terminal. A script is not asked: what it calls is what it means.
///
/// # Errors
/// [`AppError::Refused`] unless the answer is yes.
pub(super) fn confirm(out: Out, question: &str) -> Result<(), AppError> {
    if out.is_json() || !stdin().is_terminal() || !stderr().is_terminal() {
        return Ok(());
    }
    let io = |source| AppError::Io {
        what: "the terminal".to_owned(),
        source,
    };
    out.prompt(&format!("{question} [y/N] "));
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer).map_err(io)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(AppError::Refused("nothing was changed".to_owned())),
    }
}
