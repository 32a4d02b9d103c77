//! How the API writes fields and advice of the application's messages: as members of a body or query, and as requests.
//! What has no request here is done on the machine, by the command line.

use crate::{
    app::{
        AppError,
        message::{Advice, Field, Wording},
    },
    commands::on_the_machine,
};

/// The HTTP API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Http;

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
            Advice::AdoptTokens { tokens, cost } => {
                format!("POST /api/v1/jobs/{{job}}/adopt with tokens: \"{tokens}\" and cost: \"{cost}\"")
            }
            Advice::Buy(token) => {
                format!("POST /api/v1/orders with side: \"buy\", token: \"{token}\" and amount")
            }
            Advice::Edit { job, assignment } => {
                let job = job.map_or_else(|| "{job}".to_owned(), |job| job.to_string());
                format!("PATCH /api/v1/jobs/{job}/config with set: [\"{assignment}\"]")
            }
            Advice::FundPaper { .. } => "POST /api/v1/paper/{chain}/fund".to_owned(),
            Advice::ListJobs => "GET /api/v1/jobs".to_owned(),
            Advice::ListKeys => "GET /api/v1/config/keys".to_owned(),
            Advice::ListTokens => "GET /api/v1/tokens".to_owned(),
            Advice::ListTrades => "GET /api/v1/trades".to_owned(),
            Advice::ListWallets => "GET /api/v1/wallets".to_owned(),
            Advice::Pause(job) => format!("POST /api/v1/jobs/{job}/pause"),
            Advice::Remove(job) => format!("DELETE /api/v1/jobs/{job}"),
            Advice::Resume => "POST /api/v1/jobs/{job}/resume".to_owned(),
            Advice::RevokeToken(name) => format!("POST /api/v1/tokens/{name}/revoke"),
            Advice::ShowPolicy => "GET /api/v1/wallets/policy".to_owned(),
            Advice::Start(_) => "POST /api/v1/jobs".to_owned(),
            Advice::Status => "GET /api/v1/jobs/{job}".to_owned(),
            // What each of these says is in the snapshot `remedies`.
            _ => return on_the_machine(advice),
        };
        format!("`{request}`")
    }
}

/// The text of an error.
pub(super) fn described(error: &AppError) -> String {
    error.rendered(&Http)
}
