//! What one order begins with: the order that it takes the place of, and the tokens that it is to sell.

use super::{
    request::{Placed, StartRequest},
    spends::spends,
};
use crate::{
    app::{
        App, AppError, given,
        jobs::{
            adopt::{self, Tokens},
            deadline,
        },
        message::{Advice, Message, message},
        name::JobName,
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
pub(super) fn replaceable(job: Job) -> Result<Job, AppError> {
    if job.mode == JobMode::Order && job.status == JobStatus::Idle {
        return Ok(job);
    }
    let way = match job.mode {
        JobMode::Order => "`config edit` changes that order, `remove` cancels it",
        _ => "`release` what it holds, which stays in the wallet, then `remove` it; or use another wallet",
    };
    Err(AppError::Refused(format!(
        "{} trades this token already, in mode {}, {}, and a wallet has one job for each token; {way}",
        JobName::from(&job),
        job.mode,
        job.status
    )))
}

/// Which tokens of the wallet an order is to sell, checked against what the wallet holds.
pub(super) async fn checked(
    app: &App,
    new: &NewJob,
    placed: &Placed,
    replaces: Option<JobId>,
) -> Result<Placing, AppError> {
    let key = placed.key.clone();
    let Some((tokens, cost)) = &placed.sells else {
        return Ok(Placing {
            replaces,
            tokens: None,
            key,
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
        key,
    })
}

/// What a job may spend or sells, once it is started; before, the owner of a live one has agreed to it.
pub(super) fn terms(new: &NewJob) -> Message {
    format!("it {}", spends(&new.config)).into()
}

/// Refuses to buy for an amount that nobody gave.
///
/// # Errors
/// [`AppError`] names the key and the command that places an order.
pub(super) fn has_amount(request: &StartRequest, mode: JobMode) -> Result<(), AppError> {
    let given = request.given.sets("order.amount_usd") || request.given.sets("order.side");
    if mode != JobMode::Order || given {
        return Ok(());
    }
    Err(message![
        "order.amount_usd is not given: an order has no usual amount; place it with ",
        Advice::Buy(request.token),
    ]
    .bad_input())
}

/// What its owner is to know of it before it is placed.
pub(super) fn say(placing: &Placing, new: &NewJob, ended: Option<&Job>, assumed: &mut Vec<Message>) {
    let (symbol, decimals) = (&new.token.symbol, new.token.decimals);
    if let Some(job) = ended {
        let held = job.position.token_balance;
        let whose = match (held.is_zero(), placing.tokens) {
            (true, _) => "which holds nothing".to_owned(),
            (false, sold) => format!(
                "which holds {} {symbol} that cost {} USD: they are yours again{}",
                Whole::new(held, decimals),
                job.position.cost_basis,
                sold.map_or(
                    "",
                    |_| ", and what this order sells of them has the cost given here"
                ),
            ),
        };
        assumed.push(format!("takes the place of job {}, {whose}", job.id).into());
    }
    if let Some((tokens, cost)) = placing.tokens {
        let tokens = Whole::new(tokens, decimals);
        assumed.push(format!("sells {tokens} {symbol} that cost {cost} USD").into());
    }
}

/// Refuses an order that has no time to trade.
pub(super) async fn in_time(app: &App, config: &JobConfig) -> Result<(), AppError> {
    let Some(rules) = config.rules.order().filter(|rules| rules.until.is_some()) else {
        return Ok(());
    };
    let now = store::now(&app.pool).await?;
    deadline::in_time(rules, now, now)
}
