//! An order that is given twice with one key is placed once.

use super::{
    request::StartRequest,
    started::{Started, Step, What},
};
use crate::{
    app::{App, AppError, jobs::adopt::Tokens, wallets},
    config::build_job_config,
    domain::{
        Timestamp,
        config::JobConfig,
        ids::JobId,
        job::{Account, JobMode, Realm},
        units::Amount,
    },
    paper::default_wallet,
    store::{
        jobs::{self, CommandError},
        placed::{self, Earlier},
    },
};

/// The order that was placed with the key of this request, and when.
///
/// # Errors
/// [`CommandError::KeyUsed`] if that was another order.
pub(super) async fn placed(
    app: &App,
    request: &StartRequest,
) -> Result<Option<(JobId, Timestamp)>, AppError> {
    let Some(key) = request.placed.as_ref().and_then(|placed| placed.key.as_deref()) else {
        return Ok(None);
    };
    let account = Account {
        realm: request.realm,
        chain: request.chain.clone(),
        wallet: match request.realm {
            Realm::Paper => default_wallet(),
            Realm::Live => wallets::choose(&app.settings)?,
        },
    };
    let Some(earlier) = placed::earlier(&app.pool, &account, key).await? else {
        return Ok(None);
    };
    if is_same(app, request, &earlier)? {
        return Ok(Some((earlier.job, earlier.at)));
    }
    Err(CommandError::KeyUsed(key.to_owned()).into())
}

fn is_same(app: &App, request: &StartRequest, earlier: &Earlier) -> Result<bool, AppError> {
    let mode = JobMode::Order;
    let given = request.given.clone().over_defaults(&app.settings.defaults, mode);
    let config = build_job_config(
        &JobConfig::beginning(mode, request.realm, &request.chain),
        mode,
        &given,
    )?;
    let sells = request.placed.as_ref().and_then(|placed| placed.sells.as_ref());
    let same_tokens = match (sells, earlier.tokens) {
        (None, None) => true,
        (Some((Tokens::All, _)), Some(_)) => true,
        (Some((Tokens::Whole(text), _)), Some((tokens, _))) => {
            let decimals = earlier.decimals;
            Amount::from_whole(text, decimals).is_ok_and(|asked| asked == tokens)
        }
        _ => false,
    };
    Ok(request.token == earlier.token && config.rules.order() == Some(&earlier.rules) && same_tokens)
}

/// The view of an order that was placed before.
///
/// # Errors
/// [`AppError`] if its job cannot be read.
pub(super) async fn started(app: &App, job: JobId, at: Timestamp) -> Result<Started, AppError> {
    let found = jobs::by_ids(&app.pool, &[job]).await?.pop();
    let job = match found {
        Some(Ok(job)) => job,
        Some(Err((_, error))) => return Err(error.into()),
        None => return Err(AppError::NotFound(format!("there is no job {job}"))),
    };
    Ok(Started {
        job: job.id,
        token: job.token.address,
        what: What {
            step: Step::Before(at),
            live: None,
        },
        symbol: job.token.symbol,
        chain: job.account.chain,
        realm: job.account.realm,
        mode: job.mode,
        status: job.status,
        assumed: vec![],
        costs: None,
        policy: None,
    })
}
