//! The client of both aggregators.

use std::collections::BTreeMap;

use alloy_primitives::U256;
use reqwest::Url;
use serde::de::DeserializeOwned;

use super::settings::RefereeSettings;
use crate::{
    domain::{foreign::causes, units::Amount},
    ports::RefereeSwap,
    prices::http::{Failed, body, client},
};

/// A larger answer is refused: a route of many pools is some ten thousand bytes.
const BODY_MAX: usize = 1024 * 1024;
/// How both name the native coin.
const NATIVE_COIN: &str = "0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE";

/// The client of both aggregators.
pub struct Aggregators {
    http: reqwest::Client,
    pub(super) settings: RefereeSettings,
    /// EIP-155 ids by the names of chains.
    pub(super) chain_ids: BTreeMap<String, u64>,
}

impl Aggregators {
    /// A client that knows these chains.
    ///
    /// # Errors
    /// [`reqwest::Error`] if the system's certificates cannot be used.
    pub fn new(settings: RefereeSettings, chain_ids: BTreeMap<String, u64>) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: client(settings.timeout)?,
            settings,
            chain_ids,
        })
    }

    /// The JSON behind a URL, whatever its HTTP status is: both explain a refusal in JSON.
    pub(super) async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, String> {
        let lost = |error: reqwest::Error| causes(&error.without_url());
        let request = self.http.get(url).header("x-client-id", "lgi-mm");
        let response = request.send().await.map_err(lost)?;
        let status = response.status();
        let body = match body(response, BODY_MAX).await {
            Ok(body) => body,
            Err(Failed::ForNow(why) | Failed::ForGood(why)) => return Err(why),
        };
        serde_json::from_slice(&body).map_err(|_| match status.is_success() {
            true => "its answer has an unknown format".to_owned(),
            false => format!("HTTP {status}"),
        })
    }
}

/// A token as both write it.
pub(super) fn token(address: alloy_primitives::Address) -> String {
    if address.is_zero() {
        NATIVE_COIN.to_owned()
    } else {
        address.to_string()
    }
}

/// An answer about what was asked, and the amount that it names; an amount of nothing is none.
pub(super) fn paid(
    asked: &RefereeSwap<'_>,
    tokens: (&str, &str),
    amounts: (&str, &str),
) -> Result<Amount, String> {
    let is = |address, text: &str| token(address).eq_ignore_ascii_case(text);
    let read = |text: &str| U256::from_str_radix(text, 10).ok().map(Amount::new);
    if !is(asked.token_in, tokens.0)
        || !is(asked.token_out, tokens.1)
        || read(amounts.0) != Some(asked.amount_in)
    {
        return Err("its answer is about another swap".to_owned());
    }
    let paid = read(amounts.1).filter(|amount| !amount.is_zero());
    paid.ok_or_else(|| "it names no amount".to_owned())
}
