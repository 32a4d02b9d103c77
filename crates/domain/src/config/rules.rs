//! The rules of a job: one section, that of its mode.

use super::{
    accumulate::AccumulateConfig,
    basket::BasketConfig,
    extent::{LookBack, MostBought},
    liquidity::LiquidityConfig,
    order::OrderConfig,
};
use crate::{job::JobMode, units::Usd};

/// The rules that a job trades by. A mode is a variant here and in [`JobMode`]; the compiler then points to everything
/// a mode needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rules {
    /// `[accumulate]`
    Accumulate(AccumulateConfig),
    /// `[liquidity]`
    Liquidity(LiquidityConfig),
    /// `[order]`
    Order(OrderConfig),
    /// `[basket]`
    Basket(BasketConfig),
}

impl Rules {
    /// The rules of a new job of `mode`.
    #[must_use]
    pub fn for_mode(mode: JobMode) -> Self {
        match mode {
            JobMode::Accumulate => Self::Accumulate(AccumulateConfig::default()),
            JobMode::Liquidity => Self::Liquidity(LiquidityConfig::default()),
            JobMode::Order => Self::Order(OrderConfig::default()),
            JobMode::Basket => Self::Basket(BasketConfig::default()),
        }
    }

    /// The mode that these rules are of.
    #[must_use]
    pub const fn mode(&self) -> JobMode {
        match self {
            Self::Accumulate(_) => JobMode::Accumulate,
            Self::Liquidity(_) => JobMode::Liquidity,
            Self::Order(_) => JobMode::Order,
            Self::Basket(_) => JobMode::Basket,
        }
    }

    /// The windows of past prices that these rules use: samples outside all of them may be deleted.
    #[must_use]
    pub const fn look_back(&self) -> LookBack {
        match self {
            Self::Accumulate(rules) => rules.look_back(),
            Self::Liquidity(rules) => rules.look_back(),
            Self::Order(_) => OrderConfig::look_back(),
            Self::Basket(_) => BasketConfig::look_back(),
        }
    }

    /// The most that these rules buy, without the limits that apply to every job.
    #[must_use]
    pub fn most_bought(&self) -> MostBought {
        match self {
            Self::Accumulate(rules) => rules.most_bought(),
            Self::Liquidity(rules) => rules.most_bought(),
            Self::Order(rules) => rules.most_bought(),
            Self::Basket(rules) => rules.most_bought(),
        }
    }

    /// Money that a job reserves when it starts, if it keeps a quote balance of its own. Without one it buys from,
    /// and sells into, the wallet.
    #[must_use]
    pub const fn budget(&self) -> Option<Usd> {
        match self {
            Self::Accumulate(_) | Self::Order(_) => None,
            Self::Liquidity(rules) => Some(rules.budget_usd),
            Self::Basket(rules) => Some(rules.budget_usd),
        }
    }

    /// Maximum bought plus sold in one UTC day; `None`: no limit.
    #[must_use]
    pub fn max_daily_volume(&self) -> Option<Usd> {
        match self {
            Self::Accumulate(_) | Self::Order(_) | Self::Basket(_) => None,
            Self::Liquidity(rules) => Some(rules.max_daily_volume_usd).filter(|most| *most != Usd::ZERO),
        }
    }

    /// The rules of mode accumulate.
    #[must_use]
    pub const fn accumulate(&self) -> Option<&AccumulateConfig> {
        match self {
            Self::Accumulate(rules) => Some(rules),
            Self::Liquidity(_) | Self::Order(_) | Self::Basket(_) => None,
        }
    }

    /// The rules of mode accumulate, to change them.
    pub const fn accumulate_mut(&mut self) -> Option<&mut AccumulateConfig> {
        match self {
            Self::Accumulate(rules) => Some(rules),
            Self::Liquidity(_) | Self::Order(_) | Self::Basket(_) => None,
        }
    }

    /// The rules of mode liquidity.
    #[must_use]
    pub const fn liquidity(&self) -> Option<&LiquidityConfig> {
        match self {
            Self::Accumulate(_) | Self::Order(_) | Self::Basket(_) => None,
            Self::Liquidity(rules) => Some(rules),
        }
    }

    /// The rules of mode liquidity, to change them.
    pub const fn liquidity_mut(&mut self) -> Option<&mut LiquidityConfig> {
        match self {
            Self::Accumulate(_) | Self::Order(_) | Self::Basket(_) => None,
            Self::Liquidity(rules) => Some(rules),
        }
    }

    /// The rules of mode order.
    #[must_use]
    pub const fn order(&self) -> Option<&OrderConfig> {
        match self {
            Self::Order(rules) => Some(rules),
            Self::Accumulate(_) | Self::Liquidity(_) | Self::Basket(_) => None,
        }
    }

    /// The rules of mode order, to change them.
    pub const fn order_mut(&mut self) -> Option<&mut OrderConfig> {
        match self {
            Self::Order(rules) => Some(rules),
            Self::Accumulate(_) | Self::Liquidity(_) | Self::Basket(_) => None,
        }
    }

    /// The rules of mode basket.
    #[must_use]
    pub const fn basket(&self) -> Option<&BasketConfig> {
        match self {
            Self::Basket(rules) => Some(rules),
            Self::Accumulate(_) | Self::Liquidity(_) | Self::Order(_) => None,
        }
    }
}
