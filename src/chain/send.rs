//! What a node's words about sent bytes mean. Nothing here frees a nonce.

use crate::ports::{RpcError, SendError, Sent};

/// Words of several families of nodes, in lower case. The first that fits counts.
const WORDS: [(&str, Meaning); 19] = [
    ("unknown transaction", Meaning::Rejected),
    ("already known", Meaning::Known),
    ("already imported", Meaning::Known),
    ("known transaction", Meaning::Known),
    ("nonce too low", Meaning::NonceTooLow),
    ("nonce is too low", Meaning::NonceTooLow),
    ("replacement transaction underpriced", Meaning::Underpriced),
    ("transaction underpriced", Meaning::Underpriced),
    ("max fee per gas less than block base fee", Meaning::Underpriced),
    ("fee too low", Meaning::Underpriced),
    ("insufficient funds", Meaning::Funds),
    ("intrinsic gas too low", Meaning::Rejected),
    ("intrinsic gas too high", Meaning::Rejected),
    ("exceeds block gas limit", Meaning::Rejected),
    ("invalid chain id", Meaning::Rejected),
    ("invalid sender", Meaning::Rejected),
    ("failed to decode", Meaning::Rejected),
    ("rlp:", Meaning::Rejected),
    ("exceeds the configured cap", Meaning::Rejected),
];

#[derive(Clone, Copy)]
enum Meaning {
    Known,
    NonceTooLow,
    Underpriced,
    Funds,
    Rejected,
}

/// What the node's message means; words that nobody knows are ambiguous.
pub(super) fn classify(endpoint: &str, message: &str) -> Result<Sent, SendError> {
    let lower = message.to_ascii_lowercase();
    let meaning = WORDS.iter().find(|(words, _)| lower.contains(words));
    match meaning.map(|(_, meaning)| *meaning) {
        Some(Meaning::Known) => Ok(Sent::AlreadyKnown),
        Some(Meaning::NonceTooLow) => Err(SendError::NonceTooLow),
        Some(Meaning::Underpriced) => Err(SendError::Underpriced),
        Some(Meaning::Funds) => Err(SendError::InsufficientFunds),
        Some(Meaning::Rejected) => Err(SendError::Rejected(message.to_owned())),
        None => Err(SendError::Ambiguous(RpcError {
            endpoint: endpoint.to_owned(),
            detail: message.to_owned(),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_both_families_of_nodes_are_understood_and_all_else_is_ambiguous() {
        for (message, expected) in [
            ("transaction already imported", "Ok(AlreadyKnown)"),
            ("already known", "Ok(AlreadyKnown)"),
            ("nonce too low: next nonce 5, tx nonce 3", "Err(NonceTooLow)"),
            ("replacement transaction underpriced", "Err(Underpriced)"),
            (
                "max fee per gas less than block base fee: address 0x..",
                "Err(Underpriced)",
            ),
            (
                "Insufficient funds for gas * price + value",
                "Err(InsufficientFunds)",
            ),
            (
                "intrinsic gas too high -- tx.gas_limit > env.block.gas_limit",
                "Err(Rejected(",
            ),
            ("invalid chain id for signer", "Err(Rejected("),
            ("Failed to decode transaction", "Err(Rejected("),
            ("unknown transaction type not supported", "Err(Rejected("),
            ("internal error", "Err(Ambiguous("),
            ("", "Err(Ambiguous("),
        ] {
            let shown = format!("{:?}", classify("node", message));
            assert!(shown.starts_with(expected), "{message}: {shown}");
        }
    }
}
