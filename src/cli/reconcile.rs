//! `reconcile`: compares the ledger with the chain.

use std::collections::BTreeSet;

use alloy_primitives::Address;
use clap::Args;
use rust_decimal::Decimal;

use super::{
    adopt,
    confirm::{asks, confirm},
    out::{Look, Out, table, tokens},
    target::actor,
};
use crate::{
    app::{
        App, AppError,
        reconcile::{self, BalanceView, Comparison, NonceView, SignerView},
    },
    config::Settings,
};

#[derive(Debug, Args)]
pub(super) struct ReconcileArgs {
    /// Make the listed repairs [default: only list them]
    #[arg(long, conflicts_with_all = ["adopt", "count_in"])]
    apply: bool,
    /// Accept the history of a live wallet: transactions that this database does not know, because it was restored or
    /// replaced, or because the wallet was used elsewhere
    #[arg(long, value_name = "WALLET", conflicts_with = "count_in")]
    adopt: Option<String>,
    /// Chain of --adopt
    #[arg(long, default_value = "base")]
    chain: String,
    /// Repair, adopt or count in without asking for confirmation
    #[arg(long)]
    yes: bool,
    /// Add tokens that the wallet holds and no job tracks to this job's position, at --cost
    #[arg(long, value_name = "JOB", requires = "cost")]
    count_in: Option<i64>,
    /// Total cost of the tokens of --count-in, USD
    #[arg(
        long,
        value_name = "USD",
        requires = "count_in",
        allow_negative_numbers = true
    )]
    cost: Option<Decimal>,
}

pub(super) async fn run(settings: &Settings, out: Out, args: &ReconcileArgs) -> Result<(), AppError> {
    let changes = args.apply || args.adopt.is_some() || args.count_in.is_some();
    let app = if changes {
        App::open(settings).await?
    } else {
        App::read(settings).await?
    };
    if let Some(wallet) = &args.adopt {
        return adopt::wallet(&app, out, wallet, &args.chain, args.yes).await;
    }
    if let (Some(job), Some(cost)) = (args.count_in, args.cost) {
        return adopt::tokens(&app, out, job, cost, args.yes).await;
    }
    let mut view = reconcile::compare(&app).await?;
    if args.apply {
        let repairs = view.repairs();
        if !out.is_json() && !repairs.is_empty() {
            out.remark(&repairs.join("\n"));
            if asks(out, args.yes) {
                confirm(out, "These change the ledger and cannot be undone. Continue?")?;
            }
        }
        view = reconcile::repair(&app, view, &actor()).await?;
    }
    out.show(&view, |view| text(view, args.apply))
}

fn text(view: &Comparison, applied: bool) -> String {
    let mut parts = vec![signer_table(&view.signers), balance_table(&view.balances)];
    let look = Look::current();
    let mut remarks = short_names(&view.signers);
    remarks.extend(view.signers.iter().flat_map(signer_remarks));
    remarks.extend(view.balances.iter().filter_map(balance_remark));
    parts.extend(remarks.iter().map(|remark| look.wrapped(remark, 0)));
    let repairs = view.repairs();
    parts.push(match (applied, view.agree, repairs.is_empty()) {
        (_, true, _) => "ledger and chain agree".to_owned(),
        (true, ..) if view.done.is_empty() => "nothing could be repaired; see the last column".to_owned(),
        (true, ..) => format!("done:\n  {}", view.done.join("\n  ")),
        (false, _, false) => {
            let repairs: Vec<String> = repairs.iter().map(|repair| look.wrapped(repair, 2)).collect();
            let repairs = repairs.join("\n  ");
            format!("nothing was changed; `lgi-mm reconcile --apply` would do this:\n  {repairs}")
        }
        (false, _, true) => "nothing can be repaired yet; see the last column".to_owned(),
    });
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn signer_table(signers: &[SignerView]) -> String {
    if signers.is_empty() {
        return "no signer has traded yet".to_owned();
    }
    let whole = whole_wallets();
    let rows = signers.iter().map(|signer| {
        vec![
            format!("{} {}", signer.realm, signer.chain),
            if whole {
                signer.wallet.to_string()
            } else {
                short(signer.wallet)
            },
            signer.next_nonce.to_string(),
            signer
                .chain_nonce
                .map_or_else(|| "?".to_owned(), |nonce| nonce.to_string()),
            if signer.halted.is_some() { "halted" } else { "" }.to_owned(),
            signer.open_trades.len().to_string(),
            last_column(signer.repair.as_ref(), signer.blocked.as_deref()),
        ]
    });
    let header = ["chain", "signer", "our nonce", "on chain", "", "open", "repair"];
    table(&header, rows)
}

fn balance_table(balances: &[BalanceView]) -> String {
    if balances.is_empty() {
        return String::new();
    }
    let or = |value: Option<String>, other: &str| value.unwrap_or_else(|| other.to_owned());
    let rows = balances.iter().map(|balance| {
        let jobs: Vec<String> = balance.jobs.iter().map(|job| format!("#{job}")).collect();
        vec![
            format!("{} {}", balance.realm, balance.chain),
            balance.symbol.clone(),
            jobs.join(" "),
            tokens(balance.tracked),
            or(balance.held.map(tokens), "?"),
            or(balance.missing.map(tokens), ""),
            last_column(balance.repair.as_ref(), balance.blocked.as_deref()),
        ]
    });
    let header = [
        "chain",
        "token",
        "jobs",
        "jobs track",
        "wallet holds",
        "missing",
        "repair",
    ];
    table(&header, rows)
}

/// On a terminal of fewer columns wallets are shortened in the table, and written out below it.
const WHOLE_WALLETS: usize = 130;

fn whole_wallets() -> bool {
    let look = Look::current();
    look.plain || look.wide || look.width() >= WHOLE_WALLETS
}

/// `0x9A42..1f3B`
fn short(wallet: Address) -> String {
    let text = wallet.to_checksum(None);
    match (text.get(..6), text.get(38..)) {
        (Some(first), Some(last)) => format!("{first}..{last}"),
        _ => text,
    }
}

fn short_names(signers: &[SignerView]) -> Vec<String> {
    if whole_wallets() {
        return vec![];
    }
    let wallets: BTreeSet<Address> = signers.iter().map(|signer| signer.wallet).collect();
    wallets
        .into_iter()
        .map(|wallet| format!("{} is {wallet}", short(wallet)))
        .collect()
}

/// Surplus of the wallet over the ledger.
fn balance_remark(balance: &BalanceView) -> Option<String> {
    let beyond = balance.beyond?;
    let (symbol, wallet) = (&balance.symbol, balance.wallet);
    let beyond = format!("{wallet} holds {beyond} {symbol} beyond what jobs track");
    Some(if balance.suspicious {
        format!(
            "WARNING: {beyond}, and a trade of {symbol} failed or was reversed: it may have bought after all. Compare \
             `lgi-mm trades` with the chain's explorer"
        )
    } else {
        format!("{beyond}: no job sells them")
    })
}

fn signer_remarks(signer: &SignerView) -> Vec<String> {
    let halted = signer.halted.iter().map(|why| format!("halted: {why}"));
    let chain = &signer.chain;
    let asked = signer.chain_error.iter().map(|why| format!("{chain}: {why}"));
    let unknown = signer.unknown_nonces.iter().map(nonce_remark);
    halted.chain(asked).chain(unknown).collect()
}

fn nonce_remark(unknown: &NonceView) -> String {
    let nonce = unknown.nonce;
    let whose = if unknown.known {
        "on record as ours"
    } else {
        "not on record"
    };
    match (unknown.tx_hash, unknown.block) {
        (Some(hash), Some(block)) => format!("nonce {nonce}: transaction {hash} in block {block}, {whose}"),
        _ => format!("nonce {nonce}: the block that holds it was not found"),
    }
}

fn last_column(repair: Option<&impl ToString>, blocked: Option<&str>) -> String {
    match (repair, blocked) {
        (Some(repair), _) => repair.to_string(),
        (None, Some(why)) => format!("not yet: {why}"),
        (None, None) => "agrees".to_owned(),
    }
}
