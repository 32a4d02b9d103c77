//! Sources of real prices, and the name of the practice chain.

use super::*;

/// What DexScreener would answer: the token in one pool, at `price`; any other token in none.
async fn dexscreener(token: Address, price: &'static str) -> String {
    let known = format!("{token:#x}");
    let answer = move |Path((chain, asked)): Path<(String, String)>| async move {
        let pairs = json!([{
            "chainId": chain, "baseToken": { "address": asked, "symbol": "TT" }, "priceUsd": price,
            "liquidity": { "usd": 100_000 },
        }]);
        Json(if asked == known { pairs } else { json!([]) })
    };
    let router = Router::new().route("/tokens/v1/{chain}/{tokens}", get(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// On a chain that is built in (here its name on a local chain): two sources where a second one knows the token.
#[tokio::test(flavor = "multi_thread")]
async fn a_live_job_begins_with_two_sources_where_a_second_one_knows_its_token() {
    let world = World::new(BlockTime::OnTransaction).await;
    let dir = tempfile::tempdir().expect("a directory");
    let settings = dir.path().join("lgi-mm.toml");
    std::fs::write(&settings, EXAMPLE).expect("a copy");
    let at = world.devnet.deployment().clone();
    let mut base: Vec<(String, String)> = chain_by_environment(&world)
        .into_iter()
        .map(|(name, value)| (name.replace("__LOCAL__", "__BASE__"), value))
        .collect();
    base.push((
        "LGI_MM__DEXSCREENER__BASE_URL".to_owned(),
        dexscreener(at.token, "0.0003").await,
    ));
    for (token, symbol, sources, said_so) in [
        (
            at.token,
            "TT",
            json!(["onchain", "dexscreener"]),
            "checked against DexScreener, which says 0.0003 USD",
        ),
        (at.clanker, "CLAWDIA", json!(["onchain"]), "from the pool ALONE"),
    ] {
        let token = token.to_string();
        let args = [
            "start",
            &token,
            "--mode",
            "accumulate",
            "--live",
            "--chain",
            "base",
        ];
        let (code, said) = run_with(&world, &settings, &base, &args).await;
        let (code, said) = if sources == json!(["onchain"]) {
            // One source on one node is not enough to begin with, unless its owner says so.
            assert_eq!((code, said.contains("price.single_source")), (4, true), "{said}");
            let enough = ["--set", "price.single_source=true"];
            run_with(&world, &settings, &base, &[&args[..], &enough].concat()).await
        } else {
            (code, said)
        };
        assert_eq!((code, said.contains(said_so)), (0, true), "{said}");
        let config: serde_json::Value = sqlx::query_scalar("SELECT config FROM jobs WHERE token_symbol = $1")
            .bind(symbol)
            .fetch_one(&world.db.pool)
            .await
            .expect("a configuration");
        assert_eq!(config["price"]["sources"], sources);
        assert_eq!(config["price"]["max_price_move_pct"], json!("5"));
        assert_eq!(config["schedule"]["jitter"], json!("10s"));
    }
}

/// The practice chain's name lifts the floors, so no chain with real money may bear it.
#[tokio::test(flavor = "multi_thread")]
async fn no_real_chain_takes_the_name_of_the_practice_chain() {
    let world = World::new(BlockTime::OnTransaction).await;
    for id in ["8453", "1", "56"] {
        let renamed = [("LGI_MM__CHAINS__LOCAL__CHAIN_ID".to_owned(), id.to_owned())];
        let (code, said) = run_with(&world, world.settings(), &renamed, &["worker"]).await;
        assert_eq!(
            (code, said.contains("chains.local.chain_id")),
            (2, true),
            "{id}: {said}"
        );
    }
}
