//! Which bytes get into the pool: the rules a real node has, and its answers.

use std::{collections::HashMap, sync::Arc};

use alloy_primitives::{Address, B256, Bytes, U256};
use sqlx::PgConnection;

use super::{
    codec::{Envelope, Swap, pool_address},
    error::{PaperError, read, text, texts, to_i64},
    faults::{Armed, FaultKind},
    lock::{LockedWallet, lock},
    mine,
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

    /// What a node answers that knows this of the sender.
    fn answer(&self, wallet: &LockedWallet, standing: &Standing) -> Result<Sent, SendError> {
        if self.envelope.nonce < wallet.nonce {
            return Err(SendError::NonceTooLow);
        }
        match &standing.rival {
            Some(rival) if rival.hash == self.hash => return Ok(Sent::AlreadyKnown),
            Some(rival) if !outbids(self.fees(), rival.fees) => return Err(SendError::Underpriced),
            _ => {}
        }
        if !self.is_affordable(standing.native) {
            return Err(SendError::InsufficientFunds);
        }
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
}

/// The pooled transaction that holds the nonce.
struct Rival {
    hash: B256,
    fees: Fees,
}

/// Bytes that are well formed, and what they ask for.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) admissible: Admissible,
    pub(super) raw: Bytes,
}

impl Sending {
    pub(super) const fn sender(&self) -> Address {
        self.admissible.envelope.sender
    }
}

/// Everything that depends on the senders, each of another wallet; if nothing speaks against one, it is in the pool.
/// One database transaction of the caller's, committed whatever the answers: mined blocks and used faults stay.
pub(super) async fn admit(
    conn: &mut PgConnection,
    chain: &str,
    sendings: &[Arc<Sending>],
    armed: &Armed<'_>,
    settings: &PaperSettings,
) -> Result<Vec<Result<Sent, SendError>>, PaperError> {
    let senders: Vec<Address> = sendings.iter().map(|sending| sending.sender()).collect();
    let mut wallets = lock(conn, chain, &senders, false).await?;
    mine::mine(conn, chain, &mut wallets).await?;
    let wallets: HashMap<Address, LockedWallet> = wallets
        .into_iter()
        .map(|wallet| (wallet.address, wallet))
        .collect();
    let mut standing = standing(conn, chain, sendings).await?;
    let mut answers = Vec::with_capacity(sendings.len());
    let mut taken = Vec::new();
    for sending in sendings {
        let sender = sending.sender();
        let standing = standing.remove(&sender).unwrap_or_default();
        let answer = match wallets.get(&sender) {
            None => Err(SendError::InsufficientFunds),
            Some(wallet) => sending.admissible.answer(wallet, &standing),
        };
        let (Ok(Sent::Accepted), Some(wallet)) = (&answer, wallets.get(&sender)) else {
            answers.push(answer);
            continue;
        };
        let tokens = sending.admissible.tokens();
        if armed.strike(conn, FaultKind::Fail, &tokens).await?.is_some() {
            answers.push(Err(SendError::Rejected("refused on order".into())));
            continue;
        }
        let stuck = armed.strike(conn, FaultKind::Stuck, &tokens).await?.is_some();
        let dropped = armed.strike(conn, FaultKind::Drop, &tokens).await?.is_some();
        let earliest = wallet.clock.next_after(settings.mine_after.after(wallet.now));
        taken.push(Taken {
            sending,
            replaces: standing.rival.map(|rival| rival.hash),
            status: if dropped { "dropped" } else { "pooled" },
            received_at: wallet.now,
            mine_after: (!stuck).then_some(earliest),
        });
        answers.push(answer);
    }
    replace(conn, &taken).await?;
    insert(conn, chain, &taken).await?;
    Ok(answers)
}

/// What the ledger holds against a transaction.
#[derive(Default)]
struct Standing {
    rival: Option<Rival>,
    /// The sender's native coin.
    native: Amount,
}

/// The pooled transaction that holds the nonce of each, and the sender's native coin.
async fn standing(
    conn: &mut PgConnection,
    chain: &str,
    sendings: &[Arc<Sending>],
) -> Result<HashMap<Address, Standing>, PaperError> {
    let nonces = sendings.iter().map(|sending| nonce_of(sending));
    let nonces: Vec<i64> = nonces.collect::<Result<_, _>>()?;
    let rows = sqlx::query!(
        r#"SELECT s.address AS "address!", t.hash AS "hash?", t.max_fee_per_gas::text AS fee,
                  t.max_priority_fee_per_gas::text AS tip, b.amount::text AS native
           FROM unnest($2::text[], $3::bigint[]) AS s (address, nonce)
           LEFT JOIN paper.transactions t
               ON t.chain = $1 AND t.sender = s.address AND t.nonce = s.nonce AND t.status = 'pooled'
           LEFT JOIN paper.balances b ON b.chain = $1 AND b.address = s.address AND b.asset = 'native'"#,
        chain,
        &texts(sendings.iter().map(|sending| sending.sender())),
        &nonces
    )
    .fetch_all(conn)
    .await?;
    let mut standing = HashMap::new();
    for row in rows {
        let native = row.native.map(|native| read("balances.amount", &native));
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
        let native = native.transpose()?.unwrap_or(Amount::ZERO);
        standing.insert(read("wallets.address", &row.address)?, Standing { rival, native });
    }
    Ok(standing)
}

fn nonce_of(sending: &Sending) -> Result<i64, PaperError> {
    to_i64("transactions.nonce", sending.admissible.envelope.nonce)
}

/// A transaction that gets into the pool, or is forgotten at once.
struct Taken<'a> {
    sending: &'a Sending,
    replaces: Option<B256>,
    status: &'static str,
    received_at: Timestamp,
    mine_after: Option<Timestamp>,
}

/// Takes what holds the nonces out of the pool.
async fn replace(conn: &mut PgConnection, taken: &[Taken<'_>]) -> Result<(), PaperError> {
    let replaced = taken.iter().filter_map(|one| Some(one.replaces?.to_vec()));
    let replaced: Vec<Vec<u8>> = replaced.collect();
    if replaced.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "UPDATE paper.transactions SET status = 'replaced' WHERE hash = ANY ($1)",
        &replaced
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Bytes that were replaced or dropped once may come again.
async fn insert(conn: &mut PgConnection, chain: &str, taken: &[Taken<'_>]) -> Result<(), PaperError> {
    if taken.is_empty() {
        return Ok(());
    }
    let nonces = taken.iter().map(|one| nonce_of(one.sending));
    let nonces: Vec<i64> = nonces.collect::<Result<_, _>>()?;
    let gas = |units: fn(&Admissible) -> u64| {
        let units = taken
            .iter()
            .map(|one| to_i64("transactions.gas", units(&one.sending.admissible)));
        units.collect::<Result<Vec<i64>, _>>()
    };
    let of = |text: fn(&Admissible) -> String| -> Vec<String> {
        taken.iter().map(|one| text(&one.sending.admissible)).collect()
    };
    let swaps = |text: fn(&Swap) -> String| -> Vec<Option<String>> {
        let swaps = taken.iter().map(|one| one.sending.admissible.swap.as_ref());
        swaps.map(|swap| swap.map(text)).collect()
    };
    let deadlines = taken
        .iter()
        .map(|one| one.sending.admissible.swap.map(|swap| swap.deadline));
    sqlx::query!(
        "INSERT INTO paper.transactions (chain, hash, sender, nonce, raw, max_fee_per_gas, max_priority_fee_per_gas,
             gas_price, gas_limit, gas_needed, kind, token_in, token_out, amount_in, amount_out, amount_out_min, deadline,
             status, received_at, mine_after)
         SELECT $1, hash, sender, nonce, raw, fee::numeric, tip::numeric, price::numeric, gas_limit, gas_needed,
             CASE WHEN token_in IS NULL THEN 'cancel' ELSE 'swap' END, token_in, token_out, amount_in::numeric,
             amount_out::numeric, amount_out_min::numeric, deadline, status, received_at, mine_after
         FROM unnest($2::bytea[], $3::text[], $4::bigint[], $5::bytea[], $6::text[], $7::text[], $8::text[], $9::bigint[],
                 $10::bigint[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::timestamptz[],
                 $17::text[], $18::timestamptz[], $19::timestamptz[])
             AS u (hash, sender, nonce, raw, fee, tip, price, gas_limit, gas_needed, token_in, token_out, amount_in,
                   amount_out, amount_out_min, deadline, status, received_at, mine_after)
         ON CONFLICT (hash) DO UPDATE SET gas_price = EXCLUDED.gas_price, gas_needed = EXCLUDED.gas_needed,
             status = EXCLUDED.status, received_at = EXCLUDED.received_at, mine_after = EXCLUDED.mine_after",
        chain,
        &taken.iter().map(|one| one.sending.admissible.hash.to_vec()).collect::<Vec<_>>(),
        &of(|one| text(one.envelope.sender)),
        &nonces,
        &taken.iter().map(|one| one.sending.raw.to_vec()).collect::<Vec<_>>(),
        &of(|one| one.envelope.max_fee_per_gas.to_string()),
        &of(|one| one.envelope.max_priority_fee_per_gas.to_string()),
        &of(|one| one.gas_price.to_string()),
        &gas(|one| one.envelope.gas_limit)?,
        &gas(|one| one.gas_needed)?,
        &swaps(|swap| text(swap.token_in)) as &[Option<String>],
        &swaps(|swap| text(swap.token_out)) as &[Option<String>],
        &swaps(|swap| swap.amount_in.to_string()) as &[Option<String>],
        &swaps(|swap| swap.amount_out.to_string()) as &[Option<String>],
        &swaps(|swap| swap.amount_out_min.to_string()) as &[Option<String>],
        &deadlines.collect::<Vec<_>>() as &[Option<Timestamp>],
        &taken.iter().map(|one| one.status.to_owned()).collect::<Vec<_>>(),
        &taken.iter().map(|one| one.received_at).collect::<Vec<_>>(),
        &taken.iter().map(|one| one.mine_after).collect::<Vec<_>>() as &[Option<Timestamp>],
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
