//! Findings 6, 13, 14, 21, 25 and 27: what strangers say reaches no statement, log or terminal as it came, and one row
//! that cannot be stored stops no other. And what a person types is read, or refused, never obeyed by halves.

use std::{process::Stdio, time::Duration};

use alloy_primitives::{Address, Bytes, U256};
use chrono::{TimeDelta, Utc};
use lgi_mm::{
    devnet::BlockTime,
    domain::{decision::HoldReason, job::JobId, span::Span, units::Price},
    store::ticks::{Hold, Tick, record_holds},
};
use serde_json::json;
use testkit::live::{KEY, World};
use tokio::process::Command;

use testkit::liar::Liar;

/// Ends a statement, names a window, clears a screen, and reads backwards.
const HOSTILE: &str =
    "pwn\0d \u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[H\u{9b}31m\u{202e}KO lla\u{200b}\r\nOK all is well";

fn buys() -> serde_json::Value {
    json!({ "accumulate": { "dca_amount_usd": "10", "dca_interval": "1s", "max_accumulation_usd": "1000" } })
}

/// `Error(string)`, as a contract reverts with it.
fn error_of(text: &str) -> Vec<u8> {
    let mut data = vec![0x08, 0xc3, 0x79, 0xa0];
    data.extend(U256::from(32).to_be_bytes::<32>());
    data.extend(U256::from(text.len()).to_be_bytes::<32>());
    data.extend(text.as_bytes());
    data.resize(data.len().next_multiple_of(32) + 4, 0);
    data
}

/// All that `original` does on the storage of whoever has this code, but `approve` reverts with `text`.
fn speaking(original: Address, text: &str) -> Bytes {
    let data = error_of(text);
    let length = u16::try_from(data.len()).expect("a short text").to_be_bytes();
    let head: [&[u8]; 3] = [
        &[0x60, 0x00, 0x35, 0x60, 0xe0, 0x1c], // selector
        &[0x63, 0x09, 0x5e, 0xa7, 0xb3, 0x14], // == approve
        &[0x61, 0x00, 0x00, 0x57],             // then speak (place filled in below)
    ];
    let body: [&[u8]; 6] = [
        &[0x36, 0x60, 0x00, 0x60, 0x00, 0x37], // copy the call
        &[0x60, 0x00, 0x60, 0x00, 0x36, 0x60, 0x00, 0x73],
        original.as_slice(),
        &[0x5a, 0xf4, 0x3d, 0x60, 0x00, 0x60, 0x00, 0x3e], // delegatecall, copy the answer
        &[0x61, 0x00, 0x00, 0x57],                         // return if it went well (place filled in below)
        &[0x3d, 0x60, 0x00, 0xfd],                         // revert as it did
    ];
    let (head, body) = (head.concat(), body.concat());
    let ok = head.len() + body.len();
    let speak = ok + 5;
    let offset = u16::try_from(speak + 16).expect("a short code").to_be_bytes();
    let tail: [&[u8]; 9] = [
        &[0x5b, 0x3d, 0x60, 0x00, 0xf3],
        &[0x5b, 0x61],
        &length,
        &[0x61],
        &offset,
        &[0x60, 0x00, 0x39, 0x61], // copy the words
        &length,
        &[0x60, 0x00, 0xfd],
        &data,
    ];
    let mut code = [head.clone(), body, tail.concat()].concat();
    let place = |at: usize| u16::try_from(at).expect("a short code").to_be_bytes();
    code[head.len() - 3..head.len() - 1].copy_from_slice(&place(speak));
    code[ok - 4 - 3..ok - 4 - 1].copy_from_slice(&place(ok));
    code.into()
}

/// From now on `token` says `text` when it is to be approved.
async fn teach(world: &World, token: Address, text: &str) {
    let node = &world.devnet.node;
    let code: Result<Bytes, _> = node.request("eth_getCode", json!([token, "latest"])).await;
    let moved = Address::repeat_byte(0xee);
    node.set_code(moved, &code.expect("code")).await.expect("moved");
    node.set_code(token, &speaking(moved, text))
        .await
        .expect("taught");
}

fn every_second() -> BlockTime {
    BlockTime::Every(Span::from_secs(1))
}

/// Nothing that PostgreSQL refuses, a terminal obeys, or an eye misses; and no more than a few lines.
fn assert_clean(what: &str, text: &str) {
    for bad in ['\0', '\u{1b}', '\u{7}', '\u{9b}', '\u{202e}', '\u{200b}', '\r'] {
        assert!(!text.contains(bad), "{what} has {bad:?}: {text:?}");
    }
}

async fn details(world: &World) -> Vec<String> {
    sqlx::query_scalar("SELECT detail FROM ticks WHERE detail IS NOT NULL")
        .fetch_all(&world.db.pool)
        .await
        .expect("details")
}

/// Finding 6, and 14: the words of one token.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_says_nul_stops_only_its_own_job_and_writes_on_no_terminal() {
    let world = World::new(every_second()).await;
    let at = world.devnet.deployment().clone();
    teach(&world, at.token, &format!("{HOSTILE} {}", "A".repeat(5_000))).await;
    world.start(at.token, "TT", buys()).await;
    let mut practice = at.practice.iter();
    let healthy = [
        practice.next().expect("a token"),
        practice.next().expect("a token"),
    ];
    for (symbol, token) in healthy {
        world.start(*token, symbol, buys()).await;
    }
    let daemon = Command::new(env!("CARGO_BIN_EXE_lgi-mm"))
        .arg("daemon")
        .env("DATABASE_URL", &world.db.url)
        .env("LGI_MM_SETTINGS", world.settings())
        .env("LGI_MM_UNSAFE_PRIVATE_KEY", KEY)
        .env("LGI_MM_POLICY", world.policy())
        .env("LGI_MM_POLICY_STATE", world.policy_state())
        .env("LGI_MM__METRICS__LISTEN", "off")
        .env("LGI_MM__TRADING__CHECK_INTERVAL", "50ms")
        .env("LGI_MM__LOG__FILTER", "info")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a daemon");
    world
        .until(
            "the hostile token is held by name",
            "SELECT EXISTS (SELECT FROM ticks WHERE detail LIKE '%pwn%')",
        )
        .await;
    world
        .until(
            "each healthy job bought, and goes on",
            "SELECT count(*) = 2 FROM (SELECT job_id FROM trades WHERE status = 'EXECUTED' GROUP BY job_id HAVING count(*) >= 2) healthy",
        )
        .await;
    let mut daemon = daemon;
    daemon.start_kill().expect("killed");
    let log = daemon.wait_with_output().await.expect("a log").stderr;
    let log = String::from_utf8_lossy(&log).into_owned();
    assert!(
        log.contains("pwn") && !log.contains("slice not evaluated"),
        "{log}"
    );
    assert_clean("the log", &log);
    for detail in details(&world).await {
        assert_clean("a detail", &detail);
        assert!(detail.chars().count() < 1_000, "{}", detail.len());
    }
    for args in [
        vec!["status", "TT"],
        vec!["list"],
        vec!["trades"],
        vec!["doctor"],
        vec!["reconcile"],
        vec!["--json", "status", "TT"],
    ] {
        let (_, said) = world.run(&args).await;
        assert_clean(&format!("{args:?}"), &said);
    }
    let (code, said) = world.run(&["status", "TT"]).await;
    assert_eq!((code, said.contains("pwn")), (0, true), "{said}");
}

/// The second wall: text that another build stored, or a stranger's hand.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_already_is_printed_without_what_a_terminal_obeys() {
    let world = World::new(BlockTime::OnTransaction).await;
    world.start(world.devnet.deployment().token, "TT", buys()).await;
    world.die_at("frozen").await;
    let stored = HOSTILE.replace('\0', "");
    for sql in [
        "UPDATE trades SET note = $1",
        "INSERT INTO trades (job_id, slot, cycle, side, reason, status, amount_in, amount_out_expected, amount_out_min, value_usd,
             config_version, expires_at, base_amount, quote_amount, price_usd, plan_price_usd, failure_kind, error)
         SELECT job_id, slot - interval '1 minute', cycle, side, reason, 'FAILED', amount_in, amount_out_expected, amount_out_min,
             value_usd, config_version, expires_at, base_amount, quote_amount, price_usd, plan_price_usd, 'expired', $1 FROM trades",
        "UPDATE jobs SET last_error = $1, failures_in_row = 2",
        "INSERT INTO ticks (job_id, outcome, reason, detail, first_slot, last_slot) SELECT id, 'hold', 'unsellable', $1, now(), now() FROM jobs",
        "INSERT INTO signers (realm, chain, address, next_nonce, halted_at, halted_reason) SELECT realm, chain, wallet, 0, now(), $1 FROM jobs
         ON CONFLICT (realm, chain, address) DO UPDATE SET halted_at = now(), halted_reason = excluded.halted_reason",
    ] {
        sqlx::query(sql).bind(&stored).execute(&world.db.pool).await.expect(sql);
    }
    for args in [
        vec!["status", "TT"],
        vec!["list"],
        vec!["trades"],
        vec!["export"],
        vec!["doctor"],
        vec!["reconcile"],
        vec!["--json", "status", "TT"],
        vec!["--json", "doctor"],
    ] {
        let (_, said) = world.run(&args).await;
        assert_clean(&format!("{args:?}"), &said);
    }
    let (_, said) = world.run(&["status", "TT"]).await;
    assert!(said.contains("all is well"), "{said}");
}

/// Finding 13: a node's words are cut, whatever it says and however long.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_shouts_leaves_a_short_clean_detail_and_healthy_jobs_go_on_after_it() {
    let mut liar = None;
    let world = World::with(every_second(), |mut keys| {
        let node = keys.rpc_urls[0].parse().expect("a URL");
        let in_front = Liar::start(node);
        keys.rpc_urls = vec![in_front.url()];
        liar = Some(in_front);
        keys
    })
    .await;
    let liar = liar.expect("a liar");
    world.start(world.devnet.deployment().token, "TT", buys()).await;
    let shout = format!("{HOSTILE}{}", "x".repeat(3_000_000));
    liar.lie(move |method, _, answer| {
        if method.starts_with("eth_call") || method.starts_with("eth_simulate") {
            *answer = json!({ "jsonrpc": "2.0", "id": answer["id"], "error": { "code": -32_000, "message": shout } });
        }
    });
    let mut daemon = world.daemon(None);
    world
        .until(
            "its words are stored",
            "SELECT EXISTS (SELECT FROM ticks WHERE detail IS NOT NULL)",
        )
        .await;
    for detail in details(&world).await {
        assert_clean("a detail", &detail);
        assert!(detail.chars().count() < 2_100, "{}", detail.len());
    }
    liar.repent();
    world
        .until(
            "it buys",
            "SELECT EXISTS (SELECT FROM trades WHERE status = 'EXECUTED')",
        )
        .await;
    daemon.kill().await.expect("killed");
}

fn hold(job: JobId, detail: &str, price: Option<u32>) -> Hold {
    let now = Utc::now();
    Hold {
        tick: Tick {
            job,
            slot: now - TimeDelta::seconds(1),
        },
        reason: HoldReason::PriceMissing,
        detail: Some(detail.to_owned()),
        price: price.map(|price| (Price::new(price.into()).expect("a price"), now)),
        recent_high: None,
        sample_high: None,
    }
}

/// The kind of finding 6: whatever one row of a group cannot hold, its neighbours are recorded.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_the_database_refuses_stops_none_of_its_group() {
    let world = World::new(BlockTime::OnTransaction).await;
    let at = world.devnet.deployment().clone();
    let mut jobs = Vec::new();
    for (symbol, token) in [("TT", at.token), ("CLAWDIA", at.clanker), ("DEFLATING", at.taxed)] {
        jobs.push(world.start(token, symbol, buys()).await);
    }
    let pool = &world.db.pool;
    for sql in [
        "ALTER TABLE ticks ADD CHECK (detail NOT LIKE '%poison%')",
        "ALTER TABLE ticks ADD CHECK (price_usd <> 666)",
    ] {
        sqlx::query(sql).execute(pool).await.expect(sql);
    }
    let group = [
        hold(jobs[0], "plain", None),
        hold(jobs[1], "poison", None),
        hold(jobs[2], "plain", Some(666)),
    ];
    let recorded = record_holds(pool, &group).await.expect("an answer");
    assert_eq!(recorded.fresh, [jobs[0], jobs[1]]);
    let refused: Vec<JobId> = recorded.refused.iter().map(|(job, _)| *job).collect();
    assert_eq!(refused, [jobs[2]]);
    let stored: Vec<(i64, String)> = sqlx::query_as("SELECT job_id, detail FROM ticks ORDER BY job_id")
        .fetch_all(pool)
        .await
        .expect("ticks");
    assert_eq!(
        stored,
        [
            (jobs[0].0, "plain".to_owned()),
            (jobs[1].0, "(text that cannot be stored)".to_owned())
        ]
    );
    // And a row that cannot be read: a sum that is no number.
    sqlx::query("UPDATE jobs SET total_accumulated = 'NaN' WHERE id = $1")
        .bind(jobs[1].0)
        .execute(pool)
        .await
        .expect("an impossible row");
    let mut daemon = world.daemon(None);
    world
        .until(
            "a neighbour of it bought",
            "SELECT EXISTS (SELECT FROM trades t JOIN jobs j ON j.id = t.job_id WHERE j.token_symbol = 'TT' AND t.status = 'EXECUTED')",
        )
        .await;
    daemon.kill().await.expect("killed");
    for args in [
        vec!["list"],
        vec!["status", "TT"],
        vec!["doctor"],
        vec!["pause", "TT"],
    ] {
        let (code, said) = world.run(&args).await;
        assert!(code == 0 || args == ["doctor"], "{args:?}: {said}");
        assert!(said.contains("TT") || args == ["doctor"], "{args:?}: {said}");
        assert!(
            said.contains("cannot read"),
            "{args:?} does not say what it leaves out: {said}"
        );
    }
}

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

/// Finding 21: what the program advises can be typed, as a flag, in a file and as a variable.
#[tokio::test(flavor = "multi_thread")]
async fn lists_are_written_with_commas_everywhere() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().clanker.to_string();
    let set = "price.sources=onchain, dexscreener";
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
    assert_eq!(config["price"]["sources"], json!(["onchain", "dexscreener"]));
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

/// Finding 25: a row names a file, and the worker tells nobody what stands in it.
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
        (disguised, "the first column is no time"),
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
