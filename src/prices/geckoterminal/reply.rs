//! What the API answers: pools of a token, and candles of a pool. Both are written by strangers.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use chrono::DateTime;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::domain::{Timestamp, foreign::Foreign, units::Price};

/// Longest name that is shown, characters.
const NAME_MAX: usize = 60;

/// A pool's address, or its id of 32 bytes: lower case hexadecimal digits, so that it may stand in a URL and in a file's
/// name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct PoolId(String);

impl PoolId {
    /// `None` unless it is `0x` and 40 or 64 hexadecimal digits.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("0x")?;
        let fits = matches!(digits.len(), 40 | 64) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        fits.then(|| Self(text.to_ascii_lowercase()))
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A pool that trades a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPool {
    /// Its address.
    pub id: PoolId,
    /// Its pair and, for many, its fee.
    pub name: Foreign,
    /// The DEX.
    pub dex: Foreign,
    /// Money in it, USD; zero if that is not said.
    pub depth_usd: Decimal,
    /// Since when it exists, if that is said.
    pub created_at: Option<Timestamp>,
}

/// A token as its pools describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedToken {
    /// Its ticker.
    pub symbol: Foreign,
    /// Its name.
    pub name: Foreign,
    /// Its decimals, if that is said.
    pub decimals: Option<u8>,
    /// USD per whole token in the deepest pool, if that is said.
    pub price_usd: Option<Price>,
    /// The deepest first; never empty.
    pub pools: Vec<ListedPool>,
}

/// A candle whose time is its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candle {
    /// Unix seconds.
    pub(super) begin: i64,
    /// The last price in it.
    pub(super) close: Price,
}

/// One page of candles.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// By their beginning.
    pub(super) candles: BTreeMap<i64, Price>,
    /// Beginning of the oldest row, usable or not.
    pub(super) oldest: Option<i64>,
    /// Rows without a usable time or price.
    pub(super) unusable: u64,
    /// Rows of a time that another row had before.
    pub(super) repeated: u64,
}

#[derive(Deserialize)]
struct Candles<'a> {
    #[serde(borrow)]
    data: CandleData<'a>,
    #[serde(default)]
    meta: Value,
}

#[derive(Deserialize)]
struct CandleData<'a> {
    #[serde(borrow)]
    attributes: CandleList<'a>,
}

#[derive(Deserialize)]
struct CandleList<'a> {
    #[serde(borrow)]
    ohlcv_list: Vec<&'a RawValue>,
}

/// The candles of an answer, in any order.
///
/// # Errors
/// Why the answer is none, or is about another token.
pub(super) fn candles(body: &[u8], token: Address) -> Result<Page, String> {
    let answer: Candles<'_> = serde_json::from_slice(body)
        .map_err(|error| format!("the answer is not a list of candles: {error}"))?;
    let sides: Vec<&str> = ["base", "quote"]
        .iter()
        .filter_map(|side| answer.meta.get(side)?.get("address")?.as_str())
        .collect();
    let token = format!("{token:#x}");
    if !sides.is_empty() && !sides.iter().any(|side| side.eq_ignore_ascii_case(&token)) {
        return Err("the pool does not trade this token".to_owned());
    }
    let mut page = Page::default();
    for row in answer.data.attributes.ohlcv_list {
        let Ok(fields) = serde_json::from_str::<Vec<&RawValue>>(row.get()) else {
            page.unusable += 1;
            continue;
        };
        let begin = fields.first().and_then(|field| field.get().parse::<i64>().ok());
        if let Some(begin) = begin.filter(|begin| *begin > 0) {
            page.oldest = Some(page.oldest.map_or(begin, |oldest| oldest.min(begin)));
        }
        match candle(&fields) {
            Some(candle) if page.candles.contains_key(&candle.begin) => page.repeated += 1,
            Some(candle) => {
                page.candles.insert(candle.begin, candle.close);
            }
            None => page.unusable += 1,
        }
    }
    Ok(page)
}

/// A row: beginning, open, high, low, close, volume. Its close must lie between low and high.
fn candle(fields: &[&RawValue]) -> Option<Candle> {
    let begin = fields.first()?.get().parse().ok().filter(|begin| *begin > 0)?;
    let number = |index: usize| decimal(fields.get(index)?.get());
    let (high, low, close) = (number(2)?, number(3)?, number(4)?);
    let close = (low..=high).contains(&close).then_some(close)?;
    Some(Candle {
        begin,
        close: Price::new(close).ok()?,
    })
}

/// A JSON number, or one written as a text, to as many digits as a [`Decimal`] has.
fn decimal(text: &str) -> Option<Decimal> {
    let text = text.trim_matches('"');
    text.parse().ok().or_else(|| Decimal::from_scientific(text).ok())
}

#[derive(Deserialize)]
struct Entry {
    attributes: Attributes,
    relationships: Relationships,
}

#[derive(Deserialize)]
struct Attributes {
    address: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    reserve_in_usd: Value,
    #[serde(default)]
    pool_created_at: Option<String>,
    #[serde(default)]
    base_token_price_usd: Value,
    #[serde(default)]
    quote_token_price_usd: Value,
}

#[derive(Deserialize)]
struct Relationships {
    base_token: Reference,
    quote_token: Reference,
    #[serde(default)]
    dex: Option<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    data: Identity,
}

#[derive(Deserialize)]
struct Identity {
    id: String,
}

impl Reference {
    /// Ids are `network_address`.
    fn is(&self, address: &str) -> bool {
        let id = self.data.id.rsplit_once('_').map_or("", |(_, id)| id);
        id.eq_ignore_ascii_case(address)
    }
}

/// Pools that trade `token`, the deepest first. Entries that cannot be read are left out.
///
/// # Errors
/// Why the answer has no list of pools.
pub(super) fn pools(body: &[u8], token: Address) -> Result<Option<ListedToken>, String> {
    let answer: Value = serde_json::from_slice(body)
        .map_err(|error| format!("the answer is not a list of pools: {error}"))?;
    let Some(Value::Array(entries)) = answer.get("data") else {
        return Err("the answer is not a list of pools: it has no list `data`".to_owned());
    };
    let address = format!("{token:#x}");
    let mut pools: Vec<(ListedPool, Option<Price>)> = entries
        .iter()
        .filter_map(|entry| serde_json::from_value::<Entry>(entry.clone()).ok())
        .filter_map(|entry| listed(&entry, &address))
        .collect();
    pools.sort_by(|(a, _), (b, _)| b.depth_usd.cmp(&a.depth_usd).then_with(|| a.id.cmp(&b.id)));
    let Some(price_usd) = pools.first().map(|(_, price)| *price) else {
        return Ok(None);
    };
    let own = answer.get("included").and_then(Value::as_array).and_then(|all| {
        all.iter()
            .filter_map(|one| one.get("attributes"))
            .find(|one| text(one, "address").eq_ignore_ascii_case(&address))
    });
    let foreign = |field| Foreign::within(own.map_or("", |own| text(own, field)).trim(), NAME_MAX);
    Ok(Some(ListedToken {
        symbol: foreign("symbol"),
        name: foreign("name"),
        decimals: own
            .and_then(|own| own.get("decimals")?.as_u64())
            .and_then(|decimals| u8::try_from(decimals).ok()),
        price_usd,
        pools: pools.into_iter().map(|(pool, _)| pool).collect(),
    }))
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn listed(entry: &Entry, token: &str) -> Option<(ListedPool, Option<Price>)> {
    let Entry {
        attributes,
        relationships,
    } = entry;
    let price = if relationships.base_token.is(token) {
        &attributes.base_token_price_usd
    } else if relationships.quote_token.is(token) {
        &attributes.quote_token_price_usd
    } else {
        return None;
    };
    let name = |text: Option<&str>| Foreign::within(text.unwrap_or_default().trim(), NAME_MAX);
    let created = attributes.pool_created_at.as_deref();
    let pool = ListedPool {
        id: PoolId::new(&attributes.address)?,
        name: name(attributes.name.as_deref()),
        dex: name(relationships.dex.as_ref().map(|dex| dex.data.id.as_str())),
        depth_usd: number(&attributes.reserve_in_usd)
            .unwrap_or_default()
            .max(Decimal::ZERO),
        created_at: created
            .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
            .map(|at| at.to_utc()),
    };
    Some((pool, number(price).and_then(|price| Price::new(price).ok())))
}

fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::String(text) => decimal(text),
        Value::Number(number) => decimal(&number.to_string()),
        _ => None,
    }
}

/// The titles of an error, as the API words it.
pub(super) fn error_titles(body: &[u8]) -> Option<Foreign> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let titles: Vec<&str> = answer
        .get("errors")?
        .as_array()?
        .iter()
        .map(|error| text(error, "title"))
        .filter(|title| !title.is_empty())
        .collect();
    (!titles.is_empty()).then(|| Foreign::within(&titles.join("; "), 200))
}
