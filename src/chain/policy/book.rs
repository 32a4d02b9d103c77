//! The policy file, read again whenever it changed, and the journal of what was signed under it.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use alloy_primitives::Address;

use super::{
    file::Policy,
    journal::{Journal, Spent},
    refusal::{Reason, Refusal},
};
use crate::{
    domain::Timestamp,
    trust::{Chosen, trusted},
};

/// Where the policy is looked for.
#[derive(Debug, Clone)]
pub enum Place {
    /// A person named it.
    Named(PathBuf),
    /// The machine's, if it is there, else the user's.
    Usual {
        /// In `/etc`.
        machine: PathBuf,
        /// In the user's own configuration directory.
        user: PathBuf,
    },
}

/// The machine's policy.
pub const MACHINE_POLICY: &str = "/etc/lgi-mm/policy.toml";

/// What a file looked like when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    path: PathBuf,
    file: (u64, u64, u64),
    times: (i64, i64, i64, i64),
}

type Read = Result<Arc<Policy>, Refusal>;

/// The policy file and what was signed under it. Changes of the file count from the next signature on.
#[derive(Debug)]
pub struct PolicyBook {
    place: Place,
    journal: Journal,
    read: Mutex<Option<(Stamp, Read)>>,
}

impl PolicyBook {
    /// The policy at `place`, and the directory `state` that remembers what was signed. Nothing is read yet.
    #[must_use]
    pub fn new(place: Place, state: PathBuf) -> Self {
        Self {
            place,
            journal: Journal::new(state),
            read: Mutex::default(),
        }
    }

    /// Which file counts now, whether it is there or not.
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

    /// What was signed.
    #[must_use]
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The file as it is now.
    ///
    /// # Errors
    /// [`Reason::NoPolicy`] and [`Reason::Unreadable`], with what to do.
    pub fn policy(&self) -> Result<Arc<Policy>, Refusal> {
        let path = self.path();
        if matches!(path.symlink_metadata(), Err(error) if error.kind() == std::io::ErrorKind::NotFound) {
            let detail = format!(
                "this machine has no policy, so nothing is signed with real money: `lgi-mm policy allow` writes {}",
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

    /// What a wallet has spent of its limits.
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
