//! What jobs spent recently, by wallet.

use alloy_primitives::U256;
use sqlx::PgPool;

use crate::domain::{job::Account, onchain::Asset};
use crate::store::{
    StoreError,
    columns::{address, unsigned, word},
};

/// What the jobs of a wallet spent of an asset, gas included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spending {
    /// The wallet.
    pub account: Account,
    /// What they spent.
    pub asset: Asset,
    /// Base units, less what sales brought back; none if these were more.
    pub spent: Option<U256>,
    /// Within this number of seconds: from the first job on, a day at least and seven days at most.
    pub seconds: u64,
}

/// What was spent in the last seven days.
///
/// # Errors
/// [`StoreError`].
pub async fn recently(pool: &PgPool) -> Result<Vec<Spending>, StoreError> {
    let rows = sqlx::query!(
        r#"WITH moved AS (
               SELECT j.realm, j.chain, j.wallet,
                      CASE j.quote_address WHEN '0x0000000000000000000000000000000000000000' THEN 'native'
                           ELSE j.quote_address::text END AS asset,
                      CASE WHEN (f.side = 'BUY') = (f.kind = 'fill') THEN f.quote_amount ELSE -f.quote_amount END AS units
               FROM fills f JOIN jobs j ON j.id = f.job_id WHERE f.filled_at > now() - interval '7 days'
               UNION ALL
               SELECT j.realm, j.chain, j.wallet, 'native', g.gas_native
               FROM gas_paid g JOIN trades t ON t.id = g.trade_id JOIN jobs j ON j.id = t.job_id
               WHERE g.mined_at > now() - interval '7 days'
                 AND g.round = (SELECT max(l.round) FROM gas_paid l WHERE l.trade_id = g.trade_id)
           ), since AS (
               SELECT realm, chain, wallet, least(interval '7 days', greatest(interval '1 day', now() - min(created_at))) AS span
               FROM jobs GROUP BY 1, 2, 3
           )
           SELECT m.realm AS "realm!", m.chain AS "chain!", m.wallet::text AS "wallet!", m.asset AS "asset!",
                  sum(m.units)::text AS "spent!", extract(epoch FROM s.span)::bigint AS "seconds!"
           FROM moved m JOIN since s ON (s.realm, s.chain, s.wallet) = (m.realm, m.chain, m.wallet)
           GROUP BY m.realm, m.chain, m.wallet, m.asset, s.span"#
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Spending {
                account: Account {
                    realm: word("jobs.realm", &row.realm)?,
                    chain: row.chain,
                    wallet: address("jobs.wallet", &row.wallet)?,
                },
                asset: word("jobs.quote_address", &row.asset)?,
                // A negative sum is no number of units.
                spent: row.spent.parse().ok().filter(|spent: &U256| !spent.is_zero()),
                seconds: unsigned("jobs.created_at", row.seconds)?,
            })
        })
        .collect()
}
