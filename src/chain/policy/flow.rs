//! Tracks money through a router's commands: what leaves the wallet, what the router holds, what comes back. The router
//! must end with nothing: the next caller could take what it keeps.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, U256, address};

use super::{
    model::{Swap, shape},
    refusal::{Reason, Refusal},
};
use crate::domain::pool::{NATIVE, Pool};

/// Both routers' constant for the transaction's sender.
const SENDER: Address = address!("0x0000000000000000000000000000000000000001");
/// Both routers' constant for the router itself.
const ROUTER: Address = address!("0x0000000000000000000000000000000000000002");

/// Receiver of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    Wallet,
    Router,
}

/// Share of the router's holding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    All,
    Exactly(U256),
}

/// The router's holding of one asset.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// Minimum amount.
    least: U256,
    /// Whether the minimum is the exact amount.
    exact: bool,
}

#[derive(Debug)]
pub(super) struct Flow {
    wallet: Address,
    /// Amounts that leave the wallet.
    taken: BTreeMap<Address, U256>,
    held: BTreeMap<Address, Held>,
    /// Assets of which a swap that the router paid may have left some there.
    left: BTreeSet<Address>,
    /// Minimum amounts that return to the wallet.
    given: BTreeMap<Address, U256>,
}

impl Flow {
    /// Starts with the native coin attached to the call.
    pub(super) fn new(wallet: Address, value: U256) -> Self {
        let mut flow = Self {
            wallet,
            taken: BTreeMap::new(),
            held: BTreeMap::new(),
            left: BTreeSet::new(),
            given: BTreeMap::new(),
        };
        if !value.is_zero() {
            flow.taken.insert(NATIVE, value);
            flow.hold(NATIVE, value, true);
        }
        flow
    }

    /// Resolves a receiver; every address but the wallet and the router is refused.
    pub(super) fn recipient(&self, address: Address) -> Result<To, Refusal> {
        match address {
            SENDER => Ok(To::Wallet),
            ROUTER => Ok(To::Router),
            other => self.wallet_only(other),
        }
    }

    /// The same where the router pays the address as it stands: its constants would be addresses that nobody has.
    pub(super) fn wallet_only(&self, address: Address) -> Result<To, Refusal> {
        if address == self.wallet {
            Ok(To::Wallet)
        } else {
            let detail = format!(
                "it pays {address}; only the wallet {} itself may be paid",
                self.wallet
            );
            Err(Refusal::new(Reason::Recipient, detail))
        }
    }

    /// Whether the router holds any native coin.
    pub(super) fn holds_native(&self) -> bool {
        self.held.contains_key(&NATIVE)
    }

    /// Takes tokens from the wallet, by allowance.
    pub(super) fn take(&mut self, asset: Address, amount: U256) -> Result<(), Refusal> {
        let before = self.taken.get(&asset).copied().unwrap_or_default();
        let sum = before
            .checked_add(amount)
            .ok_or_else(|| shape("its total input overflows"))?;
        self.taken.insert(asset, sum);
        Ok(())
    }

    fn hold(&mut self, asset: Address, least: U256, exact: bool) {
        let before = self.held.get(&asset).copied();
        let held = match before {
            Some(before) => Held {
                least: before.least.saturating_add(least),
                exact: before.exact && exact,
            },
            None => Held { least, exact },
        };
        self.held.insert(asset, held);
    }

    /// Transfers at least this amount.
    pub(super) fn put(&mut self, asset: Address, least: U256, exact: bool, to: To) {
        match to {
            To::Router => self.hold(asset, least, exact),
            To::Wallet => {
                let before = self.given.get(&asset).copied().unwrap_or_default();
                self.given.insert(asset, before.saturating_add(least));
            }
        }
    }

    /// Spends from the router's holding; returns its minimum, and whether that is exact.
    pub(super) fn spend(&mut self, asset: Address, part: Part) -> Result<(U256, bool), Refusal> {
        let nothing = || shape("it spends an asset that the router does not hold");
        let held = self.held.get(&asset).copied().ok_or_else(nothing)?;
        match part {
            Part::All => {
                self.held.remove(&asset);
                Ok((held.least, held.exact))
            }
            Part::Exactly(amount) => {
                let left = held.least.checked_sub(amount).ok_or_else(nothing)?;
                if held.exact && left.is_zero() {
                    self.held.remove(&asset);
                } else {
                    self.held.insert(asset, Held { least: left, ..held });
                }
                Ok((amount, true))
            }
        }
    }

    /// Remembers that the swap that this asset was spent on may take less of it.
    pub(super) fn may_leave(&mut self, asset: Address) {
        self.left.insert(asset);
    }

    /// An asset of which some may be left in the router, and that is not swept to the wallet.
    pub(super) fn unswept(&self) -> Option<Address> {
        self.left.first().copied()
    }

    /// Transfers the whole holding of an asset; reverts below `least`. To send the wallet whatever there may be of an
    /// asset that nothing is left of does no harm.
    pub(super) fn sweep(
        &mut self,
        asset: Address,
        as_asset: Address,
        least: U256,
        to: To,
    ) -> Result<(), Refusal> {
        if to == To::Wallet {
            self.left.remove(&asset);
            if least.is_zero() && !self.held.contains_key(&asset) {
                return Ok(());
            }
        }
        let (held, exact) = self.spend(asset, Part::All)?;
        self.put(as_asset, held.max(least), exact, to);
        Ok(())
    }

    /// The resulting swap.
    pub(super) fn end(self, deadline: U256, pool: Option<Pool>) -> Result<Swap, Refusal> {
        if let Some(asset) = self.held.keys().next() {
            return Err(Refusal::new(
                Reason::Recipient,
                format!("some of {asset} stays in the router, where anyone can take it"),
            ));
        }
        let mut taken = self.taken.into_iter().filter(|(_, amount)| !amount.is_zero());
        let (Some((token_in, amount_in)), None) = (taken.next(), taken.next()) else {
            return Err(shape("it must spend exactly one asset"));
        };
        // Returned input is not a purchase.
        let mut given = self.given.into_iter().filter(|(asset, _)| *asset != token_in);
        let (Some((token_out, amount_out_min)), None) = (given.next(), given.next()) else {
            return Err(shape("it must bring the wallet exactly one asset"));
        };
        Ok(Swap {
            token_in,
            amount_in,
            token_out,
            amount_out_min,
            deadline,
            pool,
        })
    }
}
