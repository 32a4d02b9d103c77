//! Wallets: created, imported, listed; and the errors when something is missing.

use lgi_mm::{
    domain::{
        config::JobConfig,
        job::{JobMode, Realm, Token},
        pool::NATIVE,
    },
    store::jobs,
};
use testkit::paper_job;

use crate::terminal::{Ran, TOKEN, Terminal, program, settled};

/// A key that everybody knows, and whose it is.
const KEY: &str = "4646464646464646464646464646464646464646464646464646464646464646";
const WALLET: &str = "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F";
const PASSWORD: &str = "correct horse battery";

/// Runs the program with a keystore of the test's own.
fn run(dir: &std::path::Path, args: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = program(args);
    command
        .env("LGI_MM__WALLET__KEYSTORE_DIR", dir.join("keys"))
        .envs(variables.iter().copied())
        .current_dir(dir);
    Ran::of(&command.output().expect("our own program runs"))
}

/// Arguments, variables, exit code, and what the error must name.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], i32, &'a str);

fn no_secret(ran: &Ran) {
    let all = ran.story();
    assert!(!all.contains(&KEY[..16]) && !all.contains("horse"), "{all}");
}

#[test]
fn a_wallet_is_taken_over_listed_and_never_shown() {
    let dir = tempfile::tempdir().expect("a directory");
    let secrets = [
        ("LGI_MM_UNSAFE_PRIVATE_KEY", KEY),
        ("LGI_MM_WALLET_PASSWORD", PASSWORD),
    ];
    let empty = run(dir.path(), &["wallet", "list"], &[]);
    assert!(empty.stdout.contains("no wallets in"), "{}", empty.stdout);
    let imported = run(dir.path(), &["wallet", "import"], &secrets);
    assert_eq!(imported.code, 0, "{}", imported.stderr);
    assert!(imported.stdout.contains(WALLET), "{}", imported.stdout);
    let again = run(dir.path(), &["wallet", "import"], &secrets);
    assert_eq!(again.code, 4, "{}", again.stderr);
    let password = dir.path().join("password");
    std::fs::write(&password, PASSWORD).expect("a file");
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(password, closed).expect("permissions");
    let made = run(dir.path(), &["wallet", "new", "--password-file", "password"], &[]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let listed = run(dir.path(), &["--json", "wallet", "list"], &[]);
    let wallets: Vec<serde_json::Value> = serde_json::from_str(&listed.stdout).expect("JSON");
    assert_eq!(wallets.len(), 2);
    assert!(wallets.iter().any(|wallet| wallet["address"] == WALLET));
    for wallet in &wallets {
        assert_eq!(
            (&wallet["realm"], &wallet["chains"]),
            (&"live".into(), &serde_json::json!([])),
            "{wallet}"
        );
    }
    for ran in [&empty, &imported, &again, &made, &listed] {
        no_secret(ran);
    }
}

#[test]
fn a_keystore_of_another_tool_is_taken_over_with_its_password() {
    let (theirs, ours) = (
        tempfile::tempdir().expect("theirs"),
        tempfile::tempdir().expect("ours"),
    );
    let secrets = [
        ("LGI_MM_UNSAFE_PRIVATE_KEY", KEY),
        ("LGI_MM_WALLET_PASSWORD", PASSWORD),
    ];
    assert_eq!(run(theirs.path(), &["wallet", "import"], &secrets).code, 0);
    let file = theirs
        .path()
        .join("keys")
        .join(format!("{}.json", WALLET.to_lowercase()));
    let file = file.to_str().expect("a path");
    let wrong = [("LGI_MM_WALLET_PASSWORD", "wrong horse battery")];
    let refused = run(ours.path(), &["wallet", "import", "--keystore", file], &wrong);
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    let right = [("LGI_MM_WALLET_PASSWORD", PASSWORD)];
    let taken = run(ours.path(), &["wallet", "import", "--keystore", file], &right);
    assert_eq!(taken.code, 0, "{}", taken.stderr);
    assert!(taken.stdout.contains(WALLET), "{}", taken.stdout);
    no_secret(&refused);
    no_secret(&taken);
}

#[test]
fn what_a_wallet_lacks_is_named_and_nothing_is_stored() {
    let dir = tempfile::tempdir().expect("a directory");
    let key = ("LGI_MM_UNSAFE_PRIVATE_KEY", KEY);
    let cases: [Case<'_>; 6] = [
        (&["wallet", "new"], &[], 2, "LGI_MM_WALLET_PASSWORD"),
        (&["wallet", "new", "--password-file", "absent"], &[], 1, "absent"),
        (
            &["wallet", "new"],
            &[("LGI_MM_WALLET_PASSWORD", "short")],
            2,
            "8 characters",
        ),
        (&["wallet", "import"], &[], 2, "LGI_MM_UNSAFE_PRIVATE_KEY"),
        (&["wallet", "import"], &[key], 2, "LGI_MM_WALLET_PASSWORD"),
        (
            &["wallet", "import"],
            &[
                ("LGI_MM_UNSAFE_PRIVATE_KEY", "0x1234"),
                ("LGI_MM_WALLET_PASSWORD", PASSWORD),
            ],
            2,
            "64 hexadecimal digits",
        ),
    ];
    for (args, variables, code, names) in cases {
        let ran = run(dir.path(), args, variables);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(names), "{args:?}: {}", ran.stderr);
        no_secret(&ran);
    }
    assert!(!dir.path().join("keys").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_job_without_wallet_or_node_is_refused_and_never_falls_back_to_paper() {
    let _settled = settled();
    let terminal = Terminal::new().await;
    let start = ["start", TOKEN, "--mode", "accumulate", "--live"];
    let no_node = terminal.run(&start);
    assert_eq!(no_node.code, 2, "{}", no_node.stderr);
    let keys = terminal.path("keys");
    terminal.file(
        "lgi-mm.toml",
        &format!(
            "[wallet]\nkeystore_dir = {keys:?}\n[chains.base]\nrpc_urls = [\"http://127.0.0.1:9/secret-path\"]\nrpc_rounds = 1\n"
        ),
    );
    let no_wallet = terminal.run(&start);
    assert_eq!(no_wallet.code, 4, "{}", no_wallet.stderr);
    assert!(
        no_wallet.stderr.contains("lgi-mm wallet new"),
        "{}",
        no_wallet.stderr
    );
    let nobody = terminal.run_with(&start, "LGI_MM_UNSAFE_PRIVATE_KEY", KEY);
    assert_eq!(nobody.code, 7, "{}", nobody.stderr);
    assert!(
        nobody.stderr.contains("http://127.0.0.1:9") && !nobody.stderr.contains("secret-path"),
        "{}",
        nobody.stderr
    );
    no_secret(&nobody);
    assert_eq!(terminal.rows().await, 0);
}

/// A live job that is there, without a chain to make it on: IDLE, paid in ETH from a wallet of its own.
async fn live_job(terminal: &Terminal, wallet: &str) {
    let token = TOKEN.parse().expect("an address");
    let config = JobConfig::beginning(JobMode::Accumulate, Realm::Live, "base");
    let mut job = paper_job(token, "CLAWD", JobMode::Accumulate, config);
    job.account.realm = Realm::Live;
    job.account.wallet = wallet.parse().expect("an address");
    job.quote = Token {
        address: NATIVE,
        symbol: "ETH".to_owned(),
        decimals: 18,
    };
    jobs::create(&terminal.pool, &job, "test").await.expect("a job");
}

#[tokio::test(flavor = "multi_thread")]
async fn start_of_a_live_job_means_the_wallet_and_the_quote_that_were_given() {
    const OTHER: &str = "0x00000000000000000000000000000000000000AA";
    let terminal = Terminal::new().await;
    let settings = |wallet: &str| {
        terminal.file(
            "lgi-mm.toml",
            &format!(
                "[wallet]\naddress = \"{wallet}\"\n[chains.base]\nrpc_urls = [\"http://127.0.0.1:9\"]\nrpc_rounds = 1\n"
            ),
        );
    };
    live_job(&terminal, WALLET).await;
    let rows = terminal.rows().await;
    let start = ["start", TOKEN, "--live"];
    settings(WALLET);
    let quote = terminal.run(&[&start[..], &["--quote", "USDC"]].concat());
    assert_eq!(quote.code, 4, "{}", quote.stderr);
    assert!(
        quote.stderr.contains("pays with ETH") && quote.stderr.contains("--quote USDC"),
        "{}",
        quote.stderr
    );
    // The same quote is no reason to refuse it: now the node is queried.
    let same = terminal.run(&[&start[..], &["--quote", "eth"]].concat());
    assert_eq!(same.code, 7, "{}", same.stderr);
    // Another wallet's job is another job, and a new one needs a mode.
    settings(OTHER);
    let other = terminal.run(&start);
    assert_eq!(other.code, 2, "{}", other.stderr);
    assert!(
        other.stderr.contains("a new job needs --mode"),
        "{}",
        other.stderr
    );
    assert_eq!(terminal.rows().await, rows);
    // Without a wallet in the settings two of them are too many to choose from.
    live_job(&terminal, OTHER).await;
    settings("");
    let both = terminal.run(&start);
    assert_eq!(both.code, 4, "{}", both.stderr);
    assert!(
        [WALLET, OTHER, "wallet.address"]
            .iter()
            .all(|text| both.stderr.contains(text)),
        "{}",
        both.stderr
    );
}

fn secret_file(dir: &std::path::Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("a file");
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(path, closed).expect("permissions");
}

fn keystores(dir: &std::path::Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(dir.join("keys")).expect("the keystores");
    let read = files.map(|file| {
        let path = file.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, std::fs::read(&path).expect("content"))
    });
    read.collect()
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "what is refused, what changes, and what opens afterwards"
)]
fn a_new_password_opens_every_keystore_and_the_old_one_none() {
    const NEW: &str = "a staple, bent twice";
    let temporary = tempfile::tempdir().expect("a directory");
    let dir = temporary.path();
    secret_file(dir, "old", PASSWORD);
    secret_file(dir, "new", NEW);
    secret_file(dir, "short", "1234567");
    let key = [
        ("LGI_MM_UNSAFE_PRIVATE_KEY", KEY),
        ("LGI_MM_WALLET_PASSWORD", PASSWORD),
    ];
    assert_eq!(run(dir, &["wallet", "import"], &key).code, 0);
    assert_eq!(
        run(dir, &["wallet", "new", "--password-file", "old"], &[]).code,
        0
    );
    let before = keystores(dir);
    let passwd = [
        "wallet",
        "passwd",
        "--password-file",
        "old",
        "--new-password-file",
    ];
    for (args, code, names) in [
        ([&passwd[..], &["short"]].concat(), 2, "shorter than 8"),
        ([&passwd[..], &["old"]].concat(), 2, "same as the old"),
        ([&passwd[..], &["absent"]].concat(), 1, "absent"),
        (passwd[..4].to_vec(), 2, "--new-password-file"),
        (
            vec![
                "wallet",
                "passwd",
                "--password-file",
                "new",
                "--new-password-file",
                "old",
            ],
            4,
            "wrong password",
        ),
        (
            [
                &passwd[..],
                &["new", "0x00000000000000000000000000000000000000AA"],
            ]
            .concat(),
            4,
            "no key of wallet",
        ),
    ] {
        let ran = run(dir, &args, &[]);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(names), "{args:?}: {}", ran.stderr);
        assert_eq!(keystores(dir), before, "{args:?}");
        no_secret(&ran);
    }
    let ran = run(dir, &[&passwd[..], &["new", "--json"]].concat(), &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(told["wallets"].as_array().map(Vec::len), Some(2));
    let after = keystores(dir);
    assert_eq!(
        after.keys().collect::<Vec<_>>(),
        before.keys().collect::<Vec<_>>()
    );
    for (name, bytes) in &after {
        assert_ne!(bytes, &before[name], "{name}");
        let file: serde_json::Value = serde_json::from_slice(bytes).expect("JSON");
        assert_eq!(file["crypto"]["kdfparams"]["n"], 262_144, "{name}");
    }
    assert_eq!(
        run(dir, &["wallet", "check", "--password-file", "new"], &[]).code,
        0
    );
    assert_eq!(
        run(dir, &["wallet", "check", "--password-file", "old"], &[]).code,
        6
    );
    no_secret(&ran);
    assert!(!ran.story().contains(NEW), "{}", ran.story());
}

/// One keystore has another password: none is changed.
#[test]
fn a_new_password_is_given_to_all_keystores_or_none() {
    let temporary = tempfile::tempdir().expect("a directory");
    let dir = temporary.path();
    for (name, text) in [
        ("one", PASSWORD),
        ("two", "another horse battery"),
        ("new", "a staple, bent twice"),
    ] {
        secret_file(dir, name, text);
    }
    for password in ["one", "two"] {
        assert_eq!(
            run(dir, &["wallet", "new", "--password-file", password], &[]).code,
            0
        );
    }
    let before = keystores(dir);
    let passwd = [
        "wallet",
        "passwd",
        "--password-file",
        "one",
        "--new-password-file",
        "new",
    ];
    let refused = run(dir, &passwd, &[]);
    assert!(
        refused.code == 4 && refused.stderr.contains("wrong password"),
        "{}",
        refused.stderr
    );
    assert_eq!(keystores(dir), before);
}
