//! Why a call reverted, for people.

use alloy::sol_types::SolInterface;
use alloy_primitives::hex;

use crate::{chain::contracts::Reverts::RevertsErrors, domain::foreign::Foreign};

/// Maximum depth of nested revert data that is decoded.
const DEPTH_MAX: u8 = 4;

/// Bytes of unknown revert data that are shown.
const HEX_MAX: usize = 200;

/// The reason inside revert data, clean; raw hex if it is unknown.
pub(crate) fn reason(data: &[u8]) -> String {
    Foreign::new(&nested(data, DEPTH_MAX)).into_string()
}

fn raw(data: &[u8]) -> String {
    match data.get(..HEX_MAX) {
        Some(beginning) if data.len() > HEX_MAX => {
            format!("0x{}.. ({} bytes)", hex::encode(beginning), data.len())
        }
        _ => format!("0x{}", hex::encode(data)),
    }
}

fn nested(data: &[u8], depth: u8) -> String {
    if data.is_empty() {
        return "no reason given: no such pool or contract, or out of gas".to_owned();
    }
    let inner = |bytes: &[u8]| match depth.checked_sub(1) {
        Some(less) if !bytes.is_empty() => nested(bytes, less),
        _ => raw(bytes),
    };
    let Ok(error) = RevertsErrors::abi_decode(data) else {
        return raw(data);
    };
    match error {
        RevertsErrors::Error(error) => known_words(&error.reason).to_owned(),
        RevertsErrors::Panic(error) => format!("Panic(0x{:x})", error.code),
        RevertsErrors::V4TooLittleReceived(error) => format!(
            "V4TooLittleReceived: at least {} was asked for, {} would come",
            error.minAmountOutReceived, error.amountReceived
        ),
        RevertsErrors::TransactionDeadlinePassed(_) => "TransactionDeadlinePassed".to_owned(),
        RevertsErrors::InsufficientAllowance(error) => {
            format!("InsufficientAllowance: Permit2 may move only {}", error.amount)
        }
        RevertsErrors::AllowanceExpired(error) => format!("AllowanceExpired at {}", error.deadline),
        RevertsErrors::ExecutionFailed(error) => {
            format!("command {}: {}", error.commandIndex, inner(&error.message))
        }
        RevertsErrors::InsufficientETH(_) => "InsufficientETH: less was unwrapped than asked for".to_owned(),
        RevertsErrors::InsufficientToken(_) => "InsufficientToken".to_owned(),
        RevertsErrors::BalanceTooLow(_) => {
            "BalanceTooLow: less arrived in the wallet than must; does the token take a fee?".to_owned()
        }
        RevertsErrors::V3TooLittleReceived(_) => "V3TooLittleReceived".to_owned(),
        RevertsErrors::V2TooLittleReceived(_) => "V2TooLittleReceived".to_owned(),
        RevertsErrors::V2InvalidPath(_) => "V2InvalidPath".to_owned(),
        RevertsErrors::PoolNotInitialized(_) => "PoolNotInitialized".to_owned(),
        RevertsErrors::CurrencyNotSettled(_) => {
            "CurrencyNotSettled: less arrived at the pool than was sent".to_owned()
        }
        RevertsErrors::NotEnoughLiquidity(_) => "NotEnoughLiquidity".to_owned(),
        RevertsErrors::WrappedError(error) => format!("{}: {}", error.target, inner(&error.reason)),
        RevertsErrors::UnexpectedRevertBytes(error) => inner(&error.revertData),
        RevertsErrors::InsufficientOutputAmount(_) => {
            "InsufficientOutputAmount: less arrives than was asked for".to_owned()
        }
        RevertsErrors::InsufficientLiquidity(_) => "InsufficientLiquidity".to_owned(),
        RevertsErrors::IsPaused(_) => "IsPaused: the factory stopped all swaps".to_owned(),
        RevertsErrors::Expired(_) => "Expired: the deadline is over".to_owned(),
        RevertsErrors::PoolFactoryDoesNotExist(_) => "PoolFactoryDoesNotExist".to_owned(),
        RevertsErrors::ETHTransferFailed(_) => {
            "ETH_TRANSFER_FAILED: the receiver refuses the coin".to_owned()
        }
        RevertsErrors::K(_) => "K: less arrived at the pool than was sent".to_owned(),
    }
}

/// Uniswap's shortest reasons, written out.
fn known_words(reason: &str) -> &str {
    match reason {
        "STF" => "STF: the token refuses to be transferred, or balance or allowance is too low",
        "TF" => "TF: the token refuses to be transferred",
        "IIA" => "IIA: less arrived at the pool than was sent; does the token take a fee?",
        "" => "an empty reason",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reverts_seen_on_a_chain_are_told_in_words() {
        for (data, told) in [
            ("", "no reason given"),
            ("5bf6f916", "TransactionDeadlinePassed"),
            (
                "8b063d73000000000000000000000000000000000000000000000000000000000000000a0000000000000000000000000000000000000000000000000000000000000009",
                "V4TooLittleReceived: at least 10 was asked for, 9 would come",
            ),
            (
                "f96fb0710000000000000000000000000000000000000000000000000000000000000000",
                "InsufficientAllowance: Permit2 may move only 0",
            ),
            (
                "08c379a0000000000000000000000000000000000000000000000000000000000000002000000000000000000000000000000000000000000000000000000000000000035354460000000000000000000000000000000000000000000000000000000000",
                "STF: the token refuses",
            ),
            (
                "4e487b710000000000000000000000000000000000000000000000000000000000000011",
                "Panic(0x11)",
            ),
            ("deadbeef", "0xdeadbeef"),
        ] {
            let bytes = hex::decode(data).expect("hex");
            let said = reason(&bytes);
            assert!(said.starts_with(told), "{data}: {said}");
        }
    }
}
