//! What one order begins with: the order that it takes the place of, and the tokens that it is to sell.

use super::{request::Placed, spends::spends};
use crate::{
    app::{
        App, AppError, given,
        jobs::adopt::{self, Tokens},
        message::Message,
        whole::Whole,
    },
    domain::{
        config::JobConfig,
        ids::JobId,
        job::{JobMode, JobStatus},
        units::Amount,
    },
    store::{
        self,
        jobs::{Job, NewJob},
        placed::Placing,
    },
};

/// The order that a new one takes the place of: one that has ended.
pub(super) fn replaceable(job: Job) -> Result<JobId, AppError> {
    if job.mode == JobMode::Order && job.status == JobStatus::Idle {
        return Ok(job.id);
    }
    Err(AppError::Refused(format!(
        "job {} ({}, {}) trades this token already, and a wallet has one job for each token; `remove` it first, or use \
         another wallet",
        job.id, job.mode, job.status
    )))
}

/// Which tokens of the wallet an order is to sell, checked against what the wallet holds.
pub(super) async fn checked(
    app: &App,
    new: &NewJob,
    placed: &Placed,
    replaces: Option<JobId>,
) -> Result<Placing, AppError> {
    let Some((tokens, cost)) = &placed.sells else {
        return Ok(Placing {
            replaces,
            tokens: None,
        });
    };
    let asked = match tokens {
        Tokens::All => None,
        Tokens::Whole(text) => Some(given::tokens(text, &new.token)?),
    };
    // A cost that is out of range is refused before a node is asked.
    adopt::cost(new.token.decimals, asked.unwrap_or(Amount::ZERO), *cost)?;
    let of = (&new.account, &new.token);
    let tokens = adopt::free(app, ("the order", Amount::ZERO), of, asked).await?;
    let cost = adopt::cost(new.token.decimals, tokens, *cost)?;
    Ok(Placing {
        replaces,
        tokens: Some((tokens, cost)),
    })
}

/// What its owner is to know of it before it is placed.
pub(super) fn say(placing: &Placing, new: &NewJob, assumed: &mut Vec<Message>) {
    let (symbol, decimals) = (&new.token.symbol, new.token.decimals);
    assumed.push(format!("it {}", spends(&new.config)).into());
    if let Some(job) = placing.replaces {
        assumed.push(format!("takes the place of job {job}, whose {symbol} are yours again").into());
    }
    if let Some((tokens, cost)) = placing.tokens {
        let tokens = Whole::new(tokens, decimals);
        assumed.push(format!("sells {tokens} {symbol} that cost {cost} USD").into());
    }
}

/// Refuses an order whose time is over already.
pub(super) async fn in_time(app: &App, config: &JobConfig) -> Result<(), AppError> {
    let Some(until) = config.rules.order().and_then(|rules| rules.until) else {
        return Ok(());
    };
    let now = store::now(&app.pool).await?;
    if until > now {
        return Ok(());
    }
    Err(AppError::Usage(format!(
        "order.until = {}: that time is over, it is {}; give a later one, or none",
        until.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    )))
}
