//! What a node's words about sent bytes mean. Nothing here frees a nonce.

use alloy_primitives::Bytes;
use serde_json::{Value, json};

use super::{error::CallError, rpc::Rpc};
use crate::{
    domain::onchain::Sent,
    ports::{RpcError, SendError},
};

/// Words of several families of nodes, in lower case. The first that fits counts.
const WORDS: [(&str, Meaning); 77] = [
    ("unknown transaction", Meaning::Rejected),
    ("already known", Meaning::Known),
    ("alreadyknown", Meaning::Known),
    ("already imported", Meaning::Known),
    ("known transaction", Meaning::Known),
    ("existing txn with same hash", Meaning::Known),
    ("nonce too low", Meaning::NonceTooLow),
    ("nonce is too low", Meaning::NonceTooLow),
    ("oldnonce", Meaning::NonceTooLow),
    ("replacement transaction underpriced", Meaning::Underpriced),
    ("could not replace existing tx", Meaning::Underpriced),
    ("replacementnotallowed", Meaning::Underpriced),
    ("transaction underpriced", Meaning::Underpriced),
    ("max fee per gas less than block base fee", Meaning::Underpriced),
    ("fee cap less than base fee", Meaning::Underpriced),
    ("fee cap less than block base fee", Meaning::Underpriced),
    ("fee too low", Meaning::Underpriced),
    ("feetoolow", Meaning::Underpriced),
    ("gas price below", Meaning::Underpriced),
    ("gas price too low", Meaning::Underpriced),
    ("priority fee below minimum", Meaning::Underpriced),
    ("below chain minimum", Meaning::Underpriced),
    ("already in mempool", Meaning::Known),
    ("already in the mempool", Meaning::Known),
    ("already in pool", Meaning::Known),
    ("already in the pool", Meaning::Known),
    ("transaction already exists", Meaning::Known),
    ("already exists in cache", Meaning::Known),
    ("invalid transaction nonce", Meaning::NonceTooLow),
    ("gas price to replace", Meaning::Underpriced),
    ("which has the same nonce", Meaning::Underpriced),
    ("identified as a spammer", Meaning::Rejected),
    ("nonce below", Meaning::NonceTooLow),
    ("miner premium is negative", Meaning::Underpriced),
    ("minerpremiumisnegative", Meaning::Underpriced),
    ("gas price supplied is too low", Meaning::Underpriced),
    ("fee cap lower than", Meaning::Underpriced),
    (
        "priority fee per gas higher than max fee per gas",
        Meaning::Rejected,
    ),
    ("priority fee higher than", Meaning::Rejected),
    ("tip higher than fee cap", Meaning::Rejected),
    ("sender is not an eoa", Meaning::Rejected),
    ("sender not an eoa", Meaning::Rejected),
    ("invalid signature", Meaning::Rejected),
    ("insufficient funds", Meaning::Funds),
    ("insufficientfunds", Meaning::Funds),
    ("insufficient balance for transfer", Meaning::Funds),
    ("upfront cost exceeds account balance", Meaning::Funds),
    ("overdraws from account", Meaning::Funds),
    ("would cause overdraft", Meaning::Funds),
    ("not enough funds for gas", Meaning::Funds),
    ("intrinsic gas too low", Meaning::Rejected),
    ("intrinsic gas too high", Meaning::Rejected),
    ("intrinsicgas", Meaning::Rejected),
    ("intrinsic gas exceeds gas limit", Meaning::Rejected),
    ("insufficient gas for floor data", Meaning::Rejected),
    ("exceeds block gas limit", Meaning::Rejected),
    ("exceeds block's gas limit", Meaning::Rejected),
    ("exceeds max transaction gas limit", Meaning::Rejected),
    ("transaction gas limit too high", Meaning::Rejected),
    ("gas limit is too high", Meaning::Rejected),
    ("gaslimitexceeded", Meaning::Rejected),
    ("invalid chain id", Meaning::Rejected),
    ("invalid sender", Meaning::Rejected),
    ("failed to decode", Meaning::Rejected),
    ("rlp:", Meaning::Rejected),
    ("exceeds the configured cap", Meaning::Rejected),
    ("transaction fee cap exceeded", Meaning::Rejected),
    ("transaction type not supported", Meaning::Rejected),
    ("oversized data", Meaning::Rejected),
    ("invalid transaction v, r, s values", Meaning::Rejected),
    // Erigon says no more than this; it comes last, because others say more with it.
    ("underpriced", Meaning::Underpriced),
    ("tx type not supported", Meaning::Rejected),
    ("chain id mismatch", Meaning::Rejected),
    ("wrong chain id", Meaning::Rejected),
    ("chainid mismatch", Meaning::Rejected),
    ("incorrect chain id", Meaning::Rejected),
    ("max initcode size exceeded", Meaning::Rejected),
];

#[derive(Clone, Copy)]
enum Meaning {
    Known,
    NonceTooLow,
    Underpriced,
    Funds,
    Rejected,
}

/// Hands bytes to all nodes behind `door`, and sums up what they say: one that takes them is enough. Otherwise one that
/// did not answer may have taken them all the same, and only then counts what the others say.
pub(super) async fn broadcast(door: &Rpc, raw: &Bytes) -> Result<Sent, SendError> {
    let params = json!([raw]);
    let ask = |voice: super::voice::Voice| {
        let params = &params;
        async move {
            // A task of its own: a slow node gets the bytes even when a fast one has answered and no caller waits any
            // more.
            let (request, asked) = (("eth_sendRawTransaction", params.clone()), voice.clone());
            let sent = tokio::spawn(async move { asked.batch(&[request]).await }).await;
            let answer = sent.map_err(|error| voice.error(error.to_string()))??.pop();
            Ok(match answer.unwrap_or(Ok(Value::Null)) {
                Ok(_) => Ok(Sent::Accepted),
                Err(CallError::Node {
                    endpoint, message, ..
                }) => classify(&endpoint, &message),
                Err(CallError::Rpc(error)) => Err(SendError::Ambiguous(error)),
            })
        }
    };
    let said = door.each(ask).await.into_iter().map(|(_, answer)| match answer {
        Ok(answer) => answer,
        Err(error) => Err(SendError::Ambiguous(error)),
    });
    said.min_by_key(weight).unwrap_or_else(|| {
        Err(SendError::Ambiguous(RpcError {
            endpoint: "?".to_owned(),
            detail: "no RPC URL is configured".to_owned(),
        }))
    })
}

/// Hands bytes to the relay and to the public nodes; the better answer counts.
pub(super) async fn broadcast_twice(relay: &Rpc, nodes: &Rpc, raw: &Bytes) -> Result<Sent, SendError> {
    let (private, public) = tokio::join!(broadcast(relay, raw), broadcast(nodes, raw));
    if weight(&private) < weight(&public) {
        private
    } else {
        public
    }
}

/// Of several answers to the same bytes the lightest counts.
const fn weight(answer: &Result<Sent, SendError>) -> u8 {
    match answer {
        Ok(Sent::Accepted) => 0,
        Ok(Sent::AlreadyKnown) => 1,
        Err(SendError::Ambiguous(_)) => 2,
        Err(SendError::NonceTooLow) => 3,
        Err(SendError::Underpriced) => 4,
        Err(SendError::InsufficientFunds) => 5,
        Err(SendError::Rejected(_)) => 6,
    }
}

/// What the node's message means; unknown words are ambiguous.
pub(super) fn classify(endpoint: &str, message: &str) -> Result<Sent, SendError> {
    let lower = message.to_ascii_lowercase();
    let meaning = WORDS.iter().find(|(words, _)| lower.contains(words));
    let meaning = meaning.map(|(_, meaning)| *meaning);
    // All that Erigon says of a transaction that is in a block; as a part of other words it means nothing.
    let bare = lower.trim_start_matches("error: ").split_whitespace().next();
    match meaning.or((bare == Some("mined")).then_some(Meaning::NonceTooLow)) {
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

    /// The same list that classifies nodes: who, method, code, HTTP status, message, class.
    const REFUSALS: &str = include_str!("../../tests/data/node-errors.tsv");

    #[test]
    fn the_words_of_every_family_of_nodes_are_understood() {
        let mut rows = 0;
        for line in REFUSALS.lines().filter(|line| !line.starts_with('#')) {
            let [who, "eth_sendRawTransaction", _, _, message, class] = *line.split('\t').collect::<Vec<_>>()
            else {
                continue;
            };
            rows += 1;
            for said in [
                message.to_owned(),
                message.to_uppercase(),
                format!("Error: {message} (0x1f)"),
            ] {
                let found = match classify("node", &said) {
                    Ok(Sent::Accepted) => "accepted",
                    Ok(Sent::AlreadyKnown) => "known",
                    Err(SendError::NonceTooLow) => "nonce",
                    Err(SendError::Underpriced) => "underpriced",
                    Err(SendError::InsufficientFunds) => "funds",
                    Err(SendError::Rejected(_)) => "rejected",
                    Err(SendError::Ambiguous(_)) => "ambiguous",
                };
                assert_eq!(found, class, "{who}: {said}");
            }
        }
        assert!(rows > 60, "{rows}");
    }

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
            ("AlreadyKnown", "Ok(AlreadyKnown)"),
            (
                "OldNonce, Current nonce: 5, nonce of rejected tx: 3",
                "Err(NonceTooLow)",
            ),
            ("could not replace existing tx", "Err(Underpriced)"),
            ("FeeTooLowToCompete", "Err(Underpriced)"),
            ("underpriced", "Err(Underpriced)"),
            (
                "transaction gas price below minimum: gas tip cap 1",
                "Err(Underpriced)",
            ),
            ("InsufficientFunds, Account balance: 1", "Err(InsufficientFunds)"),
            ("Upfront cost exceeds account balance", "Err(InsufficientFunds)"),
            (
                "transaction gas limit too high (cap: 16777216, tx: 20000000)",
                "Err(Rejected(",
            ),
            ("internal error", "Err(Ambiguous("),
            ("", "Err(Ambiguous("),
        ] {
            let shown = format!("{:?}", classify("node", message));
            assert!(shown.starts_with(expected), "{message}: {shown}");
        }
    }
}
