//! What a job spends or sells, in one sentence.

use crate::domain::config::{JobConfig, OrderConfig, OrderSide, Rules, Trigger};

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
        Rules::Basket(rules) => format!(
            "brings {} USD into basket {}, and buys and sells to keep its share of weight {}",
            rules.budget_usd, rules.name, rules.weight
        ),
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
