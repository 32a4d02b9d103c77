//! An entry of the policy as text.

use crate::{app::policy::PolicyEntry, cli::out::dollars};

pub(super) fn described(entry: &PolicyEntry) -> String {
    let mut text = format!("wallet {} on {}", entry.wallet, entry.chain);
    if entry.stop {
        text.push_str(": STOPPED, only cancels are signed");
    }
    let list = |items: Vec<String>| {
        if items.is_empty() {
            "nothing".to_owned()
        } else {
            items.join(", ")
        }
    };
    let tokens = list(entry.tokens.iter().map(ToString::to_string).collect());
    let quotes = list(entry.quotes.iter().map(ToString::to_string).collect());
    text.push_str(&format!(
        "\n  may trade {tokens}\n  against {quotes}\n  \
         a buy spends at most {} USD, an hour {} USD, a day {} USD; a sale is not limited in size\n  \
         gas of a transaction at most {} USD; minimum output {} % of fair value; valid for {} at most\n  \
         native coin valued at no less than {} USD\n",
        dollars(entry.max_trade_usd),
        dollars(entry.max_hour_usd),
        dollars(entry.max_day_usd),
        dollars(entry.max_gas_usd),
        rust_decimal::Decimal::new(10_000_i64.saturating_sub(entry.max_loss_bps.into()), 2).normalize(),
        entry.max_deadline,
        entry.native_usd_min,
    ));
    if !entry.withdraw_to.is_empty() {
        let receivers: Vec<String> = entry.withdraw_to.iter().map(ToString::to_string).collect();
        text.push_str(&format!("  withdrawals may pay {}\n", receivers.join(", ")));
    }
    if !entry.routers.is_empty() {
        let routers: Vec<String> = entry.routers.iter().map(ToString::to_string).collect();
        text.push_str(&format!("  may also use the routers {}\n", routers.join(", ")));
    }
    text.push_str(&own_addresses(entry));
    text
}

/// Addresses that the entry sets itself.
fn own_addresses(entry: &PolicyEntry) -> String {
    let mut text = String::new();
    let at = entry.contracts();
    let named = [
        ("permit2", entry.contracts.permit2, at.permit2),
        (
            "universal router",
            entry.contracts.universal_router,
            at.universal_router,
        ),
        ("swap router", entry.contracts.swap_router, at.swap_router),
        (
            "PancakeSwap V3 router",
            entry.contracts.pancake_v3_router,
            at.pancake_v3_router,
        ),
        (
            "Slipstream router",
            entry.contracts.slipstream_router,
            at.slipstream_router,
        ),
        (
            "Slipstream router (caps)",
            entry.contracts.slipstream_caps_router,
            at.slipstream_caps_router,
        ),
        (
            "Slipstream router (V3)",
            entry.contracts.slipstream_v3_router,
            at.slipstream_v3_router,
        ),
        (
            "Aerodrome router",
            entry.contracts.aerodrome_router,
            at.aerodrome_router,
        ),
        (
            "Aerodrome factory",
            entry.contracts.aerodrome_factory,
            at.aerodrome_factory,
        ),
        (
            "wrapped native",
            entry.contracts.wrapped_native,
            at.wrapped_native,
        ),
        ("usdc", entry.contracts.usdc, at.usdc),
    ];
    for (name, given, address) in named {
        if given.is_some() {
            text.push_str(&format!("  {name} {address}, set by this entry\n"));
        }
    }
    for (name, address) in &entry.contracts.v2_routers {
        text.push_str(&format!("  v2:{name} router {address}, set by this entry\n"));
    }
    text
}
