//! What the API answers: a list of pairs, of which some may be unreadable and some price another token.

use alloy_primitives::Address;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value;

use crate::domain::foreign::Foreign;

/// Longest ticker that is believed, bytes.
const SYMBOL_MAX: usize = 32;

/// What the API knows of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenListing {
    /// Its ticker, up to 32 bytes without control characters; empty if it has none.
    pub symbol: String,
    /// USD per whole token in its deepest pool.
    pub price_usd: Decimal,
}

/// One pool.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pair {
    chain_id: String,
    base_token: PairToken,
    price_usd: Value,
    #[serde(default)]
    liquidity: Value,
}

#[derive(Debug, Deserialize)]
struct PairToken {
    address: String,
    symbol: Option<String>,
}

/// The readable pairs of an answer. A pair without a price or a base token is no reason to lose the others.
pub(super) fn decode(body: &[u8]) -> Result<Vec<Pair>, serde_json::Error> {
    let pairs: Vec<Value> = serde_json::from_slice(body)?;
    Ok(pairs
        .into_iter()
        .filter_map(|pair| serde_json::from_value(pair).ok())
        .collect())
}

/// The price of `token` in the pool with the most money in it. A pair that quotes in `token` prices the other
/// one, so it does not count.
pub(super) fn deepest(pairs: &[Pair], chain: &str, token: Address) -> Result<TokenListing, String> {
    let address = format!("{token:#x}");
    pairs
        .iter()
        .filter(|pair| pair.chain_id == chain && pair.base_token.address.eq_ignore_ascii_case(&address))
        .filter_map(|pair| Some((pair.depth_usd(), pair, decimal(&pair.price_usd)?)))
        .max_by_key(|(depth_usd, ..)| *depth_usd)
        .map(|(_, pair, price_usd)| TokenListing {
            symbol: pair.symbol(),
            price_usd,
        })
        .ok_or_else(|| format!("no pool on {chain} prices {address}"))
}

impl Pair {
    fn depth_usd(&self) -> Decimal {
        self.liquidity.get("usd").and_then(decimal).unwrap_or_default()
    }

    /// Tickers are chosen by strangers: control characters must not reach a terminal.
    fn symbol(&self) -> String {
        let given = self.base_token.symbol.as_deref().unwrap_or_default();
        let mut symbol = String::new();
        let printed: String = given.chars().filter(|letter| !letter.is_control()).collect();
        let given = Foreign::within(printed.trim(), SYMBOL_MAX);
        for letter in given.as_str().chars() {
            if symbol.len() + letter.len_utf8() > SYMBOL_MAX {
                break;
            }
            symbol.push(letter);
        }
        symbol
    }
}

/// A number, written as text or not.
fn decimal(value: &Value) -> Option<Decimal> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    text.parse().ok().or_else(|| Decimal::from_scientific(&text).ok())
}
