//! What is left of what a route gives once its gas, and on an L2 its data, is paid: a longer route must bring more than
//! it costs more.

use std::time::{Duration, Instant};

use alloy_primitives::{U128, U256, U512};
use futures::join;
use serde_json::json;

use super::{
    api::Bounds,
    calls::calls,
    data_price::DataPrice,
    offers::Offer,
    search::{GasPrice, Search},
    trial::NEVER,
};
use crate::{
    chain::{
        contracts::Feed,
        multicall::{Read, decode, read_all},
        settings::ChainSpec,
    },
    domain::{onchain::SwapRequest, pool::NATIVE},
};

/// How long the price of gas counts.
const GAS_FOR: Duration = Duration::from_secs(15);
/// Gas of one approval, units.
const GAS_APPROVE: u64 = 50_000;
/// What a feed's answer must be divided by to be dollars of six digits for a wei: its own digits, and the coin's, less
/// the dollar's.
const FEED_PER: U256 = U256::from_limbs([7_766_279_631_452_241_920, 5, 0, 0]);

impl Search {
    /// The price of gas, at most a few seconds old; `None`: no node says.
    pub(super) async fn gas_price(&self) -> Option<GasPrice> {
        let kept = *self.gas.lock().await;
        if let Some((at, price)) = kept
            && at.elapsed() < GAS_FOR
        {
            return Some(price);
        }
        let feed = self.spec.contracts.native_usd_feed;
        let mut reads = DataPrice::reads(self.spec.contracts.gas_price_oracle);
        let data = reads.len();
        if !feed.is_zero() {
            reads.push(Read::new(feed, &Feed::latestRoundDataCall {}));
        }
        // Asked in the moment in which pools are: one batch for all.
        let (wei, told) = join!(
            self.rpc.request::<U128>("eth_gasPrice", json!([])),
            read_all(&self.rpc, self.spec.contracts.multicall3, &reads)
        );
        let told = told.unwrap_or_default();
        let (data, coin) = told.split_at_checked(data).unwrap_or_default();
        let coin = decode::<Feed::latestRoundDataCall>(coin.first());
        let price = GasPrice {
            wei: U256::from(wei.ok()?),
            coin: coin
                .and_then(|round| U256::try_from(round.answer).ok())
                .unwrap_or_default(),
            data: DataPrice::understand(data),
        };
        *self.gas.lock().await = Some((Instant::now(), price));
        Some(price)
    }
}

/// Orders offers by what is left of them after their gas and data, the best first. Without a price of gas, or of the
/// coin in what is traded, by what they give.
pub(super) fn best_first(
    spec: &ChainSpec,
    request: &SwapRequest,
    price: Option<GasPrice>,
    offers: &mut [Offer],
) {
    let most = offers
        .iter()
        .map(|offer| offer.amount_out)
        .max()
        .unwrap_or_default();
    let net = |offer: &Offer| {
        let approvals = match (
            request.token_in == NATIVE,
            offer.route.dex.router(spec, request, &offer.route).permit2,
        ) {
            (true, _) => 0,
            (false, true) => 2,
            (false, false) => 1,
        };
        let gas = offer
            .gas_units
            .saturating_add(GAS_APPROVE.saturating_mul(approvals));
        let cost = price.and_then(|price| {
            let gas = U256::from(gas).checked_mul(price.wei)?;
            let wei = gas.checked_add(data_cost(spec, request, price, offer))?;
            cost(spec, request, price, (wei, most))
        });
        offer.amount_out.saturating_sub(cost.unwrap_or_default())
    };
    offers.sort_by_cached_key(|offer| std::cmp::Reverse((net(offer), offer.amount_out)));
}

/// What an L2 takes for the data of a route's calls, wei, rounded up; zero where that is not known.
fn data_cost(spec: &ChainSpec, request: &SwapRequest, price: GasPrice, offer: &Offer) -> U256 {
    let bounds = Bounds {
        amount_out_min: offer.amount_out,
        wallet_min: None,
        deadline: NEVER,
        reset_allowance: false,
    };
    let cost = price.data.and_then(|data| {
        let calls = calls(spec, request, &offer.route, bounds).ok()?;
        data.of(&calls)
    });
    cost.unwrap_or_default()
}

/// What an amount of wei is worth in base units of what comes out, rounded down; `most`: what the best route gives for
/// all that goes in, which says what one side is worth in the other. `None`: the coin's price is not known there.
fn cost(spec: &ChainSpec, request: &SwapRequest, price: GasPrice, (wei, most): (U256, U256)) -> Option<U256> {
    let is_coin = |asset| asset == NATIVE || asset == spec.wrapped_native;
    let dollars = || {
        (!price.coin.is_zero())
            .then(|| share(wei, price.coin, FEED_PER))
            .flatten()
    };
    let from_input = |paid: U256| share(paid, most, request.amount_in.units());
    if is_coin(request.token_out) {
        Some(wei)
    } else if is_coin(request.token_in) {
        from_input(wei)
    } else if request.token_out == spec.usdc {
        dollars()
    } else if request.token_in == spec.usdc {
        from_input(dollars()?)
    } else {
        None
    }
}

/// `amount * numerator / denominator`, rounded down; `None` out of range.
fn share(amount: U256, numerator: U256, denominator: U256) -> Option<U256> {
    let product = U512::from(amount).checked_mul(U512::from(numerator))?;
    let share = product.checked_div(U512::from(denominator))?;
    U256::checked_from_limbs_slice(share.as_limbs())
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;

    use super::*;
    use crate::domain::{onchain::Checks, units::Amount};

    fn coins(hundredths: u64) -> U256 {
        U256::from(hundredths) * U256::from(10).pow(U256::from(16))
    }

    #[test]
    fn gas_is_counted_in_what_comes_out() {
        let spec = ChainSpec::resolve("base", &Default::default()).expect("built in");
        let token = Address::repeat_byte(0x70);
        // A hundredth of a gwei, and 2000 dollars for a coin: 100,000 units of gas are 10^-6 coins, a fifth of a cent.
        let price = GasPrice {
            wei: U256::from(10_000_000),
            coin: U256::from(200_000_000_000_u64),
            data: None,
        };
        let of = |token_in, token_out, amount_in, most| {
            let request = SwapRequest {
                wallet: token,
                token_in,
                token_out,
                amount_in: Amount::new(amount_in),
                amount_out_fair: Amount::ZERO,
                fair_rest: 0,
                pool: None,
                prove_sell: false,
                checks: Checks::none(),
            };
            cost(&spec, &request, price, (U256::from(100_000) * price.wei, most))
        };
        let wei = U256::from(1_000_000_000_000_u64);
        assert_eq!(of(token, NATIVE, coins(500), coins(1)), Some(wei));
        assert_eq!(of(token, spec.wrapped_native, coins(500), coins(1)), Some(wei));
        assert_eq!(
            of(token, spec.usdc, coins(500), U256::from(7)),
            Some(U256::from(2_000))
        );
        // Five tokens for each coin, and for each dollar of six digits.
        assert_eq!(of(NATIVE, token, coins(1), coins(5)), Some(wei * U256::from(5)));
        let dollar = U256::from(1_000_000);
        let tokens = coins(500) * U256::from(2_000) / dollar;
        assert_eq!(of(spec.usdc, token, dollar, coins(500)), Some(tokens));
        assert_eq!(of(token, Address::repeat_byte(0x71), coins(1), coins(1)), None);
    }

    #[test]
    fn a_feeds_answer_is_turned_into_dollars_of_six_digits() {
        // 8 digits of the answer and 18 of the coin, less 6 of the dollar.
        assert_eq!(FEED_PER, U256::from(10).pow(U256::from(20)));
    }
}
