//! Writes the page of a report.

use std::path::Path;

use crate::{
    app::AppError,
    cli::out::{Out, unwritable},
};

pub(super) fn write(out: Out, path: &Path, page: &str) -> Result<(), AppError> {
    std::fs::write(path, page).map_err(|error| unwritable("--report", path, error))?;
    out.remark(&format!(
        "report written to {}: open it in a browser",
        path.display()
    ));
    Ok(())
}
