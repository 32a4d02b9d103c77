//! Findings 21, 25 and 27: what is typed, what stands in files, and what is advised.

use std::time::Duration;

use alloy_primitives::Address;
use lgi_mm::devnet::BlockTime;
use serde_json::json;
use testkit::live::World;

use crate::words::set_up::*;

async fn refused(world: &World, args: &[&str], named: &[&str]) {
    let (code, said) = world.run(args).await;
    let shown: Vec<String> = args.iter().map(|arg| arg.chars().take(60).collect()).collect();
    assert_eq!(code, 2, "{shown:?}: {said}");
    for name in named {
        assert!(said.contains(name), "{shown:?} does not name {name}: {said}");
    }
    assert!(said.len() < 4_000, "{shown:?}: {} bytes", said.len());
}

/// Finding 27, and its kind.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_is_read_or_refused_and_never_ends_the_program() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().token.to_string();
    let start = |pair: &str| -> Vec<String> {
        [
            "start",
            &token,
            "--mode",
            "accumulate",
            "--symbol",
            "TT",
            "--set",
            "price.sources=generated",
            "--set",
            pair,
        ]
        .map(str::to_owned)
        .to_vec()
    };
    let deep = format!("{}=1", vec!["a"; 20_000].join("."));
    let nested = format!("price.sources={}", "[".repeat(20_000));
    let line = format!("schedule.cron={}", "*,".repeat(60_000));
    let long_cron = format!("schedule.cron=0 0 1 1 1{}", ",1".repeat(1_000));
    for (pair, named) in [
        (deep.as_str(), vec!["--set", "at most 16 parts", "20000"]),
        (&nested, vec!["price.sources"]),
        (&line, vec!["schedule.cron", "at most 1024"]),
        (&long_cron, vec!["schedule.cron", "at most 1024"]),
        (
            "accumulate.dca_amount_usd=0x10",
            vec!["accumulate.dca_amount_usd", "0x10"],
        ),
        (
            "accumulate.dca_amount_usd=0b10",
            vec!["accumulate.dca_amount_usd", "0b10"],
        ),
        (
            "limits.max_slippage_bps=0o100",
            vec!["limits.max_slippage_bps", "0o100"],
        ),
    ] {
        let args = start(pair);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        refused(&world, &args, &named).await;
    }
}

/// Finding 27, and its kind: files of a job's settings, and the zero address.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_a_file_is_read_or_refused_and_never_ends_the_program() {
    let world = World::new(BlockTime::OnTransaction).await;
    let zero = format!("{:#x}", Address::ZERO);
    refused(
        &world,
        &["start", &zero, "--mode", "accumulate"],
        &["zero address"],
    )
    .await;
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("job.toml");
    for (text, named) in [
        (
            format!("{} = 1\n", vec!["a"; 20_000].join(".")),
            "recursion limit",
        ),
        (
            format!("[{}]\nx = 1\n", vec!["a"; 20_000].join(".")),
            "recursion limit",
        ),
        (format!("# {}\n", "x".repeat(2_000_000)), "larger than"),
        ("[accumulate]\ndca_amount_usd = 0x10\n".to_owned(), "0x10"),
    ] {
        std::fs::write(&file, text).expect("a file");
        let file = file.display().to_string();
        refused(
            &world,
            &["config", "check", &file, "--mode", "accumulate"],
            &[named],
        )
        .await;
    }
    refused(
        &world,
        &["config", "check", "/dev/zero", "--mode", "accumulate"],
        &["/dev/zero"],
    )
    .await;
    let jobs: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs")
        .fetch_one(&world.db.pool)
        .await
        .expect("jobs");
    assert_eq!(jobs, 0);
}

/// What the program advises can be typed, as a flag, in a file and as a variable.
#[tokio::test(flavor = "multi_thread")]
async fn lists_are_written_with_commas_everywhere() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().clanker.to_string();
    let set = "price.sources=dexscreener, generated";
    let args = [
        "start",
        &token,
        "--mode",
        "accumulate",
        "--symbol",
        "TT",
        "--set",
        set,
        "--set",
    ];
    let args = [&args[..], &["notify.events=job.error,trade.failed"]].concat();
    let (code, said) = world.run(&args).await;
    assert_eq!(code, 0, "{said}");
    let config: serde_json::Value = sqlx::query_scalar("SELECT config FROM jobs")
        .fetch_one(&world.db.pool)
        .await
        .expect("a configuration");
    assert_eq!(config["price"]["sources"], json!(["dexscreener", "generated"]));
    assert_eq!(config["notify"]["events"], json!(["job.error", "trade.failed"]));
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("job.toml");
    std::fs::write(&file, "[price]\nsources = \"onchain,twap\"\n").expect("a file");
    let edit = ["config", "edit", "TT", "--config", &file.display().to_string()].map(str::to_owned);
    let edit: Vec<&str> = edit.iter().map(String::as_str).collect();
    let (code, said) = world.run(&edit).await;
    assert_eq!(code, 0, "{said}");
    let (_, said) = world
        .run(&[
            "config",
            "edit",
            "TT",
            "--set",
            "price.sources=onchain,,chainlink",
        ])
        .await;
    assert!(
        said.contains("chainlink") && said.contains("dexscreener"),
        "{said}"
    );
}

/// A row names a file, and the worker tells nobody what stands in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_cannot_make_a_worker_read_files_out() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().token.to_string();
    let dir = tempfile::tempdir().expect("a directory");
    let secret = dir.path().join("password");
    std::fs::write(&secret, "hunter2hunter2,second\n").expect("a secret");
    let disguised = dir.path().join("password.csv");
    std::fs::write(&disguised, "hunter2hunter2,second\n").expect("a secret");
    let pipe = dir.path().join("pipe.csv");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let args = [
        "start",
        &token,
        "--mode",
        "accumulate",
        "--symbol",
        "TT",
        "--set",
        "price.sources=generated",
    ];
    let (code, said) = world
        .run(&[&args[..], &["--set", "schedule.cron=* * * * * *"]].concat())
        .await;
    assert_eq!(code, 0, "{said}");
    for (file, told) in [
        (secret, "ends in .csv"),
        (disguised, "neither a row of time and price nor a header"),
        (pipe, "not a regular file"),
        ("/dev/zero".into(), "ends in .csv"),
        (dir.path().to_owned(), "ends in .csv"),
    ] {
        sqlx::query(
            "UPDATE jobs SET config = jsonb_set(jsonb_set(config, '{price,sources}', '[\"recorded\"]'), '{price,recorded}', $1)",
        )
        .bind(json!({ "file": file.display().to_string() }))
        .execute(&world.db.pool)
        .await
        .expect("changed");
        let ticked = tokio::time::timeout(Duration::from_secs(30), world.run(&["tick", "TT"])).await;
        let (_, said) = ticked.expect("it does not hang");
        let details = details(&world).await.join("\n");
        assert!(details.contains(told), "{}: {said} {details}", file.display());
        assert!(
            !details.contains("hunter2") && !said.contains("hunter2"),
            "{said} {details}"
        );
    }
}
