//! Ledgers made by the functions that book trades, and what they should add up to, kept here in plain decimals.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use chrono::{DateTime, Utc};
use lgi_mm::{
    domain::{
        accounting::Fill,
        config::JobConfig,
        decision::Side,
        ids::{FillId, JobId, TradeId},
        job::{Account, JobMode, Realm, Token},
        trade::FailureKind,
        units::{Amount, Price, Usd},
    },
    store::{
        adoption::{self, Adjusted, Adoption},
        dust,
        endings::{self, Ended, Settlement, TradeFailure},
        failure_watches, fill_watches,
        gas::GasPaid,
        jobs::{self, Job, NewJob},
        orders::{self, Order},
        release::{self, Release},
        repairs, trades,
    },
};
use rust_decimal::{Decimal, RoundingStrategy};
use sqlx::PgPool;

use super::expected::{DIGITS, Expected};

pub fn usd(value: Decimal) -> Usd {
    Usd::new(value).expect("USD")
}

pub fn amount(units: u64) -> Amount {
    Amount::new(U256::from(units))
}

/// A transaction of a trade that was mined: what for, and its gas in USD.
pub type Mined = (&'static str, bool, Decimal);

pub struct Books {
    pool: PgPool,
    pub jobs: BTreeMap<JobId, Expected>,
    next: u64,
}

/// A trade that is open: its number, and the hash of each of its transactions.
pub struct Open {
    pub trade: TradeId,
    pub hashes: Vec<B256>,
}

impl Books {
    pub fn new(pool: &PgPool) -> Self {
        Self {
            pool: pool.clone(),
            jobs: BTreeMap::new(),
            next: 0,
        }
    }

    fn count(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub async fn job(&mut self, realm: Realm, symbol: &str, config: JobConfig) -> JobId {
        let number = self.count();
        let new = NewJob {
            account: Account {
                realm,
                chain: "base".to_owned(),
                wallet: Address::repeat_byte(0x11),
            },
            token: Token {
                address: Address::from_word(B256::from(U256::from(number + 0xaa00))),
                symbol: symbol.to_owned(),
                decimals: DIGITS,
            },
            quote: Token {
                address: lgi_mm::domain::chains::find("base").expect("base").usdc,
                symbol: "USDC".to_owned(),
                decimals: 6,
            },
            mode: JobMode::Accumulate,
            config,
        };
        let id = jobs::create(&self.pool, &new, "test").await.expect("a job");
        orders::order(
            &self.pool,
            id,
            Order::Start {
                deposit: Amount::ZERO,
            },
            "test",
        )
        .await
        .expect("started");
        sqlx::query(
            "INSERT INTO signers (realm, chain, address, next_nonce)
             VALUES ($1, 'base', '0x' || repeat('11', 20), 0) ON CONFLICT DO NOTHING",
        )
        .bind(realm.to_string())
        .execute(&self.pool)
        .await
        .expect("a signer");
        self.jobs.insert(id, Expected::default());
        id
    }

    /// The next cycle.
    pub async fn again(&self, job: JobId) {
        orders::order(
            &self.pool,
            job,
            Order::Start {
                deposit: Amount::ZERO,
            },
            "test",
        )
        .await
        .expect("started");
    }

    pub async fn row(&self, job: JobId) -> Job {
        let mut found = jobs::by_ids(&self.pool, &[job]).await.expect("jobs");
        found.remove(0).expect("a readable job")
    }

    pub fn expected(&mut self, job: JobId) -> &mut Expected {
        self.jobs.get_mut(&job).expect("a job of these books")
    }

    /// A trade whose transactions are sent.
    pub async fn open(&mut self, job: JobId, side: Side, at: DateTime<Utc>, mined: &[Mined]) -> Open {
        let trade: i64 = sqlx::query_scalar(
            "INSERT INTO trades (job_id, slot, cycle, side, reason, status, amount_in, amount_out_expected, amount_out_min,
                                 value_usd, plan_price_usd, config_version, expires_at, base_amount, quote_amount, price_usd,
                                 next_check_at, created_at)
             SELECT $1, $2, cycle, $3, CASE $3 WHEN 'BUY' THEN 'DCA' ELSE 'TAKE_PROFIT' END, 'SUBMITTED', 1, 1, 1, 1, 1, 1, $2, 1, 1,
                    1, now(), $2
             FROM jobs WHERE id = $1 RETURNING id",
        )
        .bind(job.0)
        .bind(at)
        .bind(side.to_string())
        .fetch_one(&self.pool)
        .await
        .expect("a trade");
        let mut hashes = Vec::new();
        for (purpose, ..) in mined {
            let number = self.count();
            let hash = B256::from(U256::from(number));
            sqlx::query(
                "WITH t AS (
                     INSERT INTO transactions (trade_id, realm, chain, signer, nonce, purpose, deadline)
                     SELECT $1, realm, chain, wallet, $2, CASE $3 WHEN 'cancel' THEN 'swap' ELSE $3 END, $4
                     FROM jobs WHERE id = $5 RETURNING id)
                 INSERT INTO attempts (transaction_id, purpose, hash, raw, max_fee_per_gas, max_priority_fee_per_gas, gas_limit)
                 SELECT id, $3, $6, 'raw', 1, 1, 1 FROM t",
            )
            .bind(trade)
            .bind(i64::try_from(number).expect("a nonce"))
            .bind(*purpose)
            .bind(at)
            .bind(job.0)
            .bind(hash.as_slice())
            .execute(&self.pool)
            .await
            .expect("a transaction");
            hashes.push(hash);
        }
        Open {
            trade: TradeId(trade),
            hashes,
        }
    }

    fn gas(open: &Open, at: DateTime<Utc>, mined: &[Mined]) -> (Usd, Vec<GasPaid>) {
        let each = open
            .hashes
            .iter()
            .zip(mined)
            .map(|(hash, (_, success, gas))| GasPaid {
                hash: *hash,
                success: *success,
                gas_native: amount(7),
                gas_usd: usd(*gas),
                mined_at: at,
            });
        let all: Decimal = mined.iter().map(|(.., gas)| gas).sum();
        (usd(all), each.collect())
    }

    /// The open trade is filled; its last transaction is the swap.
    pub async fn fill(
        &mut self,
        job: JobId,
        (open, side): (&Open, Side),
        (at, mined): (DateTime<Utc>, &[Mined]),
        (tokens, quote): (u64, Decimal),
    ) {
        let trade = trades::load(&self.pool, open.trade).await.expect("the trade");
        let (gas_usd, gas) = Self::gas(open, at, mined);
        let fill = Fill {
            side,
            base_amount: amount(tokens),
            quote_amount: usd(quote)
                .to_amount(6, Price::ONE, lgi_mm::domain::units::Rounding::Down)
                .expect("quote"),
            quote_usd: usd(quote),
        };
        let settlement = Settlement {
            hash: *open.hashes.last().expect("a swap"),
            block_number: 7,
            block_hash: B256::repeat_byte(7),
            block_time: at,
            fill,
            quote_price: (Price::ONE, "par", at),
            price: Price::ONE,
            gas_native: amount(7),
            gas_usd,
            gas,
        };
        let ended = endings::commit_fill(&self.pool, &trade, &settlement, 8)
            .await
            .expect("booked");
        assert_eq!(ended, Ended::Committed);
        let booking = open.trade.0.unsigned_abs();
        let expected = self.expected(job);
        let tokens = Decimal::from(tokens);
        let mut realized = Decimal::ZERO;
        if side == Side::Buy {
            expected.held += tokens;
            expected.cost += quote;
            expected.booked(booking, quote + gas_usd.decimal());
        } else {
            let cost = if tokens == expected.held {
                expected.cost
            } else {
                let share = expected.cost * tokens / expected.held;
                share.round_dp_with_strategy(12, RoundingStrategy::ToZero)
            };
            expected.held -= tokens;
            expected.cost -= cost;
            realized = quote - cost;
            expected.realized += realized;
            expected.booked(booking, gas_usd.decimal() - quote);
        }
        expected.gas += gas_usd.decimal();
        expected.rows.push((at, realized, gas_usd.decimal()));
    }

    /// The open trade fails, and pays its gas all the same.
    pub async fn fail(
        &mut self,
        job: JobId,
        open: &Open,
        at: DateTime<Utc>,
        kind: FailureKind,
        mined: &[Mined],
    ) {
        let trade = trades::load(&self.pool, open.trade).await.expect("the trade");
        let (gas_usd, gas) = Self::gas(open, at, mined);
        let failure = TradeFailure {
            kind,
            error: kind.to_string(),
            hash: open.hashes.last().copied(),
            block_number: 7,
            gas_usd,
            gas,
        };
        let ended = endings::commit_failure(&self.pool, &trade, &failure, 8)
            .await
            .expect("booked");
        assert_eq!(ended, Ended::Committed);
        let expected = self.expected(job);
        expected.gas += gas_usd.decimal();
        expected.booked(open.trade.0.unsigned_abs(), gas_usd.decimal());
        expected.rows.push((at, Decimal::ZERO, gas_usd.decimal()));
    }

    /// The chain takes the last fill of a job back; `before`: what was expected before it.
    pub async fn reverse(&mut self, job: JobId, open: &Open, before: Expected) {
        let fill: i64 = sqlx::query_scalar("SELECT max(id) FROM fills WHERE trade_id = $1 AND kind = 'fill'")
            .bind(open.trade.0)
            .fetch_one(&self.pool)
            .await
            .expect("a fill");
        let watched = fill_watches::load(&self.pool, &[FillId(fill)])
            .await
            .expect("watched");
        let trade = trades::load(&self.pool, open.trade).await.expect("the trade");
        let undone = fill_watches::reverse(&self.pool, &trade, &watched[0], "reorged out").await;
        assert!(
            matches!(undone, Ok(fill_watches::Reversed::Committed)),
            "{undone:?}"
        );
        self.jobs.insert(job, before);
    }

    /// The chain takes the failure back.
    pub async fn reopen(&mut self, job: JobId, open: &Open, before: Expected) {
        let trade = trades::load(&self.pool, open.trade).await.expect("the trade");
        assert!(
            failure_watches::reopen(&self.pool, &trade, "reorged out")
                .await
                .expect("reopened")
        );
        self.jobs.insert(job, before);
    }

    /// Tokens come without a trade.
    pub async fn adopt(&mut self, job: JobId, tokens: u64, cost: Decimal) {
        let seen = self.row(job).await.position.token_balance;
        let adoption = Adoption {
            seen,
            tokens: amount(tokens),
            cost: usd(cost),
            is_buy: tokens.is_multiple_of(2),
            key: None,
        };
        let done = adoption::adopt(&self.pool, job, &adoption, "test").await;
        assert_eq!(done.expect("adopted"), Adjusted::Done);
        let booking = self.count();
        let expected = self.expected(job);
        expected.held += Decimal::from(tokens);
        expected.cost += cost;
        expected.booked(booking, cost);
    }

    /// Tokens are gone without a trade, and their cost with them.
    pub async fn withdraw(&mut self, job: JobId, tokens: u64) {
        let final_now = fill_watches::all(&self.pool).await.expect("watched");
        fill_watches::finish(&self.pool, &final_now).await.expect("final");
        for trade in failure_watches::all(&self.pool).await.expect("watched") {
            failure_watches::finish(&self.pool, trade).await.expect("final");
        }
        let seen = self.row(job).await.position.token_balance;
        let held = seen
            .checked_sub(amount(tokens))
            .expect("the books hold this amount");
        assert!(
            repairs::write_down(&self.pool, job, seen, held, "test")
                .await
                .expect("withdrawn")
        );
        self.gone(job, tokens);
    }

    /// The owner takes tokens back.
    pub async fn release(&mut self, job: JobId, tokens: u64) {
        let release = Release {
            tokens: Some(amount(tokens)),
            key: None,
        };
        let released = release::release(&self.pool, job, &release, "test").await;
        assert_eq!(released.expect("released").outcome, Adjusted::Done);
        self.gone(job, tokens);
    }

    fn gone(&mut self, job: JobId, tokens: u64) {
        let booking = self.count();
        let expected = self.expected(job);
        let cost = (expected.cost * Decimal::from(tokens) / expected.held)
            .round_dp_with_strategy(12, RoundingStrategy::ToZero);
        expected.held -= Decimal::from(tokens);
        expected.cost -= cost;
        expected.booked(booking, -cost);
    }

    /// What is left is not worth its gas; the cycle ends.
    pub async fn dust(&mut self, job: JobId) {
        let over = "0s".parse().expect("a span");
        orders::order(&self.pool, job, Order::Liquidate { over, slices: 1 }, "test")
            .await
            .expect("liquidating");
        let row = self.row(job).await;
        assert!(
            dust::write_off_dust(&self.pool, &row, "worth less than the gas of selling it")
                .await
                .expect("written down")
        );
        let expected = self.expected(job);
        expected.rows.push((Utc::now(), -expected.cost, Decimal::ZERO));
        expected.realized -= expected.cost;
        (expected.held, expected.cost) = (Decimal::ZERO, Decimal::ZERO);
    }

    pub async fn price(&self, job: JobId, price: Decimal) {
        sqlx::query("UPDATE job_slots SET last_price = $2, last_price_at = now() WHERE job_id = $1")
            .bind(job.0)
            .bind(price)
            .execute(&self.pool)
            .await
            .expect("a price");
    }
}
