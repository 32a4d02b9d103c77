//! Which bytes get into the pool: the rules a real node has, and its answers.

use alloy_primitives::{Address, B256, U256};
use sqlx::PgConnection;

use super::{
    codec::{Envelope, Swap, pool_address},
    error::{PaperError, read, text, to_i64},
    faults::{Armed, FaultKind},
    mine::{self, LockedWallet},
    settings::{BLOCK_GAS_LIMIT, GAS_INTRINSIC, PaperSettings},
};
use crate::{
    domain::{
        Timestamp,
        onchain::{Fees, Sent},
        units::Amount,
    },
    ports::SendError,
};

/// A well-formed transaction and what it costs to run.
#[derive(Debug)]
pub(super) struct Admissible {
    envelope: Envelope,
    hash: B256,
    /// `None`: a cancel.
    swap: Option<Swap>,
    gas_needed: u64,
    gas_price: u128,
}

impl Admissible {
    /// Everything that can be refused without looking at the sender.
    pub(super) fn check(raw: &[u8], chain: &str, settings: &PaperSettings) -> Result<Self, SendError> {
        let rejected = |why: &str| Err(SendError::Rejected(why.into()));
        let Some((envelope, hash)) = Envelope::decode(raw) else {
            return rejected("failed to decode transaction");
        };
        if envelope.chain != chain {
            return rejected("invalid chain id for signer");
        }
        let (fee, tip) = (envelope.max_fee_per_gas, envelope.max_priority_fee_per_gas);
        if tip > fee {
            return rejected("max priority fee per gas higher than max fee per gas");
        }
        if fee < settings.base_fee() {
            return rejected("max fee per gas less than block base fee");
        }
        if envelope.gas_limit < GAS_INTRINSIC {
            return rejected("intrinsic gas too low");
        }
        if envelope.gas_limit > BLOCK_GAS_LIMIT {
            return rejected("exceeds block gas limit");
        }
        if envelope.value != U256::ZERO {
            return rejected("the paper venue takes no native coin");
        }
        if i64::try_from(envelope.nonce).is_err() {
            return rejected("nonce has max value");
        }
        let swap = match Swap::decode(&envelope.data) {
            None if envelope.to == envelope.sender && envelope.data.is_empty() => None,
            Some(swap) if envelope.to == pool_address() => Some(swap),
            _ => return rejected("neither a swap in the paper pool nor a cancel"),
        };
        if swap.is_some_and(|swap| swap.token_in == swap.token_out || swap.amount_in.is_zero()) {
            return rejected("a swap of nothing, or of a token for itself");
        }
        Ok(Self {
            gas_needed: swap.map_or(GAS_INTRINSIC, |_| settings.gas_units),
            gas_price: settings.gas_price(Fees {
                max_fee_per_gas: fee,
                max_priority_fee_per_gas: tip,
            }),
            envelope,
            hash,
            swap,
        })
    }

    /// The tokens it touches.
    pub(super) fn tokens(&self) -> Vec<Address> {
        self.swap
            .map_or_else(Vec::new, |swap| vec![swap.token_in, swap.token_out])
    }

    /// Everything that depends on the sender; if nothing speaks against it, it is in the pool. One database
    /// transaction of the caller's, committed whatever the answer: mined blocks and used faults stay.
    pub(super) async fn admit(
        &self,
        conn: &mut PgConnection,
        raw: &[u8],
        armed: &Armed<'_>,
        settings: &PaperSettings,
    ) -> Result<Sent, SendError> {
        let envelope = &self.envelope;
        let Some(mut wallet) = mine::lock(conn, &envelope.chain, envelope.sender, false).await? else {
            return Err(SendError::InsufficientFunds);
        };
        wallet.mine(conn).await?;
        if envelope.nonce < wallet.nonce {
            return Err(SendError::NonceTooLow);
        }
        let (rival, native) = self.pooled_rival(conn).await?;
        if rival.as_ref().is_some_and(|rival| rival.hash == self.hash) {
            return Ok(Sent::AlreadyKnown);
        }
        if rival
            .as_ref()
            .is_some_and(|rival| !outbids(self.fees(), rival.fees))
        {
            return Err(SendError::Underpriced);
        }
        if !self.is_affordable(native) {
            return Err(SendError::InsufficientFunds);
        }
        let tokens = self.tokens();
        if armed.strike(conn, FaultKind::Fail, &tokens).await?.is_some() {
            return Err(SendError::Rejected("refused on order".into()));
        }
        if let Some(rival) = rival {
            replace(conn, rival.hash).await?;
        }
        let stuck = armed.strike(conn, FaultKind::Stuck, &tokens).await?.is_some();
        let dropped = armed.strike(conn, FaultKind::Drop, &tokens).await?.is_some();
        let earliest = wallet.clock.next_after(settings.mine_after.after(wallet.now));
        let mine_after = (!stuck).then_some(earliest);
        let status = if dropped { "dropped" } else { "pooled" };
        self.insert(conn, raw, &wallet, status, mine_after).await?;
        Ok(Sent::Accepted)
    }

    fn fees(&self) -> Fees {
        Fees {
            max_fee_per_gas: self.envelope.max_fee_per_gas,
            max_priority_fee_per_gas: self.envelope.max_priority_fee_per_gas,
        }
    }

    /// Whether a sender with this much native coin could pay all the gas it offers.
    fn is_affordable(&self, native: Amount) -> bool {
        let cost =
            U256::from(self.envelope.gas_limit).saturating_mul(U256::from(self.envelope.max_fee_per_gas));
        native.units() >= cost
    }

    /// The pooled transaction that holds the nonce, and the sender's native coin.
    async fn pooled_rival(&self, conn: &mut PgConnection) -> Result<(Option<Rival>, Amount), PaperError> {
        let Envelope {
            chain, sender, nonce, ..
        } = &self.envelope;
        let row = sqlx::query!(
            r#"SELECT t.hash AS "hash?", t.max_fee_per_gas::text AS fee, t.max_priority_fee_per_gas::text AS tip,
                      (SELECT amount::text FROM paper.balances
                       WHERE chain = $1 AND address = $2 AND asset = 'native') AS native
               FROM (SELECT) AS one LEFT JOIN paper.transactions t
                   ON t.chain = $1 AND t.sender = $2 AND t.nonce = $3 AND t.status = 'pooled'"#,
            chain,
            text(*sender),
            to_i64("transactions.nonce", *nonce)?
        )
        .fetch_one(conn)
        .await?;
        let native = row
            .native
            .map(|native| read("balances.amount", &native))
            .transpose()?;
        let rival = match (row.hash, row.fee, row.tip) {
            (Some(hash), Some(fee), Some(tip)) => Some(Rival {
                hash: super::error::hash("transactions.hash", &hash)?,
                fees: Fees {
                    max_fee_per_gas: read("transactions.max_fee_per_gas", &fee)?,
                    max_priority_fee_per_gas: read("transactions.max_priority_fee_per_gas", &tip)?,
                },
            }),
            _ => None,
        };
        Ok((rival, native.unwrap_or(Amount::ZERO)))
    }

    /// Bytes that were replaced or dropped once may come again.
    async fn insert(
        &self,
        conn: &mut PgConnection,
        raw: &[u8],
        wallet: &LockedWallet<'_>,
        status: &str,
        mine_after: Option<Timestamp>,
    ) -> Result<(), PaperError> {
        let Envelope {
            chain,
            sender,
            nonce,
            gas_limit,
            ..
        } = &self.envelope;
        let fees = self.fees();
        let amount = |of: fn(&Swap) -> Amount| self.swap.as_ref().map(|swap| of(swap).to_string());
        sqlx::query!(
            "INSERT INTO paper.transactions (hash, chain, sender, nonce, raw, max_fee_per_gas, max_priority_fee_per_gas,
                 gas_price, gas_limit, gas_needed, kind, token_in, token_out, amount_in, amount_out, amount_out_min,
                 deadline, status, received_at, mine_after)
             VALUES ($1, $2, $3, $4, $5, $6::text::numeric, $7::text::numeric, $8::text::numeric, $9, $10, $11, $12, $13,
                 $14::text::numeric, $15::text::numeric, $16::text::numeric, $17, $18, $19, $20)
             ON CONFLICT (hash) DO UPDATE SET gas_price = EXCLUDED.gas_price, gas_needed = EXCLUDED.gas_needed,
                 status = EXCLUDED.status, received_at = EXCLUDED.received_at, mine_after = EXCLUDED.mine_after",
            self.hash.as_slice(),
            chain,
            text(*sender),
            to_i64("transactions.nonce", *nonce)?,
            raw,
            fees.max_fee_per_gas.to_string(),
            fees.max_priority_fee_per_gas.to_string(),
            self.gas_price.to_string(),
            to_i64("transactions.gas_limit", *gas_limit)?,
            to_i64("transactions.gas_needed", self.gas_needed)?,
            if self.swap.is_some() { "swap" } else { "cancel" },
            self.swap.map(|swap| text(swap.token_in)),
            self.swap.map(|swap| text(swap.token_out)),
            amount(|swap| swap.amount_in),
            amount(|swap| swap.amount_out),
            amount(|swap| swap.amount_out_min),
            self.swap.map(|swap| swap.deadline),
            status,
            wallet.now,
            mine_after,
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// The pooled transaction that holds the nonce.
struct Rival {
    hash: B256,
    fees: Fees,
}

async fn replace(conn: &mut PgConnection, hash: B256) -> Result<(), PaperError> {
    sqlx::query!(
        "UPDATE paper.transactions SET status = 'replaced' WHERE hash = $1",
        hash.as_slice()
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Nodes want both fees at least a tenth higher.
fn outbids(new: Fees, old: Fees) -> bool {
    let tenth_more = |new: u128, old: u128| {
        U256::from(new).saturating_mul(U256::from(10)) >= U256::from(old).saturating_mul(U256::from(11))
    };
    tenth_more(new.max_fee_per_gas, old.max_fee_per_gas)
        && tenth_more(new.max_priority_fee_per_gas, old.max_priority_fee_per_gas)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tenth_more_of_both_fees_replaces() {
        let fees = |fee, tip| Fees {
            max_fee_per_gas: fee,
            max_priority_fee_per_gas: tip,
        };
        for (new, old, replaces) in [
            (fees(110, 11), fees(100, 10), true),
            (fees(109, 11), fees(100, 10), false),
            (fees(110, 10), fees(100, 10), false),
            (fees(100, 10), fees(100, 10), false),
            (fees(12, 2), fees(11, 1), false),
            (fees(13, 2), fees(11, 1), true),
            (fees(u128::MAX, u128::MAX), fees(u128::MAX, u128::MAX), false),
        ] {
            assert_eq!(outbids(new, old), replaces, "{new:?} over {old:?}");
        }
    }
}
