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
    assert!(benches > 3, "{benches} benches");
}
