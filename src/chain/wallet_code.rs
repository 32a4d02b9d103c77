//! Code at a wallet's own address. A key that delegated its account (EIP-7702) signs as before, but whatever is sent to
//! the wallet runs that code, which may refuse the native coin.

use std::fmt;

use alloy_primitives::{Address, Bytes};
use serde_json::json;

use super::{error::CallError, rpc::Rpc};

/// How the code of a delegated account begins.
const DELEGATION: [u8; 3] = [0xef, 0x01, 0x00];

/// What a wallet's address runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalletCode {
    /// The code of this contract.
    Delegated(Address),
    /// Code of its own.
    Own,
}

impl fmt::Display for WalletCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delegated(to) => write!(f, "is delegated to the contract {to} (EIP-7702)"),
            Self::Own => f.write_str("has code of its own"),
        }
    }
}

/// The code at `wallet`; `None` for an ordinary wallet.
///
/// # Errors
/// [`CallError`] if no node answers.
pub async fn wallet_code(rpc: &Rpc, wallet: Address) -> Result<Option<WalletCode>, CallError> {
    let code: Bytes = rpc.request("eth_getCode", json!([wallet, "latest"])).await?;
    Ok(understand(&code))
}

fn understand(code: &[u8]) -> Option<WalletCode> {
    match code.strip_prefix(&DELEGATION) {
        _ if code.is_empty() => None,
        Some(to) if to.len() == Address::len_bytes() => Some(WalletCode::Delegated(Address::from_slice(to))),
        _ => Some(WalletCode::Own),
    }
}

/// What to add to the reason of a revert: empty for an ordinary wallet, or if nobody answers.
pub(super) async fn remark(rpc: &Rpc, wallet: Address) -> String {
    match wallet_code(rpc, wallet).await {
        Ok(Some(code)) => format!("; the wallet {wallet} {code}, and that code may be what reverts"),
        Ok(None) | Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delegation_is_told_from_other_code() {
        let to = Address::repeat_byte(0x5a);
        let delegated = [&DELEGATION, to.as_slice()].concat();
        assert_eq!(understand(&delegated), Some(WalletCode::Delegated(to)));
        assert_eq!(understand(&[]), None);
        for code in [&DELEGATION[..], &[0x60, 0x80], &delegated[..22]] {
            assert_eq!(understand(code), Some(WalletCode::Own), "{code:?}");
        }
    }
}
