//! Classifies an error inside an answer: about the request, or only about the node.

use std::time::Duration;

use super::error::CallError;
use crate::domain::backoff::retry_after;

/// Class of an error in a node's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fitness {
    /// About the request: every honest node would return it. A revert, or a refusal.
    Answer,
    /// The request takes more time than this node gives one, or has a longer answer than is read. Another node may give
    /// it more; asking this one again helps nothing, a smaller request may.
    Heavy,
    /// This node, or its provider's plan, lacks the method. Another node may have it.
    Lacks,
    /// Temporary: this node is behind, has pruned the state, or failed internally.
    Trouble,
    /// Rate limit of this node.
    Overload,
}

/// Phrases about the request, whatever the code is; lower case.
const ANSWERS: [&str; 19] = [
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
    "transaction type",
    "tx type",
    "query returned more than",
    "block range",
    "response size exceeded",
    "limited to a",
];

/// Phrases about the time that a node gives a request, and about the size of what one request returns.
const HEAVY: [&str; 5] = [
    "execution aborted",
    "execution timed out",
    "execution timeout",
    "canceled due to enabled timeout",
    "the answer is longer than",
];

/// Phrases of answers that say that a call, or one inside it, takes too much gas or memory, or reverts.
const CALLS: [&str; 9] = [
    "revert",
    "vm execution error",
    "out of gas",
    "outofgas",
    "gas required exceeds",
    "invalid opcode",
    "evm error",
    "insufficient gas",
    "response size exceeded",
];

/// Phrases about a block or state that this node does not have, or does not have yet.
const BEHIND: [&str; 18] = [
    "block does not exist",
    "header not found",
    "header for hash not found",
    "missing trie node",
    "unknown block",
    "block not found",
    "could not find block",
    "beyond head block",
    "block is out of range",
    "block number out of range",
    "after last accepted block",
    "state not available",
    "state is not available",
    "state unavailable",
    "historical state",
    "state is pruned",
    "state has been pruned",
    "maximum proof window",
];

const OVERLOADS: [&str; 26] = [
    "rate limit",
    "rate-limit",
    "ratelimit",
    "request limit",
    "too many request",
    "too many concurrent",
    "throttl",
    "capacity",
    "timeout",
    "timed out",
    "limit reached",
    "exceeded quota",
    "quota exceeded",
    "over quota",
    "daily limit",
    "monthly limit",
    "free tier limit",
    "rate exceeded",
    "compute unit",
    "credits",
    "slow down",
    "try again later",
    "server is busy",
    "overloaded",
    "payment required",
    "unable to complete request at this time",
];

const LACKS: [&str; 25] = [
    "method not found",
    "no such method",
    "does not exist",
    "not supported",
    "unsupported",
    "not whitelisted",
    "whitelist",
    "method disabled",
    "method is disabled",
    "method has been disabled",
    "method is not",
    "method not allowed",
    "method not enabled",
    "method is blocked",
    "not available on",
    "not available in your",
    "not available for",
    "not included in",
    "requires a paid",
    "upgrade your",
    "is not activated",
    "is not enabled",
    "no backends available for method",
    "not implemented",
    "unknown method",
];

const TROUBLES: [&str; 12] = [
    "service unavailable",
    "temporarily unavailable",
    "internal error",
    "internal server error",
    "handler crashed",
    "not synced",
    "still syncing",
    "bad gateway",
    "upstream",
    "no healthy",
    "no available node",
    "connection refused",
];

/// Phrases about the size of a batch or of its answer.
const BATCHES: [&str; 6] = [
    "response too large",
    "response is too large",
    "too many calls",
    "too many rpc calls",
    "in one request",
    "in a single request",
];

/// Judges an error by its code and words. A revert has data or says so; unknown words of an unknown code are an answer,
/// because asking on would hide a real refusal.
pub(super) fn fitness(code: i64, message: &str, has_data: bool) -> Fitness {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    if code == -32601 {
        return Fitness::Lacks;
    }
    if code == 3 || has_data || says(&ANSWERS) {
        return Fitness::Answer;
    }
    if says(&HEAVY) {
        return Fitness::Heavy;
    }
    if says(&BEHIND) {
        return Fitness::Trouble;
    }
    if matches!(code, -32005 | -32007 | -32029 | -32090 | -32097 | 15 | 402 | 429) || says(&OVERLOADS) {
        return Fitness::Overload;
    }
    if matches!(code, -32004 | -32042 | -32011) || says(&LACKS) {
        return Fitness::Lacks;
    }
    if matches!(code, -32603 | -32001 | -32002 | -32019) || says(&TROUBLES) {
        return Fitness::Trouble;
    }
    Fitness::Answer
}

/// The class of what a node says instead of a result; `None`: no node answered.
pub(super) fn class(error: &CallError) -> Option<Fitness> {
    let CallError::Node {
        code, message, data, ..
    } = error
    else {
        return None;
    };
    let has_data = data.as_ref().is_some_and(|data| !data.is_empty());
    Some(fitness(*code, message, has_data))
}

/// Whether an error says that what was called takes too much or reverts. Then a part of several calls may work. Nothing
/// else says anything about the calls: no refusal for load or rights, no broken connection, no unknown words.
pub(super) fn is_of_the_calls(error: &CallError) -> bool {
    match (class(error), error) {
        (Some(Fitness::Heavy), _) => true,
        (
            Some(Fitness::Answer),
            CallError::Node {
                code, message, data, ..
            },
        ) => {
            let has_data = data.as_ref().is_some_and(|data| !data.is_empty());
            let message = message.to_ascii_lowercase();
            *code == 3 || has_data || CALLS.iter().any(|words| message.contains(words))
        }
        _ => false,
    }
}

/// Whether an error is about the request: any other honest node would refuse it as well.
pub(super) fn is_of_the_request(error: &CallError) -> bool {
    matches!(class(error), Some(Fitness::Answer | Fitness::Heavy))
}

/// Whether it took the node too long or its answer was too long: each of these costs seconds.
pub(super) fn is_heavy(error: &CallError) -> bool {
    match error {
        CallError::Node { code, message, .. } => fitness(*code, message, false) == Fitness::Heavy,
        CallError::Rpc(_) => false,
    }
}

/// Whether a refusal is about the number of requests in a batch, or about batches at all: a smaller one may work.
pub(super) fn is_batch_limit(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    // A contract may revert with any words.
    !message.contains("revert")
        && (message.contains("batch") || BATCHES.iter().any(|words| message.contains(words)))
}

/// The pause that a refusal for load names in words, such as `retry after 5 s` or `try again in 200ms`.
pub(super) fn wait_named(message: &str) -> Option<Duration> {
    let message = message.to_ascii_lowercase();
    let rest = [
        "retry after ",
        "retry in ",
        "again in ",
        "again after ",
        "retry-after: ",
    ]
    .iter()
    .find_map(|words| Some(message.split_once(words)?.1))?;
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'));
    let (number, unit) = rest.split_at(end.unwrap_or(rest.len()));
    let pause = retry_after(number.trim_end_matches('.'), chrono::DateTime::UNIX_EPOCH)?;
    let unit = unit.trim_start();
    if unit.starts_with("ms") || unit.starts_with("milli") {
        return Some(pause / 1_000);
    }
    let factor = if unit.starts_with('m') {
        60
    } else if unit.starts_with('h') {
        3_600
    } else {
        1
    };
    Some(pause.saturating_mul(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refusals of nodes and providers: who, method, code, HTTP status, message, class.
    const REFUSALS: &str = include_str!("../../tests/data/node-errors.tsv");

    #[test]
    fn the_words_and_codes_of_every_node_and_provider_say_what_is_at_fault() {
        let mut rows = 0;
        for line in REFUSALS.lines().filter(|line| !line.starts_with('#')) {
            let [who, method, code, _, message, class] = *line.split('\t').collect::<Vec<_>>() else {
                panic!("six columns: {line}");
            };
            rows += 1;
            if method == "eth_sendRawTransaction" {
                continue;
            }
            let code: i64 = code.parse().expect("a code");
            let found = match is_batch_limit(message) {
                true => "batch".to_owned(),
                false => format!("{:?}", fitness(code, message, false)).to_lowercase(),
            };
            assert_eq!(found, class, "{who}: {code} {message}");
            // No provider is known by its letters' case, and some put more around the words.
            for varied in [message.to_uppercase(), format!("Error: {message} (req 7)")] {
                if class != "batch" {
                    let varied = format!("{:?}", fitness(code, &varied, false)).to_lowercase();
                    assert_eq!(varied, class, "{who}: {code} {message}");
                }
            }
        }
        assert!(rows > 100, "{rows}");
        assert_eq!(
            fitness(-32603, "Internal error", true),
            Fitness::Answer,
            "data of a revert"
        );
    }

    #[test]
    fn only_what_says_that_calls_take_too_much_or_revert_is_of_the_calls() {
        let error = |code, message: &str| CallError::Node {
            endpoint: "a node".to_owned(),
            code,
            message: message.to_owned(),
            data: None,
        };
        for (code, message) in [
            (-32000, "out of gas: gas required exceeds: 50000000"),
            (-32003, "EVM error OutOfGas"),
            (-32000, "execution aborted (timeout = 5s)"),
            (-32016, "eth_call request was canceled due to enabled timeout."),
            (0, "the answer is longer than 1048576 bytes"),
            (3, ""),
            (-32000, "execution reverted"),
            (-32015, "VM execution error."),
        ] {
            assert!(is_of_the_calls(&error(code, message)), "{message}");
        }
        for (code, message) in [
            (-32000, "header not found"),
            (-32005, "rate limit exceeded"),
            (
                429,
                "Your app has exceeded its compute units per second capacity.",
            ),
            (-32002, "request timed out"),
            (-32601, "the method eth_call does not exist/is not available"),
            (-32000, "unauthorized: invalid project id"),
            (-32000, "words that nobody has seen"),
            (-32603, "Internal error"),
        ] {
            assert!(!is_of_the_calls(&error(code, message)), "{message}");
        }
    }

    #[test]
    fn a_named_pause_is_read_in_its_unit() {
        for (message, millis) in [
            ("rate limited; retry after 30 s", Some(30_000)),
            ("Too many requests, try again in 1.5s", Some(1_500)),
            ("slow down, retry in 200ms", Some(200)),
            ("limit reached, try again in 2 minutes.", Some(120_000)),
            ("quota used; try again after 1 hour", Some(3_600_000)),
            ("retry after 5.", Some(5_000)),
            ("retry after a while", None),
            ("rate limit", None),
        ] {
            let found = wait_named(message).map(|pause| pause.as_millis());
            assert_eq!(found, millis, "{message}");
        }
    }
}
