//! `doctor`: checks this installation and suggests fixes.

use super::{
    out::{Hue, Look, Out, table},
    wording::CommandLine,
};
use crate::{
    app::{
        AppError,
        doctor::{Check, CheckStatus, doctor},
    },
    config::Settings,
};

pub(super) async fn run(settings: &Settings, out: Out) -> Result<(), AppError> {
    let mut checks = doctor(settings).await?;
    for fix in checks.iter_mut().filter_map(|check| check.fix.as_mut()) {
        fix.write(&CommandLine);
    }
    out.show(&checks, |checks| render(checks))?;
    let failed = checks.iter().filter(|check| check.status == CheckStatus::Fail);
    match failed.count() {
        0 => Ok(()),
        failed => Err(AppError::Problems(failed)),
    }
}

/// Columns before a check's name.
const INDENT: usize = 6;

/// One line a check, and below one that is not well what to do. Lines are broken between words only; paths and commands
/// stay whole, so that they can be copied.
fn render(checks: &[Check]) -> String {
    let look = Look::current();
    if look.plain {
        return table(&["status", "check", "seen", "fix"], checks.iter().map(cells));
    }
    let widest = checks.iter().map(|check| check.what.chars().count()).max();
    let widest = widest.unwrap_or_default();
    let (blank, mut text) = (" ".repeat(INDENT), String::new());
    for check in checks {
        let (status, hue) = label(check.status);
        let status = look.paint(&format!("{status:<4}"), hue);
        let what = format!("{:<widest$}", check.what);
        let line = format!("{status}  {what}  ");
        let column = INDENT.saturating_add(widest).saturating_add(2);
        text.push_str(&match look.fits(&check.seen, column) {
            true => format!("{line}{}\n", check.seen),
            false => format!(
                "{}\n{blank}{}\n",
                line.trim_end(),
                look.wrapped(&check.seen, INDENT)
            ),
        });
        if let Some(fix) = &check.fix {
            let fix = look.wrapped(&fix.to_string(), INDENT);
            text.push_str(&format!("{blank}{fix}\n"));
        }
    }
    text
}

fn cells(check: &Check) -> Vec<String> {
    vec![
        label(check.status).0.to_owned(),
        check.what.to_owned(),
        check.seen.clone(),
        check.fix.as_ref().map(ToString::to_string).unwrap_or_default(),
    ]
}

const fn label(status: CheckStatus) -> (&'static str, Hue) {
    match status {
        CheckStatus::Ok => ("OK", Hue::Good),
        CheckStatus::Warn => ("WARN", Hue::Warning),
        CheckStatus::Fail => ("FAIL", Hue::Bad),
    }
}
