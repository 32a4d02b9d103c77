//! Makes the console part of the program, if npm has built it: its files become a list in `OUT_DIR/console.rs`. Without
//! them the list is empty, and the program serves a page that says how to build it.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// Where npm writes it. The directory itself is committed: cargo would build again each time while it is missing.
const BUILT: &str = "console/dist";

/// Writes the list.
pub fn embed() -> Result<(), String> {
    println!("cargo::rerun-if-changed={BUILT}");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("no CARGO_MANIFEST_DIR")?);
    let mut files = Vec::new();
    let built = root.join(BUILT);
    if built.join("index.html").is_file() {
        below(&built, &mut files).map_err(|error| error.to_string())?;
    }
    files.sort();
    let mut list = String::from("static FILES: &[File] = &[\n");
    for file in files.iter().filter(|file| !compressed(file)) {
        let path = file.strip_prefix(&built).map_err(|error| error.to_string())?;
        let with_gzip = PathBuf::from(format!("{}.gz", file.display()));
        let gzip = match with_gzip.is_file() {
            true => format!("include_bytes!({:?})", with_gzip.display().to_string()),
            false => "&[]".to_owned(),
        };
        let plain = file.display().to_string();
        let path = path.display().to_string();
        writeln!(
            list,
            "    File {{ path: {path:?}, plain: include_bytes!({plain:?}), gzip: {gzip} }},"
        )
        .map_err(|error| error.to_string())?;
    }
    list.push_str("];\n");
    let out = env::var_os("OUT_DIR").ok_or("no OUT_DIR")?;
    fs::write(Path::new(&out).join("console.rs"), list).map_err(|error| error.to_string())
}

fn compressed(file: &Path) -> bool {
    file.extension().is_some_and(|kind| kind == "gz")
}

/// All files that are not hidden.
fn below(dir: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        match path.is_dir() {
            _ if hidden => {}
            true => below(&path, found)?,
            false => found.push(path),
        }
    }
    Ok(())
}
