//! What `doctor` sees of the way to the database, and of the role that it is used with.

use super::{Check, Verdict};
use crate::{
    cli::{App, AppError},
    config::{Guard, Settings, guard},
    store::schema,
};

pub(super) async fn examine(settings: &Settings, world: &App) -> Result<Vec<Check>, AppError> {
    let mut checks = vec![connection(settings, &world.url)];
    // The private server is nobody else's.
    if world.server.is_none() {
        checks.push(role(world).await?);
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
    let (seen, mend) = if settings.database.insecure {
        (
            format!("sslmode = {mode}, allowed by database.insecure = true"),
            "right only where nobody else can reach the network between; otherwise sslmode=verify-full in DATABASE_URL, \
             and database.insecure = false",
        )
    } else {
        (
            format!("sslmode = {mode}: others on the way can read and change it"),
            "set sslmode=verify-full in DATABASE_URL; live trading is refused without it",
        )
    };
    Check::bad(Verdict::Warn, what, seen, mend)
}

async fn role(world: &App) -> Result<Check, AppError> {
    let (name, is_super) = schema::role(&world.pool).await?;
    Ok(if is_super {
        Check::bad(
            Verdict::Warn,
            "database role",
            format!("{name}, a superuser"),
            "whoever has its password has the server; give each kind of process a role of its own: docs/scale-out.md",
        )
    } else {
        Check::ok("database role", name)
    })
}
