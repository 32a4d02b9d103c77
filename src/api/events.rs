//! Live updates. One watch asks the database for all clients; a client that cannot keep up is dropped, and resumes from
//! the last id that it got.

use std::{sync::Arc, time::Duration};

use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::app::{
    App, AppError,
    changes::{Change, Place, Watch},
};

/// Pause between two looks for changes.
const EVERY: Duration = Duration::from_millis(500);
/// Changes that a client may be behind.
const BEHIND_MAX: usize = 1_024;

/// A change as it is sent, and the place to resume from.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) place: Place,
    pub(super) change: Change,
}

/// Where changes are published.
#[derive(Debug)]
pub(super) struct Events {
    sender: Sender<Arc<Sent>>,
    pub(super) stop: CancellationToken,
}

impl Events {
    /// Until `stop`.
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self {
            sender: broadcast::channel(BEHIND_MAX).0,
            stop,
        }
    }

    /// Changes from now on; `None`: there are `most` listeners already.
    pub(super) fn subscribe(&self, most: usize) -> Option<Receiver<Arc<Sent>>> {
        (self.sender.receiver_count() < most).then(|| self.sender.subscribe())
    }

    /// Looks for changes until stopped. A database that does not answer delays them.
    pub(super) async fn watch(&self, app: &App) {
        let mut watch = None;
        let mut failed = false;
        while !self.stop.is_cancelled() {
            let looked = match &mut watch {
                None => Watch::begin(app).await.map(|begun| watch = Some(begun)),
                Some(watch) => self.look(app, watch).await,
            };
            if let Err(error) = &looked
                && !failed
            {
                warn!(%error, "live updates of the HTTP API wait for the database");
            }
            failed = looked.is_err();
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    async fn look(&self, app: &App, watch: &mut Watch) -> Result<(), AppError> {
        let changes = watch.look(app).await?;
        let place = watch.place();
        for change in changes {
            // Fails only while nobody listens.
            let _ = self.sender.send(Arc::new(Sent { place, change }));
        }
        Ok(())
    }
}
