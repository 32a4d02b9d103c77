//! Asks for confirmation on the terminal.

use std::io::{BufRead, Write, stderr, stdin};

use crate::app::AppError;

/// Asks a question; only `y` or `yes` agrees. The caller has checked that there is a terminal.
pub(super) fn says_yes(question: &str) -> Result<bool, AppError> {
    let io = |source| AppError::Io {
        what: "the terminal".to_owned(),
        source,
    };
    write!(stderr().lock(), "{question} [y/N] ").map_err(io)?;
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer).map_err(io)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
