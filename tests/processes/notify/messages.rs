//! What every kind of receiver is sent of every event.

use alloy_primitives::hex;
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use lgi_mm::{
    domain::{
        event::Event,
        job::{JobId, Realm},
    },
    notify::{Notice, ReceiverKind},
    store::deliveries::JobSummary,
};
use serde_json::{Value, json};
use strum::VariantArray;

use crate::notify::{
    inbox::Inbox,
    kinds::receiver,
    world::{Courier, SECRET, World, settings, webhook},
};

fn stopped() -> Value {
    json!({
        "trade": 9, "reason": "STOP_LOSS", "plan_price_usd": "0.0123", "status": "PAUSED", "token_balance": "0",
        "realized_usd": "-21.5",
    })
}

fn order_ended() -> Value {
    json!({
        "ended": "filled", "side": "BUY", "cycle": 1, "bought_usd": "49.5", "left_usd": "0.5",
        "token_balance": "12500000000000000000", "realized_usd": "0",
    })
}

fn payload(event: Event) -> Value {
    let (wallet, hash) = (format!("0x{}", "1".repeat(40)), format!("0x{}", "a".repeat(64)));
    match event {
        Event::TradeFilled => json!({
            "trade": 7, "side": "BUY", "reason": "DCA", "base_amount": "12500000000000000000",
            "quote_amount": "25000000", "price_usd": "2.0000000001", "tx_hash": hash, "quote_usd": "25", "gas_usd": "0.004",
        }),
        Event::TradeFailed => json!({
            "trade": 8, "side": "SELL", "reason": "TAKE_PROFIT", "kind": "reverted", "error": "out of gas", "gas_usd": "0.081",
        }),
        Event::TradeDropped => json!({
            "trade": 9, "side": "BUY", "reason": "DCA", "error": "the job became PAUSED before anything was signed",
        }),
        Event::TradeReversed => {
            json!({ "trade": 7, "tx_hash": hash, "error": "block 12 is another one now" })
        }
        Event::TradeStuck => {
            json!({ "trade": 10, "side": "BUY", "reason": "DCA", "tx_hash": hash, "sends": 9 })
        }
        Event::JobError => json!({ "failures_in_row": 5, "error": "reverted: out of gas" }),
        Event::JobLiquidated => json!({
            "cycle": 3, "realized_usd": "12.5", "gas_usd": "0.755", "net_usd": "11.745", "money_in_usd": "100.25",
            "return_pct": "11.7157",
        }),
        Event::JobUnsellable => json!({ "error": "a sale of all 500 that is held reverts: TF" }),
        Event::JobStopped => stopped(),
        Event::JobOrderEnded => order_ended(),
        Event::JobStopBlocked => json!({
            "reason": "price_impact", "error": "the trade moves the pool by 900 bps, limits.max_price_impact_bps is 100",
            "since": "2026-01-01T22:30:59+00:00", "reminder": true,
        }),
        Event::JobPoolChanged => json!({ "before": "v3:10000", "after": "v3:3000" }),
        Event::JobNoFunds => json!({
            "reason": "insufficient_balance", "error": "the wallet holds 3 USDC, the trade needs 10",
            "since": "2026-01-01T22:30:59+00:00",
        }),
        Event::JobLowGas => json!({
            "reason": "insufficient_gas", "since": "2026-01-01T22:30:59+00:00", "reminder": true,
        }),
        Event::JobLimitReached => {
            json!({ "reason": "max_accumulation", "since": "2026-01-01T22:30:59+00:00" })
        }
        Event::JobNoPrice => json!({
            "reason": "price_stale", "error": "onchain: 40 min old", "since": "2026-01-02T02:25:00+01:00", "reminder": false,
        }),
        Event::JobHeld => {
            json!({ "reason": "policy_refused", "since": "2025-12-31T22:30:59+00:00", "reminder": true })
        }
        Event::JobRecovered => json!({ "event": "job.no_funds", "since": "2026-01-01T22:30:59+00:00" }),
        Event::NoWorker => json!({
            "jobs": 3, "last_seen": "2026-01-01T22:30:59+00:00", "unclaimed_since": null,
        }),
        Event::NoScheduler => json!({ "jobs": 3, "unclaimed_since": "2026-01-01T22:30:59+00:00" }),
        Event::ServiceRecovered => {
            json!({ "event": "service.no_worker", "since": "2026-01-01T22:30:59+00:00" })
        }
        Event::Summary => json!({
            "every": "daily", "period": "2026-01-01", "from": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z",
            "realms": [
                { "realm": "live", "trades": 3, "failed": 1, "running": 4, "error": 1, "realized_usd": "2", "gas_usd": "0.4",
                  "net_usd": "1.6", "taken_out_usd": "150" },
                { "realm": "paper", "trades": 0, "failed": 0, "running": 1, "error": 0, "realized_usd": "0", "gas_usd": "0",
                  "net_usd": "0", "taken_out_usd": "0" },
            ],
        }),
        Event::SignerHalted => json!({
            "realm": "live", "chain": "base", "wallet": wallet, "reason": "nonce 7 was used by 0xee in block 9",
        }),
    }
}

pub(crate) fn notice(event: &str, symbol: &str, payload: Value) -> Notice {
    let of_a_job = event.parse::<Event>().map_or(true, Event::is_of_a_job);
    let job = of_a_job.then(|| JobSummary {
        id: JobId(1),
        realm: Realm::Paper,
        chain: "base".to_owned(),
        token: format!("0x{}", "2".repeat(40)),
        symbol: symbol.to_owned(),
        decimals: 18,
        quote_symbol: "USDC".to_owned(),
        quote_decimals: 6,
    });
    Notice {
        id: "42-ops".to_owned(),
        event: event.to_owned(),
        version: 1,
        happened_at: "2026-01-02T03:04:05Z".parse().expect("a time"),
        job,
        payload,
    }
}

#[tokio::test]
async fn every_event_has_a_message_for_every_kind_of_receiver() {
    for kind in ReceiverKind::VARIANTS {
        let receiver = receiver(*kind).await;
        let mut said = serde_json::Map::new();
        for event in Event::VARIANTS {
            let notice = notice(&event.to_string(), "CLAWD", payload(*event));
            said.insert(event.to_string(), receiver.body(&notice));
        }
        let test = Notice {
            job: None,
            ..notice("test", "", json!({}))
        };
        said.insert("test".to_owned(), receiver.body(&test));
        insta::assert_json_snapshot!(format!("messages_{kind}"), said);
    }
}

#[tokio::test]
async fn what_strangers_write_is_neither_markup_nor_a_mention_nor_a_link() {
    let evil = "<b>@everyone</b> **_`[x](https://evil.example)`_** <!channel> <@1>\n\u{202e}&amp;";
    let failed = json!({ "side": "BUY", "reason": "DCA", "kind": "reverted", "error": evil });
    for kind in ReceiverKind::VARIANTS {
        let receiver = receiver(*kind).await;
        let sent = receiver.body(&notice("trade.failed", evil, failed.clone()));
        insta::assert_json_snapshot!(format!("strangers_{kind}"), sent);
        let text = sent
            .get("text")
            .or_else(|| sent.get("content"))
            .and_then(Value::as_str);
        let text = text.expect("a text");
        for forbidden in ["@everyone", "@1", "://", "\u{202e}"] {
            assert!(!text.contains(forbidden), "{forbidden} in {text}");
        }
    }
    let long = json!({ "side": "BUY", "reason": "*".repeat(5_000), "kind": "*".repeat(5_000), "error": "*".repeat(5_000) });
    let discord = receiver(ReceiverKind::Discord).await;
    let sent = discord.body(&notice("trade.failed", &"_".repeat(500), long));
    let length = sent["content"].as_str().expect("a text").chars().count();
    assert!(length <= 2_000, "Discord takes 2000 characters, not {length}");
}

#[tokio::test]
async fn an_event_of_a_newer_version_or_with_fields_missing_is_told_all_the_same() {
    for kind in ReceiverKind::VARIANTS {
        let receiver = receiver(*kind).await;
        let newer = receiver.body(&notice("moon.reached", "CLAWD", json!({ "height": 1 })));
        assert!(
            newer.to_string().contains("moon.reached") || *kind == ReceiverKind::Discord,
            "{newer}"
        );
        let empty = receiver.body(&notice("trade.filled", "CLAWD", json!({})));
        assert!(empty.to_string().contains("Bought ? CLAWD"), "{empty}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_signed_over_id_time_and_body() {
    let (world, inbox) = (World::new().await, Inbox::start().await);
    let settings = settings(json!({ "hook": webhook(&inbox) }));
    let courier = Courier::start(world.pool(), &settings);
    world.until_registered(1).await;
    let job = world.job(Value::Null).await;
    let event = world.filled(job).await;

    let received = inbox.until(1).await.remove(0);
    assert_eq!(received.path, "/hook");
    assert_eq!(received.id(), format!("{event}-hook"));
    let (id, time) = (received.id(), received.header("webhook-timestamp"));
    let age = chrono::Utc::now().timestamp() - time.parse::<i64>().expect("Unix seconds");
    assert!((0..60).contains(&age), "{age} s old");
    let key = STANDARD
        .decode(SECRET.trim_start_matches("whsec_"))
        .expect("base64");
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).expect("a key");
    mac.update(format!("{id}.{time}.").as_bytes());
    mac.update(&received.raw);
    let expected = mac.finalize().into_bytes();
    let signature = received.header("webhook-signature");
    let given = STANDARD
        .decode(signature.strip_prefix("v1,").expect("version 1"))
        .expect("base64");
    assert_eq!(hex::encode(given), hex::encode(expected));
    let body = received.json();
    assert_eq!(body["id"], json!(id));
    assert_eq!(body["type"], "trade.filled");
    assert_eq!(body["data"]["base_amount"], "12500000000000000000");
    assert_eq!(body["job"]["symbol"], "CLAWD");
    courier.end().await;
}
