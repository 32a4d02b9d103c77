//! The paper venue: an external ledger with transactions of its own.
