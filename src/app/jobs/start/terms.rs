//! What a live start would do with real money, shown before it is confirmed.

use super::{Prepared, Proposal, Step};
use crate::{
    app::{costs::Costs, jobs::start::Pair, message::Message},
    domain::{
        config::{JobConfig, OrderConfig, OrderSide, Rules, Trigger},
        job::{Account, JobStatus, Realm, Token, transition},
    },
};

/// What the owner agrees to.
#[derive(Debug)]
pub struct Terms<'a> {
    pub chain: &'a str,
    pub pair: Pair,
    /// What becomes of the job.
    pub step: Step,
    /// What it may spend, in one sentence.
    pub spends: String,
    /// What its first buy and a sale right after it would cost, where that is known.
    pub costs: Option<&'a Costs>,
    pub assumed: &'a [Message],
}

impl Proposal {
    /// What a live start would do; `None`: it moves no real money.
    #[must_use]
    pub fn terms(&self) -> Option<Terms<'_>> {
        let (account, token, quote, config, step, assumed): (
            &Account,
            &Token,
            &Token,
            &JobConfig,
            _,
            &[Message],
        ) = match &self.0 {
            Prepared::Create { new, assumed, .. } => (
                &new.account,
                &new.token,
                &new.quote,
                &new.config,
                Step::Created(new.mode),
                assumed,
            ),
            Prepared::Again { job, order } => {
                let made = transition(job.status, job.status_before_stop, order.command()).ok()?;
                let step = Step::of(job, made);
                (&job.account, &job.token, &job.quote, &job.config, step, &[])
            }
        };
        let moves = !matches!(step, Step::AlreadyRunning);
        (account.realm == Realm::Live && moves).then(|| Terms {
            chain: &account.chain,
            pair: Pair::new(account, token, quote),
            step,
            spends: match step {
                Step::Resumed {
                    to: JobStatus::Liquidating,
                    ..
                } => "sells what it holds".to_owned(),
                _ => spends(config),
            },
            costs: match &self.0 {
                Prepared::Create { costs, .. } => costs.as_deref(),
                Prepared::Again { .. } => None,
            },
            assumed,
        })
    }
}

/// What a job of this configuration spends or sells, and when.
pub(super) fn spends(config: &JobConfig) -> String {
    let rules = match &config.rules {
        Rules::Accumulate(rules) => {
            let when = match (&rules.dca_schedule, rules.dca_interval) {
                (Some(cron), _) => format!("at cron '{cron}'"),
                (None, Some(interval)) => format!("every {interval}"),
                (None, None) => "once".to_owned(),
            };
            format!(
                "buys {} USD {when}, more in a dip, until the position costs {} USD",
                rules.dca_amount_usd, rules.max_accumulation_usd
            )
        }
        Rules::Liquidity(rules) => format!(
            "buys and sells with {} USD, {} USD at a time",
            rules.budget_usd, rules.spread_trade_usd
        ),
        Rules::Order(rules) if rules.side == OrderSide::Sell => {
            return format!("sells all tokens that it is given{}", waits(rules));
        }
        Rules::Order(rules) => format!("buys for {} USD in all{}", rules.amount_usd, waits(rules)),
    };
    format!("{rules}; at most {} USD a day", config.limits.max_daily_spend_usd)
}

/// What an order waits for, how it is divided and when it ends.
fn waits(rules: &OrderConfig) -> String {
    let buys = rules.side == OrderSide::Buy;
    let mut waits = match rules.trigger() {
        Trigger::Market => ", at any price".to_owned(),
        Trigger::Limit(at) if buys => format!(", at {at} USD or below"),
        Trigger::Limit(at) => format!(", at {at} USD or above"),
        Trigger::Stop(at) if buys => format!(", once the price is at {at} USD or above"),
        Trigger::Stop(at) => format!(", once the price is at {at} USD or below"),
        Trigger::Trail(pct) if buys => format!(", once the price is {pct} % above its lowest"),
        Trigger::Trail(pct) => format!(", once the price is {pct} % below its highest"),
    };
    if rules.slices > 1 {
        waits.push_str(&format!(", in {} parts over {}", rules.slices, rules.over));
    }
    if let Some(until) = rules.until {
        waits.push_str(&format!(", until {until}"));
    }
    waits
}
