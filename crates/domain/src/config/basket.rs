//! `[basket]`: the keys of one member of a basket, their defaults and ranges, and what follows from them.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    defaults::usd,
    extent::{LookBack, MostBought},
    invalid::{Validator, ZeroIs},
    sections::LimitsConfig,
};
use crate::{
    name::is_name,
    span::Span,
    units::{Usd, exact_decimal},
};

/// Most members of one basket.
const MEMBERS_MAX: u32 = 100;

/// `[basket]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BasketConfig {
    /// Jobs of one wallet, chain and quote with this name are one basket; 1 to 32 of a-z, 0-9, - and _.
    pub name: String,
    /// Number of its members: nothing is traded until all of them were started; 2 to 100.
    pub members: u32,
    /// This member's share of the basket, as a part of the sum of all weights; above 0, up to 1000.
    #[serde(deserialize_with = "exact_decimal")]
    pub weight: Decimal,
    /// Distance from the target share that trades, per cent of that share; above 0, up to 99.
    #[serde(deserialize_with = "exact_decimal")]
    pub band_pct: Decimal,
    /// Money that this member brings into the basket, USD.
    pub budget_usd: Usd,
}

impl Default for BasketConfig {
    fn default() -> Self {
        Self {
            name: "basket".to_owned(),
            members: 2,
            weight: Decimal::ONE,
            band_pct: Decimal::TEN,
            budget_usd: usd(100),
        }
    }
}

impl BasketConfig {
    /// The rules look at the newest prices alone.
    pub(super) const fn look_back() -> LookBack {
        LookBack {
            high: Span::ZERO,
            average: Span::ZERO,
        }
    }

    /// The most that these rules buy.
    pub(super) fn most_bought(&self) -> MostBought {
        // Every key by name, so that a new key does not compile until it is decided here whether it buys more.
        let Self {
            name: _,
            members,
            weight: _,
            band_pct: _,
            budget_usd,
        } = self;
        // What other members have sold may be spent here, too: as if each had brought as much.
        let all = budget_usd.decimal().saturating_mul(Decimal::from(*members));
        MostBought {
            at_once: all,
            in_a_day: all,
        }
    }

    /// Checks every range, and contradictions with the limits.
    pub(super) fn check(&self, limits: &LimitsConfig, found: &mut Validator) {
        found.require(
            is_name(&self.name),
            "basket.name",
            &self.name,
            "1 to 32 of a-z, 0-9, - and _",
        );
        found.range("basket.members", self.members, 2, MEMBERS_MAX);
        found.above_zero("basket.weight", self.weight, 1_000.into());
        found.above_zero("basket.band_pct", self.band_pct, 99.into());
        found.money("basket.budget_usd", self.budget_usd);
        found.at_most(
            "limits.min_trade_usd",
            limits.min_trade_usd,
            "basket.budget_usd",
            self.budget_usd,
            ZeroIs::Zero,
        );
    }
}
