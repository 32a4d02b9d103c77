//! Signatures of invented money: the bytes themselves, bound to a chain and a sender.

use alloy_primitives::Address;
use async_trait::async_trait;

use super::codec::Envelope;
use crate::domain::trade::Purpose;
use crate::{
    domain::onchain::{Call, SignedTransaction, UnsignedTransaction},
    ports::{SignError, Signer},
};

/// Signs for a paper wallet. There is no key: every process that can write the paper ledger can spend its money.
#[derive(Debug, Clone)]
pub struct PaperSigner {
    chain: String,
    address: Address,
}

impl PaperSigner {
    /// The signer of `address` on `chain`.
    #[must_use]
    pub fn new(chain: &str, address: Address) -> Self {
        Self {
            chain: chain.to_owned(),
            address,
        }
    }
}

#[async_trait]
impl Signer for PaperSigner {
    fn address(&self) -> Address {
        self.address
    }

    async fn sign(&self, transaction: &UnsignedTransaction) -> Result<SignedTransaction, SignError> {
        let UnsignedTransaction { call, nonce, fees } = transaction;
        Envelope::new(&self.chain, self.address, *nonce, call, *fees)
            .encode()
            .map_err(|error| SignError {
                address: self.address,
                detail: error.to_string(),
            })
    }

    fn call_of(&self, attempt: &SignedTransaction, nonce: u64, purpose: Purpose) -> Result<Call, SignError> {
        let own = Envelope::decode(&attempt.raw).filter(|(envelope, hash)| {
            envelope.sender == self.address && envelope.nonce == nonce && *hash == attempt.hash
        });
        let (envelope, _) = own.ok_or_else(|| SignError {
            address: self.address,
            detail: format!(
                "the stored bytes of {} are not what was signed for nonce {nonce}",
                attempt.hash
            ),
        })?;
        Ok(Call {
            purpose,
            to: envelope.to,
            data: envelope.data,
            value: envelope.value,
            gas_limit: envelope.gas_limit,
        })
    }
}
