//! What a token says of itself.

use alloy_primitives::{Address, Bytes, U256};
use serde_json::{Value, json};

use super::{
    error::CallError,
    rpc::Rpc,
    settings::ChainSpec,
    unfit::{is_of_the_calls, is_of_the_request},
};
use crate::{
    domain::{foreign::Foreign, units::TOKEN_DECIMALS_MAX},
    ports::RpcError,
};

/// `decimals()`.
const DECIMALS: [u8; 4] = [0x31, 0x3c, 0xe5, 0x67];
/// `symbol()`.
const SYMBOL: [u8; 4] = [0x95, 0xd8, 0x9b, 0x41];

/// Longest ticker that is read, characters.
const TICKER_CHARS_MAX: usize = 64;

/// A token contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// Its ticker, clean, if it has one that can be read.
    pub symbol: Option<String>,
    /// Digits of one whole token.
    pub decimals: u8,
}

/// Why an address is no token we can trade.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Nothing is deployed there, or it has no `decimals()`.
    #[error("{0} is no ERC-20 token on this chain: it has no decimals()")]
    NoToken(Address),
    /// More digits than amounts can carry.
    #[error("{token} has {decimals} decimals; at most {TOKEN_DECIMALS_MAX} are supported")]
    Decimals {
        /// The token.
        token: Address,
        /// What it says.
        decimals: U256,
    },
    /// Two nodes say two things.
    #[error(
        "the chain's nodes disagree about the decimals of {token}: {one} and {other}; find out which of rpc_urls is wrong"
    )]
    Disagreement {
        /// The token.
        token: Address,
        /// What the node that is asked first says.
        one: u8,
        /// What another one says.
        other: u8,
    },
    /// No node could answer.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

/// The same as [`token_info`], and that no single node of the chain reports other digits: an amount is counted with
/// them for the life of a job. A node that does not answer is no objection.
///
/// # Errors
/// [`TokenError`].
pub async fn agreed_token_info(rpc: &Rpc, spec: &ChainSpec, token: Address) -> Result<TokenInfo, TokenError> {
    let info = token_info(rpc, token).await?;
    let nodes = spec.node_by_node();
    if nodes.len() < 2 {
        return Ok(info);
    }
    for node in &nodes {
        let Ok(alone) = Rpc::new(node) else { continue };
        if let Ok(said) = token_info(&alone, token).await
            && said.decimals != info.decimals
        {
            return Err(TokenError::Disagreement {
                token,
                one: info.decimals,
                other: said.decimals,
            });
        }
    }
    Ok(info)
}

/// Reads ticker and decimals in one round trip.
///
/// # Errors
/// [`TokenError`].
pub async fn token_info(rpc: &Rpc, token: Address) -> Result<TokenInfo, TokenError> {
    let call = |selector: [u8; 4]| {
        let data = Bytes::copy_from_slice(&selector);
        ("eth_call", json!([{ "to": token, "data": data }, "latest"]))
    };
    let mut answers = rpc.batch(&[call(DECIMALS), call(SYMBOL)]).await?.into_iter();
    let mut next = || answers.next().unwrap_or(Ok(Value::Null));
    // Only a revert shows that an address is no token; a token without a name is still one.
    let decimals = bytes(next(), is_of_the_calls)?;
    let symbol = bytes(next(), is_of_the_request)?;
    let decimals = decimals.filter(|bytes| bytes.len() >= 32);
    let decimals = decimals.ok_or(TokenError::NoToken(token))?;
    let decimals = U256::from_be_slice(decimals.get(..32).unwrap_or_default());
    let small = u8::try_from(decimals)
        .ok()
        .filter(|decimals| *decimals <= TOKEN_DECIMALS_MAX);
    Ok(TokenInfo {
        symbol: symbol.and_then(|bytes| text(&bytes)),
        decimals: small.ok_or(TokenError::Decimals { token, decimals })?,
    })
}

/// `None`: this contract has no such function. A node that cannot answer says nothing about the contract.
fn bytes(
    answer: Result<Value, CallError>,
    is_a_refusal: fn(&CallError) -> bool,
) -> Result<Option<Bytes>, RpcError> {
    match answer {
        Ok(value) => Ok(serde_json::from_value(value).ok()),
        Err(error) if is_a_refusal(&error) => Ok(None),
        Err(error) => Err(error.into_rpc()),
    }
}

/// A string as the ABI has it, or the 32 bytes of older tokens.
fn text(bytes: &[u8]) -> Option<String> {
    let raw = match bytes.len() {
        32 => bytes.split(|byte| *byte == 0).next()?,
        _ => {
            let length = usize::try_from(U256::from_be_slice(bytes.get(32..64)?)).ok()?;
            bytes.get(64..64_usize.checked_add(length)?)?
        }
    };
    let text = std::str::from_utf8(raw).ok()?.trim();
    (!text.is_empty()).then(|| Foreign::within(text, TICKER_CHARS_MAX).into_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickers_of_new_and_old_tokens_are_read_and_broken_ones_are_none() {
        let mut new = vec![0; 96];
        new[31] = 32;
        new[63] = 4;
        new[64..68].copy_from_slice(b"USDC");
        assert_eq!(text(&new).as_deref(), Some("USDC"));
        let mut old = vec![0; 32];
        old[..3].copy_from_slice(b"MKR");
        assert_eq!(text(&old).as_deref(), Some("MKR"));
        new[63] = 200;
        for broken in [&new[..], &[], &[0; 32], &[0xff; 32]] {
            assert_eq!(text(broken), None);
        }
    }
}
