//! A basket with real transactions: bought, then its weights change: one member sells, and the other buys with that.

use lgi_mm::{devnet::BlockTime, domain::onchain::Asset, ports::Chain};
use testkit::live::{WALLET, World};

const BOUGHT: &str =
    "SELECT count(*) = 2 AND count(DISTINCT job_id) = 2 AND bool_and(status = 'EXECUTED' AND side = 'BUY')
                      FROM trades";
const SETTLED: &str = "SELECT count(*) = 0 FROM fill_watches";
const SOLD: &str =
    "SELECT count(*) = 1 AND bool_and(status = 'EXECUTED' AND job_id = 2) FROM trades WHERE side = 'SELL'";
const MOVED: &str =
    "SELECT count(*) = 2 FROM trades WHERE side = 'BUY' AND job_id = 1 AND status = 'EXECUTED'";

/// What each job holds by the ledger, base units.
async fn held(world: &World) -> Vec<String> {
    sqlx::query_scalar("SELECT token_balance::text FROM jobs ORDER BY id")
        .fetch_all(&world.db.pool)
        .await
        .expect("balances")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_basket_sells_then_buys_and_its_ledger_is_the_chain() {
    let world = World::new(BlockTime::OnTransaction).await;
    let deployed = world.devnet.deployment();
    let practice = deployed.practice.values().next();
    let tokens = [deployed.clanker, *practice.expect("a practice token")];
    let file = tempfile::NamedTempFile::new().expect("a file");
    let text = format!(
        "[schedule]\ncron = \"* * * * * *\"\njitter = \"5s\"\n[limits]\nmax_slippage_bps = 300\n[basket]\nname = \"index\"\n\
         budget_usd = 20\n[[member]]\ntoken = \"{}\"\n[[member]]\ntoken = \"{}\"\n",
        tokens[0], tokens[1]
    );
    std::fs::write(file.path(), text).expect("a basket");
    let path = file.path().to_str().expect("a path");
    let start = ["basket", "start", path, "--live", "--chain", "local", "--yes"];
    let (code, said) = world.run(&start).await;
    assert!(code == 0 && said.contains("job 2"), "{code} {said}");
    let mut daemon = world.daemon(None);
    world.until("each has bought its share", BOUGHT).await;
    world.devnet.node.mine(100).await.expect("blocks");
    world.until("no reorg can undo it", SETTLED).await;
    let edit = ["config", "edit", "1", "--set", "basket.weight=3", "--yes"];
    let (code, said) = world.run(&edit).await;
    assert_eq!(code, 0, "{said}");
    world
        .until("the second has sold what is above its share", SOLD)
        .await;
    let bought: i64 = sqlx::query_scalar("SELECT count(*) FROM trades WHERE side = 'BUY' AND job_id = 1")
        .fetch_one(&world.db.pool)
        .await
        .expect("a count");
    assert_eq!(bought, 1, "what a sale brought is not spent before it is final");
    world.devnet.node.mine(100).await.expect("blocks");
    world.until("the first has bought with that", MOVED).await;
    world.devnet.node.mine(100).await.expect("blocks");
    world.until("no reorg can undo it", SETTLED).await;
    daemon.kill().await.expect("killed");
    let asked = tokens.map(Asset::Token);
    let on_chain = world.live.chain.balances(WALLET, &asked).await.expect("balances");
    let on_chain: Vec<String> = on_chain.iter().map(ToString::to_string).collect();
    assert_eq!(on_chain, held(&world).await, "{}", world.story().await);
    // Quote is neither made nor lost: what the ledger has is what was brought, less buys, and with sales.
    let (balances, history): (rust_decimal::Decimal, rust_decimal::Decimal) = sqlx::query_as(
        "SELECT sum(j.quote_balance::numeric),
                sum((SELECT coalesce(sum(a.quote_delta), 0) FROM adjustments a WHERE a.job_id = j.id)
                    + (SELECT coalesce(sum(CASE f.side WHEN 'SELL' THEN 1 ELSE -1 END * f.quote_amount::numeric), 0)
                       FROM fills f WHERE f.job_id = j.id))
         FROM jobs j",
    )
    .fetch_one(&world.db.pool)
    .await
    .expect("sums");
    assert_eq!(balances, history);
    assert_eq!(world.audit().await.swaps.len(), 4, "three buys and a sale");
}
