//! Row numbers, one type for each table: the compiler refuses a fill where a trade is meant.

use serde::{Deserialize, Serialize};

/// A row number of one table; in JSON a plain number.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$name> for i64 {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id!(
    /// A row of `jobs`.
    JobId
);
id!(
    /// A row of `trades`.
    TradeId
);
id!(
    /// A row of `fills`: a fill or its reversal.
    FillId
);
id!(
    /// A row of `transactions`: one nonce of a signer, with all its attempts.
    TransactionId
);
id!(
    /// A row of `withdrawals`.
    WithdrawalId
);
id!(
    /// A row of `audit`: a write that is about no single job.
    AuditId
);
id!(
    /// A row of `api_tokens`.
    TokenId
);
id!(
    /// Number of changes of a row. Every change names the version it is based on, and is refused if the row has
    /// changed since.
    Version
);
