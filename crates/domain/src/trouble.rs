//! Which holds keep a job from trading, when its owner is notified, and what ends them.

use super::{decision::HoldReason, event::Event, span::Span};

/// What a hold says about what keeps its job from trading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The job would trade but for this; its owner is notified with the event.
    Blocked(Event),
    /// The job was evaluated on an accepted price and nothing blocks it.
    Clear,
    /// Nothing was evaluated, or another event tells of it: what was known stays known.
    Unknown,
}

/// Events that only a trade ends: a job that wants nothing now still has an empty wallet.
pub const UNTIL_A_TRADE: [Event; 2] = [Event::JobNoFunds, Event::JobLowGas];

/// The owner is reminded of a block that lasts after this long.
pub const REMIND_AFTER: Span = Span::from_secs(24 * 3_600);

/// How long something may block a job before its owner is notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// No usable price.
    pub price: Span,
    /// Any other block that may end by itself, such as a limit that is reached.
    pub held: Span,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            price: Span::from_secs(15 * 60),
            held: Span::from_secs(24 * 3_600),
        }
    }
}

impl Patience {
    /// How long `event` may last before it is sent. What only the owner can change is sent at once.
    #[must_use]
    pub const fn before(self, event: Event) -> Span {
        match event {
            Event::JobNoPrice => self.price,
            Event::JobLimitReached | Event::JobHeld => self.held,
            _ => Span::ZERO,
        }
    }
}

/// The owner is reminded of a stop that cannot sell after this long.
pub const REMIND_OF_STOP_AFTER: Span = Span::from_secs(3_600);

/// After how long `event` is sent again while it lasts; `None` if it is not. A limit that its owner set is no trouble.
#[must_use]
pub const fn remind_after(event: Event) -> Option<Span> {
    match event {
        Event::JobLimitReached => None,
        Event::JobStopBlocked => Some(REMIND_OF_STOP_AFTER),
        _ => Some(REMIND_AFTER),
    }
}

/// What a hold says about what keeps its job from trading. A stop that is due is never kept from selling without a
/// word, whatever the reason is.
#[must_use]
pub const fn effect(reason: HoldReason, stop_is_due: bool) -> Effect {
    if stop_is_due {
        Effect::Blocked(Event::JobStopBlocked)
    } else {
        reason.effect()
    }
}

impl HoldReason {
    /// What this hold says about what keeps its job from trading.
    #[must_use]
    pub const fn effect(self) -> Effect {
        match self {
            Self::InsufficientBalance => Effect::Blocked(Event::JobNoFunds),
            Self::InsufficientGas => Effect::Blocked(Event::JobLowGas),
            Self::MaxAccumulation
            | Self::MaxPosition
            | Self::BelowMinTrade
            | Self::TradesPerHour
            | Self::DailySpend
            | Self::DailyVolume => Effect::Blocked(Event::JobLimitReached),
            Self::PriceMissing | Self::PriceStale | Self::PriceInvalid | Self::CrossCheckMissing => {
                Effect::Blocked(Event::JobNoPrice)
            }
            Self::MovingAverageCoverage
            | Self::TooLate
            | Self::TradeOpen
            | Self::PriceJump
            | Self::PriceDeviation
            | Self::Slippage
            | Self::PoolFee
            | Self::YoungPool
            | Self::LaunchTax
            | Self::TooFewUnits
            | Self::PriceImpact
            | Self::GasTooExpensive
            | Self::QuoteMissing
            | Self::NoLiquidity
            | Self::SimulationFailed
            | Self::ChainHalted
            | Self::QuoteDisagrees
            | Self::RefereeBetter
            | Self::RefereeSilent
            | Self::ChainClock
            | Self::DecimalsChanged
            | Self::NodesDisagree
            | Self::PolicyRefused
            | Self::ConfigRefused
            | Self::KeyUnavailable
            | Self::OrderEmpty
            | Self::BasketIncomplete
            | Self::BasketPrice
            | Self::Arithmetic
            | Self::TickFailed => Effect::Blocked(Event::JobHeld),
            Self::NotDue
            | Self::PriceBand
            | Self::DipUnconfirmed
            | Self::StopUnconfirmed
            | Self::BelowStop
            | Self::StopCooldown
            | Self::InBalance
            | Self::SpreadCooldown
            | Self::RebalanceBand
            | Self::SliceNotDue
            | Self::OrderPrice
            | Self::OrderUnconfirmed
            | Self::OrderSlice
            | Self::OrderOver
            | Self::LimitPrice
            | Self::BasketInBalance
            | Self::BasketSales
            | Self::BasketQuote => Effect::Clear,
            Self::Backoff
            | Self::Paused
            | Self::Idle
            | Self::JobChanged
            | Self::Error
            // Each has an event of its own.
            | Self::Unsellable
            | Self::SignerHalted => Effect::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use strum::VariantArray;

    use super::*;

    #[test]
    fn only_what_may_end_by_itself_waits_before_it_is_sent() {
        let patience = Patience {
            price: Span::from_secs(7),
            held: Span::from_secs(11),
        };
        for (reason, secs) in [
            (HoldReason::InsufficientBalance, 0),
            (HoldReason::InsufficientGas, 0),
            (HoldReason::PriceStale, 7),
            (HoldReason::DailySpend, 11),
            (HoldReason::PolicyRefused, 11),
        ] {
            let Effect::Blocked(event) = reason.effect() else {
                panic!("{reason} blocks");
            };
            assert_eq!(patience.before(event), Span::from_secs(secs), "{reason}");
        }
    }

    #[test]
    fn a_stop_that_cannot_sell_is_sent_at_once_and_every_hour_whatever_the_reason() {
        for reason in HoldReason::VARIANTS {
            assert_eq!(effect(*reason, false), reason.effect(), "{reason}");
            let blocked = effect(*reason, true);
            assert_eq!(blocked, Effect::Blocked(Event::JobStopBlocked), "{reason}");
        }
        assert_eq!(Patience::default().before(Event::JobStopBlocked), Span::ZERO);
        assert_eq!(remind_after(Event::JobStopBlocked), Some(Span::from_secs(3_600)));
    }

    #[test]
    fn a_limit_is_sent_once_and_every_other_block_again_each_day() {
        for reason in HoldReason::VARIANTS {
            if let Effect::Blocked(event) = reason.effect() {
                let again = (event != Event::JobLimitReached).then_some(Span::from_secs(86_400));
                assert_eq!(remind_after(event), again, "{reason}");
            }
        }
    }
}
