//! Every metric: its name, type, unit, labels and meaning, in one table. `docs/metrics.md` is written from it.

use std::fmt::Write;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use strum::VariantArray;

use crate::domain::decision::Reason;

/// The Prometheus type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Kind {
    /// Only grows, except for restarts.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations in buckets.
    Histogram,
}

/// Who exports a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray)]
pub enum Origin {
    /// Every process, of its own work: add them up.
    Process,
    /// The one process that takes the census, of the database as a whole.
    Fleet,
    /// The one process that takes the census, for each of at most `metrics.max_jobs` jobs.
    Job,
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name; base units are part of it.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Seconds, usd, tokens and so on; empty for plain numbers.
    pub unit: &'static str,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// Who exports it.
    pub origin: Origin,
    /// Its meaning, values of labels included.
    pub meaning: &'static str,
}

macro_rules! table {
    ($($constant:ident = $name:literal $kind:ident $unit:literal [$($label:literal),*] $origin:ident $meaning:literal;)*) => {
        /// The names.
        pub mod metric {
            $(#[doc = $meaning] pub const $constant: &str = $name;)*
        }

        /// All metrics.
        pub const METRICS: &[Metric] = &[$(Metric {
            name: metric::$constant,
            kind: Kind::$kind,
            unit: $unit,
            labels: &[$($label),*],
            origin: Origin::$origin,
            meaning: $meaning,
        }),*];
    };
}

table! {
    BUILD_INFO = "lgi_mm_build_info" Gauge "" ["version"] Process "The running version; always 1";
    PROCESS_INFO = "lgi_mm_process_info" Gauge "" ["role", "settings"] Process "What the process is (scheduler, worker or daemon) and the fingerprint of the settings file that it has read; always 1";
    SETTINGS_CHANGED = "lgi_mm_settings_changed" Gauge "" [] Process "1 if the settings file has changed since the process read it, else 0";
    CENSUS_LEADER = "lgi_mm_census_leader" Gauge "" [] Process "1 in the process that takes the census, else 0";
    TICKS = "lgi_mm_ticks_total" Counter "" ["outcome"] Process "Ticks by outcome: held, traded, repeated, unknown, failed";
    HOLDS = "lgi_mm_holds_total" Counter "" ["reason"] Process "Ticks that did not trade, by reason";
    TICK_LAG = "lgi_mm_tick_lag_seconds" Histogram "seconds" [] Process "Time from a slot to its evaluation";
    TICK_DURATION = "lgi_mm_tick_duration_seconds" Histogram "seconds" [] Process "Time to evaluate one group of ticks";
    TRADES = "lgi_mm_trades_total" Counter "" ["realm", "side", "reason", "status"] Process "Trades that ended, by realm (live or paper), side, reason and status: EXECUTED, FAILED, DROPPED (given up before anything was signed, because the job was stopped)";
    TRADE_FAILURES = "lgi_mm_trade_failures_total" Counter "" ["reason"] Process "Trades that failed, by reason: reverted, cancelled, expired, foreign";
    TRADE_DURATION = "lgi_mm_trade_duration_seconds" Histogram "seconds" [] Process "Time from a slot to the end of its trade, executed or failed";
    SLOTS_CLAIMED = "lgi_mm_slots_claimed_total" Counter "" [] Process "Slots claimed and pushed to the queue";
    SLOTS_MISSED = "lgi_mm_slots_missed_total" Counter "" [] Process "Slots that never ran because a later one was already due";
    PRICE_REQUESTS = "lgi_mm_price_requests_total" Counter "" ["source", "outcome"] Process "Price requests to a source, one per job, by outcome: answered, failed";
    RPC_REQUESTS = "lgi_mm_rpc_requests_total" Counter "" ["chain", "outcome"] Process "Requests to nodes, by outcome: answered, failed";
    RPC_COMPUTE_UNITS = "lgi_mm_rpc_compute_units_total" Counter "" ["chain"] Process "Compute units of the requests to nodes, as Alchemy counts them";
    RPC_DURATION = "lgi_mm_rpc_duration_seconds" Histogram "seconds" ["chain"] Process "Duration of one request to a node";
    POLICY_REFUSALS = "lgi_mm_policy_refusals_total" Counter "" ["chain", "reason"] Process "Signatures and plans that this worker's policy refused, by reason: no_policy, unreadable, stopped, wallet, contract, shape, recipient, token, allowance, trade, hour, day, gas, loss, price, deadline, journal";
    POLICY_USED = "lgi_mm_policy_used_usd" Gauge "usd" ["chain", "wallet", "period"] Process "What a wallet has spent on buys in the last 60 minutes (hour) and on this UTC day (day), as this worker's journal of signatures counts it";
    POLICY_LIMIT = "lgi_mm_policy_limit_usd" Gauge "usd" ["chain", "wallet", "period"] Process "What this worker's policy lets a wallet spend on buys in 60 minutes (hour) and in a UTC day (day)";
    NODE_REQUESTS = "lgi_mm_node_requests_total" Counter "" ["chain", "node", "outcome"] Process "Requests to one node, by host and outcome: answered, failed, nonsense (an impossible answer)";
    NODE_HEAD_LAG = "lgi_mm_node_head_lag_blocks" Gauge "blocks" ["chain", "node"] Process "Number of blocks that a node is behind the best node of its chain";
    NODE_QUORUM = "lgi_mm_node_quorum" Gauge "" ["chain"] Process "Nodes of different hosts that must agree on what concerns money";
    RPC_DISAGREEMENTS = "lgi_mm_rpc_disagreements_total" Counter "" ["chain"] Process "Contradictions between nodes about a receipt, a block or a nonce";
    NOTIFICATIONS = "lgi_mm_notifications_total" Counter "" ["receiver", "outcome"] Process "Delivery attempts to a receiver, by outcome: delivered, failed (will be retried), given_up (too old, refused for good, or the receiver was removed)";
    CHAT_MESSAGES = "lgi_mm_chat_messages_total" Counter "" ["outcome"] Process "Messages to the bot that takes commands, by outcome: taken, ignored (of a stranger, forwarded, or no text), stale (written more than ten minutes before they were read)";
    API_REQUESTS = "lgi_mm_api_requests_total" Counter "" ["method", "route", "status"] Process "Requests to the HTTP API, by route as openapi.json has it and by status; `other` is what it does not have";
    API_REQUEST_DURATION = "lgi_mm_api_request_duration_seconds" Histogram "seconds" [] Process "Time from a request to the beginning of its answer";
    API_LOGIN_FAILURES = "lgi_mm_api_login_failures_total" Counter "" ["reason"] Process "Tokens, links and cookies that the HTTP API refused, by reason: wrong, locked_out (not looked up, after ten wrong ones from its address)";
    PRUNED_ROWS = "lgi_mm_pruned_rows_total" Counter "" ["table"] Process "Rows that retention deleted";
    JOBS = "lgi_mm_jobs" Gauge "" ["status", "mode", "realm"] Fleet "Jobs that are not archived";
    JOBS_WITHOUT_SERIES = "lgi_mm_jobs_without_series" Gauge "" [] Fleet "Jobs beyond metrics.max_jobs, which have no series of their own";
    OPEN_TRADES = "lgi_mm_open_trades" Gauge "" [] Fleet "Trades that are neither executed nor failed";
    OPEN_TRADE_AGE = "lgi_mm_open_trade_age_seconds" Gauge "seconds" [] Fleet "Age of the oldest open trade; 0 without one";
    LAST_TRADE_FAILURE = "lgi_mm_last_trade_failure_timestamp_seconds" Gauge "seconds" ["reason"] Fleet "When a trade last failed, by reason; absent without one in the last 24 hours";
    JOBS_FAILING = "lgi_mm_jobs_failing" Gauge "" [] Fleet "Running or liquidating jobs whose last three or more trades failed";
    QUEUE_TASKS = "lgi_mm_queue_tasks" Gauge "" ["queue", "status"] Fleet "Tasks in the queue, by status: pending, running, done, failed, killed";
    QUEUE_OLDEST_AGE = "lgi_mm_queue_oldest_age_seconds" Gauge "seconds" ["queue"] Fleet "How long the oldest due task has been waiting; 0 without one";
    WORKERS = "lgi_mm_workers" Gauge "" [] Fleet "Worker processes with a heartbeat in the last 15 seconds";
    SCHEDULE_LAG = "lgi_mm_schedule_lag_seconds" Gauge "seconds" [] Fleet "How long the most overdue slot has been waiting for a scheduler; 0 without one";
    SIGNER_HALTED = "lgi_mm_signer_halted" Gauge "" ["realm", "chain", "wallet"] Fleet "1 if this wallet may not trade until you run reconcile, else 0";
    SIGNER_NONCE_GAP = "lgi_mm_signer_nonce_gap" Gauge "" ["realm", "chain", "wallet"] Fleet "Allocated nonces whose transaction is not settled";
    SIGNER_OPEN_TRANSACTIONS = "lgi_mm_signer_open_transactions" Gauge "" ["realm", "chain", "wallet"] Fleet "Transactions of open trades and withdrawals";
    SIGNER_NATIVE_BALANCE = "lgi_mm_signer_native_balance" Gauge "coins" ["realm", "chain", "wallet"] Fleet "Native coin balance in whole coins; of a live wallet, as read from a node within the last ten minutes, or the last minute after trades";
    WITHDRAWALS = "lgi_mm_withdrawals" Gauge "" ["chain", "wallet", "status"] Fleet "Withdrawals of a live wallet by status: SUBMITTED, EXECUTED, FAILED";
    WITHDRAWALS_VALUE = "lgi_mm_withdrawals_value_usd" Gauge "usd" ["chain", "wallet"] Fleet "What withdrawals of a wallet took out, each at its price then; tokens without a price feed are not counted";
    WITHDRAWALS_GAS = "lgi_mm_withdrawals_gas_usd" Gauge "usd" ["chain", "wallet", "status"] Fleet "Gas that withdrawals of a wallet paid";
    WITHDRAWALS_OPEN_AGE = "lgi_mm_withdrawals_open_age_seconds" Gauge "seconds" ["chain", "wallet"] Fleet "Age of the oldest withdrawal of a wallet that is not mined; absent without one";
    OUTBOX_PENDING = "lgi_mm_outbox_pending" Gauge "" [] Fleet "Messages that are not delivered yet; 0 without receivers";
    OUTBOX_OLDEST_AGE = "lgi_mm_outbox_oldest_age_seconds" Gauge "seconds" [] Fleet "Age of the oldest undelivered message; 0 without one";
    TABLE_BYTES = "lgi_mm_table_bytes" Gauge "bytes" ["table"] Fleet "Size of a table including its indexes";
    JOB_INFO = "lgi_mm_job_info" Gauge "" ["job_id", "token", "symbol", "realm", "chain", "mode"] Job "Labels that describe a job; always 1";
    JOB_STATUS = "lgi_mm_job_status" Gauge "" ["job_id", "status"] Job "1 for the current status of a job: IDLE, RUNNING, PAUSED, LIQUIDATING, ERROR";
    JOB_HOLD = "lgi_mm_job_hold" Gauge "" ["job_id", "reason"] Job "1 for the reason why the last tick did not trade; absent if it traded";
    JOB_PRICE = "lgi_mm_job_price_usd" Gauge "usd" ["job_id"] Job "Last accepted price of one whole token";
    JOB_PRICE_TIME = "lgi_mm_job_price_timestamp_seconds" Gauge "seconds" ["job_id"] Job "When the last accepted price was observed";
    JOB_LAST_TICK = "lgi_mm_job_last_tick_timestamp_seconds" Gauge "seconds" ["job_id"] Job "The newest decided slot";
    JOB_POSITION = "lgi_mm_job_position_tokens" Gauge "tokens" ["job_id"] Job "Whole tokens held";
    JOB_COST = "lgi_mm_job_cost_usd" Gauge "usd" ["job_id"] Job "Cost basis of the position";
    JOB_AVERAGE_COST = "lgi_mm_job_average_cost_usd" Gauge "usd" ["job_id"] Job "Cost basis of one whole token; absent without a position";
    JOB_SPENT = "lgi_mm_job_spent_usd" Gauge "usd" ["job_id"] Job "Paid for buys in this cycle";
    JOB_RECEIVED = "lgi_mm_job_received_usd" Gauge "usd" ["job_id"] Job "Received from sells in this cycle";
    JOB_REALIZED = "lgi_mm_job_realized_usd" Gauge "usd" ["job_id"] Job "Proceeds less cost basis of the tokens sold in this cycle, before gas";
    JOB_BLOCKED = "lgi_mm_job_blocked" Gauge "" ["job_id", "event"] Job "1 for the event that tells of what keeps the job from trading; absent if nothing does";
    JOB_UNSELLABLE = "lgi_mm_job_unsellable" Gauge "" ["job_id"] Job "1 if the last simulated sale of a live job's position failed, else 0";
    JOB_UNREALIZED = "lgi_mm_job_unrealized_usd" Gauge "usd" ["job_id"] Job "Value of the position less its cost basis, before gas; absent without a price";
    JOB_GAS = "lgi_mm_job_gas_usd" Gauge "usd" ["job_id"] Job "Paid for gas in this cycle, failed transactions included";
    JOB_NET = "lgi_mm_job_net_usd" Gauge "usd" ["job_id"] Job "Realised plus unrealised less gas; absent while tokens are held without a price";
    JOB_BUDGET_LEFT = "lgi_mm_job_budget_left_usd" Gauge "usd" ["job_id"] Job "Amount that may still be bought: max_accumulation_usd less cost, the quote balance of a liquidity job, or what an order to buy has left";
}

/// Describes every metric of this origin to the current recorder.
pub fn describe(wanted: impl Fn(Origin) -> bool) {
    for metric in METRICS.iter().filter(|metric| wanted(metric.origin)) {
        let unit = match metric.unit {
            "seconds" => Unit::Seconds,
            "bytes" => Unit::Bytes,
            _ => Unit::Count,
        };
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, unit, metric.meaning),
            Kind::Gauge => describe_gauge!(metric.name, unit, metric.meaning),
            Kind::Histogram => describe_histogram!(metric.name, unit, metric.meaning),
        }
    }
}

/// The page `docs/metrics.md`.
#[must_use]
pub fn page() -> String {
    let mut page = INTRODUCTION.replace("{reasons}", &Reason::VARIANTS.len().to_string());
    for origin in Origin::VARIANTS {
        let heading = match origin {
            Origin::Process => "Per process",
            Origin::Fleet => "Fleet (exported by one process)",
            Origin::Job => "Per job (exported by one process)",
        };
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "\n## {heading}\n\n| name | type | unit | labels | meaning |\n|---|---|---|---|---|\n"
        );
        for metric in METRICS.iter().filter(|metric| metric.origin == *origin) {
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} | {} |",
                metric.name,
                metric.kind,
                metric.unit,
                labels.join(", "),
                metric.meaning
            );
        }
    }
    page
}

const INTRODUCTION: &str = "\
# Metrics

This page is generated from the table in `src/telemetry/metrics.rs`, and a test compares them. To regenerate it, run
`UPDATE_DOCS=1 cargo test --test documents metrics`.

Scheduler, worker and daemon serve `/metrics` at `metrics.listen`. Each process exports the counters of its own work.
Gauges of the whole installation come from the database, through one process at a time: the holder of an advisory lock
takes the census every `metrics.census_every` and sets `lgi_mm_census_leader` to 1; when it dies, another process takes
over. The series of a removed job disappear with the next census.

## Number of series

A job has at most 17 series: 15 with one value each, one hold reason and one status. `metrics.max_jobs` (1000 by default)
bounds them: 1,000 jobs make 17,000 series, and so do 10,000 jobs unless you raise the bound to 10,000 (170,000 series).
Jobs in ERROR and jobs with an open trade come first, then the lowest job ids; `lgi_mm_jobs_without_series` counts the
rest. All other series are independent of the number of jobs: holds have about 40 reasons, trades 2 realms x 2 sides x
{reasons} reasons x 3 statuses, each histogram 14 buckets (times chains for RPC), and queues, signers, chains and tables
are few. A census takes a fixed number of SQL statements, whatever the number of jobs.
";
