//! How safe the connection to the database is, and which role it uses.

use super::check::{Check, CheckStatus};
use crate::{
    app::{context::App, error::AppError},
    config::{Guard, Settings, guard},
    store::{
        integrity::{self, Depth},
        refusal::READ_ONLY,
        schema, server,
    },
};

pub(super) async fn examine(settings: &Settings, app: &App) -> Result<Vec<Check>, AppError> {
    let mut checks = vec![
        connection(settings, &app.url),
        writable(app).await?,
        whole(app).await?,
    ];
    // The private server has no other users.
    if app.server.is_none() {
        checks.push(role(app).await?);
    }
    Ok(checks)
}

/// A process with nodes to trade with was refused before it came here, unless `database.insecure` allows it.
fn connection(settings: &Settings, url: &str) -> Check {
    let what = "database connection";
    let mode = match guard(url) {
        Guard::Socket => return Check::ok(what, "Unix socket"),
        Guard::Loopback => return Check::ok(what, "this machine's loopback"),
        Guard::Verified => return Check::ok(what, "TLS, verify-full"),
        Guard::Exposed(mode) => mode,
    };
    let (seen, fix) = if settings.database.insecure {
        (
            format!("sslmode = {mode}, allowed by database.insecure = true"),
            "safe only if the network in between is private; otherwise set sslmode=verify-full in DATABASE_URL, \
             and database.insecure = false",
        )
    } else {
        (
            format!("sslmode = {mode}: an attacker on the network path can read and change it"),
            "set sslmode=verify-full in DATABASE_URL; live trading is refused without it",
        )
    };
    Check::bad(CheckStatus::Warn, what, seen, fix)
}

/// A dump that was restored in part looks like a ledger until something is missing.
pub(super) async fn whole(app: &App) -> Result<Check, AppError> {
    let what = "ledger is whole";
    let missing = integrity::missing(&app.pool, Depth::Full).await?;
    Ok(if missing.is_empty() {
        Check::ok(what, "yes")
    } else {
        let seen = format!("missing: {}", missing.join(", "));
        Check::bad(CheckStatus::Fail, what, seen, integrity::REMEDY)
    })
}

async fn writable(app: &App) -> Result<Check, AppError> {
    let what = "database takes writes";
    Ok(if server::takes_writes(&app.pool).await? {
        Check::ok(what, "yes")
    } else {
        Check::bad(CheckStatus::Fail, what, READ_ONLY.means, READ_ONLY.remedy)
    })
}

async fn role(app: &App) -> Result<Check, AppError> {
    let (name, is_super) = schema::role(&app.pool).await?;
    Ok(if is_super {
        Check::bad(
            CheckStatus::Warn,
            "database role",
            format!("{name}, a superuser"),
            "its password gives full control of the server; give each kind of process a role of its own: docs/scale-out.md",
        )
    } else {
        Check::ok("database role", name)
    })
}
