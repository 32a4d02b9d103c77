//! What a pending trade must know before it asks anything of the chain: whether it is its turn, and the counter that
//! its nonces come from.

use sqlx::PgPool;

use crate::domain::{ids::TradeId, onchain::AnswerKind};
use crate::store::{
    StoreError,
    columns::{lower, unsigned},
    signers::SignerState,
    turns::{Turn, TurnState},
};

/// Whether the trade may continue now, and the counter of its signer if this database knows that. Takes no lock: the
/// places are counted again when nonces are assigned.
///
/// # Errors
/// [`StoreError`].
pub async fn next(pool: &PgPool, turn: &Turn<'_>) -> Result<(TurnState, Option<SignerState>), StoreError> {
    let row = sqlx::query!(
        r#"SELECT coalesce(first_turn($1, $2, $3) >= $4, true) AND open_transactions($1, $2, $3) < $5 AS "may_go!",
                  EXISTS (SELECT FROM turns WHERE trade_id = $4) AS "waits!",
                  EXISTS (SELECT FROM turns WHERE (realm, chain, wallet) = ($1, $2, $3)) AS "any_waits!",
                  s.next_nonce AS "next_nonce?", s.settlements AS "settlements?", s.halted_reason AS "halted?",
                  (SELECT t.id FROM reservations r JOIN trades t ON t.id = r.trade_id
                   JOIN transactions x ON x.trade_id = t.id
                   CROSS JOIN LATERAL (SELECT answer_kind FROM attempts a WHERE a.transaction_id = x.id
                                       ORDER BY a.id DESC LIMIT 1) AS newest
                   WHERE (r.realm, r.chain, r.wallet) = ($1, $2, $3)
                     AND t.status = 'SUBMITTED' AND newest.answer_kind = $6
                   LIMIT 1) AS unfunded
           FROM (SELECT) AS one LEFT JOIN signers s ON s.realm = $1 AND s.chain = $2 AND s.address = $3"#,
        turn.account.realm.to_string(),
        turn.account.chain,
        lower(turn.account.wallet) as _,
        turn.trade.0,
        turn.pipeline_max,
        AnswerKind::InsufficientFunds.to_string(),
    )
    .fetch_one(pool)
    .await?;
    let state = TurnState {
        may_go: row.may_go,
        waits: row.waits,
        any_waits: row.any_waits,
    };
    let signer = row.next_nonce.zip(row.settlements);
    let signer = signer.map(|(next_nonce, settlements)| {
        Ok::<_, StoreError>(SignerState {
            next_nonce: unsigned("signers.next_nonce", next_nonce)?,
            settlements,
            halted: row.halted,
            unfunded: row.unfunded.map(TradeId),
        })
    });
    Ok((state, signer.transpose()?))
}
