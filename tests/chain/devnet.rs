//! The local chain: everything is where the settings say, and every pool has money in it.

use alloy_primitives::U256;
use lgi_mm::{
    chain::{ChainSpec, Rpc, token_info},
    devnet::{BlockTime, CHAIN_ID, NAME},
};

#[tokio::test]
async fn the_local_chain_is_one_that_settings_can_describe() {
    let devnet = testkit::devnet::devnet(BlockTime::OnTransaction).await;
    let spec = ChainSpec::resolve(NAME, &devnet.chain_file()).expect("a chain");
    let rpc = Rpc::new(&spec).expect("nodes");
    let nodes = rpc.states().await;
    assert!(nodes.iter().all(|node| node.chain_id == Ok(CHAIN_ID)));
    for (name, address) in spec.contracts.named() {
        if address.is_zero() {
            continue;
        }
        let code: alloy_primitives::Bytes = rpc
            .request("eth_getCode", serde_json::json!([address, "latest"]))
            .await
            .expect("an answer");
        assert!(!code.is_empty(), "{name} {address} has no code");
    }
    let deployed = devnet.deployment();
    for (token, symbol, decimals) in [
        (deployed.weth, "WETH", 18),
        (deployed.usdc, "USDC", 6),
        (deployed.clanker, "CLAWDIA", 18),
        (deployed.trap, "TRAP", 18),
    ] {
        let info = token_info(&rpc, token).await.expect("a token");
        assert_eq!((info.symbol.as_deref(), info.decimals), (Some(symbol), decimals));
    }
}

#[tokio::test]
async fn a_wallet_that_is_funded_has_its_money() {
    let devnet = testkit::devnet::devnet(BlockTime::OnTransaction).await;
    let wallet = alloy_primitives::Address::repeat_byte(0x77);
    devnet.fund(wallet).await.expect("funded");
    let balance: U256 = devnet
        .node
        .request("eth_getBalance", serde_json::json!([wallet, "latest"]))
        .await
        .expect("an answer");
    assert_eq!(balance, U256::from(100) * U256::from(10).pow(U256::from(18)));
}
