//! How agents read fields and advice of the application's messages: as their tools, or as what the owner does.

use crate::{
    app::{
        AppError,
        message::{Advice, Field, Wording},
    },
    commands::on_the_machine,
};

/// Tools of an agent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tools;

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
            Advice::Set(assignment) => {
                return format!("{assignment} in the job's configuration, which its owner sets");
            }
            // What each of these says is in the snapshot `remedies`.
            _ => return format!("{} (for the owner)", on_the_machine(advice)),
        };
        format!("`{tool}`")
    }
}

/// The text of an error.
pub(super) fn described(error: &AppError) -> String {
    error.rendered(&Tools)
}
