//! Which way each node can try a trade before it is signed.

use serde_json::{Value, json};

use super::{error::CallError, rpc::Rpc, voice::Voice};
use crate::ports::RpcError;

/// An address without a private key, whose code a probe pretends to be [`CODE`].
const AT: &str = "0x00000000000000000000000000000000000aa001";
/// Returns the number 42.
const CODE: &str = "0x602a60005260206000f3";
const ANSWER: &str = "0x000000000000000000000000000000000000000000000000000000000000002a";

/// How a node can try the calls of a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// All calls in one simulated block.
    Simulates,
    /// All calls in one `eth_call`, run by code put at the wallet's address.
    Overrides,
    /// Each call alone, once those before it are mined: enough to sell, not to buy.
    Steps,
}

impl Way {
    /// For people.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Simulates => "tries trades by eth_simulateV1",
            Self::Overrides => "tries trades by eth_call with state overrides",
            Self::Steps => "tries trades step by step: it can sell, and nothing is bought through it",
        }
    }
}

impl Rpc {
    /// Asks each node, in the order of the settings, which way it can try trades. An error: it did not answer.
    pub async fn ways(&self) -> Vec<Result<Way, RpcError>> {
        let asked = self.voices().map(|voice| async move { way(&voice).await });
        futures::future::join_all(asked).await
    }
}

async fn way(voice: &Voice) -> Result<Way, RpcError> {
    let simulated = ask(
        voice,
        "eth_simulateV1",
        json!([{ "blockStateCalls": [{ "calls": [] }] }, "latest"]),
    );
    if simulated.await?.is_ok_and(|blocks| blocks.is_array()) {
        return Ok(Way::Simulates);
    }
    let overridden = json!([{ "to": AT, "data": "0x" }, "latest", { AT: { "code": CODE } }]);
    let overridden = ask(voice, "eth_call", overridden).await?;
    Ok(match overridden {
        Ok(answer) if answer.as_str() == Some(ANSWER) => Way::Overrides,
        _ => Way::Steps,
    })
}

async fn ask(
    voice: &Voice,
    method: &'static str,
    params: Value,
) -> Result<Result<Value, CallError>, RpcError> {
    let answer = voice.batch(&[(method, params)]).await?.pop();
    Ok(answer.unwrap_or(Ok(Value::Null)))
}
