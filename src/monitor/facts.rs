//! The facts of a census as gauges.

use ::metrics::{Label, gauge};
use rust_decimal::prelude::ToPrimitive;
use sqlx::PgConnection;

use super::{
    balances::{Balances, Nodes},
    settings::CensusSettings,
};
use crate::{
    domain::{
        config::{JobConfig, OrderSide, Rules},
        units::NATIVE_DECIMALS,
    },
    store::{
        StoreError,
        census::{
            self, Fleet, JobCount, JobFacts, LastFailure, QueueCount, SignerFacts, TableSize, WithdrawalFacts,
        },
    },
    telemetry::metric,
};

/// Everything that a census says.
pub(super) struct CensusFacts {
    fleet: Fleet,
    failures: Vec<LastFailure>,
    counts: Vec<JobCount>,
    queues: Vec<QueueCount>,
    signers: Vec<SignerFacts>,
    withdrawals: Vec<WithdrawalFacts>,
    tables: Vec<TableSize>,
    jobs: Vec<JobFacts>,
}

impl CensusFacts {
    pub(super) async fn load(
        connection: &mut PgConnection,
        settings: CensusSettings,
        (balances, nodes): (&mut Balances, &Nodes),
    ) -> Result<Self, StoreError> {
        let queues = settings
            .queues
            .iter()
            .map(|queue| label_of(queue).to_owned())
            .collect::<Vec<_>>();
        let mut signers = census::signers(connection, NATIVE_DECIMALS).await?;
        balances.refresh(connection, nodes, &signers).await?;
        for signer in signers.iter_mut().filter(|signer| signer.realm == "live") {
            signer.native_balance = balances.of(&signer.chain, &signer.wallet);
        }
        Ok(Self {
            fleet: census::fleet(connection).await?,
            failures: census::last_failures(connection).await?,
            counts: census::job_counts(connection).await?,
            queues: census::queues(connection, &queues).await?,
            signers,
            withdrawals: census::withdrawals(connection).await?,
            tables: census::tables(connection).await?,
            jobs: census::jobs(connection, settings.max_jobs).await?,
        })
    }

    pub(super) fn record(&self) {
        record_fleet(&self.fleet);
        for LastFailure { reason, at } in &self.failures {
            set(metric::LAST_TRADE_FAILURE, &[("reason", reason)], *at);
        }
        let mut jobs = 0;
        for count in &self.counts {
            jobs += count.jobs;
            let labels = [
                ("status", &count.status),
                ("mode", &count.mode),
                ("realm", &count.realm),
            ];
            set(metric::JOBS, &labels, float(count.jobs));
        }
        let with_series = i64::try_from(self.jobs.len()).unwrap_or(i64::MAX);
        // Both were counted a moment apart.
        let without = float((jobs - with_series).max(0));
        set(metric::JOBS_WITHOUT_SERIES, &[], without);
        self.queues.iter().for_each(record_queue);
        self.signers.iter().for_each(record_signer);
        self.withdrawals.iter().for_each(record_withdrawals);
        for size in &self.tables {
            set(metric::TABLE_BYTES, &[("table", &size.table)], size.bytes);
        }
        self.jobs.iter().for_each(record_job);
    }
}

/// The queue's name without our prefix.
fn label_of(queue: &str) -> &str {
    queue.split_once(':').map_or(queue, |(_, name)| name)
}

fn record_fleet(fleet: &Fleet) {
    set(metric::OPEN_TRADES, &[], float(fleet.open_trades));
    set(metric::OPEN_TRADE_AGE, &[], fleet.open_trade_age);
    set(metric::JOBS_FAILING, &[], float(fleet.jobs_failing));
    set(metric::WORKERS, &[], float(fleet.workers));
    set(metric::SCHEDULE_LAG, &[], fleet.schedule_lag);
    set(metric::OUTBOX_PENDING, &[], float(fleet.outbox_pending));
    set(metric::OUTBOX_OLDEST_AGE, &[], fleet.outbox_age);
}

fn record_queue(count: &QueueCount) {
    let queue = ("queue", &count.queue);
    let labels = [queue, ("status", &count.status)];
    set(metric::QUEUE_TASKS, &labels, float(count.tasks));
    if count.status == "pending" {
        set(metric::QUEUE_OLDEST_AGE, &[queue], count.oldest_age);
    }
}

fn record_signer(signer: &SignerFacts) {
    let labels = [
        ("realm", &signer.realm),
        ("chain", &signer.chain),
        ("wallet", &signer.wallet),
    ];
    set(metric::SIGNER_HALTED, &labels, flag(signer.halted));
    let open = float(signer.open_transactions);
    set(metric::SIGNER_OPEN_TRANSACTIONS, &labels, open);
    set(metric::SIGNER_NONCE_GAP, &labels, float(signer.nonce_gap));
    set_known(metric::SIGNER_NATIVE_BALANCE, &labels, signer.native_balance);
}

fn record_withdrawals(facts: &WithdrawalFacts) {
    let (chain, wallet) = (("chain", &facts.chain), ("wallet", &facts.wallet));
    let labels = [chain, wallet, ("status", &facts.status)];
    set(metric::WITHDRAWALS, &labels, float(facts.withdrawals));
    set(metric::WITHDRAWALS_GAS, &labels, facts.gas);
    match facts.status.as_str() {
        "EXECUTED" => set(metric::WITHDRAWALS_VALUE, &[chain, wallet], facts.value),
        "SUBMITTED" => set(metric::WITHDRAWALS_OPEN_AGE, &[chain, wallet], facts.oldest_age),
        _ => {}
    }
}

fn record_job(job: &JobFacts) {
    let id = ("job_id", &job.id);
    let labels = [
        id,
        ("token", &job.token),
        ("symbol", &job.token_symbol),
        ("realm", &job.realm),
        ("chain", &job.chain),
        ("mode", &job.mode),
    ];
    set(metric::JOB_INFO, &labels, 1.0);
    set(metric::JOB_STATUS, &[id, ("status", &job.status)], 1.0);
    if let Some(reason) = &job.run_reason {
        set(metric::JOB_HOLD, &[id, ("reason", reason)], 1.0);
    }
    if let Some(event) = &job.blocked_by {
        set(metric::JOB_BLOCKED, &[id, ("event", event)], 1.0);
    }
    for (name, value) in [
        (metric::JOB_PRICE, job.price),
        (metric::JOB_PRICE_TIME, job.price_at),
        (metric::JOB_LAST_TICK, job.last_slot),
        (metric::JOB_POSITION, Some(job.tokens)),
        (metric::JOB_COST, Some(job.cost)),
        (metric::JOB_AVERAGE_COST, job.average_cost),
        (metric::JOB_SPENT, Some(job.spent)),
        (metric::JOB_RECEIVED, Some(job.received)),
        (metric::JOB_REALIZED, Some(job.realized)),
        (metric::JOB_UNSELLABLE, Some(flag(job.unsellable))),
        (metric::JOB_UNREALIZED, job.unrealized),
        (metric::JOB_GAS, Some(job.gas)),
        (metric::JOB_NET, net(job)),
        (metric::JOB_BUDGET_LEFT, budget_left(job)),
    ] {
        set_known(name, &[id], value);
    }
}

/// Realised plus unrealised less gas, USD. `None` while tokens are held whose price is not known.
fn net(job: &JobFacts) -> Option<f64> {
    let unrealized = job.unrealized.or((job.tokens <= 0.0).then_some(0.0))?;
    Some(job.realized + unrealized - job.gas)
}

/// Money that the job may still spend on buys, USD. `None` if that is unknown.
fn budget_left(job: &JobFacts) -> Option<f64> {
    let config: JobConfig = serde_json::from_value(job.config.clone()).ok()?;
    match config.rules {
        Rules::Accumulate(rules) => {
            let most = rules.max_accumulation_usd.decimal().to_f64()?;
            Some((most - job.cost).max(0.0))
        }
        Rules::Liquidity(_) | Rules::Basket(_) => {
            let price = job
                .quote_price
                .or_else(|| price_before_a_fill(&job.quote_symbol))?;
            Some(job.quote_tokens * price)
        }
        Rules::Order(rules) => {
            let amount = rules.amount_usd.decimal().to_f64()?;
            (rules.side == OrderSide::Buy).then(|| (amount - job.spent).max(0.0))
        }
    }
}

/// Before a job's first fill no price of its quote is stored. A quote named after the dollar counts as one.
fn price_before_a_fill(quote_symbol: &str) -> Option<f64> {
    quote_symbol.starts_with("USD").then_some(1.0)
}

fn set(name: &'static str, labels: &[(&'static str, &String)], value: f64) {
    let labels: Vec<Label> = labels
        .iter()
        .map(|(key, value)| Label::new(*key, (*value).clone()))
        .collect();
    gauge!(name, labels).set(value);
}

/// An unknown value has no series: 0 would be an answer.
fn set_known(name: &'static str, labels: &[(&'static str, &String)], value: Option<f64>) {
    if let Some(value) = value {
        set(name, labels, value);
    }
}

const fn flag(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

/// Counts below 2^32 are exact, and no count of ours is larger.
fn float(count: i64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::JobMode;

    fn job(mode: JobMode) -> JobFacts {
        JobFacts {
            id: "1".to_owned(),
            token: String::new(),
            token_symbol: String::new(),
            realm: String::new(),
            chain: String::new(),
            mode: String::new(),
            status: String::new(),
            run_reason: None,
            blocked_by: None,
            price: None,
            price_at: None,
            last_slot: None,
            tokens: 0.0,
            cost: 100.0,
            average_cost: None,
            spent: 0.0,
            received: 0.0,
            realized: 0.0,
            unrealized: None,
            gas: 0.0,
            unsellable: false,
            config: serde_json::to_value(JobConfig::for_mode(mode)).expect("a configuration"),
            quote_tokens: 40.0,
            quote_symbol: "WETH".to_owned(),
            quote_price: None,
        }
    }

    #[test]
    fn the_budget_that_is_left_is_as_the_mode_says() {
        let mut accumulate = job(JobMode::Accumulate);
        let all = budget_left(&JobFacts {
            cost: 0.0,
            ..accumulate.clone()
        })
        .expect("known");
        assert_eq!(budget_left(&accumulate), Some(all - 100.0));
        accumulate.cost = all + 1.0;
        assert_eq!(budget_left(&accumulate), Some(0.0), "never negative");
        let mut liquidity = job(JobMode::Liquidity);
        assert_eq!(budget_left(&liquidity), None, "no price of the quote is known");
        liquidity.quote_symbol = "USDC".to_owned();
        assert_eq!(budget_left(&liquidity), Some(40.0));
        liquidity.quote_price = Some(0.5);
        assert_eq!(budget_left(&liquidity), Some(20.0));
        let mut order = job(JobMode::Order);
        assert_eq!(budget_left(&order), Some(10.0));
        order.spent = 4.0;
        assert_eq!(budget_left(&order), Some(6.0));
        order.config["order"]["side"] = "sell".into();
        assert_eq!(budget_left(&order), None, "a sale buys nothing");
        liquidity.config = serde_json::json!({ "of": "a newer version" });
        assert_eq!(budget_left(&liquidity), None, "an unreadable job hides no other");
    }
}
