//! `doctor`: checks this installation and suggests fixes.

use super::{
    out::{Out, table},
    wording::CommandLine,
};
use crate::{
    app::{
        AppError,
        doctor::{CheckStatus, doctor},
    },
    config::Settings,
};

pub(super) async fn run(settings: &Settings, out: Out) -> Result<(), AppError> {
    let mut checks = doctor(settings).await?;
    for fix in checks.iter_mut().filter_map(|check| check.fix.as_mut()) {
        fix.write(&CommandLine);
    }
    out.show(&checks, |checks| {
        let rows = checks.iter().map(|check| {
            vec![
                label(check.status).to_owned(),
                check.what.to_owned(),
                check.seen.clone(),
                check.fix.as_ref().map(ToString::to_string).unwrap_or_default(),
            ]
        });
        table(&["", "check", "seen", "fix"], rows)
    })?;
    let failed = checks.iter().filter(|check| check.status == CheckStatus::Fail);
    match failed.count() {
        0 => Ok(()),
        failed => Err(AppError::Problems(failed)),
    }
}

const fn label(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Ok => "OK",
        CheckStatus::Warn => "WARN",
        CheckStatus::Fail => "FAIL",
    }
}
