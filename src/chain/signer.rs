//! A key, and what it signs: EIP-1559 transactions of one chain, nothing else.

use std::{fmt, sync::Arc};

use alloy::{
    consensus::{SignableTransaction, Transaction, TxEip1559, TxEnvelope, transaction::SignerRecoverable},
    eips::{Decodable2718, Encodable2718},
    signers::{Signer as KeyHolder, local::PrivateKeySigner},
};
use alloy_primitives::{Address, TxKind, keccak256};
use async_trait::async_trait;

use crate::{
    domain::{
        onchain::{Call, SignedTransaction, UnsignedTransaction},
        trade::Purpose,
    },
    ports::{SignError, Signer},
};

/// Signs for one wallet on one chain, with a key in memory or in a key management service. A key in memory is wiped
/// when the last clone is dropped.
#[derive(Clone)]
pub struct LocalSigner {
    key: Arc<dyn KeyHolder + Send + Sync>,
    chain_id: u64,
}

impl LocalSigner {
    /// The signer of `key` on the chain with this id.
    #[must_use]
    pub fn new(key: PrivateKeySigner, chain_id: u64) -> Self {
        Self::with(Arc::new(key), chain_id)
    }

    /// The signer of a key that another service may hold.
    #[must_use]
    pub const fn with(key: Arc<dyn KeyHolder + Send + Sync>, chain_id: u64) -> Self {
        Self { key, chain_id }
    }

    fn error(&self, detail: impl ToString) -> SignError {
        SignError {
            address: self.key.address(),
            detail: detail.to_string(),
        }
    }
}

impl fmt::Debug for LocalSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSigner")
            .field("address", &self.key.address())
            .field("chain_id", &self.chain_id)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Signer for LocalSigner {
    fn address(&self) -> Address {
        self.key.address()
    }

    /// A key in memory signs deterministically (RFC 6979); a key management service may not: then the same transaction
    /// has another hash each time it is signed, and only the one that is recorded is ever sent.
    async fn sign(&self, transaction: &UnsignedTransaction) -> Result<SignedTransaction, SignError> {
        let UnsignedTransaction { call, nonce, fees } = transaction;
        let unsigned = TxEip1559 {
            chain_id: self.chain_id,
            nonce: *nonce,
            gas_limit: call.gas_limit,
            max_fee_per_gas: fees.max_fee_per_gas,
            max_priority_fee_per_gas: fees.max_priority_fee_per_gas.min(fees.max_fee_per_gas),
            to: TxKind::Call(call.to),
            value: call.value,
            access_list: alloy::eips::eip2930::AccessList::default(),
            input: call.data.clone(),
        };
        let signature = self
            .key
            .sign_hash(&unsigned.signature_hash())
            .await
            .map_err(|error| self.error(error))?;
        let envelope = TxEnvelope::from(unsigned.into_signed(signature));
        Ok(SignedTransaction {
            hash: *envelope.tx_hash(),
            raw: envelope.encoded_2718().into(),
        })
    }

    fn call_of(&self, attempt: &SignedTransaction, nonce: u64, purpose: Purpose) -> Result<Call, SignError> {
        let hash = keccak256(&attempt.raw);
        if hash != attempt.hash {
            return Err(self.error(format_args!(
                "the stored bytes of {} have hash {hash}: they were altered",
                attempt.hash
            )));
        }
        let envelope = TxEnvelope::decode_2718_exact(&attempt.raw).map_err(|error| self.error(error))?;
        let sender = envelope.recover_signer().map_err(|error| self.error(error))?;
        if envelope.nonce() != nonce {
            return Err(self.error(format_args!(
                "{hash} was signed for nonce {}, not for {nonce}: it is not signed again",
                envelope.nonce()
            )));
        }
        let to = envelope
            .to()
            .filter(|_| sender == self.key.address() && envelope.chain_id() == Some(self.chain_id));
        Ok(Call {
            purpose,
            to: to
                .ok_or_else(|| self.error("these bytes were signed by another key or for another chain"))?,
            data: envelope.input().clone(),
            value: envelope.value(),
            gas_limit: envelope.gas_limit(),
        })
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{B256, Bytes, U256};

    use super::*;
    use crate::domain::onchain::Fees;

    #[tokio::test]
    async fn a_replacement_finds_the_very_call_that_was_signed_and_no_other_keys() {
        let key = |byte| PrivateKeySigner::from_bytes(&B256::repeat_byte(byte)).expect("a key");
        let signer = LocalSigner::new(key(1), 8453);
        let call = Call {
            purpose: Purpose::Swap,
            to: Address::repeat_byte(9),
            data: Bytes::from_static(b"data"),
            value: U256::from(7),
            gas_limit: 21_000,
        };
        let unsigned = UnsignedTransaction {
            call: call.clone(),
            nonce: 3,
            fees: Fees {
                max_fee_per_gas: 10,
                max_priority_fee_per_gas: 1,
            },
        };
        let signed = signer.sign(&unsigned).await.expect("signed");
        assert_eq!(signed, signer.sign(&unsigned).await.expect("signed again"));
        assert_eq!(signer.call_of(&signed, 3, Purpose::Swap).expect("ours"), call);
        for stranger in [LocalSigner::new(key(2), 8453), LocalSigner::new(key(1), 1)] {
            assert!(stranger.call_of(&signed, 3, Purpose::Swap).is_err());
        }
        let elsewhere = signer
            .call_of(&signed, 4, Purpose::Swap)
            .expect_err("another nonce");
        assert!(elsewhere.detail.contains("nonce 3"), "{elsewhere}");
        let under_another_name = SignedTransaction {
            hash: B256::repeat_byte(7),
            ..signed
        };
        let changed = signer
            .call_of(&under_another_name, 3, Purpose::Swap)
            .expect_err("another hash");
        assert!(changed.detail.contains("they were altered"), "{changed}");
        let shown = format!("{signer:?}");
        assert!(
            !shown.contains(&"01".repeat(8)) && shown.contains("address"),
            "{shown}"
        );
    }
}
