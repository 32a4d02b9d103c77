//! Execution of a transaction: a function of the sender's balances and the block's time.

use std::collections::HashMap;

use alloy_primitives::{Address, B256, U256};
use strum::Display;

use super::codec::{Swap, pool_address};
use crate::domain::{
    Timestamp,
    onchain::{Asset, Transfer},
    units::Amount,
};

/// A pooled transaction that is due.
#[derive(Debug, Clone)]
pub(super) struct Due {
    pub(super) hash: B256,
    /// Wei per unit of gas.
    pub(super) gas_price: u128,
    pub(super) gas_limit: u64,
    pub(super) gas_needed: u64,
    /// `None`: a cancel, which moves nothing.
    pub(super) swap: Option<Swap>,
}

impl Due {
    /// Its gas cost, whether or not it reverts.
    pub(super) fn gas_cost(&self) -> Amount {
        let gas = self.gas_limit.min(self.gas_needed);
        // 64 bits times 128 bits fit 256.
        Amount::new(U256::from(gas).saturating_mul(U256::from(self.gas_price)))
    }

    /// The tokens it touches.
    pub(super) fn tokens(&self) -> Vec<Address> {
        self.swap
            .map_or_else(Vec::new, |swap| vec![swap.token_in, swap.token_out])
    }
}

/// Why a mined transaction moved nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display)]
pub(super) enum Revert {
    #[strum(to_string = "out of gas")]
    OutOfGas,
    #[strum(to_string = "transaction too old")]
    DeadlinePassed,
    #[strum(to_string = "transfer amount exceeds balance")]
    BalanceTooLow,
    #[strum(to_string = "too little received")]
    TooLittleReceived,
    #[strum(to_string = "balance overflow")]
    BalanceOverflow,
    #[strum(to_string = "reverted on order")]
    Ordered,
}

/// The balances of one wallet.
#[derive(Debug, Default)]
pub(super) struct Purse {
    balances: HashMap<Asset, Amount>,
}

impl Purse {
    pub(super) fn new(balances: HashMap<Asset, Amount>) -> Self {
        Self { balances }
    }

    pub(super) fn balance(&self, asset: Asset) -> Amount {
        self.balances.get(&asset).copied().unwrap_or(Amount::ZERO)
    }

    pub(super) fn balances(&self) -> impl Iterator<Item = (Asset, Amount)> {
        self.balances.iter().map(|(asset, amount)| (*asset, *amount))
    }

    pub(super) fn can_pay(&self, due: &Due) -> bool {
        self.balance(Asset::Native) >= due.gas_cost()
    }

    /// Charges gas and executes `due` in a block of `block_time`. Only if [`Self::can_pay`].
    pub(super) fn execute(
        &mut self,
        due: &Due,
        sender: Address,
        block_time: Timestamp,
        revert_ordered: bool,
    ) -> Result<Vec<Transfer>, Revert> {
        let native = self.balance(Asset::Native).saturating_sub(due.gas_cost());
        self.balances.insert(Asset::Native, native);
        if due.gas_limit < due.gas_needed {
            return Err(Revert::OutOfGas);
        }
        match due.swap {
            None => Ok(Vec::new()),
            Some(_) if revert_ordered => Err(Revert::Ordered),
            Some(swap) => self.swap(&swap, sender, block_time),
        }
    }

    fn swap(&mut self, swap: &Swap, sender: Address, block_time: Timestamp) -> Result<Vec<Transfer>, Revert> {
        if block_time > swap.deadline {
            return Err(Revert::DeadlinePassed);
        }
        if swap.amount_out < swap.amount_out_min {
            return Err(Revert::TooLittleReceived);
        }
        let (asset_in, asset_out) = (Asset::Token(swap.token_in), Asset::Token(swap.token_out));
        let paid = self
            .balance(asset_in)
            .checked_sub(swap.amount_in)
            .map_err(|_| Revert::BalanceTooLow)?;
        let received = self
            .balance(asset_out)
            .checked_add(swap.amount_out)
            .map_err(|_| Revert::BalanceOverflow)?;
        self.balances.insert(asset_in, paid);
        self.balances.insert(asset_out, received);
        let transfer = |token, from, to, amount| Transfer {
            token,
            from,
            to,
            amount,
        };
        Ok(vec![
            transfer(swap.token_in, sender, pool_address(), swap.amount_in),
            transfer(swap.token_out, pool_address(), sender, swap.amount_out),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDER: Address = Address::repeat_byte(1);
    const TOKEN: Address = Address::repeat_byte(2);
    const DOLLAR: Address = Address::repeat_byte(3);

    fn units(units: u64) -> Amount {
        Amount::new(U256::from(units))
    }

    fn due(amount_out: Amount) -> Due {
        Due {
            hash: B256::ZERO,
            gas_price: 2,
            gas_limit: 30,
            gas_needed: 30,
            swap: Some(Swap {
                token_in: DOLLAR,
                token_out: TOKEN,
                amount_in: units(10),
                amount_out,
                amount_out_min: Amount::ZERO,
                deadline: Timestamp::UNIX_EPOCH,
            }),
        }
    }

    fn purse(token: Amount) -> Purse {
        let held = [
            (Asset::Native, units(60)),
            (Asset::Token(DOLLAR), units(10)),
            (Asset::Token(TOKEN), token),
        ];
        Purse::new(held.into())
    }

    #[test]
    fn a_swap_at_its_deadline_with_the_last_coin_and_the_last_unit_still_executes() {
        let (mut purse, due) = (purse(units(1)), due(units(7)));
        assert!(purse.can_pay(&due));
        let transfers = purse
            .execute(&due, SENDER, Timestamp::UNIX_EPOCH, false)
            .expect("executes");
        assert_eq!(transfers.len(), 2);
        let left =
            [Asset::Native, Asset::Token(DOLLAR), Asset::Token(TOKEN)].map(|asset| purse.balance(asset));
        assert_eq!(left, [Amount::ZERO, Amount::ZERO, units(8)]);
        assert!(!purse.can_pay(&due));
    }

    #[test]
    fn whatever_reverts_a_swap_only_the_gas_is_gone() {
        let later = Timestamp::UNIX_EPOCH + chrono::TimeDelta::milliseconds(1);
        for (expected, block_time, ordered, token) in [
            (Revert::DeadlinePassed, later, false, units(1)),
            (Revert::Ordered, Timestamp::UNIX_EPOCH, true, units(1)),
            (
                Revert::BalanceOverflow,
                Timestamp::UNIX_EPOCH,
                false,
                Amount::new(U256::MAX),
            ),
        ] {
            let mut purse = purse(token);
            assert_eq!(
                purse.execute(&due(units(7)), SENDER, block_time, ordered),
                Err(expected)
            );
            let left =
                [Asset::Native, Asset::Token(DOLLAR), Asset::Token(TOKEN)].map(|asset| purse.balance(asset));
            assert_eq!(left, [Amount::ZERO, units(10), token], "{expected}");
        }
    }

    #[test]
    fn running_out_of_gas_costs_the_whole_limit() {
        let short = Due {
            gas_limit: 29,
            ..due(units(7))
        };
        let mut purse = purse(Amount::ZERO);
        let result = purse.execute(&short, SENDER, Timestamp::UNIX_EPOCH, false);
        assert_eq!(result, Err(Revert::OutOfGas));
        assert_eq!(purse.balance(Asset::Native), units(60 - 58));
    }
}
