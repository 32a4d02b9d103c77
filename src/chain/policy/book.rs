//! The policy file, reloaded when it changes, and the journal of signatures.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use alloy_primitives::Address;

use super::{
    file::{Entry, Policy},
    journal::{Journal, Spent},
    refusal::{Reason, Refusal},
};
use crate::{
    domain::{Timestamp, router::ExtraRouter},
    trust::{Chosen, trusted},
};

/// Location of the policy.
#[derive(Debug, Clone)]
pub enum Place {
    /// Given explicitly.
    Named(PathBuf),
    /// The machine's file if it exists, otherwise the user's.
    Usual {
        /// The machine's file, in `/etc`.
        machine: PathBuf,
        /// The user's file, in the configuration directory.
        user: PathBuf,
    },
}

/// The machine's policy.
pub const MACHINE_POLICY: &str = "/etc/lgi-mm/policy.toml";

/// Identity of a file when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    path: PathBuf,
    file: (u64, u64, u64),
    times: (i64, i64, i64, i64),
}

type Read = Result<Arc<Policy>, Refusal>;

/// The policy file and the journal of signatures. Changes of the file apply from the next signature.
#[derive(Debug)]
pub struct PolicyBook {
    place: Place,
    journal: Journal,
    read: Mutex<Option<(Stamp, Read)>>,
}

impl PolicyBook {
    /// The policy at `place`, with its journal in the directory `state`. Reads nothing yet.
    #[must_use]
    pub fn new(place: Place, state: PathBuf) -> Self {
        Self {
            place,
            journal: Journal::new(state),
            read: Mutex::default(),
        }
    }

    /// Path of the effective file, whether it exists or not.
    #[must_use]
    pub fn path(&self) -> &Path {
        match &self.place {
            Place::Named(path) => path,
            Place::Usual { machine, .. } if machine.exists() => machine,
            Place::Usual { user, .. } => user,
        }
    }

    fn chosen(&self) -> Chosen {
        match &self.place {
            Place::Usual { user, .. } if self.path() == user => Chosen::Found,
            _ => Chosen::ByName,
        }
    }

    /// The journal of signatures.
    #[must_use]
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The current policy.
    ///
    /// # Errors
    /// [`Reason::NoPolicy`] and [`Reason::Unreadable`], with the fix.
    pub fn policy(&self) -> Result<Arc<Policy>, Refusal> {
        let path = self.path();
        if matches!(path.symlink_metadata(), Err(error) if error.kind() == std::io::ErrorKind::NotFound) {
            let detail = format!(
                "this machine has no policy {}, so nothing is signed with real money",
                path.display()
            );
            return Err(Refusal::new(Reason::NoPolicy, detail));
        }
        let unreadable = |detail: String| Refusal::new(Reason::Unreadable, detail);
        let real = trusted(path, self.chosen()).map_err(|error| unreadable(error.to_string()))?;
        let stamp = stamp(&real).map_err(|error| unreadable(format!("{}: {error}", real.display())))?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, policy)) = read.as_ref()
            && *before == stamp
        {
            return policy.clone();
        }
        let policy = std::fs::read_to_string(&real)
            .map_err(|error| error.to_string())
            .and_then(|text| Policy::read(&text))
            .map(Arc::new)
            .map_err(|error| unreadable(format!("{} is not a policy: {error}", path.display())));
        *read = Some((stamp, policy.clone()));
        policy
    }

    /// Whether the wallet's entry on this chain names a router beyond Uniswap's; without a wallet, whether any does.
    #[must_use]
    pub fn names(&self, chain: &str, wallet: Option<Address>, router: ExtraRouter) -> bool {
        let of = |entry: &&Entry| entry.chain == chain && wallet.is_none_or(|wallet| entry.wallet == wallet);
        self.policy().is_ok_and(|policy| {
            let mut entries = policy.allow.iter().filter(of);
            entries.any(|entry| entry.routers.contains(&router))
        })
    }

    /// What a wallet has spent against its limits.
    ///
    /// # Errors
    /// [`Reason::Journal`].
    pub fn spent(&self, chain: &str, wallet: Address, now: Timestamp) -> Result<Spent, Refusal> {
        self.journal.spent(chain, wallet, now)
    }
}

fn stamp(path: &Path) -> std::io::Result<Stamp> {
    let seen = std::fs::metadata(path)?;
    Ok(Stamp {
        path: path.to_owned(),
        file: (seen.dev(), seen.ino(), seen.len()),
        times: (seen.mtime(), seen.mtime_nsec(), seen.ctime(), seen.ctime_nsec()),
    })
}
