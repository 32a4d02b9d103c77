//! Signatures of invented money: the bytes themselves, bound to a chain and a sender.

use alloy_primitives::{Address, Bytes};
use async_trait::async_trait;

use super::codec::Envelope;
use crate::domain::trade::Purpose;
use crate::ports::{Call, SignError, SignedTransaction, Signer, UnsignedTransaction};

/// Signs for a paper wallet. There is no key: whoever can reach the paper ledger can spend its money.
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

    fn call_of(&self, raw: &Bytes, purpose: Purpose) -> Result<Call, SignError> {
        let own = Envelope::decode(raw).filter(|(envelope, _)| envelope.sender == self.address);
        let (envelope, _) = own.ok_or_else(|| SignError {
            address: self.address,
            detail: "these bytes were signed by somebody else".to_owned(),
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
