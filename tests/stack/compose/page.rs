//! docs/compose.md: what it says about wallets works as it is written, with what the Compose file gives to `cli`.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use super::{run, stack::Stack};

/// Commands of the page's blocks that begin like this, without `docker compose run --rm cli`.
fn commands(begin: &str) -> Vec<Vec<String>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compose.md");
    let page = fs::read_to_string(page).expect("the page");
    let lines = page.lines().map(str::trim);
    let ours = lines.filter_map(|line| line.strip_prefix("docker compose run --rm cli "));
    ours.filter(|line| line.starts_with(begin))
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

/// As `cli`, with the password where only this user may read it: in the container it lies on a read-only mount.
fn cli(stack: &Stack, password: &Path) -> Command {
    let mut command = stack.service("cli", 0);
    command.env("LGI_MM__WALLET__PASSWORD_FILE", password);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_is_made_checked_and_brought_to_another_stack_as_the_page_says() {
    let (stack, other) = (Stack::new().await, Stack::new().await);
    let dir = tempfile::tempdir().expect("a directory");
    let password = dir.path().join("wallet_password");
    fs::copy(
        stack.on_this_machine("cli", "/run/secrets/wallet_password"),
        &password,
    )
    .expect("a password");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("a mode");
    run(&mut stack.service("migrate", 0));
    run(&mut other.service("migrate", 0));

    let wallet = commands("wallet ");
    assert_eq!(wallet, [["wallet", "new"], ["wallet", "check"]]);
    for words in &wallet {
        run(cli(&stack, &password).args(words));
    }
    let keystore = stack.on_this_machine("worker", "/keystore");
    let made: Vec<_> = fs::read_dir(&keystore)
        .expect("keys")
        .map(|entry| entry.expect("a file").path())
        .collect();
    assert_eq!(made.len(), 1, "{made:?}");
    let mode = made[0].metadata().expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);

    // "To import one, put its keystore file into deploy/keystore .. and run wallet check."
    let there = other
        .on_this_machine("cli", "/keystore")
        .join(made[0].file_name().expect("a name"));
    fs::copy(&made[0], &there).expect("a copy");
    run(cli(&other, &password).args(&wallet[1]));
    let listed = |stack: &Stack| run(cli(stack, &password).args(["--json", "wallet", "list"]));
    let (one, two): (serde_json::Value, serde_json::Value) = (
        serde_json::from_str(&listed(&stack)).expect("JSON"),
        serde_json::from_str(&listed(&other)).expect("JSON"),
    );
    let address = &one[0]["address"];
    assert!(
        address.is_string() && *address == two[0]["address"],
        "{one} {two}"
    );
    // Workers read keys and policy, and cannot write them.
    for path in ["/keystore", "/etc/lgi-mm"] {
        let volumes = stack.config["services"]["worker"]["volumes"]
            .as_array()
            .expect("volumes");
        let volume = volumes
            .iter()
            .find(|volume| volume["target"] == path)
            .expect(path);
        assert_eq!(volume["read_only"], true, "{path}");
    }
}
