//! Price sources. They return raw prices; `domain::price` decides which are accepted.

mod book;
pub mod csv;
mod dexscreener;
pub mod geckoterminal;
mod generated;
mod http;
mod recorded;
mod referees;

pub use book::PriceBook;
pub use dexscreener::{Dexscreener, DexscreenerSettings, TokenListing};
pub use geckoterminal::GeckoterminalSettings;
pub use recorded::check as check_recorded;
pub use referees::{Aggregators, RefereeSettings};

/// The generated series' price at an instant: USD per whole token.
#[must_use]
pub fn generated(
    config: &crate::domain::config::GeneratedConfig,
    token: alloy_primitives::Address,
    at: crate::domain::Timestamp,
) -> rust_decimal::Decimal {
    generated::observe(config, token, at).price_usd
}
