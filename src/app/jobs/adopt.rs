//! Tokens that the owner already has become a job's position.

use alloy_primitives::Address;
use rust_decimal::Decimal;
use serde::Serialize;

use super::selected::about;
use crate::{
    app::{
        Actor, App, AppError, Target, given,
        message::{Advice, Field, Message, message},
        name::JobName,
        target,
        whole::Whole,
    },
    domain::{
        Timestamp, accounting,
        ids::JobId,
        job::{Account, JobMode, JobStatus, Realm, Token},
        units::{Amount, Price, Rounding, Usd},
    },
    store::{
        adoption::{self, Adjusted, Adoption},
        jobs::{CommandError, Job},
    },
};

/// Most that adopted tokens can have cost, USD: the sum of a ledger's figures stays exact.
const COST_MAX_USD: u64 = 1_000_000_000_000;

/// How many tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tokens {
    /// All that the wallet holds beyond what its jobs own.
    All,
    /// Whole tokens, as they were written.
    Whole(String),
}

/// What they cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// In all, USD.
    Total(Decimal),
    /// Each whole token, USD.
    Each(Decimal),
}

#[derive(Debug, Clone)]
pub struct AdoptRequest {
    pub target: Target,
    pub tokens: Tokens,
    pub cost: Cost,
    /// A second request with the same key changes nothing.
    pub key: Option<String>,
}

/// What a request would do.
#[derive(Debug)]
pub struct Adopting {
    pub name: JobName,
    pub wallet: Address,
    pub tokens: Whole,
    pub cost_usd: Usd,
    /// When the job adopted exactly as much at the same cost, if it did in this cycle.
    pub repeats: Option<Timestamp>,
}

/// What was done.
#[derive(Debug, Serialize)]
pub struct Adopted {
    #[serde(flatten)]
    pub name: JobName,
    pub tokens: Whole,
    pub cost_usd: Usd,
    /// What the job owns now.
    pub position: Whole,
    pub cost_basis_usd: Usd,
    pub average_cost_usd: Option<Price>,
    /// A request with the same key had done it at this time; nothing changed now.
    pub done_before: Option<Timestamp>,
    pub note: Option<Message>,
}

/// A request against the wallet and the ledger as they are.
struct Checked {
    job: Job,
    adoption: Adoption,
}

/// What a request would do; changes nothing.
///
/// # Errors
/// As [`adopt`].
pub async fn preview(app: &App, request: &AdoptRequest) -> Result<Adopting, AppError> {
    let Checked { job, adoption } = check(app, request).await?;
    Ok(Adopting {
        name: JobName::from(&job),
        wallet: job.account.wallet,
        tokens: Whole::new(adoption.tokens, job.token.decimals),
        cost_usd: adoption.cost,
        repeats: adoption::last_equal(&app.pool, job.id, adoption.tokens, adoption.cost).await?,
    })
}

/// Adds tokens that the wallet holds beyond what its jobs own to a job's position, at what they cost.
///
/// # Errors
/// [`AppError`] for an amount or a cost that cannot be, a job that is IDLE or has an open trade, or if the wallet does
/// not hold that many; nothing changes then.
pub async fn adopt(app: &App, request: &AdoptRequest, actor: &Actor) -> Result<Adopted, AppError> {
    let Checked { job, adoption } = check(app, request).await?;
    let done = adoption::adopt(&app.pool, job.id, &adoption, actor.as_str()).await;
    let before = match done.map_err(|error| about(&job, error))? {
        Adjusted::Done => None,
        Adjusted::Before(at) => Some(at),
        Adjusted::Changed => {
            return Err(AppError::Refused(format!(
                "{}: a trade of it is open, or its position has just changed; nothing was adopted. Wait until the \
                 trade is final, or pause the job, then try again",
                JobName::from(&job)
            )));
        }
    };
    let now = read(app, job.id).await?;
    Ok(Adopted {
        name: JobName::from(&now),
        tokens: Whole::new(adoption.tokens, now.token.decimals),
        cost_usd: adoption.cost,
        position: Whole::new(now.position.token_balance, now.token.decimals),
        cost_basis_usd: now.position.cost_basis,
        average_cost_usd: accounting::average_cost(&now.position),
        done_before: before,
        note: note(&now),
    })
}

pub(super) async fn read(app: &App, job: JobId) -> Result<Job, AppError> {
    target::find(&app.pool, &Target::anywhere(&format!("job:{job}"))).await
}

async fn check(app: &App, request: &AdoptRequest) -> Result<Checked, AppError> {
    let key = given::key(request.key.as_deref())?;
    let job = target::find(&app.pool, &request.target).await?;
    // A repeated request finds its tokens in the position already; the ledger says so.
    let repeated = adoption::was_given(&app.pool, job.id, key.as_deref()).await?;
    if job.status == JobStatus::Idle && repeated.is_none() {
        return Err(match job.mode {
            // Its start would trade again.
            JobMode::Order => message![
                format!("{}: this order has ended, and a start would place it again; run ", JobName::from(&job)),
                Advice::Remove(job.id),
                ", then start a job that keeps tokens, mode accumulate, and adopt into it; an order to sell names \
                 its tokens itself"
            ]
            .refused(),
            _ => about(&job, CommandError::NoCycle),
        });
    }
    let asked = match &request.tokens {
        Tokens::All => None,
        Tokens::Whole(text) => Some(given::tokens(text, &job.token)?),
    };
    // A cost that is out of range is refused before a node is asked.
    cost(job.token.decimals, asked.unwrap_or(Amount::ZERO), request.cost)?;
    let tokens = match (asked, repeated) {
        (asked, Some(before)) => asked.unwrap_or(before),
        (asked, None) => available(app, &job, asked).await?,
    };
    let adoption = Adoption {
        seen: job.position.token_balance,
        tokens,
        cost: cost(job.token.decimals, tokens, request.cost)?,
        is_buy: false,
        key,
    };
    Ok(Checked { job, adoption })
}

/// What the wallet holds beyond the job's position, or as much of it as was asked for.
async fn available(app: &App, job: &Job, asked: Option<Amount>) -> Result<Amount, AppError> {
    let name = JobName::from(job).to_string();
    let owned = job.position.token_balance;
    free(app, (&name, owned), (&job.account, &job.token), asked).await
}

/// What a wallet holds of a token beyond what its job, of this name, owns; or as much of it as was asked for.
pub(super) async fn free(
    app: &App,
    (name, owned): (&str, Amount),
    (account, token): (&Account, &Token),
    asked: Option<Amount>,
) -> Result<Amount, AppError> {
    let (held, reserved) = app.engine().await?.attested(account, token.address).await?;
    let free = held.saturating_sub(owned).saturating_sub(reserved);
    let tokens = asked.unwrap_or(free);
    if !tokens.is_zero() && tokens <= free {
        return Ok(tokens);
    }
    let whole = |amount: Amount| Whole::new(amount, token.decimals);
    let symbol = &token.symbol;
    let asked = asked.map_or_else(String::new, |asked| {
        format!(", and {} were asked for", whole(asked))
    });
    let open = match reserved.is_zero() {
        true => String::new(),
        false => format!(" and open transactions may take {}", whole(reserved)),
    };
    let problem = format!(
        "{name}: wallet {} holds {} {symbol}, of which this job owns {}{open}: {} can be adopted{asked}",
        account.wallet,
        whole(held),
        whole(owned),
        whole(free),
    );
    Err(match account.realm {
        Realm::Live => Message::from(problem),
        Realm::Paper => message![
            problem,
            "; ",
            Advice::FundPaper {
                token: token.address,
                chain: account.chain.clone(),
                decimals: token.decimals,
            },
            " sets how many the paper wallet holds"
        ],
    }
    .refused())
}

/// What the tokens cost in all; a price each is rounded up.
pub(super) fn cost(decimals: u8, tokens: Amount, cost: Cost) -> Result<Usd, AppError> {
    let (field, given) = match cost {
        Cost::Total(usd) => (Field::Cost, usd),
        Cost::Each(usd) => (Field::Price, usd),
    };
    let wrong = || {
        let allowed =
            format!(" {given}: must be from 0 to {COST_MAX_USD} USD in all, 0 for tokens that cost nothing");
        message![field, allowed].bad_input()
    };
    if given.is_sign_negative() && !given.is_zero() {
        return Err(wrong());
    }
    let total = match cost {
        Cost::Total(usd) => Usd::rounded(usd, Rounding::Up),
        Cost::Each(usd) if usd.is_zero() => Usd::ZERO,
        Cost::Each(usd) => Price::new(usd)
            .and_then(|price| tokens.value(decimals, price, Rounding::Up))
            .map_err(|_| wrong())?,
    };
    if total.decimal() > Decimal::from(COST_MAX_USD) {
        return Err(wrong());
    }
    Ok(total)
}

fn note(job: &Job) -> Option<Message> {
    if job.status == JobStatus::Liquidating {
        return Some("it is LIQUIDATING: what was adopted is sold as well".into());
    }
    let most = job.config.rules.accumulate()?.max_accumulation_usd;
    (job.position.cost_basis >= most).then(|| {
        Message::from(format!(
            "its cost is {} USD, not below accumulate.max_accumulation_usd = {most}: it buys no more",
            job.position.cost_basis
        ))
    })
}
