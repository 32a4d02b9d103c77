//! What every request shares.

use std::sync::Arc;

use super::{
    checks::Checks,
    document::Roles,
    events::Events,
    hosts::Hosts,
    lockout::{Lockout, Valid},
    rates::Rates,
};
use crate::app::{App, backtest::runs::Runs, signals::Signals};

/// The API of one process.
pub(super) struct Api {
    pub(super) app: Arc<App>,
    /// The names that it answers to.
    pub(super) hosts: Hosts,
    /// The name of its cookie. Cookies of one machine are shared by all its ports, so it has the port in it.
    pub(super) cookie: String,
    /// Whether the peer of every connection is a proxy.
    pub(super) behind_proxy: bool,
    /// Whether browsers reach it over TLS: of its own, or of a proxy.
    pub(super) encrypted: bool,
    pub(super) events: Events,
    pub(super) lockout: Lockout,
    /// The last checks of the installation.
    pub(super) checks: Checks,
    /// Backtests of this server.
    pub(super) runs: Runs,
    pub(super) signals: Signals,
    /// What opens it.
    pub(super) valid: Valid,
    pub(super) rates: Rates,
    /// Who may do what.
    pub(super) roles: Roles,
    /// The OpenAPI document, as JSON.
    pub(super) document: String,
}

/// Shared by all requests.
pub(super) type Shared = Arc<Api>;
