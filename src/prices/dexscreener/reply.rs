//! What the API answers: a list of pairs, of which some may be unreadable and some price another token.

use alloy_primitives::{Address, B256};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value;

use crate::domain::foreign::Foreign;

/// Maximum length of a ticker, bytes.
const SYMBOL_MAX: usize = 32;

/// Most ids that are believed of one answer.
const V4_IDS_MAX: usize = 50;

/// Symbol and price of a token.
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
    #[serde(default)]
    pair_address: Value,
}

#[derive(Debug, Deserialize)]
struct PairToken {
    address: String,
    symbol: Option<String>,
}

/// The readable pairs of an answer: a list, or the object of the API's older paths, whose `pairs` is null if there
/// are none. A pair without a price or a base token is skipped.
///
/// # Errors
/// Why the answer has no list of pairs.
pub(super) fn decode(body: &[u8]) -> Result<Vec<Pair>, String> {
    let pairs = match serde_json::from_slice(body).map_err(|error| error.to_string())? {
        Value::Array(pairs) => pairs,
        Value::Object(mut answer) => match answer.remove("pairs") {
            Some(Value::Array(pairs)) => pairs,
            Some(Value::Null) => Vec::new(),
            _ => return Err("an object without a list `pairs`".to_owned()),
        },
        other => return Err(format!("it is {}", kind(&other))),
    };
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
        // A zero price is returned only if there is no other; the price book refuses it.
        .max_by_key(|(depth_usd, _, price_usd)| (*price_usd > Decimal::ZERO, *depth_usd))
        .map(|(_, pair, price_usd)| TokenListing {
            symbol: pair.symbol(),
            price_usd,
        })
        .ok_or_else(|| format!("no pool on {chain} prices {address}"))
}

/// The ids of Uniswap V4 pools that trade `token`: those are named by 32 bytes, all others by the 20 of an address.
pub(super) fn v4_ids(pairs: &[Pair], chain: &str) -> Vec<B256> {
    let pairs = pairs.iter().filter(|pair| pair.chain_id == chain);
    pairs
        .filter_map(|pair| pair.pair_address.as_str()?.parse().ok())
        .take(V4_IDS_MAX)
        .collect()
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

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
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
