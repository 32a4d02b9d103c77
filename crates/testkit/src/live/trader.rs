//! Trades of another account.

use alloy_primitives::{Address, U256};
use chrono::TimeDelta;
use lgi_mm::{
    devnet::DEPLOYER,
    domain::{
        onchain::{Checks, SwapRequest},
        pool::NATIVE,
        units::Amount,
    },
};
use serde_json::json;

use super::World;

impl World {
    /// Another trader buys for this amount of native coins, or sells this amount of tokens; mined when the chain mines.
    pub async fn push(&self, token: Address, buying: bool, amount: U256) {
        self.push_at(token, buying, amount, U256::ZERO).await;
    }

    /// The same with a fee in wei per unit of gas; zero: the usual fee.
    pub async fn push_at(&self, token: Address, buying: bool, amount: U256, gas_price: U256) {
        let (token_in, token_out) = if buying { (NATIVE, token) } else { (token, NATIVE) };
        let request = SwapRequest {
            wallet: DEPLOYER,
            token_in,
            token_out,
            amount_in: Amount::new(amount),
            amount_out_fair: Amount::ZERO,
            fair_rest: 0,
            pool: None,
            prove_sell: false,
            checks: Checks::none(),
        };
        let deadline = chrono::Utc::now() + TimeDelta::hours(1);
        let floor = Amount::new(U256::from(1));
        let calls = self
            .live
            .venue
            .calls(&request, floor, deadline)
            .await
            .expect("calls");
        for call in calls {
            let mut transaction = json!({
                "from": DEPLOYER, "to": call.to, "data": call.data, "value": call.value,
                "gas": U256::from(call.gas_limit),
            });
            if !gas_price.is_zero() {
                transaction["gasPrice"] = json!(gas_price);
            }
            let sent: Result<alloy_primitives::B256, _> = self
                .devnet
                .node
                .request("eth_sendTransaction", json!([transaction]))
                .await;
            sent.expect("sent");
        }
    }
}
