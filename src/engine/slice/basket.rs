//! Members of a basket: facts of the others, and quote that they give to one that lacks it.

use std::collections::HashMap;

use super::facts::Priced;
use crate::{
    domain::{
        basket::moves,
        decision::{Facts, Peers},
        job::JobId,
        units::Amount,
    },
    engine::{core::Engine, error::EngineError},
    store::basket,
    telemetry::job_line,
};

impl Engine {
    /// The other members of the baskets that these jobs are members of: one statement, none without a basket.
    pub(in crate::engine) async fn peers(
        &self,
        priced: &[Priced],
    ) -> Result<HashMap<JobId, Peers>, EngineError> {
        let members = priced.iter().map(|priced| &priced.tick);
        let members = members.filter(|tick| tick.job.config.rules.basket().is_some());
        let fresh: Vec<_> = members
            .clone()
            .map(|tick| (tick.job.id, tick.job.config.price.max_price_age))
            .collect();
        let Some(now) = members.map(|tick| tick.now).max() else {
            return Ok(HashMap::new());
        };
        Ok(basket::peers(&self.pool, &fresh, now).await?)
    }

    /// Moves quote of other members to this one, for its next tick. The answer says how much.
    pub(in crate::engine) async fn gather(
        &self,
        priced: &Priced,
        facts: &Facts,
    ) -> Result<Option<String>, EngineError> {
        let job = &priced.tick.job;
        let Some(rules) = job.config.rules.basket() else {
            return Ok(None);
        };
        let moves = moves(rules, &job.config.limits, facts)?;
        if moves.is_empty() || !basket::gather(&self.pool, job, &moves).await? {
            return Ok(None);
        }
        let all = moves
            .iter()
            .try_fold(Amount::ZERO, |sum: Amount, one| sum.checked_add(one.amount))?;
        let moved = format!("{} {}", all.to_whole(job.quote.decimals), job.quote.symbol);
        job_line!(info, job, %moved, members = moves.len(), "quote of other members of the basket was moved to this one");
        Ok(Some(format!(
            "{moved} were moved from other members of the basket; the next slot buys"
        )))
    }
}
