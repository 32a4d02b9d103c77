//! A relay: it signs messages as Standard Webhooks has it, with code of its own.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::server::{Answer, Served, answer};

/// What the secret of the tests is made of: a log that has one of the two shows the secret.
pub const BYTES: &[u8] = b"0123456789abcdef0123456789abcdef";

pub fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(BYTES))
}

/// A message with its signature, as a relay makes it.
#[derive(Clone)]
pub struct Signed {
    pub name: String,
    pub id: String,
    pub timestamp: i64,
    pub body: String,
    pub signature: String,
}

impl Signed {
    pub fn new(name: &str, id: &str, body: &Value) -> Self {
        Self::at(name, id, chrono::Utc::now().timestamp(), body)
    }

    pub fn at(name: &str, id: &str, timestamp: i64, body: &Value) -> Self {
        let body = body.to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(BYTES).expect("a key");
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        Self {
            name: name.to_owned(),
            id: id.to_owned(),
            timestamp,
            body,
            signature: format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())),
        }
    }

    pub async fn send(&self, served: &Served) -> Answer {
        answer(self.request(served)).await
    }

    pub fn request(&self, served: &Served) -> RequestBuilder {
        let request = served.request(Method::POST, &format!("/api/v1/signals/{}", self.name));
        request
            .header("webhook-id", &self.id)
            .header("webhook-timestamp", self.timestamp.to_string())
            .header("webhook-signature", &self.signature)
            .header("content-type", "application/json")
            .body(self.body.clone())
    }
}

pub async fn asked(served: &Served, name: &str, id: &str, action: &str) -> Answer {
    Signed::new(name, id, &json!({ "action": action }))
        .send(served)
        .await
}

pub async fn status(served: &Served, job: i64) -> String {
    sqlx::query_scalar("SELECT status FROM jobs WHERE id = $1")
        .bind(job)
        .fetch_one(&served.db.pool)
        .await
        .expect("a job")
}

pub async fn count(served: &Served, sql: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .fetch_one(&served.db.pool)
        .await
        .expect("a number")
}

/// Waits until no fill can be undone.
pub async fn is_final(served: &Served) {
    let begun = Instant::now();
    while count(served, "SELECT count(*) FROM fill_watches").await > 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "never final");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Settings of one signal for job 1.
pub async fn serve(allow: &str) -> Served {
    let secret = secret();
    Served::with(&[
        ("LGI_MM__SIGNALS__BREAKOUT__JOB", "1"),
        ("LGI_MM__SIGNALS__BREAKOUT__ALLOW", allow),
        ("LGI_MM__SIGNALS__BREAKOUT__SECRET", &secret),
    ])
    .await
}
