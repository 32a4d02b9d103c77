//! What wallets have spent against their limits, as metrics.

use alloy_primitives::Address;
use metrics::gauge;
use rust_decimal::prelude::ToPrimitive;

use super::{book::PolicyBook, file::Entry};
use crate::{
    domain::{Timestamp, units::Usd},
    telemetry::metric,
};

impl PolicyBook {
    /// Exports spending and limits of every wallet that the policy names. What cannot be read keeps its last value: the
    /// next signature names the reason.
    pub fn export(&self, now: Timestamp) {
        let Ok(policy) = self.policy() else { return };
        for entry in &policy.allow {
            let Entry { chain, wallet, .. } = entry;
            let Ok(spent) = self.spent(chain, *wallet, now) else {
                continue;
            };
            export(chain, *wallet, "hour", (spent.hour, entry.max_hour_usd));
            export(chain, *wallet, "day", (spent.day, entry.max_day_usd));
        }
    }
}

fn export(chain: &str, wallet: Address, period: &'static str, (used, most): (Usd, Usd)) {
    let labels = [
        ("chain", chain.to_owned()),
        ("wallet", format!("{wallet:#x}")),
        ("period", period.to_owned()),
    ];
    for (name, usd) in [(metric::POLICY_USED, used), (metric::POLICY_LIMIT, most)] {
        if let Some(value) = usd.decimal().to_f64() {
            gauge!(name, &labels).set(value);
        }
    }
}
