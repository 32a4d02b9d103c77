//! Price sources: what they answer, and what they do with the answers of others.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

mod api;
mod book;
mod dexscreener;
mod generated;
mod rate_limit;
mod recorded;
mod referees;

use alloy_primitives::Address;
use chrono::{DateTime, Utc};
use lgi_mm::{
    domain::{
        config::{PriceConfig, SourceName},
        price::Answer,
        span::Span,
    },
    ports::{PriceRequest, Prices},
    prices::{DexscreenerSettings, PriceBook},
};
use sqlx::PgPool;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("RFC 3339")
}

fn token(number: u8) -> Address {
    Address::repeat_byte(number)
}

fn sources(sources: &[SourceName]) -> PriceConfig {
    PriceConfig {
        sources: sources.to_vec(),
        ..PriceConfig::default()
    }
}

/// A book whose outside API is at `base_url`.
fn book(pool: &PgPool, base_url: &str, timeout: &str, requests_per_minute: u32) -> PriceBook {
    let settings = DexscreenerSettings {
        base_url: base_url.to_owned(),
        timeout: timeout.parse::<Span>().expect("a span"),
        requests_per_minute,
    };
    PriceBook::new(pool.clone(), settings).expect("a client")
}

/// A book that asks nobody outside: neither the API nor the database is there.
fn local_book() -> PriceBook {
    let pool = PgPool::connect_lazy("postgres://nobody@127.0.0.1:9/none").expect("a lazy pool");
    book(&pool, "http://127.0.0.1:9", "1s", 300)
}

/// The first source's answer for one token on Base.
async fn ask(book: &PriceBook, config: &PriceConfig, token: Address, now: DateTime<Utc>) -> Answer {
    let request = PriceRequest {
        quote: Address::repeat_byte(0xcc),
        pool: None,
        decimals: None,
        chain: "base",
        token,
        config,
    };
    let mut answers = book.answers(&[request], now).await;
    answers.remove(0).remove(0)
}
