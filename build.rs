//! Takes the charting library of the report (Apache ECharts) out of the crate that ships it, so that neither npm nor a
//! download of our own is needed. Cargo tells a build script nothing of where its dependencies lie, so we look.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The crate that ships it; pinned in Cargo.toml to the same version.
const CRATE: &str = "charming-0.6.0";
const FILE: &str = "src/asset/echarts-5.5.1.min.js";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.lock");
    println!("cargo::rerun-if-env-changed=CARGO_HOME");
    match in_registry().or_else(by_metadata) {
        Some(path) => install(&path),
        None => println!(
            "cargo::error=the report's charting library, {FILE} of the crate {CRATE}, was found neither below \
             CARGO_HOME/registry/src nor by `cargo metadata`; run `cargo fetch --locked` and build again"
        ),
    }
}

/// Where cargo unpacks what it took from a registry.
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

/// Where cargo says it is: vendored sources lie elsewhere.
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

fn install(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
    let copied = env::var_os("OUT_DIR")
        .ok_or_else(|| "OUT_DIR is not set".to_owned())
        .and_then(|out| {
            fs::copy(path, Path::new(&out).join("echarts.min.js")).map_err(|error| error.to_string())
        });
    if let Err(error) = copied {
        println!("cargo::error=cannot copy {}: {error}", path.display());
    }
}
