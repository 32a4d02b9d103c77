//! What requests weigh against a budget in compute units, as providers count throughput.

use super::wire::Request;

/// Compute units of one request where the table has no other figure.
const USUAL: u32 = 20;

/// Throughput compute units by method: Alchemy's table, as read in November 2026. Other providers that count in units
/// have other figures of about the same order; for one that counts otherwise, set a smaller budget.
const WEIGHTS: [(&str, u32); 9] = [
    // Free there; counted as the least, so that no request is free everywhere.
    ("eth_chainId", 1),
    ("eth_blockNumber", 10),
    ("eth_feeHistory", 10),
    ("eth_maxPriorityFeePerGas", 10),
    ("eth_call", 26),
    ("eth_simulateV1", 40),
    ("eth_getLogs", 60),
    ("eth_sendRawTransaction", 250),
    ("eth_getBlockReceipts", 500),
];

/// Compute units of one request.
fn weight(method: &str) -> u32 {
    let known = WEIGHTS.iter().find(|(name, _)| *name == method);
    known.map_or(USUAL, |(_, units)| *units)
}

/// Compute units of these requests together: each request of a batch counts.
pub(super) fn weigh(requests: &[Request]) -> u32 {
    let each = requests.iter().map(|(method, _)| weight(method));
    each.fold(0, u32::saturating_add)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_request_of_a_batch_counts_by_its_method() {
        let requests = ["eth_call", "eth_call", "eth_getBalance", "eth_sendRawTransaction"];
        let requests = requests.map(|method| (method, json!([])));
        assert_eq!(weigh(&requests), 26 + 26 + 20 + 250);
        assert_eq!(weigh(&[]), 0);
    }
}
