//! Findings 6, 13 and 14: words of tokens, nodes and rows.

use std::process::Stdio;

use chrono::{TimeDelta, Utc};
use lgi_mm::{
    devnet::BlockTime,
    domain::{decision::HoldReason, job::JobId, trouble::Patience, units::Price},
    store::ticks::{Hold, Tick, record_holds},
};
use serde_json::json;
use testkit::live::{KEY, World};
use tokio::process::Command;

use crate::words::set_up::*;
use testkit::liar::Liar;

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
            "each healthy job bought, and continues",
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

/// A node's words are cut, whatever it says and however long.
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
        trailing_high: None,
        profit_high: None,
        stop_is_due: false,
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
    let recorded = record_holds(pool, &group, Patience::default())
        .await
        .expect("an answer");
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
        // What is about one job reads no other.
        assert!(
            said.contains("cannot read") || args.len() == 2,
            "{args:?} does not say what it leaves out: {said}"
        );
    }
}
