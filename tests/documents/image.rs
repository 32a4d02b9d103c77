//! The image's layer of dependencies knows every target that the manifest names: cargo refuses a manifest whose files
//! are not there.

use std::{fs, path::Path};

#[test]
fn the_image_has_a_stub_for_every_bench() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dockerfile = fs::read_to_string(root.join("Dockerfile")).expect("the Dockerfile");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("the manifest");
    let names = manifest
        .split("[[bench]]")
        .skip(1)
        .filter_map(|bench| bench.split("name = \"").nth(1)?.split('"').next());
    let mut benches = 0;
    for name in names {
        let file = [format!("benches/{name}.rs"), format!("benches/{name}/main.rs")]
            .into_iter()
            .find(|file| root.join(file).is_file())
            .expect(name);
        let stub = format!("cp src/main.rs {file} \\");
        assert!(dockerfile.contains(&stub), "the Dockerfile lacks `{stub}`");
        benches += 1;
    }
    assert!(benches >= 3, "{benches} benches");
}

/// Whoever owns a tag can move it; a digest is the bytes that were looked at.
#[test]
fn images_and_actions_of_others_are_pinned_by_their_bytes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for (file, before, mark, digits) in [
        ("Dockerfile", "FROM ", "@sha256:", 64),
        ("docker-compose.yml", "image: ", "@sha256:", 64),
        (".github/workflows/release.yml", "image: ", "@sha256:", 64),
        (".github/workflows/release.yml", "uses: ", "@", 40),
    ] {
        let text = fs::read_to_string(root.join(file)).expect(file);
        let named = text
            .lines()
            .filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix(before));
        for name in named.filter(|name| *name != "lgi-mm:0.1.0") {
            let digest = name
                .split(mark)
                .nth(1)
                .and_then(|rest| rest.split(' ').next())
                .unwrap_or_default();
            let hex = digest.len() == digits && digest.chars().all(|c| c.is_ascii_hexdigit());
            assert!(hex, "{file}: {name} is not pinned by {digits} hexadecimal digits");
            seen += 1;
        }
    }
    assert!(seen >= 12, "{seen} images and actions");
}
