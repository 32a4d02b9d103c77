//! The Debian package: its unit has the sandbox of the units that the program writes, and its settings are the
//! defaults.

use std::collections::BTreeSet;

use lgi_mm::config::Settings;

use crate::pages::{read, root};

/// The lines of a constant of `src/systemd/unit.rs`.
fn lines(name: &str) -> Vec<String> {
    let source = read(&root().join("src/systemd/unit.rs"));
    let begin = format!("const {name}: &str = \"\\\n");
    let (_, rest) = source.split_once(&begin).expect(name);
    let (text, _) = rest.split_once("\";").expect("an end");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_unit_of_the_package_has_the_sandbox_of_our_own_units() {
    let unit = read(&root().join("deploy/debian/lgi-mm.service"));
    let there: BTreeSet<&str> = unit.lines().collect();
    let wanted: Vec<String> = [lines("EVERYWHERE"), lines("SYSTEM_ONLY")].concat();
    assert!(wanted.len() > 15, "{wanted:?}");
    for line in wanted {
        // The package's service has a home of its own and needs nobody else's.
        let line = line.replace("ProtectHome=read-only", "ProtectHome=yes");
        assert!(there.contains(line.as_str()), "{line}");
    }
    for line in [
        "User=lgi-mm",
        "CapabilityBoundingSet=",
        "RestartPreventExitStatus=2",
        "KillMode=process",
        "StateDirectory=lgi-mm",
    ] {
        assert!(there.contains(line), "{line}");
    }
}

#[test]
fn the_settings_of_the_package_are_the_defaults() {
    let file = root().join("deploy/debian/lgi-mm.toml");
    let mut settings = Settings::load(Some(&file)).expect("settings");
    // The environment of this test run may name another database.
    settings.database.url = lgi_mm::config::Secret::default();
    settings.database.data_dir = String::new();
    settings.origin = None;
    settings.fingerprint = String::new();
    assert_eq!(settings, Settings::default());
}

/// Everything that a release takes along is there.
#[test]
fn every_asset_of_the_package_exists_or_is_made_by_the_release() {
    let manifest = read(&root().join("Cargo.toml"));
    let release = read(&root().join("scripts/release"));
    let (_, rest) = manifest.split_once("assets = [\n").expect("assets");
    let (assets, _) = rest.split_once("\n]").expect("an end");
    let mut seen = 0;
    for line in assets.lines() {
        let path = line.split('"').nth(1).expect("a path");
        if let Some(made) = path.strip_prefix("target/release-files/") {
            let folder = made.split('/').next().expect("a name");
            assert!(
                release.contains(&format!("target/release-files/{folder}")) || folder == "lgi-mm",
                "{path}"
            );
        } else {
            let path = path.strip_suffix("/*.md").unwrap_or(path);
            assert!(root().join(path).exists(), "{path}");
        }
        seen += 1;
    }
    assert!(seen >= 9, "{seen} assets");
    for script in ["postinst", "postrm"] {
        let text = read(&root().join("deploy/debian").join(script));
        assert!(
            text.contains("set -e\n") && text.contains("#DEBHELPER#"),
            "{script}"
        );
    }
}
