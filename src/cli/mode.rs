//! `--mode`.

use clap::ValueEnum;

use crate::domain::job::JobMode;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ModeArg {
    /// DCA, dip-buy, take-profit
    Accumulate,
    /// Keep the inventory balanced
    Liquidity,
    /// Buy or sell once, at a price
    Order,
    /// Keep a share of a basket of tokens
    Basket,
}

impl From<ModeArg> for JobMode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Accumulate => Self::Accumulate,
            ModeArg::Liquidity => Self::Liquidity,
            ModeArg::Order => Self::Order,
            ModeArg::Basket => Self::Basket,
        }
    }
}
