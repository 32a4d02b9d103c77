//! Mode basket: target weights over several tokens of one wallet and one quote.
//!
//! Each member is a job of its own, with its own tokens and its own quote. It decides on facts of all members: it
//! sells what it has above its share, and buys what it lacks with quote that it owns. Quote that others do not need is
//! moved to it first, so that no two members can spend the same.

mod fit;

use rust_decimal::Decimal;
use serde::Serialize;

use super::{
    config::{BasketConfig, LimitsConfig},
    decision::{
        Decision, Facts, HoldReason, Peer, Peers, Plan, Position, Reason, RuleOutcome, first_to_fire,
    },
    figures::PCT_DIGITS,
    ids::JobId,
    units::{Amount, MoneyError, Price, Rounding, Usd},
};

pub use self::fit::{Member, Misfit, misfit};

/// Quote that moves from one member to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// The member that gives it.
    pub from: JobId,
    /// Base units.
    pub amount: Amount,
}

/// Decision of mode basket if `limit` checks the plan.
#[must_use]
pub fn decide_within(
    config: &BasketConfig,
    limits: &LimitsConfig,
    facts: &Facts,
    limit: impl Fn(Plan) -> Result<Plan, HoldReason>,
) -> Decision {
    if facts.last.in_backoff(facts.now) {
        return Decision::Hold(HoldReason::Backoff);
    }
    first_to_fire(limit, HoldReason::BasketInBalance, |rules| {
        rules.next(balance(config, limits, facts))
    })
}

/// Quote that others would give to this member, which lacks tokens and cannot pay for them alone. Empty if it can, or
/// if what they could give is less than `min_trade_usd` and makes no trade possible.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn moves(config: &BasketConfig, limits: &LimitsConfig, facts: &Facts) -> Result<Vec<Move>, MoneyError> {
    let Some(whole) = Whole::of(config, facts)? else {
        return Ok(vec![]);
    };
    let own = facts.position.quote_value(Rounding::Down)?;
    let lacks = whole.target(config.weight)?.checked_sub(whole.tokens)?;
    let mut short = lacks.checked_sub(own)?;
    let mut moves = Vec::new();
    let mut sum = Usd::ZERO;
    for peer in &facts.peers.running {
        if !short.is_positive() {
            break;
        }
        let given = whole.spare(peer, facts)?.min(short);
        if !given.is_positive() {
            continue;
        }
        let position = &facts.position;
        let amount = given.to_amount(position.quote_decimals, position.quote_price, Rounding::Down)?;
        let amount = amount.min(peer.quote);
        if amount.is_zero() {
            continue;
        }
        short = short.checked_sub(given)?;
        sum = sum.checked_add(given)?;
        moves.push(Move {
            from: peer.job,
            amount,
        });
    }
    let least = limits.min_trade_usd;
    let enables = own < least && own.checked_add(sum)? >= least;
    if sum < least && !enables {
        moves.clear();
    }
    Ok(moves)
}

/// What a member has of its basket, and what it should have: per cent of all tokens and quote of the running members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Its tokens' part.
    pub share_pct: Decimal,
    /// The part that they should be.
    pub target_pct: Decimal,
    /// It buys below this part.
    pub buys_below_pct: Decimal,
    /// It sells above this part.
    pub sells_above_pct: Decimal,
}

/// What a member's tokens should be of its basket, per cent, and where it trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The part that they should be.
    pub target_pct: Decimal,
    /// It buys below this part.
    pub buys_below_pct: Decimal,
    /// It sells above this part.
    pub sells_above_pct: Decimal,
}

/// The target of a member of this weight, if those of all running members sum up to `weights`; `None`: that is not
/// above 0, or a number leaves its range. Rounded half to even, to [`PCT_DIGITS`] digits.
#[must_use]
pub fn target(weight: Decimal, weights: Decimal, band_pct: Decimal) -> Option<Target> {
    let hundred = Decimal::ONE_HUNDRED;
    let target = weight.checked_mul(hundred)?.checked_div(weights)?;
    let part = |pct: Decimal| target.checked_mul(pct)?.checked_div(hundred);
    Some(Target {
        target_pct: shown(target),
        buys_below_pct: shown(part(hundred.checked_sub(band_pct)?)?),
        sells_above_pct: shown(part(hundred.checked_add(band_pct)?)?),
    })
}

fn shown(pct: Decimal) -> Decimal {
    pct.round_dp(PCT_DIGITS).normalize()
}

/// A basket as one of its running members sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shares {
    /// Value of all tokens and quote.
    pub total: Usd,
    /// This member.
    pub own: Standing,
    /// The others, in the order of [`Peers::running`].
    pub others: Vec<(JobId, Standing)>,
}

/// What each running member has and should have, at this member's last accepted `price`; `None`: the price of another
/// one is missing, or the basket is empty. Percentages are rounded half to even, to [`PCT_DIGITS`] digits.
///
/// # Errors
/// [`MoneyError`] if a number leaves its range.
pub fn shares(
    config: &BasketConfig,
    position: &Position,
    price: Price,
    peers: &Peers,
) -> Result<Option<Shares>, MoneyError> {
    let Some(whole) = Whole::with(config, position, price, peers)? else {
        return Ok(None);
    };
    if !whole.total.is_positive() {
        return Ok(None);
    }
    let own = whole.standing(whole.tokens, config.weight, config.band_pct);
    let mut others = Vec::with_capacity(peers.running.len());
    for peer in &peers.running {
        let standing = whole.standing(peer.tokens.unwrap_or(Usd::ZERO), peer.weight, peer.band_pct);
        others.push((peer.job, standing.ok_or(MoneyError::OutOfRange)?));
    }
    Ok(Some(Shares {
        total: whole.total,
        own: own.ok_or(MoneyError::OutOfRange)?,
        others,
    }))
}

fn balance(config: &BasketConfig, limits: &LimitsConfig, facts: &Facts) -> Result<RuleOutcome, MoneyError> {
    if facts.peers.started.saturating_add(1) < config.members {
        return Ok(RuleOutcome::Held(HoldReason::BasketIncomplete));
    }
    let Some(whole) = Whole::of(config, facts)? else {
        return Ok(RuleOutcome::Held(HoldReason::BasketPrice));
    };
    let own = Share::of(config, whole.tokens, whole.target(config.weight)?);
    let pot = Pot::of(own, &whole, limits, facts)?;
    let surplus = pot.surplus(own)?;
    if surplus.is_positive() {
        return sell(surplus, facts);
    }
    if !own.is_short()? {
        return Ok(RuleOutcome::Silent);
    }
    for peer in &facts.peers.running {
        let sells = !peer.blocked && pot.surplus(whole.share(peer)?)? >= limits.min_trade_usd;
        if peer.sells || sells {
            return Ok(RuleOutcome::Held(HoldReason::BasketSales));
        }
    }
    if !moves(config, limits, facts)?.is_empty() {
        return Ok(RuleOutcome::Held(HoldReason::BasketQuote));
    }
    let quote = facts.position.quote_value(Rounding::Down)?;
    let lacks = own.lacks()?;
    let clipped_by = (quote < lacks).then_some(HoldReason::BasketQuote);
    Ok(RuleOutcome::of(
        Plan::buy(Reason::Rebalance, lacks.min(quote), facts)?,
        clipped_by,
    ))
}

fn sell(money: Usd, facts: &Facts) -> Result<RuleOutcome, MoneyError> {
    let position = &facts.position;
    let amount = money.to_amount(position.token_decimals, facts.price, Rounding::Down)?;
    let few = Some(HoldReason::TooFewUnits).filter(|_| amount.is_zero());
    let plan = Plan::sell(Reason::Rebalance, amount.min(position.token_balance), facts)?;
    Ok(RuleOutcome::of(plan, few))
}

/// The running members together.
struct Whole {
    /// Value of this member's tokens.
    tokens: Usd,
    /// Tokens and quote of all.
    total: Usd,
    /// Sum of the weights.
    weights: Decimal,
}

impl Whole {
    /// `None`: some member has no recent price.
    fn of(config: &BasketConfig, facts: &Facts) -> Result<Option<Self>, MoneyError> {
        Self::with(config, &facts.position, facts.price, &facts.peers)
    }

    fn with(
        config: &BasketConfig,
        position: &Position,
        price: Price,
        peers: &Peers,
    ) -> Result<Option<Self>, MoneyError> {
        let tokens = position.token_value(price, Rounding::Down)?;
        let mut total = tokens.checked_add(position.quote_value(Rounding::Down)?)?;
        let mut weights = config.weight;
        for peer in &peers.running {
            let Some(theirs) = peer.tokens else {
                return Ok(None);
            };
            total = total.checked_add(theirs)?.checked_add(quote(peer, position)?)?;
            weights = weights.checked_add(peer.weight).ok_or(MoneyError::OutOfRange)?;
        }
        Ok(Some(Self {
            tokens,
            total,
            weights,
        }))
    }

    /// What the tokens of a member of this weight should be worth, rounded down.
    fn target(&self, weight: Decimal) -> Result<Usd, MoneyError> {
        let part = self.total.decimal().checked_mul(weight);
        let part = part.and_then(|part| part.checked_div(self.weights));
        Ok(Usd::rounded(part.ok_or(MoneyError::OutOfRange)?, Rounding::Down))
    }

    /// `None`: a number is out of range.
    fn standing(&self, tokens: Usd, weight: Decimal, band_pct: Decimal) -> Option<Standing> {
        let target = target(weight, self.weights, band_pct)?;
        let share = tokens
            .decimal()
            .checked_mul(Decimal::ONE_HUNDRED)?
            .checked_div(self.total.decimal())?;
        Some(Standing {
            share_pct: shown(share),
            target_pct: target.target_pct,
            buys_below_pct: target.buys_below_pct,
            sells_above_pct: target.sells_above_pct,
        })
    }

    fn share(&self, peer: &Peer) -> Result<Share, MoneyError> {
        Ok(Share {
            tokens: peer.tokens.unwrap_or(Usd::ZERO),
            target: self.target(peer.weight)?,
            band_pct: peer.band_pct,
        })
    }

    /// Quote that a member has and does not buy with now: one within its band buys nothing.
    fn spare(&self, peer: &Peer, facts: &Facts) -> Result<Usd, MoneyError> {
        if peer.in_motion {
            return Ok(Usd::ZERO);
        }
        let share = self.share(peer)?;
        let needs = match share.is_short()? {
            true => share.lacks()?,
            false => Usd::ZERO,
        };
        quote(peer, &facts.position)?.checked_sub(needs)
    }
}

/// What the tokens of one member are worth, and what they should be.
#[derive(Debug, Clone, Copy)]
struct Share {
    tokens: Usd,
    target: Usd,
    band_pct: Decimal,
}

impl Share {
    const fn of(config: &BasketConfig, tokens: Usd, target: Usd) -> Self {
        Self {
            tokens,
            target,
            band_pct: config.band_pct,
        }
    }

    /// Below zero if it has more than its share.
    fn lacks(self) -> Result<Usd, MoneyError> {
        self.target.checked_sub(self.tokens)
    }

    fn above(self) -> Result<Usd, MoneyError> {
        self.tokens.checked_sub(self.target)
    }

    fn is_over(self) -> Result<bool, MoneyError> {
        let percent = Decimal::ONE_HUNDRED.checked_add(self.band_pct);
        let edge = self
            .target
            .percent(percent.ok_or(MoneyError::OutOfRange)?, Rounding::Up)?;
        Ok(self.tokens > edge)
    }

    fn is_short(self) -> Result<bool, MoneyError> {
        let percent = Decimal::ONE_HUNDRED.checked_sub(self.band_pct);
        let edge = self
            .target
            .percent(percent.ok_or(MoneyError::OutOfRange)?, Rounding::Down)?;
        Ok(self.tokens < edge)
    }
}

/// What members below their bands lack beyond all quote that there is, and what others have above their shares.
struct Pot {
    to_fund: Usd,
    above: Usd,
}

impl Pot {
    fn of(own: Share, whole: &Whole, limits: &LimitsConfig, facts: &Facts) -> Result<Self, MoneyError> {
        let mut there = facts.position.quote_value(Rounding::Down)?;
        let mut members = vec![own];
        for peer in &facts.peers.running {
            there = there.checked_add(quote(peer, &facts.position)?)?;
            // What cannot trade neither needs money now nor brings any.
            if !peer.blocked {
                members.push(whole.share(peer)?);
            }
        }
        let (mut lacks, mut above) = (Usd::ZERO, Usd::ZERO);
        for member in members {
            if member.is_short()? {
                lacks = lacks.checked_add(member.lacks()?)?;
            }
            above = above.checked_add(member.above()?.max(Usd::ZERO))?;
        }
        let to_fund = lacks.checked_sub(there)?;
        let worth_it = to_fund >= limits.min_trade_usd;
        Ok(Self {
            to_fund: if worth_it { to_fund } else { Usd::ZERO },
            above,
        })
    }

    /// What a member sells: all above its share if it is above its band; else its part of what others lack.
    fn surplus(&self, member: Share) -> Result<Usd, MoneyError> {
        let above = member.above()?;
        if !above.is_positive() || member.is_over()? {
            return Ok(above.max(Usd::ZERO));
        }
        let part = self
            .to_fund
            .min(self.above)
            .decimal()
            .checked_mul(above.decimal());
        let part = part.and_then(|part| part.checked_div(self.above.decimal()));
        Ok(Usd::rounded(part.ok_or(MoneyError::OutOfRange)?, Rounding::Down))
    }
}

/// All members have one quote token.
fn quote(peer: &Peer, position: &Position) -> Result<Usd, MoneyError> {
    peer.quote
        .value(position.quote_decimals, position.quote_price, Rounding::Down)
}
