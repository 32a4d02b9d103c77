//! Whether jobs that are to be members of one basket fit together.

use rust_decimal::Decimal;

use crate::{
    Timestamp,
    config::{BasketConfig, JobConfig, ScheduleConfig},
    job::{Account, JobStatus, Token},
    span::Span,
    units::{Rounding, Usd},
};

/// Slots of each schedule that are looked at: a day of minutes.
const SLOTS: usize = 1_440;

/// A member as it was set up.
#[derive(Debug, Clone)]
pub struct Member {
    /// What messages call it, such as `job 1 (ONE)`.
    pub name: String,
    /// Where it trades.
    pub account: Account,
    /// What it pays with.
    pub quote: Token,
    /// IDLE: it is not one of the members.
    pub status: JobStatus,
    /// Its configuration.
    pub config: JobConfig,
}

/// Why a job cannot become a member next to another one, or at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// A name is one basket, of one wallet, chain and quote.
    #[error(
        "{new} and {other} both have basket.name = {basket}, but {what}: a basket has one wallet, one chain and one quote; \
         give this one another basket.name"
    )]
    Elsewhere {
        /// The new member.
        new: String,
        /// The one that is there.
        other: String,
        /// The name.
        basket: String,
        /// How they differ.
        what: String,
    },
    /// Different numbers of members.
    #[error(
        "{new} has basket.members = {members}, and {other} has {theirs}: all members of basket {basket} give the same number; \
         set {theirs} here, or change that of the others with `config edit` first"
    )]
    Count {
        /// The new member.
        new: String,
        /// The one that is there.
        other: String,
        /// The name.
        basket: String,
        /// Of the new member.
        members: u32,
        /// Of the other.
        theirs: u32,
    },
    /// All members are there.
    #[error(
        "basket {basket} has its {members} members: {others}; {new} would be one more: raise basket.members of all with \
         `config edit` first, or give this one another basket.name"
    )]
    Full {
        /// The new member.
        new: String,
        /// Those that are there.
        others: String,
        /// The name.
        basket: String,
        /// How many there should be.
        members: u32,
    },
    /// Different bands.
    #[error(
        "{new} has basket.band_pct = {band}, and {other} has {theirs}: members of basket {basket} start with the same band; \
         set {theirs} here, and change single ones with `config edit` later"
    )]
    Band {
        /// The new member.
        new: String,
        /// The one that is there.
        other: String,
        /// The name.
        basket: String,
        /// Of the new member, per cent.
        band: Decimal,
        /// Of the other, per cent.
        theirs: Decimal,
    },
    /// Its slots never come soon enough after those of the other.
    #[error(
        "{blind} decides at cron '{own}', {other} at '{theirs}': the price that {other} accepted last is never younger than \
         price.max_price_age = {max_age} of {blind}, which would always hold as basket_price; give both the same schedule, \
         with two slots at most {max_age} apart, such as schedule.cron = \"0-30 9 * * *\""
    )]
    Unseen {
        /// The member that has no price of the other.
        blind: String,
        /// The other.
        other: String,
        /// Cron of the first.
        own: String,
        /// Cron of the other.
        theirs: String,
        /// Of the first.
        max_age: Span,
    },
    /// Its share is too small to be bought.
    #[error(
        "the share of {member} is {share} USD of the {total} USD that all members bring, below its limits.min_trade_usd = \
         {least}: it would never buy; raise its basket.weight or the budgets, or lower limits.min_trade_usd"
    )]
    Small {
        /// The member.
        member: String,
        /// Rounded down.
        share: Usd,
        /// Sum of the budgets.
        total: Usd,
        /// The limit.
        least: Usd,
    },
    /// Its share is more than it may hold.
    #[error(
        "the share of {member} is {share} USD of the {total} USD that all members bring, above its limits.max_position_usd = \
         {most}: it would never get there; lower its basket.weight, or raise that limit"
    )]
    Large {
        /// The member.
        member: String,
        /// Rounded down.
        share: Usd,
        /// Sum of the budgets.
        total: Usd,
        /// The limit.
        most: Usd,
    },
}

/// The first thing that keeps `new` from being a member next to `others`, which have its `basket.name` in its realm;
/// `None`: it fits. `now`: from when on schedules are compared.
#[must_use]
pub fn misfit(new: &Member, others: &[Member], now: Timestamp) -> Option<Misfit> {
    let rules = new.config.rules.basket()?;
    let there: Vec<(&Member, &BasketConfig)> = others
        .iter()
        .filter(|other| other.status != JobStatus::Idle)
        .filter_map(|other| Some((other, other.config.rules.basket()?)))
        .filter(|(_, theirs)| theirs.name == rules.name)
        .collect();
    let found = there
        .iter()
        .find_map(|(other, theirs)| next_to((new, rules), (other, theirs), now));
    found
        .or_else(|| full(new, rules, &there))
        .or_else(|| extreme(new, rules, &there))
}

fn next_to(
    (new, rules): (&Member, &BasketConfig),
    (other, theirs): (&Member, &BasketConfig),
    now: Timestamp,
) -> Option<Misfit> {
    let (name, their_name, basket) = (new.name.clone(), other.name.clone(), rules.name.clone());
    if let Some(what) = elsewhere(new, other) {
        return Some(Misfit::Elsewhere {
            new: name,
            other: their_name,
            basket,
            what,
        });
    }
    if rules.members != theirs.members {
        return Some(Misfit::Count {
            new: name,
            other: their_name,
            basket,
            members: rules.members,
            theirs: theirs.members,
        });
    }
    if rules.band_pct != theirs.band_pct {
        return Some(Misfit::Band {
            new: name,
            other: their_name,
            basket,
            band: rules.band_pct,
            theirs: theirs.band_pct,
        });
    }
    unseen(new, other, now).or_else(|| unseen(other, new, now))
}

fn elsewhere(new: &Member, other: &Member) -> Option<String> {
    let (one, two) = (&new.account, &other.account);
    if one.chain != two.chain {
        return Some(format!("they trade on {} and {}", one.chain, two.chain));
    }
    if one.wallet != two.wallet {
        return Some(format!(
            "they trade from wallets {} and {}",
            one.wallet, two.wallet
        ));
    }
    (new.quote.address != other.quote.address)
        .then(|| format!("they pay with {} and {}", new.quote.symbol, other.quote.symbol))
}

fn full(new: &Member, rules: &BasketConfig, there: &[(&Member, &BasketConfig)]) -> Option<Misfit> {
    let room = usize::try_from(rules.members).is_ok_and(|members| there.len() < members);
    let others: Vec<&str> = there.iter().map(|(other, _)| other.name.as_str()).collect();
    (!room).then(|| Misfit::Full {
        new: new.name.clone(),
        others: others.join(", "),
        basket: rules.name.clone(),
        members: rules.members,
    })
}

/// `blind` never knows a recent price of `other` at its slots. That of the other's slot at the same instant may come
/// later, so only an earlier one counts; for two members of the same schedule that is its slot before.
fn unseen(blind: &Member, other: &Member, now: Timestamp) -> Option<Misfit> {
    let (own, theirs) = (&blind.config.schedule, &other.config.schedule);
    let max_age = blind.config.price.max_price_age;
    let sees = |seen: Timestamp| next(own, seen).is_none_or(|slot| slot <= max_age.after(seen));
    let is_seen = |slot: Timestamp| {
        let oldest = Span::from_millis(1).before(max_age.before(slot));
        next(theirs, oldest).is_some_and(|seen| seen < slot)
    };
    if slots(theirs, now).any(sees) || slots(own, now).any(is_seen) {
        return None;
    }
    Some(Misfit::Unseen {
        blind: blind.name.clone(),
        other: other.name.clone(),
        own: own.cron.as_str().to_owned(),
        theirs: theirs.cron.as_str().to_owned(),
        max_age,
    })
}

fn next(schedule: &ScheduleConfig, after: Timestamp) -> Option<Timestamp> {
    schedule.cron.next_after(schedule.timezone, after)
}

fn slots(schedule: &ScheduleConfig, now: Timestamp) -> impl Iterator<Item = Timestamp> {
    std::iter::successors(next(schedule, now), |slot| next(schedule, *slot)).take(SLOTS)
}

/// Once all members are there, whether each may hold its share.
fn extreme(new: &Member, rules: &BasketConfig, there: &[(&Member, &BasketConfig)]) -> Option<Misfit> {
    let members: Vec<(&Member, &BasketConfig)> = there.iter().copied().chain([(new, rules)]).collect();
    if usize::try_from(rules.members).ok()? != members.len() {
        return None;
    }
    let total = members.iter().try_fold(Usd::ZERO, |sum, (_, rules)| {
        sum.checked_add(rules.budget_usd).ok()
    })?;
    let weights = members
        .iter()
        .try_fold(Decimal::ZERO, |sum, (_, rules)| sum.checked_add(rules.weight))?;
    members.iter().find_map(|(member, rules)| {
        let share = total.decimal().checked_mul(rules.weight)?.checked_div(weights)?;
        let share = Usd::rounded(share, Rounding::Down);
        let limits = &member.config.limits;
        let member = member.name.clone();
        if share < limits.min_trade_usd {
            let least = limits.min_trade_usd;
            return Some(Misfit::Small {
                member,
                share,
                total,
                least,
            });
        }
        let most = limits.max_position_usd;
        (most.is_positive() && share > most).then_some(Misfit::Large {
            member,
            share,
            total,
            most,
        })
    })
}
