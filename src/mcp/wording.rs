//! How agents read fields and advice of the application's messages: as their tools, or as what the owner does.

use crate::app::{
    AppError,
    message::{Advice, Field, Wording},
};

/// Tools of an agent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tools;

impl Wording for Tools {
    fn field(&self, field: Field) -> String {
        format!("`{field}`")
    }

    fn advice(&self, advice: &Advice) -> String {
        let tool = match advice {
            Advice::ListJobs => "list_jobs",
            Advice::ListTrades => "trades",
            Advice::Pause(_) => "pause",
            Advice::Resume => "resume",
            Advice::Status => "job",
            Advice::Set(assignment) => return format!("{assignment} (set by the owner)"),
            other => return format!("{} (done by the owner)", other.to_string().replace('_', " ")),
        };
        format!("`{tool}`")
    }
}

/// The text of an error.
pub(super) fn described(error: &AppError) -> String {
    match error {
        AppError::Advised { message, .. } => message.rendered(&Tools),
        _ => error.to_string(),
    }
}
