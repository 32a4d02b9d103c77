//! `lgi-mm.example.toml` parses, its values are the defaults, and it names every key.

use std::path::Path;

use lgi_mm::{
    config::{JobLayers, Layer, Settings, build_job_config, known_job_keys},
    domain::{config::JobConfig, job::JobMode},
};
use strum::VariantArray;

fn file() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/lgi-mm.example.toml"))
}

/// The example with `[defaults]` as it is commented out: `#key = value`, without a blank behind the sign.
fn uncommented() -> tempfile::NamedTempFile {
    let text = std::fs::read_to_string(file()).expect("the example");
    let lines = text.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => rest,
        _ => line,
    });
    let copy = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(copy.path(), lines.collect::<Vec<_>>().join("\n")).expect("a copy");
    copy
}

/// A live job would begin with what stands there: the example says nothing about new jobs.
#[test]
fn the_example_chooses_nothing_for_new_jobs() {
    let example = Settings::load(Some(file())).expect("the example is valid");
    assert_eq!(example.defaults, serde_json::Map::new());
}

#[test]
fn every_value_of_the_example_is_the_default() {
    let mut example = Settings::load(Some(uncommented().path())).expect("the example is valid");
    let defaults = std::mem::take(&mut example.defaults);
    assert!(!defaults.is_empty(), "nothing was uncommented");
    // The environment of this test run may name another database.
    example.database.url = lgi_mm::config::Secret::default();
    example.database.data_dir = String::new();
    assert!(example.origin.take().is_some(), "which file was read is known");
    assert_eq!(
        std::mem::take(&mut example.fingerprint).len(),
        12,
        "and which version of it"
    );
    assert_eq!(example, Settings::default());
    for mode in JobMode::VARIANTS {
        let layers = JobLayers::new(&defaults, *mode);
        let config = build_job_config(&JobConfig::for_mode(*mode), *mode, &layers).expect("valid defaults");
        assert_eq!(config, JobConfig::for_mode(*mode));
    }
}

#[test]
fn the_example_names_every_key() {
    let text = std::fs::read_to_string(file()).expect("the example");
    let settings = serde_json::to_value(Settings::default()).expect("settings");
    let mut sections = serde_json::Map::new();
    for (section, keys) in settings.as_object().expect("sections") {
        if section != "defaults" {
            sections.insert(section.clone(), keys.clone());
        }
    }
    let known = Layer {
        origin: "defaults".to_owned(),
        values: sections,
    };
    let given = Layer::file(uncommented().path()).expect("the example");
    for key in known.leaves().keys() {
        assert!(given.leaves().contains_key(key), "{key} is not in the example");
    }
    for key in known_job_keys() {
        let name = key.rsplit('.').next().expect("a name");
        let written = given.leaves().contains_key(&format!("defaults.{key}"));
        assert!(
            written || text.contains(&format!("# {name} = ")),
            "{key} is not in the example"
        );
    }
}
