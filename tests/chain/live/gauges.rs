//! What a live wallet has left for gas is exported.

use std::time::{Duration, Instant};

use lgi_mm::devnet::BlockTime;
use testkit::live::{PATIENCE, World};

use crate::live::{buy_once, clanker};

/// Status and body, once it listens.
async fn get(listen: &str, path: &str) -> (u16, String) {
    match reqwest::get(format!("http://{listen}/{path}")).await {
        Ok(answer) => (answer.status().as_u16(), answer.text().await.unwrap_or_default()),
        Err(_) => (0, String::new()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_wallets_coins_are_exported() {
    let world = World::new(BlockTime::Every("1s".parse().expect("a span"))).await;
    clanker(&world, buy_once()).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let first = world.daemon(None);
    world
        .until(
            "a trade",
            "SELECT count(*) > 0 FROM trades WHERE status = 'EXECUTED'",
        )
        .await;
    drop(first);
    let _daemon = world.daemon_with(&[
        ("LGI_MM__METRICS__LISTEN", &listen),
        ("LGI_MM__METRICS__CENSUS_EVERY", "1s"),
    ]);
    let begun = Instant::now();
    let coins: f64 = loop {
        let (_, page) = get(&listen, "metrics").await;
        let line = page
            .lines()
            .find(|line| line.starts_with("lgi_mm_signer_native_balance{realm=\"live\""));
        // Another task of the process exports the policy.
        if let Some(line) = line.filter(|_| page.contains("lgi_mm_policy_limit_usd{")) {
            let value = line.rsplit(' ').next().expect("a value");
            break value.parse().expect("a number");
        }
        assert!(begun.elapsed() < PATIENCE, "never exported:\n{page}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    // It began with a hundred, and has bought for ten dollars.
    assert!((99.0..100.0).contains(&coins), "{coins}");
    let (_, page) = get(&listen, "metrics").await;
    assert!(page.contains("lgi_mm_node_quorum{chain=\"local\"} 1\n"), "{page}");
    assert!(
        page.contains("lgi_mm_rpc_compute_units_total{chain=\"local\"} "),
        "{page}"
    );
    // From zero on: the first failure is an increase.
    assert!(
        page.contains("lgi_mm_rpc_disagreements_total{chain=\"local\"} 0\n"),
        "{page}"
    );
    // The policy of the worlds of tests allows ten million; a buy for ten dollars is signed for what it may cost at
    // most.
    for period in ["hour", "day"] {
        let of = |name: &str| {
            let line = page
                .lines()
                .find(|line| line.starts_with(name) && line.contains(&format!("period=\"{period}\"")));
            let value = line
                .unwrap_or_else(|| panic!("{name} {period}: {page}"))
                .rsplit(' ')
                .next();
            value.expect("a value").parse::<f64>().expect("a number")
        };
        let (used, limit) = (of("lgi_mm_policy_used_usd{"), of("lgi_mm_policy_limit_usd{"));
        assert!((9.0..12.0).contains(&used), "{used}");
        assert!((limit - 10_000_000.0).abs() < 1.0, "{limit}");
    }
    for outcome in ["failed", "nonsense"] {
        let from_zero = |line: &str| {
            line.starts_with("lgi_mm_node_requests_total{")
                && line.ends_with(&format!("outcome=\"{outcome}\"}} 0"))
        };
        assert!(page.lines().any(from_zero), "{outcome}: {page}");
    }
    assert_eq!(get(&listen, "readyz").await, (200, "ready\n".to_owned()));
}
