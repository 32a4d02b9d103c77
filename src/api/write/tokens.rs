//! Tokens of the API are created and revoked.

use axum::{extract::State, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{jobs::Nothing, once::Write};
use crate::{
    api::{extract::At, problem::Problem, state::Shared},
    app::tokens::{self, Issued, NewToken, TokenLine},
    domain::{role::Role, span::Span},
};

/// A token to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Token {
    /// 1 to 40 of a-z, 0-9, dot, dash and underscore
    name: String,
    /// viewer, operator or owner
    #[schema(value_type = String)]
    role: Role,
    /// How long it is valid, 1m to 366d
    #[schema(value_type = String)]
    expires: Span,
    /// What the answer before said
    confirm: Option<String>,
}

/// A new token. A repetition of the request has no text of it.
#[derive(Debug, Serialize)]
struct Kept {
    #[serde(flatten)]
    line: TokenLine,
    secret: Option<&'static str>,
}

/// Creates a token; a second request confirms it. Its text is in this answer alone: one that is sent again with its key
/// has none, for the server keeps no text of a token.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "installation", request_body = Token,
    extensions(("x-role" = json!("owner"))),
    responses((status = 200, description = "The token, with its text", body = ref("#/components/schemas/token-new"))))]
pub(in crate::api) async fn create(
    State(api): State<Shared>,
    write: Write<Token>,
) -> Result<Response, Problem> {
    let (body, order) = write.split();
    let new = NewToken {
        name: body.name,
        role: body.role,
        lasts: body.expires,
    };
    new.check()?;
    let (app, asked) = (api.clone(), order.clone());
    let work = async move {
        let would = format!(
            "create a token called {}: its holder may do what role {} may, for {}",
            new.name, new.role, new.lasts
        );
        asked.confirmed(&would, vec![], body.confirm.as_deref())?;
        Ok(tokens::create(&app.app, &new, &asked.actor()).await?)
    };
    let kept = |issued: &Issued| Kept {
        line: issued.line.clone(),
        secret: None,
    };
    order.once_as(&api, work, kept).await
}

/// Revokes a token, a link or a session: the next request with it is refused.
#[utoipa::path(post, path = "/api/v1/tokens/{name}/revoke", tag = "installation", params(("name" = String, Path)),
    request_body = Nothing, extensions(("x-role" = json!("owner"))),
    responses((status = 200, description = "The token", body = ref("#/components/schemas/token-revoke"))))]
pub(in crate::api) async fn revoke(
    State(api): State<Shared>,
    At(name): At<String>,
    write: Write<Nothing>,
) -> Result<Response, Problem> {
    let (_, order) = write.split();
    let (app, actor) = (api.clone(), order.actor());
    let work = async move { Ok(tokens::revoke(&app.app, &name, &actor).await?) };
    order.once(&api, work).await
}
