//! `token new|list|revoke`: who may use the HTTP API.

use clap::{Args, Subcommand, ValueEnum};

use super::{
    out::{Clock, Out, table},
    target::actor,
};
use crate::{
    app::{
        App, AppError,
        tokens::{self, Issued, NewToken, TokenLine},
    },
    config::Settings,
    domain::{Timestamp, role::Role, span::Span, zone::Zone},
};

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Create a token of the HTTP API and print it, once
    New(NewArgs),
    /// List all tokens: what each may do, until when, and when it was last used
    List,
    /// Revoke a token: the next request with it is refused
    Revoke {
        /// The token's name
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// What the token may do
    #[arg(long, value_enum)]
    role: RoleArg,
    /// Its name in lists and in the audit trail: a-z, 0-9, dot, dash and underscore
    #[arg(long)]
    name: String,
    /// How long it is valid, 1m to 366d
    #[arg(long, default_value = "90d", value_name = "SPAN")]
    expires: Span,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum RoleArg {
    /// Read everything
    Viewer,
    /// Also pause, resume and tick, and run backtests
    Operator,
    /// Also start, edit, sell, and give back or take in tokens
    Owner,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Viewer => Self::Viewer,
            RoleArg::Operator => Self::Operator,
            RoleArg::Owner => Self::Owner,
        }
    }
}

pub(super) async fn run(settings: &Settings, out: Out, command: &TokenCommand) -> Result<(), AppError> {
    match command {
        TokenCommand::New(args) => {
            let new = NewToken {
                name: args.name.clone(),
                role: args.role.into(),
                lasts: args.expires,
            };
            new.check()?;
            let app = App::open(settings).await?;
            out.show(&tokens::create(&app, &new, &actor()).await?, issued)
        }
        TokenCommand::List => {
            let app = App::read(settings).await?;
            out.show(&tokens::list(&app).await?, |lines| listed(lines))
        }
        TokenCommand::Revoke { name } => {
            let app = App::open(settings).await?;
            out.show(&tokens::revoke(&app, name, &actor()).await?, |line| {
                format!("token {} ({}) is revoked", line.name, line.role)
            })
        }
    }
}

fn issued(issued: &Issued) -> String {
    let TokenLine {
        name,
        role,
        expires_at,
        ..
    } = &issued.line;
    format!(
        "{}\ntoken {name} ({role}), valid until {}; it is not shown again\n",
        issued.secret.0,
        time(*expires_at)
    )
}

fn listed(lines: &[TokenLine]) -> String {
    if lines.is_empty() {
        return "no tokens; `lgi-mm token new --role viewer --name NAME` creates one".to_owned();
    }
    let or_dash = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), time);
    let cells = lines.iter().map(|line| {
        vec![
            line.name.clone(),
            line.kind.to_string(),
            line.role.to_string(),
            line.state.to_string(),
            time(line.created_at),
            time(line.expires_at),
            or_dash(line.last_used_at),
        ]
    });
    table(
        &["name", "kind", "role", "state", "created", "expires", "last used"],
        cells,
    )
}

fn time(at: Timestamp) -> String {
    Clock::of(Zone::UTC, at).full(at)
}
