//! Classifies an error inside an answer: about the request, or only about the node.

/// Class of an error in a node's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fitness {
    /// About the request: every honest node would return it. A revert, or a refusal.
    Answer,
    /// This node, or its provider's plan, lacks the method. Another node may have it.
    Lacks,
    /// Temporary: this node is behind, has pruned the state, or failed internally.
    Trouble,
    /// Rate limit of this node.
    Overload,
}

/// Phrases about the request, whatever the code is; lower case.
const ANSWERS: [&str; 13] = [
    "revert",
    "insufficient funds",
    "out of gas",
    "outofgas",
    "gas required exceeds",
    "intrinsic gas",
    "invalid opcode",
    "evm error",
    "nonce too",
    "underpriced",
    "already known",
    "max fee per gas less than",
    "insufficient balance",
];

const OVERLOADS: [&str; 13] = [
    "rate limit",
    "request limit",
    "too many request",
    "capacity",
    "timeout",
    "timed out",
    "limit reached",
    "exceeded quota",
    "free tier limit",
    "rate exceeded",
    "compute units",
    "credits",
    "unable to complete request at this time",
];

const LACKS: [&str; 13] = [
    "method not found",
    "does not exist",
    "not supported",
    "unsupported method",
    "not whitelisted",
    "whitelist",
    "method disabled",
    "not available on",
    "is not activated",
    "is not enabled",
    "no backends available for method",
    "not implemented",
    "unknown method",
];

const TROUBLES: [&str; 13] = [
    "header not found",
    "missing trie node",
    "unknown block",
    "block not found",
    "beyond head block",
    "block is out of range",
    "service unavailable",
    "internal error",
    "internal server error",
    "handler crashed",
    "state not available",
    "state is not available",
    "not synced",
];

/// Judges an error by its code and words. A revert has data or says so; unknown words of an unknown code are an answer,
/// because asking on would hide a real refusal.
pub(super) fn fitness(code: i64, message: &str, has_data: bool) -> Fitness {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    if code == 3 || has_data || says(&ANSWERS) {
        return Fitness::Answer;
    }
    if matches!(code, -32005 | -32007 | -32029 | -32097 | 15 | 402 | 429) || says(&OVERLOADS) {
        return Fitness::Overload;
    }
    if matches!(code, -32601 | -32004 | -32042 | -32011) || says(&LACKS) {
        return Fitness::Lacks;
    }
    if matches!(code, -32603 | -32001 | -32002 | -32019) || says(&TROUBLES) {
        return Fitness::Trouble;
    }
    Fitness::Answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_codes_of_real_nodes_say_whether_the_request_or_the_node_is_at_fault() {
        use Fitness::{Answer, Lacks, Overload, Trouble};
        for (code, message, expected) in [
            (3, "execution reverted: STF", Answer),
            (-32000, "execution reverted", Answer),
            (-32603, "Internal error: execution reverted", Answer),
            (-32000, "insufficient funds for gas * price + value", Answer),
            (-32000, "gas required exceeds allowance (30000000)", Answer),
            (-32602, "invalid argument 0: hex string without 0x prefix", Answer),
            (
                -32007,
                "15/second request limit reached - reduce calls per second",
                Overload,
            ),
            (
                -32005,
                "daily request count exceeded, request rate limited",
                Overload,
            ),
            (-32001, "exceeded quota usage", Overload),
            (15, "Too many request, try again later", Overload),
            (-32000, "You reached the free tier limits", Overload),
            (-32001, "Unable to complete request at this time.", Overload),
            (
                -32601,
                "the method eth_simulateV1 does not exist/is not available",
                Lacks,
            ),
            (-32001, "rpc method is not whitelisted", Lacks),
            (-32042, "Method disabled", Lacks),
            (-32600, "eth_simulateV1 is not available on this plan", Lacks),
            (-32000, "debug API is not activated", Lacks),
            (-32011, "no backends available for method", Lacks),
            (-32000, "header not found", Trouble),
            (-32000, "missing trie node 0a1b (path )", Trouble),
            (-32000, "Unknown block", Trouble),
            (-32000, "request beyond head block: requested 9, head 8", Trouble),
            (-32019, "block is out of range", Trouble),
            (-32603, "Internal error", Trouble),
            (-32603, "service unavailable", Trouble),
            (-32000, "method handler crashed", Trouble),
        ] {
            assert_eq!(fitness(code, message, false), expected, "{code} {message}");
        }
        assert_eq!(
            fitness(-32603, "Internal error", true),
            Answer,
            "data of a revert"
        );
    }
}
