//! Derives the policy entry a job needs, and what a policy lacks for it.

use alloy_primitives::Address;
use rust_decimal::{Decimal, RoundingStrategy};

use crate::{
    chain::{
        ChainSpec,
        policy::{Entry, MAX_DEADLINE, MAX_LOSS_BPS, NamedContracts, Policy, PolicyContracts, Quote},
    },
    domain::{
        bounds,
        config::MostBought,
        pool::NATIVE,
        router::ExtraRouter,
        units::{BPS, Price, Rounding, Usd},
    },
    store::jobs::Job,
};

/// Margin over the job's own limits, since the price may move between plan and signature: a tenth.
const MARGIN: Decimal = Decimal::from_parts(11, 0, 0, false, 1);
/// Replacements of a transaction may cost twice the job's limit for the first.
const REPLACEMENTS: Decimal = Decimal::TWO;
/// Margin over what a job's own limits let a trade lose, basis points.
const LOSS_BEYOND_BPS: u32 = 500;
/// The policy's lowest valuation of the native coin is its price divided by this.
const PRICE_FALL: Decimal = Decimal::from_parts(3, 0, 0, false, 0);

/// Limits by a job's own configuration, USD.
#[derive(Debug, Clone, Copy)]
struct Own {
    trade: Usd,
    hour: Usd,
    day: Usd,
}

fn usd(decimal: Decimal) -> Usd {
    Usd::rounded(decimal, Rounding::Up)
}

/// Rounded up to the cent.
fn cents(decimal: Decimal) -> Usd {
    usd(decimal.round_dp_with_strategy(2, RoundingStrategy::AwayFromZero))
}

/// The largest buy, and the most spent in an hour and a day, by the job's own limits.
fn own(job: &Job) -> Own {
    let limits = &job.config.limits;
    let MostBought { at_once, in_a_day } = job.config.rules.most_bought();
    let daily = limits.max_daily_spend_usd.decimal();
    let day = if daily.is_zero() { in_a_day } else { daily };
    let day = day.max(at_once);
    let hour = match limits.max_trades_per_hour {
        0 => day,
        trades => at_once.saturating_mul(Decimal::from(trades)).min(day),
    };
    Own {
        trade: usd(at_once),
        hour: usd(hour),
        day: usd(day),
    }
}

/// The quote of a job as a policy writes it.
pub(in crate::app) fn quote_of(quote: Address, spec: &ChainSpec) -> Option<Quote> {
    if quote == NATIVE {
        Some(Quote::Native)
    } else if quote == spec.wrapped_native {
        Some(Quote::Wrapped)
    } else if quote == spec.usdc {
        Some(Quote::Usdc)
    } else {
        None
    }
}

/// The entry that this job alone needs, with a margin for prices that move. `native`: USD per native coin now.
pub(in crate::app) fn entry_for(job: &Job, spec: &ChainSpec, native: Price) -> Entry {
    let own = own(job);
    let margin = |value: Usd| cents(value.decimal().saturating_mul(MARGIN));
    let limits = &job.config.limits;
    Entry {
        chain: job.account.chain.clone(),
        wallet: job.account.wallet,
        chain_id: None,
        tokens: vec![job.token.address],
        quotes: quote_of(job.quote.address, spec).into_iter().collect(),
        max_trade_usd: margin(own.trade),
        max_hour_usd: margin(own.hour),
        max_day_usd: margin(own.day),
        max_gas_usd: cents(limits.max_gas_usd.decimal().saturating_mul(REPLACEMENTS)),
        max_loss_bps: MAX_LOSS_BPS
            .max(worst_bps(job).saturating_add(LOSS_BEYOND_BPS))
            .min(BPS),
        max_deadline: MAX_DEADLINE,
        native_usd_min: least_native(native),
        withdraw_to: vec![],
        routers: pinned_router(job).into_iter().collect(),
        stop: false,
        contracts: NamedContracts::default(),
    }
}

/// The router beyond Uniswap's that the job's pinned pool needs.
fn pinned_router(job: &Job) -> Option<ExtraRouter> {
    job.config.venue.pool.and_then(|pool| pool.extra_router())
}

/// What a job's own limits let one trade lose, basis points.
fn worst_bps(job: &Job) -> u32 {
    let limits = &job.config.limits;
    bounds::losses_together(limits.max_pool_fee_bps, limits.max_slippage_bps)
}

/// A third of the price, to three digits.
pub(in crate::app) fn least_native(native: Price) -> Price {
    let third = native
        .decimal()
        .checked_div(PRICE_FALL)
        .unwrap_or(native.decimal());
    let short = third.round_sf_with_strategy(3, RoundingStrategy::ToZero);
    Price::new(short.unwrap_or(third)).unwrap_or(native)
}

/// Adds contracts of the settings that differ from the built-in table to the entry, so that the owner sees them.
pub fn name_contracts(entry: &mut Entry, spec: &ChainSpec) {
    if entry.chain_id() != Some(spec.chain_id) {
        entry.chain_id = Some(spec.chain_id);
    }
    let (table, used) = (entry.contracts(), contracts_of(spec, &entry.routers));
    let differs = |table: Address, used: Address| (table != used && !used.is_zero()).then_some(used);
    let named = &mut entry.contracts;
    named.permit2 = differs(table.permit2, used.permit2).or(named.permit2);
    named.universal_router =
        differs(table.universal_router, used.universal_router).or(named.universal_router);
    named.swap_router = differs(table.swap_router, used.swap_router).or(named.swap_router);
    named.pancake_v3_router =
        differs(table.pancake_v3_router, used.pancake_v3_router).or(named.pancake_v3_router);
    named.slipstream_router =
        differs(table.slipstream_router, used.slipstream_router).or(named.slipstream_router);
    named.slipstream_caps_router =
        differs(table.slipstream_caps_router, used.slipstream_caps_router).or(named.slipstream_caps_router);
    named.slipstream_v3_router =
        differs(table.slipstream_v3_router, used.slipstream_v3_router).or(named.slipstream_v3_router);
    named.aerodrome_router =
        differs(table.aerodrome_router, used.aerodrome_router).or(named.aerodrome_router);
    named.aerodrome_factory =
        differs(table.aerodrome_factory, used.aerodrome_factory).or(named.aerodrome_factory);
    for fork in &spec.v2_forks {
        if entry.routers.contains(&ExtraRouter::V2(fork.name)) {
            named.v2_routers.insert(fork.name, fork.router);
        }
    }
    named.wrapped_native = differs(table.wrapped_native, used.wrapped_native).or(named.wrapped_native);
    named.usdc = differs(table.usdc, used.usdc).or(named.usdc);
}

/// The contracts of the settings, of the routers beyond Uniswap's those that are named.
fn contracts_of(spec: &ChainSpec, routers: &[ExtraRouter]) -> PolicyContracts {
    let extra = |router, address| match routers.contains(&router) {
        true => address,
        false => Address::ZERO,
    };
    PolicyContracts {
        permit2: spec.contracts.permit2,
        universal_router: spec.contracts.universal_router,
        swap_router: spec.contracts.swap_router,
        pancake_v3_router: extra(ExtraRouter::PancakeswapV3, spec.contracts.pancake_v3_router),
        slipstream_router: extra(ExtraRouter::Slipstream, spec.contracts.slipstream_router),
        slipstream_caps_router: extra(ExtraRouter::Slipstream, spec.contracts.slipstream_caps_router),
        slipstream_v3_router: extra(ExtraRouter::Slipstream, spec.contracts.slipstream_v3_router),
        aerodrome_router: extra(ExtraRouter::Aerodrome, spec.contracts.aerodrome_router),
        aerodrome_factory: extra(ExtraRouter::Aerodrome, spec.contracts.aerodrome_factory),
        // Compared by name: see `contracts_lacking`.
        v2_routers: Default::default(),
        wrapped_native: spec.wrapped_native,
        usdc: spec.usdc,
    }
}

/// The current entry plus `wanted`: nothing is reduced, and the spending of a new token is added.
pub(in crate::app) fn merged(before: Option<&Entry>, wanted: Entry) -> Entry {
    let Some(before) = before else { return wanted };
    let new = wanted.tokens.iter().any(|token| !before.tokens.contains(token));
    let spend = |before: Usd, wanted: Usd| {
        if new {
            usd(before.decimal().saturating_add(wanted.decimal()))
        } else {
            before.max(wanted)
        }
    };
    let mut entry = before.clone();
    entry.max_hour_usd = spend(before.max_hour_usd, wanted.max_hour_usd);
    entry.max_day_usd = spend(before.max_day_usd, wanted.max_day_usd);
    entry.max_trade_usd = before.max_trade_usd.max(wanted.max_trade_usd);
    entry.max_gas_usd = before.max_gas_usd.max(wanted.max_gas_usd);
    entry.max_loss_bps = before.max_loss_bps.max(wanted.max_loss_bps);
    extend(&mut entry.tokens, &wanted.tokens);
    extend(&mut entry.quotes, &wanted.quotes);
    extend(&mut entry.routers, &wanted.routers);
    entry
}

pub(in crate::app) fn extend<T: PartialEq + Copy>(list: &mut Vec<T>, more: &[T]) {
    for one in more {
        if !list.contains(one) {
            list.push(*one);
        }
    }
}

/// What the policy lacks for this job to trade; empty if it is allowed.
pub(in crate::app) fn lacks(policy: &Policy, job: &Job, spec: &ChainSpec) -> Vec<String> {
    let account = &job.account;
    let Some(entry) = policy.entry(&account.chain, account.wallet) else {
        return vec![format!(
            "no entry for wallet {} on {}",
            account.wallet, account.chain
        )];
    };
    let own = own(job);
    let mut lacks = Vec::new();
    let mut need = |holds: bool, what: String| {
        if !holds {
            lacks.push(what);
        }
    };
    need(!policy.stop, "the policy is stopped".to_owned());
    need(!entry.stop, "the wallet is stopped".to_owned());
    let token = job.token.address;
    need(
        entry.tokens.contains(&token),
        format!("token {} {token}", job.token.symbol),
    );
    need(
        entry.quote(job.quote.address).is_some(),
        format!("paying with {}", job.quote.symbol),
    );
    let router = pinned_router(job).filter(|router| !entry.routers.contains(router));
    if let Some(router) = router {
        need(
            false,
            format!("router {router}: its venue.pool is swapped through it"),
        );
    }
    need(
        entry.max_trade_usd >= own.trade,
        format!(
            "max_trade_usd = {}: its largest buy is {}",
            entry.max_trade_usd, own.trade
        ),
    );
    let gas = job.config.limits.max_gas_usd;
    need(
        entry.max_gas_usd >= gas,
        format!("max_gas_usd = {}: it may pay {gas}", entry.max_gas_usd),
    );
    let worst = worst_bps(job);
    need(
        entry.max_loss_bps >= worst,
        format!(
            "max_loss_bps = {}: its max_pool_fee_bps and max_slippage_bps allow {worst}",
            entry.max_loss_bps
        ),
    );
    need(
        entry.chain_id() == Some(spec.chain_id),
        format!("chain id {} of the settings", spec.chain_id),
    );
    lacks.extend(contracts_lacking(entry, spec));
    lacks
}

/// Contracts of the settings that the entry does not allow.
fn contracts_lacking(entry: &Entry, spec: &ChainSpec) -> Vec<String> {
    let mut lacks = Vec::new();
    let (allowed, used) = (entry.contracts(), contracts_of(spec, &entry.routers));
    for (name, allowed, used) in [
        ("permit2", allowed.permit2, used.permit2),
        (
            "universal_router",
            allowed.universal_router,
            used.universal_router,
        ),
        ("swap_router", allowed.swap_router, used.swap_router),
        (
            "pancake_v3_router",
            allowed.pancake_v3_router,
            used.pancake_v3_router,
        ),
        (
            "slipstream_router",
            allowed.slipstream_router,
            used.slipstream_router,
        ),
        (
            "slipstream_caps_router",
            allowed.slipstream_caps_router,
            used.slipstream_caps_router,
        ),
        (
            "slipstream_v3_router",
            allowed.slipstream_v3_router,
            used.slipstream_v3_router,
        ),
        (
            "aerodrome_router",
            allowed.aerodrome_router,
            used.aerodrome_router,
        ),
        (
            "aerodrome_factory",
            allowed.aerodrome_factory,
            used.aerodrome_factory,
        ),
        ("wrapped_native", allowed.wrapped_native, used.wrapped_native),
        ("usdc", allowed.usdc, used.usdc),
    ] {
        if allowed != used && !used.is_zero() {
            lacks.push(format!("contract {name} {used} of the settings"));
        }
    }
    for fork in &spec.v2_forks {
        let named = entry.contracts.v2_routers.get(&fork.name);
        if entry.routers.contains(&ExtraRouter::V2(fork.name)) && named != Some(&fork.router) {
            lacks.push(format!(
                "contract v2_routers.{} {} of the settings",
                fork.name, fork.router
            ));
        }
    }
    lacks
}
