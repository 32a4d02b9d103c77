//! Nodes that lie: receipts, nonces, clocks, broadcasts.
