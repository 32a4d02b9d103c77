//! Live updates. One watch asks the database for all clients, while there are any; a client that cannot keep up gets
//! `reload` and reads everything again.

use std::{sync::Arc, time::Duration};

use tokio::sync::{
    Notify,
    broadcast::{self, Receiver, Sender},
    watch,
};
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
    /// Whether changes from now on are sent.
    watching: watch::Sender<bool>,
    /// Rung by a listener that found nobody watching.
    bell: Notify,
    pub(super) stop: CancellationToken,
}

impl Events {
    /// Until `stop`.
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self {
            sender: broadcast::channel(BEHIND_MAX).0,
            watching: watch::Sender::new(false),
            bell: Notify::new(),
            stop,
        }
    }

    /// Changes from now on; `None`: there are `most` listeners already.
    pub(super) async fn subscribe(&self, most: usize) -> Option<Receiver<Arc<Sent>>> {
        let mut watching = self.watching.subscribe();
        let receiver = {
            // While this is borrowed, the watch does not go to sleep.
            let _awake = self.watching.borrow();
            (self.sender.receiver_count() < most).then(|| self.sender.subscribe())?
        };
        self.bell.notify_one();
        // A database that does not answer delays changes, and no answer.
        let _ = tokio::time::timeout(EVERY, watching.wait_for(|watching| *watching)).await;
        Some(receiver)
    }

    /// Sleeps while nobody listens. Answers whether it did.
    async fn slept(&self) -> bool {
        let mut sleeps = false;
        self.watching.send_if_modified(|watching| {
            sleeps = self.sender.receiver_count() == 0;
            std::mem::replace(watching, *watching && !sleeps) && sleeps
        });
        if sleeps {
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.bell.notified() => {}
            }
        }
        sleeps
    }

    /// Looks for changes until stopped. A database that does not answer delays them.
    pub(super) async fn watch(&self, app: &App) {
        let mut watch = None;
        let mut failed = false;
        while !self.stop.is_cancelled() {
            if self.slept().await {
                watch = None;
                continue;
            }
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
            if watch.is_some() {
                self.watching.send_replace(true);
            }
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
