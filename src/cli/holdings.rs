//! `wallet list`.

use super::out::{Hue, Look, Out, counted, table, tokens};
use crate::{
    app::{
        AppError,
        wallets::{self, HeldAsset, Holdings, ListedWallet, WalletOnChain},
    },
    config::Settings,
    domain::job::Realm,
};

/// Seconds of an hour and of a day.
const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

pub(super) async fn list(settings: &Settings, out: Out) -> Result<(), AppError> {
    let found = wallets::holdings(settings).await?;
    out.show(&found.wallets, |_| render(&found))?;
    if let Some(problem) = &found.problem {
        out.remark(&format!("what the wallets hold is not known: {problem}"));
    }
    Ok(())
}

fn render(found: &Holdings) -> String {
    let mut text = String::new();
    if found.wallets.iter().all(|wallet| wallet.realm == Realm::Paper) {
        text.push_str(&format!(
            "no wallets in {}; create one with `lgi-mm wallet new`\n",
            found.dir.display()
        ));
    }
    for wallet in &found.wallets {
        text.push_str(&heading(wallet));
        let rows: Vec<Vec<String>> = wallet.chains.iter().flat_map(rows).collect();
        if !rows.is_empty() {
            let columns = [
                "chain",
                "asset",
                "held",
                "of jobs",
                "free",
                "spent a day",
                "lasts",
            ];
            text.push_str(&format!("{}\n", table(&columns, rows)));
        }
        for chain in &wallet.chains {
            if let Some(problem) = &chain.problem {
                text.push_str(&format!("  {}: balances are not known: {problem}\n", chain.chain));
            }
        }
        text.push('\n');
    }
    if !found.wallets.is_empty() {
        text.push_str("free is what no job owns, no open transaction needs and no job keeps for gas; lasts: at what jobs spent recently\n");
    }
    text
}

/// `LIVE 0x.. in /home/me/.local/share/lgi-mm/keystore/0x..json, 2 jobs`
fn heading(wallet: &ListedWallet) -> String {
    let look = Look::current();
    let realm = match wallet.realm {
        Realm::Live => look.paint("LIVE", Hue::Strong),
        Realm::Paper => "paper".to_owned(),
    };
    let place = match (&wallet.keystore, wallet.realm) {
        (Some(place), _) => format!(" in {place}"),
        (None, Realm::Live) => ", whose key is not on this machine".to_owned(),
        (None, Realm::Paper) => ", simulated".to_owned(),
    };
    let jobs: usize = wallet.chains.iter().map(|chain| chain.jobs).sum();
    let jobs = counted(i64::try_from(jobs).unwrap_or(i64::MAX), "job");
    format!(
        "{realm} {}{place}, {jobs} at work\n",
        wallet.address.to_checksum(None)
    )
}

fn rows(chain: &WalletOnChain) -> Vec<Vec<String>> {
    let row = |asset: &HeldAsset| {
        let known = |amount: Option<_>| amount.map_or_else(|| "-".to_owned(), tokens);
        vec![
            chain.chain.clone(),
            asset.symbol.clone(),
            known(asset.held),
            tokens(asset.of_jobs),
            known(asset.free),
            known(asset.spent_a_day),
            asset.lasts_seconds.map(lasts).unwrap_or_default(),
        ]
    };
    chain.assets.iter().map(row).collect()
}

/// Whole days, or hours of what ends within two days.
fn lasts(seconds: u64) -> String {
    let (unit, name) = if seconds < 2 * DAY {
        (HOUR, "hour")
    } else {
        (DAY, "day")
    };
    let whole = seconds.checked_div(unit).unwrap_or_default();
    counted(i64::try_from(whole).unwrap_or(i64::MAX), name)
}
