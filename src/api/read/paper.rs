//! The paper wallet.

use axum::{Json, extract::State};

use crate::{
    api::{extract::At, problem::Problem, state::Shared},
    app::paper::{self, PaperBalance},
};

/// Balances of the paper wallet on a chain.
#[utoipa::path(get, path = "/api/v1/paper/{chain}", tag = "paper", params(("chain" = String, Path)),
    extensions(("x-role" = json!("viewer"))),
    responses((status = 200, description = "All balances", body = ref("#/components/schemas/paper-wallet"))))]
pub(in crate::api) async fn wallet(
    State(api): State<Shared>,
    At(chain): At<String>,
) -> Result<Json<Vec<PaperBalance>>, Problem> {
    Ok(Json(paper::wallet(&api.app, &chain).await?.balances))
}
