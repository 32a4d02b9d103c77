//! Receipts and transactions of a node, and the transfers that logs prove.

use alloy_primitives::{Address, B256, Bytes, Keccak256, U64, U128, U256, b256};
use serde::Deserialize;

use crate::domain::{
    Timestamp,
    onchain::{Receipt, Transfer},
    pool::NATIVE,
    units::Amount,
};

/// `Transfer(address,address,uint256)`.
const TRANSFER: B256 = b256!("0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
/// `Withdrawal(address,uint256)` of WETH9.
const WITHDRAWAL: B256 = b256!("0x7fcf532c15f0a6db0bd6d0e038bea71d30d808c7d98cb3bf7268a95bf5081b65");

/// `eth_getTransactionReceipt`: the fields about money.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawReceipt {
    pub(super) transaction_hash: B256,
    status: U64,
    pub(super) block_number: U64,
    pub(super) block_hash: B256,
    gas_used: U128,
    effective_gas_price: U128,
    pub(super) from: Address,
    pub(super) to: Option<Address>,
    logs: Vec<Log>,
    /// Data fee of an OP-stack chain.
    l1_fee: Option<U256>,
}

/// A log, also of a simulated call.
#[derive(Debug, Deserialize)]
pub(super) struct Log {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
}

/// `eth_getTransactionByHash`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawTransaction {
    pub(super) hash: B256,
    pub(super) from: Address,
    pub(super) to: Option<Address>,
    pub(super) nonce: U64,
    pub(super) value: U256,
    pub(super) block_number: Option<U64>,
}

/// A block header.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawBlock {
    pub(super) number: U64,
    pub(super) hash: B256,
    pub(super) timestamp: U64,
    pub(super) base_fee_per_gas: Option<U128>,
}

impl RawBlock {
    pub(super) fn time(&self) -> Option<Timestamp> {
        Timestamp::from_timestamp(i64::try_from(self.timestamp.to::<u64>()).ok()?, 0)
    }
}

impl RawReceipt {
    /// One hash over the address, topics and data of all logs, in order.
    pub(super) fn logs_digest(&self) -> B256 {
        let mut hasher = Keccak256::new();
        for log in &self.logs {
            hasher.update(log.address);
            // Lengths are hashed, so that logs cut at other places differ.
            hasher.update(U64::from(log.topics.len()).to_be_bytes::<8>());
            for topic in &log.topics {
                hasher.update(topic);
            }
            hasher.update(U64::from(log.data.len()).to_be_bytes::<8>());
            hasher.update(&log.data);
        }
        hasher.finalize()
    }

    /// Converts to the ledger's form; `None` if a number is out of range.
    pub(super) fn read(
        &self,
        transaction: &RawTransaction,
        block_time: Timestamp,
        wrapped_native: Address,
    ) -> Option<Receipt> {
        let success = self.status == U64::from(1);
        let gas = U256::from(self.gas_used).checked_mul(U256::from(self.effective_gas_price))?;
        let mut transfers = Vec::new();
        if success {
            transfers.extend(self.native(transaction, wrapped_native));
            transfers.extend(self.logs.iter().filter_map(Log::transfer));
        }
        Some(Receipt {
            success,
            block_number: self.block_number.to(),
            block_hash: self.block_hash,
            block_time,
            gas_native: Amount::new(gas.checked_add(self.l1_fee.unwrap_or_default())?),
            transfers,
        })
    }

    fn native(&self, transaction: &RawTransaction, wrapped_native: Address) -> Vec<Transfer> {
        match self.to {
            Some(to) => native_transfers(self.from, to, transaction.value, &self.logs, wrapped_native),
            None => vec![],
        }
    }
}

/// The wrapped coin that the wallet gained, by the wrapping contract's own logs.
fn wrapped_to(wallet: Address, logs: &[Log], wrapped_native: Address) -> Option<Amount> {
    let moved = logs
        .iter()
        .filter(|log| log.address == wrapped_native)
        .filter_map(Log::transfer);
    let (mut came, mut went) = (Amount::ZERO, Amount::ZERO);
    for Transfer { from, to, amount, .. } in moved {
        if to == wallet {
            came = came.checked_add(amount).ok()?;
        }
        if from == wallet {
            went = went.checked_add(amount).ok()?;
        }
    }
    Some(came.saturating_sub(went)).filter(|gained| !gained.is_zero())
}

/// Native transfers that a call proves: the attached value, and the router's last unwrap. Our calldata ends with one
/// unwrap to the caller. An earlier one, for example by a token that calls the router during its transfer, may go to
/// any address and is not counted.
pub(super) fn native_transfers(
    caller: Address,
    router: Address,
    value: U256,
    logs: &[Log],
    wrapped_native: Address,
) -> Vec<Transfer> {
    let mut moved = Vec::new();
    if !value.is_zero() {
        moved.push(Transfer {
            token: NATIVE,
            from: caller,
            to: router,
            amount: Amount::new(value),
        });
    }
    let unwrapped = logs.iter().filter(|log| log.address == wrapped_native);
    let mut unwrapped = unwrapped.filter_map(|log| match log.topics.as_slice() {
        [WITHDRAWAL, source] if Address::from_word(*source) == router => log.amount(),
        _ => None,
    });
    let paid = unwrapped.next_back();
    // A wallet whose code refuses coins is paid in the wrapped form: nothing is unwrapped, and that counts as the coin.
    let paid = match paid {
        None if value.is_zero() => wrapped_to(caller, logs, wrapped_native),
        paid => paid,
    };
    moved.extend(paid.map(|amount| Transfer {
        token: NATIVE,
        from: router,
        to: caller,
        amount,
    }));
    moved
}

impl Log {
    /// The ERC-20 transfer in this log. An NFT transfer has its id in a topic and is ignored.
    pub(super) fn transfer(&self) -> Option<Transfer> {
        match self.topics.as_slice() {
            [TRANSFER, from, to] => Some(Transfer {
                token: self.address,
                from: Address::from_word(*from),
                to: Address::from_word(*to),
                amount: self.amount()?,
            }),
            _ => None,
        }
    }

    fn amount(&self) -> Option<Amount> {
        (self.data.len() == 32).then(|| Amount::new(U256::from_be_slice(&self.data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token that is sold calls the router's unwrap during its transfer.
    #[test]
    fn only_the_last_unwrapping_of_the_router_is_what_our_calldata_made() {
        let [wallet, router, other, wrapped] = [1, 2, 3, 4].map(Address::repeat_byte);
        let unwrapping = |of: Address, contract: Address, amount: u64| Log {
            address: contract,
            topics: vec![WITHDRAWAL, of.into_word()],
            data: U256::from(amount).to_be_bytes_vec().into(),
        };
        let logs = [
            unwrapping(router, wrapped, 900),
            unwrapping(router, wrapped, 70),
            unwrapping(other, wrapped, 5_000),
            unwrapping(router, other, 6_000),
        ];
        let moved = native_transfers(wallet, router, U256::ZERO, &logs, wrapped);
        let amounts: Vec<_> = moved.iter().map(|moved| (moved.to, moved.amount)).collect();
        assert_eq!(amounts, [(wallet, Amount::new(U256::from(70)))]);
        assert!(native_transfers(wallet, router, U256::ZERO, &logs[2..], wrapped).is_empty());
    }
}
