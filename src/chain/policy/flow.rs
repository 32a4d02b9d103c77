//! Where money goes while a router works through its commands: what leaves the wallet, what the router holds on the
//! way, what comes back. At the end the router must hold nothing: whatever it keeps, the next caller takes.

use std::collections::BTreeMap;

use alloy_primitives::{Address, U256, address};

use super::{
    model::{Swap, shape},
    refusal::{Reason, Refusal},
};
use crate::domain::pool::{NATIVE, Pool};

/// Both routers: who sent the transaction.
const SENDER: Address = address!("0x0000000000000000000000000000000000000001");
/// Both routers: the router itself.
const ROUTER: Address = address!("0x0000000000000000000000000000000000000002");

/// Where something goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    Wallet,
    Router,
}

/// How much of what the router holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    All,
    Exactly(U256),
}

/// What the router holds of one asset.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// At least.
    least: U256,
    /// And not more.
    exact: bool,
}

#[derive(Debug)]
pub(super) struct Flow {
    wallet: Address,
    /// What leaves the wallet.
    taken: BTreeMap<Address, U256>,
    held: BTreeMap<Address, Held>,
    /// What comes back to the wallet, at least.
    given: BTreeMap<Address, U256>,
}

impl Flow {
    /// Begins with the native coin that is sent along.
    pub(super) fn new(wallet: Address, value: U256) -> Self {
        let mut flow = Self {
            wallet,
            taken: BTreeMap::new(),
            held: BTreeMap::new(),
            given: BTreeMap::new(),
        };
        if !value.is_zero() {
            flow.taken.insert(NATIVE, value);
            flow.hold(NATIVE, value, true);
        }
        flow
    }

    /// Who an address stands for; every address but the wallet and the router is refused.
    pub(super) fn recipient(&self, address: Address) -> Result<To, Refusal> {
        if address == SENDER || address == self.wallet {
            Ok(To::Wallet)
        } else if address == ROUTER {
            Ok(To::Router)
        } else {
            let detail = format!(
                "it pays {address}; only the wallet {} itself may be paid",
                self.wallet
            );
            Err(Refusal::new(Reason::Recipient, detail))
        }
    }

    /// Whether the router holds some of the native coin.
    pub(super) fn holds_native(&self) -> bool {
        self.held.contains_key(&NATIVE)
    }

    /// Takes out of the wallet, by an allowance.
    pub(super) fn take(&mut self, asset: Address, amount: U256) -> Result<(), Refusal> {
        let before = self.taken.get(&asset).copied().unwrap_or_default();
        let sum = before
            .checked_add(amount)
            .ok_or_else(|| shape("it takes more than can exist"))?;
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

    /// Puts at least so much somewhere.
    pub(super) fn put(&mut self, asset: Address, least: U256, exact: bool, to: To) {
        match to {
            To::Router => self.hold(asset, least, exact),
            To::Wallet => {
                let before = self.given.get(&asset).copied().unwrap_or_default();
                self.given.insert(asset, before.saturating_add(least));
            }
        }
    }

    /// Uses what the router holds: at least how much that is, and whether exactly.
    pub(super) fn spend(&mut self, asset: Address, part: Part) -> Result<(U256, bool), Refusal> {
        let nothing = || shape("it uses something that the router was never given");
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

    /// All of an asset goes somewhere, at least `least` or the transaction is undone.
    pub(super) fn sweep(
        &mut self,
        asset: Address,
        as_asset: Address,
        least: U256,
        to: To,
    ) -> Result<(), Refusal> {
        let (held, exact) = self.spend(asset, Part::All)?;
        self.put(as_asset, held.max(least), exact, to);
        Ok(())
    }

    /// The swap that it all comes to.
    pub(super) fn end(self, deadline: U256, pool: Option<Pool>) -> Result<Swap, Refusal> {
        if let Some(asset) = self.held.keys().next() {
            return Err(Refusal::new(
                Reason::Recipient,
                format!("some of {asset} stays in the router, where anybody may take it"),
            ));
        }
        let mut taken = self.taken.into_iter().filter(|(_, amount)| !amount.is_zero());
        let (Some((token_in, amount_in)), None) = (taken.next(), taken.next()) else {
            return Err(shape("it must spend exactly one asset"));
        };
        // What comes back of the input is no purchase.
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
