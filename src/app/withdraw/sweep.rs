//! All of a wallet that is free, asset by asset.

use alloy_primitives::Address;

use super::{WithdrawRequest, account, plan};
use crate::{
    app::{context::App, error::AppError, target::receiver},
    domain::pool::NATIVE,
    store::jobs::{self, Filter},
};

/// Everything of a wallet that may be withdrawn now: quotes and jobs' tokens, the native coin last. What jobs hold
/// stays.
///
/// # Errors
/// [`AppError`] if the policy does not allow the receiver, or nothing is free.
pub async fn sweep(app: &App, request: &WithdrawRequest) -> Result<Vec<WithdrawRequest>, AppError> {
    let to = receiver(&request.to)?;
    let live = app.live().chain(&request.chain)?.clone();
    let account = account(app, request)?;
    let every = Filter {
        archived: true,
        ..Filter::default()
    };
    let jobs = jobs::list(&app.pool, &every).await?;
    let jobs = jobs.into_iter().filter(|job| job.account == account);
    let mut assets: Vec<Address> = jobs
        .flat_map(|job| [job.token.address, job.quote.address])
        .collect();
    assets.extend([live.spec.usdc, live.spec.wrapped_native]);
    assets.sort();
    assets.dedup();
    assets.retain(|asset| !asset.is_zero());
    assets.push(NATIVE);
    let (mut found, mut last) = (Vec::new(), None);
    for asset in assets {
        let asset = if asset == NATIVE {
            "native".to_owned()
        } else {
            asset.to_checksum(None)
        };
        let all = WithdrawRequest {
            asset,
            amount: None,
            to: to.to_checksum(None),
            ..request.clone()
        };
        match plan(app, &all).await {
            Ok(_) => found.push(all),
            Err(error @ AppError::Refused(_)) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    match (found.is_empty(), last) {
        (true, Some(error)) => Err(error),
        _ => Ok(found),
    }
}
