//! The view of a job that was made just now.

use super::{
    placing,
    started::{Pair, Started, Step, What},
};
use crate::{
    app::message::Message,
    domain::{
        ids::JobId,
        job::{JobStatus, Realm},
    },
    store::jobs::NewJob,
};

/// The view of a job that was made just now.
pub(super) fn new_one(job: JobId, new: &NewJob, assumed: Vec<Message>) -> Started {
    let live = new.account.realm == Realm::Live;
    Started {
        job,
        token: new.token.address,
        what: What {
            step: Step::Created(new.mode),
            live: live.then(|| Pair::new(&new.account, &new.token, &new.quote)),
        },
        symbol: new.token.symbol.clone(),
        chain: new.account.chain.clone(),
        realm: new.account.realm,
        mode: new.mode,
        status: JobStatus::Running,
        assumed: [placing::terms(new)].into_iter().chain(assumed).collect(),
        costs: None,
        policy: None,
    }
}
