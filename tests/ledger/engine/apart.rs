//! Holds of a slice do not wait for the quotes of its plans.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use alloy_primitives::{Address, address};
use async_trait::async_trait;
use lgi_mm::{
    domain::{
        Timestamp,
        decision::HoldReason,
        job::Account,
        onchain::{Call, Quote, SwapRequest},
        units::Amount,
    },
    engine::{Engine, Tick, TickOutcome},
    paper::PaperMarkets,
    ports::{Market, Markets, NoMarket, QuoteError, Venue},
};
use tokio::sync::oneshot;

use crate::engine::world::{World, accumulate, create, engine_settings};

const OTHER: Address = address!("0x00000000000000000000000000000000000000b2");

type Gate = Arc<Mutex<Option<(oneshot::Sender<()>, oneshot::Receiver<()>)>>>;

/// The paper venue, which answers its first quote only when the test lets it.
struct Gated {
    paper: Arc<PaperMarkets>,
    gate: Gate,
}

struct GatedVenue {
    venue: Arc<dyn Venue>,
    gate: Gate,
}

#[async_trait]
impl Markets for Gated {
    async fn market(&self, account: &Account) -> Result<Market, NoMarket> {
        let market = self.paper.market(account).await?;
        Ok(Market {
            venue: Arc::new(GatedVenue {
                venue: market.venue,
                gate: self.gate.clone(),
            }),
            ..market
        })
    }
}

#[async_trait]
impl Venue for GatedVenue {
    async fn quote(&self, request: &SwapRequest) -> Result<Quote, QuoteError> {
        let gate = self.gate.lock().expect("gate").take();
        if let Some((come, go)) = gate {
            come.send(()).expect("the test waits");
            go.await.expect("let go");
        }
        self.venue.quote(request).await
    }

    async fn calls(
        &self,
        request: &SwapRequest,
        amount_out_min: Amount,
        deadline: Timestamp,
    ) -> Result<Vec<Call>, QuoteError> {
        self.venue.calls(request, amount_out_min, deadline).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_recorded_while_the_venue_of_another_job_has_not_answered() {
    let world = World::new(accumulate()).await;
    let mut dear = accumulate();
    // The price is 2.
    dear.rules.accumulate_mut().expect("accumulate").buy_below_usd = "1".parse().expect("a price");
    let holder = create(&world.pool, OTHER, dear).await;
    let (come, has_come) = oneshot::channel();
    let (let_go, go) = oneshot::channel();
    let markets = Gated {
        paper: world.paper.clone(),
        gate: Arc::new(Mutex::new(Some((come, go)))),
    };
    let engine = Engine::new(
        world.pool.clone(),
        Arc::new(world.market.clone()),
        Arc::new(markets),
        engine_settings(),
    );
    let buys = world.next_tick();
    let holds = Tick { job: holder, ..buys };
    let slice = tokio::spawn(async move { engine.evaluate(&[buys, holds]).await });
    has_come.await.expect("it asks for a quote");
    let recorded = "SELECT count(*) FROM ticks WHERE reason = 'price_band'";
    let begun = std::time::Instant::now();
    while world.count(recorded).await == 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the hold waits for the quote"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(
        world.count("SELECT count(*) FROM trades").await,
        0,
        "nothing is quoted yet"
    );
    let_go.send(()).expect("it waits");
    let results = slice.await.expect("no panic");
    let outcome_of = |tick: Tick| {
        let result = results.iter().find(|result| result.tick.job == tick.job);
        result
            .expect("a result of each tick")
            .outcome
            .as_ref()
            .expect("a tick that works")
    };
    let TickOutcome::Traded { trade } = outcome_of(buys) else {
        panic!("{results:?}")
    };
    assert!(
        matches!(
            outcome_of(holds),
            TickOutcome::Held {
                reason: HoldReason::PriceBand,
                ..
            }
        ),
        "{results:?}"
    );
    assert_eq!(results.len(), 2, "{results:?}");
    world.finish(*trade).await;
    world.assert_ledger_equals_venue().await;
}
