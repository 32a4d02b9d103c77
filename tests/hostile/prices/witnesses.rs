//! What two nodes must say before it is believed.

use std::sync::Arc;

use alloy_primitives::Address;
use lgi_mm::{
    chain::{ChainSpec, open_chains, price_witnesses},
    devnet::BlockTime,
    domain::{
        config::{PriceConfig, SourceName},
        decision::HoldReason,
        pool::NATIVE,
        price::{AcceptedPrice, accept, confirm},
        units::Price,
    },
    ports::{PoolPrices, PriceRequest, Prices, Witnesses},
    prices::{DexscreenerSettings, PriceBook},
};
use serde_json::json;
use testkit::live::World;

use testkit::liar::Liar;

/// A first price that one node alone says. With real money two nodes must say it, asked apart.
#[tokio::test(flavor = "multi_thread")]
async fn finding_3_the_first_price_and_that_of_a_liquidation_need_a_second_node() {
    let world = World::new(BlockTime::OnTransaction).await;
    let token = *world.devnet.deployment().practice.get("DIPPER").expect("a token");
    let node: reqwest::Url = world.devnet.node.url().clone();
    let (honest, liar) = (Liar::start(node.clone()), Liar::start(node));
    let mut config = PriceConfig {
        sources: vec![SourceName::Onchain],
        ..PriceConfig::default()
    };
    let two = book(&world, vec![honest.url(), liar.url()]).await;
    let (accepted, now) = (price(&two, &config, token).await, chrono::Utc::now());
    let said = |witnesses| match witnesses {
        Witnesses::Said(said) => said,
        Witnesses::NotNeeded => panic!("base is real money"),
    };
    let agree = said(two.witnesses(&wish(&config, token)).await);
    assert_eq!(agree.len(), 2);
    confirm(&accepted, &agree, None, &config, now).expect("two nodes say the same");
    liar.lie(|method, _, answer| {
        if method == "eth_call" {
            answer["result"] = json!("0x");
        }
    });
    let down = said(two.witnesses(&wish(&config, token)).await);
    let refused = confirm(&accepted, &down, None, &config, now).expect_err("one is not enough");
    assert_eq!(refused.reason, HoldReason::CrossCheckMissing);
    let last = Some(accepted);
    confirm(&accepted, &down, last, &config, now)
        .expect("a sample of our own stands for a node that is down");
    let twice = AcceptedPrice {
        price: Price::new(accepted.price.decimal() + accepted.price.decimal()).expect("a price"),
        ..accepted
    };
    let refused = confirm(&twice, &agree, last, &config, now).expect_err("one node lies");
    assert_eq!(refused.reason, HoldReason::PriceDeviation);
    let one = book(&world, vec![honest.url(), honest.url()]).await;
    let alone = said(one.witnesses(&wish(&config, token)).await);
    assert!(alone.is_empty(), "twice the same host is one node");
    let refused = confirm(&accepted, &alone, None, &config, now).expect_err("nobody confirms it");
    assert!(
        refused.detail.contains("price.single_source = true"),
        "{}",
        refused.detail
    );
    config.single_source = true;
    confirm(&accepted, &alone, None, &config, now).expect("its owner said so");
}

async fn book(world: &World, urls: Vec<String>) -> PriceBook {
    let mut keys = world.devnet.chain_file();
    keys.rpc_urls = urls;
    let spec = Arc::new(ChainSpec::resolve("base", &keys).expect("a chain"));
    let chains = open_chains(vec![spec], &world.db.pool).expect("chains");
    let prices = chains.iter().map(|(name, live)| {
        let prices: Arc<dyn PoolPrices> = live.prices.clone();
        (name.clone(), prices)
    });
    PriceBook::new(world.db.pool.clone(), DexscreenerSettings::default())
        .expect("a client")
        .with_chains(prices.collect())
        .with_witnesses(price_witnesses(&chains).expect("clients"))
}

fn wish(config: &PriceConfig, token: Address) -> PriceRequest<'_> {
    PriceRequest {
        chain: "base",
        token,
        quote: NATIVE,
        pool: None,
        decimals: Some(18),
        config,
    }
}

async fn price(book: &PriceBook, config: &PriceConfig, token: Address) -> AcceptedPrice {
    let now = chrono::Utc::now();
    let answers = book.answers(&[wish(config, token)], now).await.remove(0);
    accept(&answers, config, None, now).expect("a price")
}

/// The same at `start`: nobody is left with one node and one source without having said so.
#[tokio::test(flavor = "multi_thread")]
async fn finding_3_a_live_job_with_one_source_on_one_node_does_not_start_unless_its_owner_says_so() {
    let world = World::new(BlockTime::OnTransaction).await;
    let text = std::fs::read_to_string(world.settings()).expect("settings");
    let settings = world.settings().with_file_name("base.toml");
    std::fs::write(&settings, text.replace("chains.local", "chains.base")).expect("settings");
    let token = world.devnet.deployment().clanker.to_string();
    let start = |more: &'static str| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
        command
            .args([
                "start",
                &token,
                "--mode",
                "accumulate",
                "--live",
                "--chain",
                "base",
            ])
            .args(["--set", "price.sources=[\"onchain\"]", "--set", more])
            .env("DATABASE_URL", &world.db.url)
            .env("LGI_MM_SETTINGS", &settings)
            .env("LGI_MM_UNSAFE_PRIVATE_KEY", testkit::live::KEY)
            .stdin(std::process::Stdio::null());
        async move { command.output().await.expect("our own program runs") }
    };
    let refused = start("accumulate.dca_amount_usd=10").await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("price.single_source=true"),
        "{said}"
    );
    let started = start("price.single_source=true").await;
    assert!(
        started.status.success(),
        "{}",
        String::from_utf8_lossy(&started.stderr)
    );
}
