//! One-off orders with real transactions: bought once, and sold once, each job IDLE afterwards.

use lgi_mm::{devnet::BlockTime, domain::onchain::Asset, ports::Chain};
use testkit::live::{WALLET, World};

const BOUGHT: &str = "SELECT count(*) = 1 AND bool_and(t.status = 'EXECUTED' AND t.reason = 'LIMIT_ORDER' AND j.status = 'IDLE')
                      FROM trades t JOIN jobs j ON j.id = t.job_id";
const SOLD: &str =
    "SELECT count(*) = 1 AND bool_and(t.status = 'EXECUTED' AND j.status = 'IDLE' AND j.token_balance = 0)
                    FROM trades t JOIN jobs j ON j.id = t.job_id WHERE t.side = 'SELL'";

#[tokio::test(flavor = "multi_thread")]
async fn an_order_buys_once_and_another_sells_what_it_bought() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = world.devnet.deployment().clanker;
    world.permit_token(token);
    let named = token.to_string();
    let live = [
        "--live",
        "--chain",
        "local",
        "--set",
        "limits.max_slippage_bps=300",
        "--set",
        "schedule.cron=* * * * * *",
        "--set",
        "schedule.jitter=5s",
        "--yes",
    ];
    let buy = ["order", "buy", &named, "--amount", "10", "--limit", "1000"];
    let (code, said) = world.run(&[&buy[..], &live[..]].concat()).await;
    assert!(
        code == 0 && said.contains("buys for 10 USD in all, at 1000 USD or below"),
        "{code} {said}"
    );
    let mut daemon = world.daemon(None);
    world.until("it is bought, and the job is idle", BOUGHT).await;
    world.devnet.node.mine(100).await.expect("blocks");
    let settled = "SELECT count(*) = 0 FROM fill_watches";
    world.until("no reorg can undo it", settled).await;
    let sell = ["order", "sell", &named, "--tokens", "all", "--cost", "10"];
    let (code, said) = world.run(&[&sell[..], &live[..]].concat()).await;
    assert!(
        code == 0 && said.contains("takes the place of job 1"),
        "{code} {said}"
    );
    world.until("it is sold, and the job is idle", SOLD).await;
    daemon.kill().await.expect("killed");
    // A purchase, two approvals and a sale.
    let nonces = world.live.chain.nonces(WALLET).await.expect("nonces");
    assert_eq!(nonces.latest, 4, "{}", world.story().await);
    let held = world.live.chain.balances(WALLET, &[Asset::Token(token)]).await;
    assert!(held.expect("a balance")[0].is_zero());
}
