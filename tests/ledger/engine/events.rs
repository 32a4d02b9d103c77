//! What is worth telling is in the outbox, in the transaction that made it true.

use chrono::TimeDelta;
use lgi_mm::{
    domain::{event::Event, job::JobStatus, span::Span, trade::TradeStatus},
    engine::TickOutcome,
    paper::FaultKind,
    store::{orders::Order, signers, trades},
};
use rust_decimal::Decimal;
use serde_json::Value;
use strum::VariantArray;

use crate::engine::world::{World, accumulate};

async fn events(world: &World) -> Vec<(String, Option<i64>, Option<i64>, Value)> {
    sqlx::query_as("SELECT event, job_id, trade_id, payload FROM outbox ORDER BY id")
        .fetch_all(&world.pool)
        .await
        .expect("outbox")
}

async fn refuse_events(world: &World) {
    sqlx::query("ALTER TABLE outbox ADD CONSTRAINT refused CHECK (false) NOT VALID")
        .execute(&world.pool)
        .await
        .expect("constraint");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buy_and_a_liquidation_are_announced_once_each_with_money_as_text() {
    let world = World::new(accumulate()).await;
    let bought = world.trade().await;
    world
        .order(Order::Liquidate {
            over: Span::ZERO,
            slices: 1,
        })
        .await;
    let sold = world.trade().await;
    assert!(world.engine.drive(sold).await.is_ok(), "a step may be done twice");

    let job = Some(world.job.0);
    let seen = events(&world).await;
    let named: Vec<_> = seen
        .iter()
        .map(|(event, job, trade, _)| (event.as_str(), *job, *trade))
        .collect();
    assert_eq!(
        named,
        [
            ("trade.filled", job, Some(bought.0)),
            ("trade.filled", job, Some(sold.0)),
            // What a fill leads to comes after it.
            ("job.liquidated", job, None),
        ]
    );
    let number = |payload: &Value, field: &str| -> Decimal {
        let text = payload[field]
            .as_str()
            .unwrap_or_else(|| panic!("{field} in {payload}"));
        text.parse().expect("a decimal")
    };
    let (buy, sell, ended) = (&seen[0].3, &seen[1].3, &seen[2].3);
    assert!(buy.get("realized_usd").is_none() && number(buy, "gas_usd") > Decimal::ZERO);
    let earned = number(sell, "quote_usd") - number(buy, "quote_usd");
    assert_eq!(number(sell, "cost_basis_sold_usd"), number(buy, "quote_usd"));
    assert_eq!(number(sell, "realized_usd"), earned, "all was sold");
    assert_eq!(number(sell, "net_usd"), earned - number(sell, "gas_usd"));
    let gas = number(buy, "gas_usd") + number(sell, "gas_usd");
    assert_eq!(number(ended, "gas_usd"), gas, "of the cycle");
    assert_eq!(number(ended, "net_usd"), earned - gas);
    let money_in = number(buy, "quote_usd") + number(buy, "gas_usd");
    assert_eq!(number(ended, "money_in_usd"), money_in);
    for field in ["base_amount", "quote_amount", "price_usd", "tx_hash"] {
        let payload = &seen.first().expect("the buy").3;
        assert!(
            payload.get(field).is_some_and(Value::is_string),
            "{field} in {payload}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_is_announced_and_the_error_it_leads_to_once() {
    let world = World::new(accumulate()).await;
    world.fault(FaultKind::Revert, 5).await;
    for _ in 0..5 {
        world.trade().await;
        world.pass(TimeDelta::seconds(120));
    }
    assert_eq!(world.job().await.status, JobStatus::Error);
    let seen = events(&world).await;
    let count = |event: Event| {
        seen.iter()
            .filter(|(name, ..)| *name == event.to_string())
            .count()
    };
    assert_eq!((count(Event::TradeFailed), count(Event::JobError)), (5, 1));
    let error = seen.iter().find(|(name, ..)| name == "job.error").expect("error");
    assert_eq!(error.3.get("failures_in_row"), Some(&Value::from(5)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_that_halts_is_announced_once_with_its_first_reason() {
    let world = World::new(accumulate()).await;
    world.trade().await;
    let account = world.job().await.account;
    for reason in ["first", "second"] {
        signers::halt(&world.pool, &account, reason).await.expect("halt");
    }
    let seen = events(&world).await;
    let halts: Vec<_> = seen.iter().filter(|(name, ..)| name == "signer.halted").collect();
    let [(_, job, trade, payload)] = halts.as_slice() else {
        panic!("{seen:?}")
    };
    assert_eq!((job, trade), (&None, &None));
    assert_eq!(payload.get("reason"), Some(&Value::from("first")));
    assert_eq!(payload.get("chain"), Some(&Value::from("base")));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_happens_without_its_event() {
    let world = World::new(accumulate()).await;
    let TickOutcome::Traded { trade } = world.evaluate(world.next_tick()).await else {
        panic!("no trade")
    };
    refuse_events(&world).await;
    let mut refused = 0;
    for _ in 0..100 {
        refused += u32::from(world.engine.drive(trade).await.is_err());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(refused > 0, "the fill was never tried");
    let status = trades::load(&world.pool, trade)
        .await
        .expect("trade")
        .state
        .status;
    assert_eq!(status, TradeStatus::Submitted);
    assert!(world.job().await.position.token_balance.is_zero());
    let account = world.job().await.account;
    assert!(signers::halt(&world.pool, &account, "untold").await.is_err());
    assert_eq!(
        world
            .count("SELECT count(*) FROM signers WHERE halted_at IS NOT NULL")
            .await,
        0
    );

    sqlx::query("ALTER TABLE outbox DROP CONSTRAINT refused")
        .execute(&world.pool)
        .await
        .expect("constraint");
    world.finish(trade).await;
    assert_eq!(events(&world).await.len(), 1);
    world.assert_ledger_equals_venue().await;
}

#[test]
fn every_event_has_a_section_in_the_documentation() {
    let page = include_str!("../../../docs/notifications.md");
    for event in Event::VARIANTS {
        assert!(
            page.contains(&format!("### `{event}`\n")),
            "{event} is not documented"
        );
    }
    assert_eq!(
        page.matches("\n### `").count(),
        Event::VARIANTS.len(),
        "a section of no event"
    );
}
