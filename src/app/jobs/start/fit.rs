//! Whether a new member fits to its basket.

use crate::{
    app::{App, AppError},
    domain::{
        basket::{Member, misfit},
        job::JobStatus,
    },
    store::{self, jobs::NewJob, members},
};

/// Refuses a new member that does not fit to those of its basket, and to those that are to be started with it.
pub(super) async fn require_fit(app: &App, new: &NewJob, siblings: &[Member]) -> Result<(), AppError> {
    let Some(rules) = new.config.rules.basket() else {
        return Ok(());
    };
    let mut connection = app.pool.acquire().await?;
    let there = members::named(&mut connection, new.account.realm, &rules.name).await?;
    let there = there.into_iter().map(|seat| seat.member);
    let others: Vec<Member> = there.chain(siblings.iter().cloned()).collect();
    let now = store::now(&app.pool).await?;
    match misfit(&member(new), &others, now) {
        Some(found) => Err(AppError::Refused(found.to_string())),
        None => Ok(()),
    }
}

pub(super) fn member(new: &NewJob) -> Member {
    Member {
        name: format!("the new job of {}", new.token.symbol),
        account: new.account.clone(),
        quote: new.quote.clone(),
        status: JobStatus::Running,
        config: new.config.clone(),
    }
}
