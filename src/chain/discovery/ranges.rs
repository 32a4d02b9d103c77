//! How many blocks one request for logs may cover: each provider has a limit of its own, and a wording of its own.

/// What is tried next if the refusal names no limit, as a part of what was too much.
const PART: u64 = 8;

/// Words of a node that is asked too often; the range is not at fault.
const TOO_OFTEN: [&str; 9] = [
    "rate limit",
    "too many request",
    "429",
    "per second",
    "quota",
    "capacity",
    "credits",
    "request limit",
    "connection",
];

/// Whether a refusal is about how often is asked, or about the connection, and not about the range.
pub(super) fn is_too_often(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    // A range that is too large may be a limit as well.
    !said.contains("range") && TOO_OFTEN.iter().any(|words| said.contains(words))
}

/// The blocks to try after `span` of them were refused: the largest number that the refusal names below it, else a part
/// of it. `None`: a single block is refused.
pub(super) fn fewer(span: u64, said: &str) -> Option<u64> {
    if span <= 1 {
        return None;
    }
    let hint = numbers(said)
        .into_iter()
        .filter(|number| (1..span).contains(number));
    Some(hint.max().unwrap_or_else(|| span.div_euclid(PART).max(1)))
}

/// Every number in a text: decimal with `,` or `_` between digits, with a `k` after it, or hexadecimal pairs as a
/// range of blocks.
fn numbers(said: &str) -> Vec<u64> {
    let mut found = Vec::new();
    let mut hex = Vec::new();
    let words =
        said.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == ',' || letter == '_'));
    for word in words {
        let word = word.trim_matches(|letter| letter == ',' || letter == '_');
        if let Some(digits) = word.strip_prefix("0x") {
            hex.extend(u64::from_str_radix(digits, 16));
            continue;
        }
        let digits: String = word
            .chars()
            .filter(|letter| *letter != ',' && *letter != '_')
            .collect();
        let (digits, times) = match digits.strip_suffix(['k', 'K']) {
            Some(thousands) => (thousands.to_owned(), 1_000),
            None => (digits, 1),
        };
        if let Ok(number) = digits.parse::<u64>() {
            found.push(number.saturating_mul(times));
        }
    }
    if let [from, to] = hex[..]
        && let Some(between) = to.checked_sub(from)
    {
        found.push(between.saturating_add(1));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_names_a_limit_is_followed_to_it_and_any_other_is_divided() {
        for (span, said, next) in [
            (
                20_000_000,
                "eth_getLogs is limited to a 10,000 range",
                Some(10_000),
            ),
            (20_000_000, "exceed maximum block range: 50000", Some(50_000)),
            (20_000_000, "block range too large, max 2k", Some(2_000)),
            (
                1_000,
                "you can make eth_getLogs requests with up to a 10 block range",
                Some(10),
            ),
            (
                8_000,
                "query exceeds max results. Try with this block range [0x10, 0x73]",
                Some(100),
            ),
            (8_000, "query timed out", Some(1_000)),
            (5, "too wide", Some(1)),
            (1, "too wide", None),
            (9, "limited to 10,000", Some(1)),
        ] {
            assert_eq!(fewer(span, said), next, "{said}");
        }
    }

    #[test]
    fn a_node_that_is_asked_too_often_does_not_make_ranges_smaller() {
        for said in [
            "HTTP 429 Too Many Requests",
            "15/second request limit reached",
            "exceeded its compute units per second capacity",
        ] {
            assert!(is_too_often(said), "{said}");
        }
        for said in [
            "block range limit exceeded",
            "query returned more than 10000 results",
            "request timed out",
            "the answer is larger than 1048576 bytes",
        ] {
            assert!(!is_too_often(said), "{said}");
        }
    }
}
