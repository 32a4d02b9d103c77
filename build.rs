//! Names the commit that is built, and extracts the charting library of the report (Apache ECharts) from the crate that
//! contains it, so that neither npm nor a separate download is needed. Cargo does not pass the paths of dependencies to
//! a build script, so we search.

#[path = "build/commit.rs"]
mod commit;
#[path = "build/console.rs"]
mod console;

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest as _, Sha256};

/// The crate that contains it; pinned in Cargo.toml to the same version.
const CRATE: &str = "charming-0.6.0";
const FILE: &str = "src/asset/echarts-5.5.1.min.js";
/// Hash of the file. The file becomes part of every report, so the build fails on any other content.
const SHA256: &str = "e84270bd0cd5bdf60fefc26d00c2a391cb2e81f4d26a7a9ee16185a54773a3cf";

/// Variable that names the commit where there is no git, such as `3f2c1ab90 2026-11-29`.
const COMMIT: &str = "LGI_MM_COMMIT";

fn main() {
    if let Err(error) = console::embed() {
        println!("cargo::error=console/dist: {error}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/commit.rs");
    println!("cargo::rerun-if-changed=build/console.rs");
    name_commit();
    println!("cargo::rerun-if-changed=Cargo.lock");
    println!("cargo::rerun-if-env-changed=CARGO_HOME");
    match in_registry().or_else(by_metadata) {
        Some(path) => {
            if let Err(error) = install(&path) {
                println!("cargo::error={}: {error}", path.display());
            }
        }
        None => println!(
            "cargo::error=the report's charting library, {FILE} of the crate {CRATE}, was found neither below \
             CARGO_HOME/registry/src nor by `cargo metadata`; run `cargo fetch --locked` and build again"
        ),
    }
}

/// Sets `LGI_MM_BUILD`. A debug build does not ask git: it would be compiled again after each commit.
fn name_commit() {
    println!("cargo::rerun-if-env-changed={COMMIT}");
    let given = env::var(COMMIT).ok().filter(|given| !given.trim().is_empty());
    let release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let build = given.map(|given| given.trim().to_owned()).or_else(|| {
        let dir = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let dir = dir.filter(|_| release)?;
        for path in commit::watched(&dir) {
            println!("cargo::rerun-if-changed={path}");
        }
        commit::of(&dir)
    });
    let unnamed = if release { "commit unknown" } else { "debug build" };
    println!(
        "cargo::rustc-env=LGI_MM_BUILD={}",
        build.as_deref().unwrap_or(unnamed)
    );
}

/// Looks where cargo unpacks crates of a registry.
fn in_registry() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")))?;
    fs::read_dir(home.join("registry/src"))
        .ok()?
        .flatten()
        .map(|registry| registry.path().join(CRATE).join(FILE))
        .find(|path| path.is_file())
}

/// Asks `cargo metadata`, because vendored sources are elsewhere.
fn by_metadata() -> Option<PathBuf> {
    let output = Command::new(env::var_os("CARGO")?)
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .current_dir(env::var_os("CARGO_MANIFEST_DIR")?)
        .output()
        .ok()?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    let package = metadata["packages"]
        .as_array()?
        .iter()
        .find(|package| package["name"] == "charming")?;
    let path = Path::new(package["manifest_path"].as_str()?).with_file_name(FILE);
    path.is_file().then_some(path)
}

fn install(path: &Path) -> Result<(), String> {
    println!("cargo::rerun-if-changed={}", path.display());
    let text = fs::read(path).map_err(|error| format!("it cannot be read: {error}"))?;
    let mut found = String::new();
    for byte in Sha256::digest(&text) {
        write!(found, "{byte:02x}").map_err(|error| error.to_string())?;
    }
    if found != SHA256 {
        return Err(format!(
            "its SHA-256 is {found}, but should be {SHA256}: the file was changed; remove {CRATE} below \
             CARGO_HOME/registry and run `cargo fetch --locked`"
        ));
    }
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    fs::write(Path::new(&out).join("echarts.min.js"), text)
        .map_err(|error| format!("it cannot be copied: {error}"))
}
