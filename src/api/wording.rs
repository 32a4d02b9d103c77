//! How the API writes fields and advice of the application's messages: as members of a body or query, and as requests.
//! What has no request here is done on the machine, by the command line.

use crate::app::{
    AppError,
    message::{Advice, Field, Wording},
};

/// The HTTP API.
#[derive(Debug, Clone, Copy)]
pub(super) struct Http;

impl Wording for Http {
    fn field(&self, field: Field) -> String {
        match field {
            // The same thing in every face, by the name that each has for it.
            Field::Key => "Idempotency-Key".to_owned(),
            field => format!("`{field}`"),
        }
    }

    fn advice(&self, advice: &Advice) -> String {
        let request = match advice {
            Advice::Set(assignment) => return format!("`set`: [\"{assignment}\"]"),
            Advice::Edit { job, assignment } => {
                let job = job.map_or_else(|| "{job}".to_owned(), |job| job.to_string());
                format!("PATCH /api/v1/jobs/{job}/config with set: [\"{assignment}\"]")
            }
            Advice::FundPaper { .. } => "POST /api/v1/paper/{chain}/fund".to_owned(),
            Advice::ListJobs => "GET /api/v1/jobs".to_owned(),
            Advice::ListKeys => "GET /api/v1/config/keys".to_owned(),
            Advice::ListTrades => "GET /api/v1/trades".to_owned(),
            Advice::Pause(job) => format!("POST /api/v1/jobs/{job}/pause"),
            Advice::Remove(job) => format!("DELETE /api/v1/jobs/{job}"),
            Advice::Resume => "POST /api/v1/jobs/{job}/resume".to_owned(),
            Advice::Start(_) => "POST /api/v1/jobs".to_owned(),
            Advice::Status => "GET /api/v1/jobs/{job}".to_owned(),
            other => return format!("{} (on the machine, by the command line)", named(other)),
        };
        format!("`{request}`")
    }
}

/// The name of an advice, as words.
fn named(advice: &Advice) -> String {
    advice.to_string().replace('_', " ")
}

/// The text of an error.
pub(super) fn described(error: &AppError) -> String {
    match error {
        AppError::Advised { message, .. } => message.rendered(&Http),
        _ => error.to_string(),
    }
}
