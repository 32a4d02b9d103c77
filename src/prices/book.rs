//! All sources behind one port: each is asked once for all jobs that share it.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use async_trait::async_trait;
use futures::future::join_all;
use sqlx::PgPool;

use super::{
    dexscreener::{Dexscreener, DexscreenerSettings},
    generated,
    recorded::Recordings,
};
use crate::{
    domain::{
        Timestamp,
        config::{PriceConfig, SourceName},
        price::{Answer, PriceMissing},
    },
    ports::{PriceRequest, Prices},
};

/// Names the series that samples of a source belong to: two jobs with the same name share their samples, so
/// everything that changes a price is part of the name, and how a number is written is not.
#[must_use]
pub fn series(name: SourceName, config: &PriceConfig) -> String {
    match (name, &config.recorded) {
        (SourceName::Generated, _) => {
            let generated = &config.generated;
            format!(
                "generated:seed={},start={},swing={},period={}",
                generated.seed,
                generated.start_usd.normalize(),
                generated.swing_pct.normalize(),
                generated.period
            )
        }
        (SourceName::Recorded, Some(recorded)) => {
            let (file, speed) = (&recorded.file, recorded.speed.normalize());
            recorded.starts_at.map_or_else(
                || format!("recorded:{file}@{speed}"),
                |starts_at| format!("recorded:{file}@{speed},from={}", starts_at.to_rfc3339()),
            )
        }
        (SourceName::Recorded | SourceName::Dexscreener | SourceName::Onchain | SourceName::Twap, _) => {
            name.to_string()
        }
    }
}

/// Every source this process knows.
pub struct PriceBook {
    recordings: Recordings,
    dexscreener: Dexscreener,
}

impl PriceBook {
    /// Sources with these settings; the rate limit of an outside API is kept in the database.
    ///
    /// # Errors
    /// [`reqwest::Error`] if the system's certificates cannot be used.
    pub fn new(pool: PgPool, settings: DexscreenerSettings) -> Result<Self, reqwest::Error> {
        Ok(Self {
            recordings: Recordings::default(),
            dexscreener: Dexscreener::new(pool, settings)?,
        })
    }

    /// The DexScreener client, to look tokens up.
    #[must_use]
    pub const fn dexscreener(&self) -> &Dexscreener {
        &self.dexscreener
    }

    fn local(&self, source: SourceName, request: &PriceRequest<'_>, now: Timestamp) -> Answer {
        match (source, &request.config.recorded) {
            (SourceName::Generated, _) => {
                Ok(generated::observe(&request.config.generated, request.token, now))
            }
            (SourceName::Recorded, Some(recorded)) => self.recordings.observe(recorded, now),
            (SourceName::Recorded, None) => Err(missing(source, "no [price.recorded] is configured")),
            (SourceName::Dexscreener, _) => Err(missing(source, "no answer for this token")),
            (SourceName::Onchain | SourceName::Twap, _) => Err(missing(source, "no chain is configured")),
        }
    }
}

/// A source without a price, and why.
pub(super) fn missing(source_name: SourceName, detail: impl ToString) -> PriceMissing {
    PriceMissing {
        source_name,
        detail: detail.to_string(),
    }
}

#[async_trait]
impl Prices for PriceBook {
    async fn answers(&self, requests: &[PriceRequest<'_>], now: Timestamp) -> Vec<Vec<Answer>> {
        let mut wanted: BTreeMap<&str, Vec<Address>> = BTreeMap::new();
        for request in requests
            .iter()
            .filter(|request| request.config.sources.contains(&SourceName::Dexscreener))
        {
            wanted.entry(request.chain).or_default().push(request.token);
        }
        let fetching = wanted.into_iter().map(|(chain, tokens)| async move {
            (chain, self.dexscreener.prices(chain, &tokens, now).await)
        });
        let fetched: BTreeMap<_, _> = join_all(fetching).await.into_iter().collect();
        let answer = |source: SourceName, request: &PriceRequest<'_>| {
            let remote = fetched
                .get(request.chain)
                .and_then(|answers| answers.get(&request.token));
            match (source, remote) {
                (SourceName::Dexscreener, Some(answer)) => answer.clone(),
                _ => self.local(source, request, now),
            }
        };
        requests
            .iter()
            .map(|request| {
                request
                    .config
                    .sources
                    .iter()
                    .map(|source| answer(*source, request))
                    .collect()
            })
            .collect()
    }
}
