//! Referees: aggregators whose quotes a job's own quote is compared with before it trades. Nothing of theirs is
//! executed.

use alloy_primitives::U256;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::{
    decision::HoldReason,
    units::{Amount, Rounding},
};

const BPS: u32 = 10_000;

/// An aggregator that can be asked.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum RefereeName {
    /// `KyberSwap` Aggregator.
    Kyberswap,
    /// Velora, formerly `ParaSwap`.
    Velora,
}

/// What a referee's objection, or its silence, leads to.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum RefereeAction {
    /// The job holds. A liquidation or a stop never does: neither may depend on a third party.
    #[default]
    Hold,
    /// The job trades, and the log says what the referee said.
    Warn,
}

/// What one referee says a swap would pay out, base units, or why it says nothing.
pub type Said = (RefereeName, Result<Amount, String>);

/// Whether `ours`, what the best route found here would pay out, is worse than what a referee knows by more than `bps`
/// basis points, or a referee is silent. The answer is for people.
#[must_use]
pub fn object(ours: Amount, said: &[Said], bps: u32) -> Option<(HoldReason, String)> {
    let mut silent = None;
    for (name, answer) in said {
        let compared = match answer {
            Ok(theirs) => short_of(ours, *theirs).ok_or_else(|| "it names an amount out of range".to_owned()),
            Err(why) => Err(why.clone()),
        };
        match compared {
            Ok(short) if short > bps => {
                let detail = format!(
                    "the best route found here pays {short} bps less than {name} knows, and venue.referee_bps is {bps}"
                );
                return Some((HoldReason::RefereeBetter, detail));
            }
            Ok(_) => {}
            Err(why) => {
                silent.get_or_insert_with(|| {
                    (HoldReason::RefereeSilent, format!("{name} says nothing: {why}"))
                });
            }
        }
    }
    silent
}

/// By how many basis points of `theirs`, rounded down, `ours` is less; `None`: out of range.
fn short_of(ours: Amount, theirs: Amount) -> Option<u32> {
    if theirs <= ours {
        return Some(0);
    }
    let missing = theirs.saturating_sub(ours);
    let bps = missing
        .mul_div(U256::from(BPS), theirs.units(), Rounding::Down)
        .ok()?;
    u32::try_from(bps.units()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: RefereeName, units: u64) -> Said {
        (name, Ok(Amount::new(U256::from(units))))
    }

    fn silent(name: RefereeName) -> Said {
        (name, Err("HTTP 503".to_owned()))
    }

    fn reason(ours: u64, said: &[Said], bps: u32) -> Option<HoldReason> {
        object(Amount::new(U256::from(ours)), said, bps).map(|(reason, _)| reason)
    }

    #[test]
    fn only_a_quote_that_is_worse_by_more_than_the_bound_is_objected_to() {
        use RefereeName::{Kyberswap, Velora};
        for (ours, theirs, bps, objects) in [
            (10_000, 10_000, 0, false),
            (10_000, 9_000, 0, false),
            (9_900, 10_000, 100, false),
            (9_899, 10_000, 100, true),
            (0, 1, 9_999, true),
            (0, 1, 10_000, false),
        ] {
            let found = reason(ours, &[said(Velora, theirs)], bps);
            let expected = objects.then_some(HoldReason::RefereeBetter);
            assert_eq!(found, expected, "{ours} against {theirs} with {bps} bps");
        }
        // One is enough, even if another is silent, and in any order.
        let both = [silent(Kyberswap), said(Velora, 20_000)];
        assert_eq!(reason(10_000, &both, 100), Some(HoldReason::RefereeBetter));
    }

    #[test]
    fn a_silent_referee_is_named_with_what_it_said() {
        let said = [said(RefereeName::Kyberswap, 10_000), silent(RefereeName::Velora)];
        let (reason, detail) = object(Amount::new(U256::from(10_000)), &said, 100).expect("an objection");
        assert_eq!(reason, HoldReason::RefereeSilent);
        assert!(
            detail.contains("velora") && detail.contains("HTTP 503"),
            "{detail}"
        );
        assert_eq!(object(Amount::ZERO, &[], 0), None, "nobody is asked");
    }

    #[test]
    fn the_largest_number_there_is_overflows_nothing() {
        let most = [(RefereeName::Velora, Ok(Amount::new(U256::MAX)))];
        assert!(object(Amount::ZERO, &most, 9_999).is_some());
        assert!(object(Amount::new(U256::MAX), &most, 0).is_none());
    }
}
