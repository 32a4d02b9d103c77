//! Money and quantities. Token amounts are integers in base units; USD and prices are exact decimals.
//!
//! There is no float here, every operation is checked, and every rounding names its direction.

mod amount;
mod price;
mod rounding;
mod short;
mod text;
mod usd;
mod wide;

pub use amount::Amount;
pub use price::{Price, Worth, above_hundred, below_hundred};
pub use rounding::{
    BPS, MoneyError, NATIVE_DECIMALS, ParseUnitError, Rounding, TOKEN_DECIMALS_MAX, USD_SCALE,
};
pub use text::{exact_decimal, exact_decimal_or_none};
pub use usd::Usd;
