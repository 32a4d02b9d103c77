//! What an L2 takes for the data of transactions, besides their gas.

use alloy_primitives::U256;

use super::{best_of::BestOf, data_price::ENVELOPE};
use crate::{
    chain::{
        contracts::GasPriceOracle,
        multicall::{Read, decode, read_all},
    },
    domain::{onchain::Call, units::Amount},
    ports::{QuoteError, RpcError},
};

impl BestOf {
    /// What an OP-stack chain takes for the calls' data.
    pub(super) async fn data_fee(&self, calls: &[Call]) -> Result<Amount, QuoteError> {
        let contracts = &self.spec().contracts;
        if contracts.gas_price_oracle.is_zero() {
            return Ok(Amount::ZERO);
        }
        let reads: Vec<Read> = calls
            .iter()
            .map(|call| {
                let mut data = vec![u8::MAX; ENVELOPE];
                data.extend_from_slice(&call.data);
                Read::new(
                    contracts.gas_price_oracle,
                    &GasPriceOracle::getL1FeeCall { data: data.into() },
                )
            })
            .collect();
        let readings = read_all(&self.search().rpc, contracts.multicall3, &reads).await;
        let readings = readings.map_err(|error| QuoteError::Rpc(error.into_rpc()))?;
        let mut fees = readings
            .iter()
            .map(|reading| decode::<GasPriceOracle::getL1FeeCall>(Some(reading)));
        let sum = fees.try_fold(U256::ZERO, |sum, fee| sum.checked_add(fee?));
        sum.map(Amount::new).ok_or_else(|| {
            QuoteError::Rpc(RpcError {
                endpoint: self.spec().name.clone(),
                detail: "the oracle of data fees does not answer; see contracts.gas_price_oracle".to_owned(),
            })
        })
    }
}
