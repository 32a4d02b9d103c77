//! What live jobs and a backtest did, in one form.

use super::*;

/// Slot, side, reason, amounts of base and quote, and USD: quote, price, profit, gas.
type FillRow = (
    DateTime<Utc>,
    String,
    String,
    String,
    String,
    Decimal,
    Decimal,
    Decimal,
    Decimal,
);

pub(super) async fn told_live(pool: &PgPool, id: JobId) -> Told {
    let rows: Vec<FillRow> = sqlx::query_as(
        "SELECT t.slot, t.side, t.reason, f.base_amount::text, f.quote_amount::text, f.quote_usd::numeric,
                    t.price_usd, f.realized_usd::numeric, f.gas_usd::numeric
             FROM trades t JOIN fills f ON f.trade_id = t.id WHERE t.job_id = $1 ORDER BY t.slot",
    )
    .bind(id.0)
    .fetch_all(pool)
    .await
    .expect("trades");
    let trades = rows
        .into_iter()
        .map(|row| Traded {
            slot: row.0,
            side: row.1.parse().expect("a side"),
            reason: row.2.parse().expect("a reason"),
            base_amount: row.3.parse().expect("an amount"),
            quote_amount: row.4.parse().expect("an amount"),
            quote_usd: Usd::new(row.5).expect("USD"),
            price: Price::new(row.6).expect("a price"),
            realized: Usd::new(row.7).expect("USD"),
            gas: Usd::new(row.8).expect("USD"),
        })
        .collect();
    let rows: Vec<(String, DateTime<Utc>, DateTime<Utc>, i64)> = sqlx::query_as(
        "SELECT reason, first_slot, last_slot, count::bigint FROM ticks
         WHERE job_id = $1 AND outcome = 'hold' ORDER BY first_slot",
    )
    .bind(id.0)
    .fetch_all(pool)
    .await
    .expect("holds");
    let holds = rows
        .into_iter()
        .map(|(reason, from, to, ticks)| Held {
            reason: reason.parse().expect("a reason"),
            from,
            to,
            ticks: ticks.try_into().expect("a count"),
        })
        .collect();
    let job = jobs::by_ids(pool, &[id]).await.expect("jobs").remove(0);
    let job = job.expect("a readable job");
    let gas: Decimal = sqlx::query_scalar("SELECT gas_usd::numeric FROM jobs WHERE id = $1")
        .bind(id.0)
        .fetch_one(pool)
        .await
        .expect("gas");
    Told {
        trades,
        holds,
        position: job.position,
        gas: Usd::new(gas).expect("USD"),
    }
}

pub(super) fn told_by_backtest(outcome: &RunResult, mode: JobMode) -> Told {
    let summary = &outcome.summary;
    Told {
        trades: outcome
            .trades
            .iter()
            .map(|trade| Traded {
                slot: trade.at,
                side: trade.side,
                reason: trade.reason,
                base_amount: trade.base_amount,
                quote_amount: trade.quote_amount,
                quote_usd: trade.quote_usd,
                price: trade.fill_price,
                realized: trade.realized_usd,
                gas: trade.gas_usd,
            })
            .collect(),
        holds: outcome
            .holds
            .iter()
            .map(|run| Held {
                reason: run.reason,
                from: run.from,
                to: run.to,
                ticks: run.ticks,
            })
            .collect(),
        position: Position {
            token_balance: summary.token_balance,
            token_decimals: 18,
            cost_basis: summary.cost_basis_usd,
            owns_quote: matches!(mode, JobMode::Liquidity | JobMode::Basket),
            quote_balance: summary.quote_balance,
            quote_decimals: 6,
            quote_price: Price::ONE,
            realized_pnl: summary.realized_usd,
        },
        gas: summary.gas_usd,
    }
}
