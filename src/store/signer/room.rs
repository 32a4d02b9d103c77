//! What a wallet has left: how many more transactions may be open, and what open trades have not reserved.

use std::collections::HashMap;

use crate::domain::{job::Account, onchain::Asset, units::Amount};
use crate::store::{
    StoreError,
    columns::{amount, lower, word},
};

/// What an asset's holder may spend at most, and what this trade takes of it.
#[derive(Debug, Clone, Copy)]
pub struct Reservation {
    /// The asset.
    pub asset: Asset,
    /// How much this trade may take.
    pub amount: Amount,
    /// What the chain said the wallet holds, less any reserve that is never touched.
    pub spendable: Amount,
}

/// What a wallet's open trades and withdrawals leave for the next one.
#[derive(Debug, Clone, Default)]
pub struct Room {
    /// Why the signer must not be used.
    pub halted: Option<String>,
    /// How many of its transactions are open.
    pub open: i64,
    /// What they may still take out of the wallet, by asset.
    pub reserved: HashMap<Asset, Amount>,
}

impl Room {
    /// An asset of which too little is left on top of what is reserved already.
    #[must_use]
    pub fn lacks(&self, reservations: &[Reservation]) -> Option<Asset> {
        let short = reservations.iter().find(|wish| {
            let taken = self.reserved.get(&wish.asset).copied().unwrap_or_default();
            wish.spendable.saturating_sub(taken) < wish.amount
        });
        short.map(|wish| wish.asset)
    }
}

/// What a wallet's open trades and withdrawals leave for the next one.
///
/// # Errors
/// [`StoreError`].
pub async fn room<'e>(executor: impl sqlx::PgExecutor<'e>, account: &Account) -> Result<Room, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT asset AS "asset?", sum(amount)::text AS "amount?", open AS "open!", halted AS "halted?" FROM (
               SELECT open_transactions($1, $2, $3) AS open,
                      (SELECT halted_reason FROM signers WHERE realm = $1 AND chain = $2 AND address = $3) AS halted
           ) AS signer LEFT JOIN (
               SELECT asset, amount FROM reservations WHERE realm = $1 AND chain = $2 AND wallet = $3
               UNION ALL
               SELECT u.asset, u.amount FROM withdrawals w, LATERAL (VALUES (w.asset, w.amount), ('native', w.gas_max)) AS u (asset, amount)
               WHERE w.realm = $1 AND w.chain = $2 AND w.wallet = $3 AND w.status = 'SUBMITTED'
           ) AS taken ON true GROUP BY asset, open, halted"#,
        account.realm.to_string(),
        account.chain,
        lower(account.wallet) as _,
    )
    .fetch_all(executor)
    .await?;
    let mut room = Room::default();
    for row in rows {
        (room.open, room.halted) = (row.open, row.halted);
        if let (Some(asset), Some(sum)) = (row.asset, row.amount) {
            let asset = word("reservations.asset", &asset)?;
            room.reserved.insert(asset, amount("reservations.amount", &sum)?);
        }
    }
    Ok(room)
}
