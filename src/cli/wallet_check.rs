//! `wallet check`: whether each key opens, and how well it is kept.

use alloy_primitives::Address;
use serde::Serialize;

use super::{
    AppError, Out,
    out::table,
    wallet::{CheckArgs, password},
};
use crate::chain::keystore::{KeyError, KeySource};

#[derive(Debug, Serialize)]
struct Checked {
    address: String,
    opens: bool,
    /// What a guess at the password costs, or where else the key is.
    kept: Option<String>,
    weak: bool,
    problem: Option<String>,
}

/// One derivation a key: about a second each.
pub(super) async fn run(mut keys: KeySource, out: Out, args: &CheckArgs) -> Result<(), AppError> {
    let wallets = match args.wallet {
        Some(wallet) => vec![wallet],
        None => keys.addresses()?,
    };
    let needs_password = wallets
        .iter()
        .any(|wallet| matches!(keys.check(*wallet), Err(KeyError::NoPassword(_))));
    if needs_password || args.password.is_given() {
        keys.password = Some(password(
            &keys,
            &args.password,
            "Password of the keystores",
            false,
        )?);
        keys.password_file = None;
    }
    let mut checked = Vec::new();
    for wallet in wallets {
        checked.push(examined(&keys, wallet).await);
    }
    let unnamed = keys.unnamed()?;
    let failed = checked.iter().filter(|wallet| !wallet.opens).count();
    let view = serde_json::json!({ "wallets": checked, "unnamed": unnamed });
    out.show(&view, |_| {
        let rows = checked.iter().map(row);
        let mut text = format!("{}\n", table(&["wallet", "", "kept by", "problem"], rows));
        for path in &unnamed {
            let path = path.display();
            text.push_str(&format!(
                "{path} does not say whose key it is and is never used: `lgi-mm wallet import --keystore {path}`\n"
            ));
        }
        text
    })?;
    if failed == 0 {
        Ok(())
    } else {
        Err(AppError::Problems(failed))
    }
}

fn row(wallet: &Checked) -> Vec<String> {
    let kept = wallet.kept.clone().unwrap_or_default();
    vec![
        wallet.address.clone(),
        if wallet.opens { "opens" } else { "FAILS" }.to_owned(),
        match wallet.weak {
            true => format!("{kept}: WEAK, guesses at the password are cheap"),
            false => kept,
        },
        wallet.problem.clone().unwrap_or_default(),
    ]
}

async fn examined(keys: &KeySource, wallet: Address) -> Checked {
    let (opened, kept, weak) = match keys.kms.get(&wallet) {
        Some(key) => (key.open(wallet).await.map(|_| ()), Some(key.to_string()), false),
        None => {
            let (kept, weak) = match keys.strength(wallet) {
                Ok(Some((strength, weak))) => (Some(strength), weak),
                Ok(None) => (Some("a variable, as it is".to_owned()), false),
                Err(_) => (None, false),
            };
            (keys.unlock(wallet).map(|_| ()), kept, weak)
        }
    };
    let problem = opened.err().map(|error| error.to_string());
    Checked {
        address: wallet.to_checksum(None),
        opens: problem.is_none(),
        kept,
        weak,
        problem,
    }
}
