//! How many connections to the database a service may open, and what each part of it gets.
//!
//! A pooler lets a client wait for a server connection without an answer, and a pool that may grow further waits for
//! one instead of using those that it has. So a service looks at start how many it can have, uses no more, and says if
//! they are fewer than the settings ask for.

use std::time::{Duration, Instant};

use tracing::warn;

use crate::{config::Settings, store::session::Sessions};

/// Without them nobody could stop a job: commands that reach the paper venue have two.
const FOR_A_COMMAND: u32 = 2;

/// Left free for further commands and for pruning, where not all that the settings ask for are served.
const KEPT_FREE: u32 = 2;

/// Before connections are counted again, where too few were served.
const PAUSE: Duration = Duration::from_secs(1);

/// A long-running process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Kind {
    /// Claims slots and delivers messages.
    Scheduler,
    /// Evaluates slots and settles trades.
    Worker,
    /// Both in one.
    Daemon,
}

/// Connections of the HTTP API and of a chat in a daemon: to the ledger, and those of one request to the paper venue.
pub(super) const FACE: Shares = Shares { work: 4, paper: 2 };

/// The largest sizes of a process's pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// For the ledger and the queue.
    pub work: u32,
    /// For the paper venue, which is an external ledger.
    pub paper: u32,
}

/// A service cannot run with so few.
#[derive(Debug, thiserror::Error)]
#[error(
    "{served} connections to the database are served, and a {kind} needs at least {least} ({most} with the present \
     database.pool_max); raise the pooler's pool (pgbouncer: default_pool_size, max_client_conn), max_connections, or the \
     CONNECTION LIMIT of the role or database; docs/scale-out.md says what they are for"
)]
pub struct TooFew {
    kind: Kind,
    /// At the same time.
    served: u32,
    /// The fewest it runs with.
    least: u32,
    /// The most it opens.
    most: u32,
}

/// Why connections cannot be divided.
#[derive(Debug, thiserror::Error)]
pub(super) enum SharesError {
    #[error(transparent)]
    TooFew(TooFew),
    #[error(transparent)]
    Refused(#[from] sqlx::Error),
}

/// Connections of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Need {
    /// Of the parts that have their own, whatever the load.
    fixed: u32,
    pools: Shares,
}

impl Need {
    const fn total(self) -> u32 {
        self.fixed
            .saturating_add(self.pools.work)
            .saturating_add(self.pools.paper)
    }
}

impl Shares {
    /// As the settings have it.
    pub const fn of(settings: &Settings) -> Self {
        Self {
            work: settings.database.pool_max,
            paper: settings.database.pool_max,
        }
    }
}

impl Kind {
    /// Those of the HTTP API and of a chat, which share them, and the one that holds the chat's lock.
    fn of_face(self, settings: &Settings) -> u32 {
        match self {
            Self::Daemon if settings.notify.chat_receiver().is_some() => FACE.work + FACE.paper + 1,
            Self::Daemon if settings.api_address().is_some() => FACE.work + FACE.paper,
            _ => 0,
        }
    }

    const fn works(self) -> bool {
        matches!(self, Self::Worker | Self::Daemon)
    }

    /// Parts that have connections of their own, whatever the load: readiness, the census; two listeners and the
    /// heartbeats of the queues.
    const fn fixed(self) -> u32 {
        2 + if self.works() { 3 } else { 0 }
    }

    /// With less it does not run: a command must find a connection, too. The work has a listener, one for events if
    /// there are receivers, and two that are free for statements; no caller of the paper venue holds one and waits for
    /// another.
    fn least(self, settings: &Settings) -> Need {
        let schedules = self != Self::Worker;
        let notifies = schedules && settings.notify.deliver && !settings.notify.receivers().is_empty();
        Need {
            fixed: self.fixed() + self.of_face(settings) + FOR_A_COMMAND,
            pools: Shares {
                work: 2 + u32::from(schedules) + u32::from(notifies),
                paper: u32::from(self.works()),
            },
        }
    }

    /// What it may open: the pools grow with the load, and pruning has one while it runs.
    fn most(self, settings: &Settings) -> Need {
        let pools = Shares::of(settings);
        Need {
            fixed: self.fixed() + self.of_face(settings) + 1,
            pools: Shares {
                paper: if self.works() { pools.paper } else { 0 },
                ..pools
            },
        }
    }

    /// Divides `served` connections; `None` if they are too few.
    fn divide(self, served: u32, settings: &Settings) -> Option<Shares> {
        let (least, most) = (self.least(settings), self.most(settings));
        if served >= most.total() {
            return Some(most.pools);
        }
        let spare = served.checked_sub(least.total())?.saturating_sub(KEPT_FREE);
        let paper = spare / 3 * u32::from(self.works());
        Some(Shares {
            work: (least.pools.work + spare - paper).min(most.pools.work),
            paper: (least.pools.paper + paper).min(most.pools.paper),
        })
    }
}

/// Counts the connections that are served to a service, and divides them. Waits for `database.connect_timeout` where
/// they are too few: a process that ends may hold them.
///
/// # Errors
/// [`SharesError`].
pub(super) async fn shares(
    kind: Kind,
    sessions: &Sessions,
    settings: &Settings,
) -> Result<Shares, SharesError> {
    let (least, most) = (kind.least(settings).total(), kind.most(settings).total());
    let begun = Instant::now();
    loop {
        let room = sessions.room(most).await?;
        let served = room.now;
        if served >= least
            && let Some(shares) = kind.divide(room.ever, settings)
        {
            if room.ever < most {
                warn!(
                    served = room.ever,
                    wanted = most,
                    work = shares.work,
                    paper = shares.paper,
                    "the server or its pooler serves fewer connections than database.pool_max asks for: this process uses \
                     fewer, and is slower under load; docs/scale-out.md says what they are for"
                );
            }
            return Ok(shares);
        }
        if begun.elapsed() >= settings.database.connect_timeout.std() {
            return Err(SharesError::TooFew(TooFew {
                kind,
                served,
                least,
                most,
            }));
        }
        warn!(
            served,
            least, "too few connections to the database are served; waiting for more"
        );
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_connections_is_divided_within_itself_or_refused() {
        let (alone, mut serving) = (Settings::default(), Settings::default());
        serving.api.listen = "127.0.0.1:9465".to_owned();
        for (kind, settings, least, most) in [
            (Kind::Scheduler, &alone, 7, 23),
            (Kind::Worker, &alone, 10, 46),
            (Kind::Daemon, &alone, 11, 46),
            (Kind::Scheduler, &serving, 7, 23),
            (Kind::Worker, &serving, 10, 46),
            (Kind::Daemon, &serving, 17, 52),
        ] {
            assert_eq!(kind.least(settings).total(), least, "{kind}");
            assert_eq!(kind.most(settings).total(), most, "{kind}");
            for served in 0..60 {
                let Some(shares) = kind.divide(served, settings) else {
                    assert!(served < least, "{kind} {served}");
                    continue;
                };
                assert!(served >= least, "{kind} {served}");
                let pools = kind.least(settings).pools;
                assert!(
                    shares.work >= pools.work && shares.paper >= pools.paper,
                    "{kind} {served}: {shares:?}"
                );
                let paper = if kind.works() { shares.paper } else { 0 };
                let used = kind.fixed() + kind.of_face(settings) + shares.work + paper;
                assert!(used <= served, "{kind} {served}: {shares:?}");
                if served < most {
                    let left = served - used;
                    assert!(
                        left >= FOR_A_COMMAND + KEPT_FREE.min(served - least),
                        "{kind} {served}: {shares:?}"
                    );
                }
            }
        }
    }
}
