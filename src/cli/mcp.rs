//! `mcp`: tools for agents, over standard input and output.

use clap::Args;

use super::target::user;
use crate::{
    app::AppError,
    config::Settings,
    mcp::{self, Allowed},
};

#[derive(Debug, Args)]
pub(super) struct McpArgs {
    /// What the agent may do besides reading: pause, and of paper jobs resume and tick; several with commas
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_parser = allowed)]
    allow: Vec<Allowed>,
}

fn allowed(text: &str) -> Result<Allowed, String> {
    text.trim()
        .to_ascii_lowercase()
        .parse()
        .map_err(|_| "must be pause, resume or tick; an agent may do nothing else".to_owned())
}

pub(super) async fn run(settings: &Settings, args: &McpArgs) -> Result<(), AppError> {
    mcp::serve(settings, args.allow.iter().copied().collect(), &user()).await
}
