//! `init` with a node: costs are quoted by the pools themselves, and the lines for live work.

use std::process::{Output, Stdio};

use lgi_mm::devnet::BlockTime;
use serde_json::Value;
use testkit::live::{KEY, World};
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn with_a_node_init_asks_the_pools_what_a_buy_costs_and_its_lines_for_live_work() {
    let world = World::new(BlockTime::OnTransaction).await;
    let dir = tempfile::tempdir().expect("a directory");
    let run = async |args: &[&str]| -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
        command
            .args(args)
            .env("DATABASE_URL", &world.db.url)
            .env("LGI_MM_SETTINGS", world.settings())
            .env("LGI_MM_DATA_DIR", dir.path())
            .env("LGI_MM__WALLET__KEYSTORE_DIR", dir.path().join("keys"))
            .env("LGI_MM_WALLET_PASSWORD", "correct horse battery staple")
            .env("LGI_MM_UNSAFE_PRIVATE_KEY", KEY)
            .env("LGI_MM_POLICY", world.policy())
            .env("LGI_MM_POLICY_STATE", world.policy_state())
            .env("LGI_MM__GECKOTERMINAL__BASE_URL", "http://127.0.0.1:9")
            .env("LGI_MM__DEXSCREENER__BASE_URL", "http://127.0.0.1:9")
            .current_dir(dir.path())
            .stdin(Stdio::null());
        command.output().await.expect("our own program runs")
    };
    let token = world.devnet.deployment().clanker.to_checksum(None);
    let imported = run(&["wallet", "import"]).await;
    assert!(imported.status.success(), "{imported:?}");
    let ran = run(&["init", &token, "--chain", "local", "--amount", "10", "--json"]).await;
    assert!(ran.status.success(), "{ran:?}");
    let view: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!(
        (&view["symbol"], &view["decimals"]),
        (&"CLAWDIA".into(), &18.into())
    );
    let costs = &view["costs"];
    assert_eq!(costs["estimated"], Value::Null, "{costs}");
    let figure = |name: &str| -> rust_decimal::Decimal {
        costs[name]
            .as_str()
            .expect("a number as text")
            .parse()
            .expect("a number")
    };
    // Fees of two swaps and gas; and the parts are the whole.
    assert!(
        figure("pool_usd") > 0.into() && figure("buy_gas_usd") > 0.into(),
        "{costs}"
    );
    assert!(figure("gas_usd") > figure("buy_gas_usd"), "{costs}");
    assert_eq!(figure("round_trip_usd"), figure("pool_usd") + figure("gas_usd"));
    assert!(figure("round_trip_usd") < 10.into(), "{costs}");
    assert_eq!(
        (&view["paper"], &view["live_needs"]),
        (&serde_json::json!([]), &Value::Null)
    );
    let lines: Vec<&str> = view["live"]
        .as_array()
        .expect("lines")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let [start, allow, "lgi-mm daemon"] = lines.as_slice() else {
        panic!("{lines:?}");
    };
    let words: Vec<&str> = start.split(' ').skip(1).collect();
    let started = run(&words).await;
    assert!(started.status.success(), "{started:?}");
    let words: Vec<&str> = allow.split(' ').skip(1).chain(["--yes"]).collect();
    let allowed = run(&words).await;
    assert!(allowed.status.success(), "{allowed:?}");
    let listed = run(&["list", "--live"]).await;
    assert!(
        String::from_utf8_lossy(&listed.stdout).contains("CLAWDIA"),
        "{listed:?}"
    );
}
