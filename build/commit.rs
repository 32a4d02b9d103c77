//! Which commit is built: for `lgi-mm --version`. Only what git or the builder says, no clock, so that the same sources
//! give the same program.

use std::{path::Path, process::Command};

/// The commit's short hash, `-dirty` if tracked files differ from it, and its date in UTC; `None` if `dir` is not the
/// top of a git work tree.
pub fn of(dir: &Path) -> Option<String> {
    let top = git(dir, &["rev-parse", "--show-toplevel"])?;
    // Sources that lie in another project's repository are not of that project's commit.
    if Path::new(&top).canonicalize().ok()? != dir.canonicalize().ok()? {
        return None;
    }
    let shown = git(
        dir,
        &[
            "log",
            "-1",
            "--abbrev=9",
            "--date=format-local:%Y-%m-%d",
            "--format=%h %cd",
        ],
    )?;
    let (hash, date) = shown.split_once(' ')?;
    let changed = !git(dir, &["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    let dirty = if changed { "-dirty" } else { "" };
    Some(format!("{hash}{dirty} {date}"))
}

/// Files that change when another commit is checked out or made.
pub fn watched(dir: &Path) -> Vec<String> {
    let paths = ["HEAD", "logs/HEAD"].map(|name| git(dir, &["rev-parse", "--git-path", name]));
    let paths = paths.into_iter().flatten();
    paths.filter(|path| dir.join(path).exists()).collect()
}

fn git(dir: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(args)
        .current_dir(dir)
        // Dates are shown in UTC wherever this is built.
        .env("TZ", "UTC0")
        .env_remove("GIT_DIR")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim_end().to_owned())
}
