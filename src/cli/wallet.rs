//! `wallet`: encrypted keys. A key or password is never an argument and is never printed.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
};

use alloy_primitives::Address;
use clap::{Args, Subcommand};

use super::{
    out::{Out, table},
    target::actor,
};
use crate::{
    app::{
        AppError,
        wallets::{self, CheckRequest, CheckedWallet, KeyOrigin, KmsKey, SecretText, Wallet},
    },
    config::{PASSWORD_VARIABLE, Settings, UNSAFE_KEY_VARIABLE},
};

#[derive(Debug, Subcommand)]
pub(super) enum WalletCommand {
    /// Create a new key and store it encrypted
    New(PasswordArgs),
    /// Store an existing key, encrypted
    ///
    /// The key is read from another V3 keystore (--keystore), from the variable LGI_MM_UNSAFE_PRIVATE_KEY, or from a
    /// prompt on the terminal; never from an argument.
    Import(ImportArgs),
    /// List wallets: what each holds, what of it is free, and how long it lasts at what its jobs spend
    List,
    /// Open each key with its password and report how well it is protected
    ///
    /// Fails if a key does not open, or if other users can access its keystore, the directory or the password file.
    Check(CheckArgs),
    /// Pay all that no job holds to an address that the policy names, the native coin last
    Sweep(super::withdraw::SweepArgs),
    /// Change the password of the keystores
    ///
    /// Each keystore stays as it is until the replacements of all were written and opened: if one does not open with
    /// the old password, none is changed. None becomes weaker than scrypt with n = 262144. Workers need the new
    /// password from their next start on.
    Passwd(PasswdArgs),
    /// Show the wallet of a key in AWS KMS or Google Cloud KMS, or check those in [wallet.kms]
    ///
    /// The key stays in the service. Add the printed lines to the settings of every worker.
    Kms(KmsArgs),
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Only this wallet [default: all]
    wallet: Option<Address>,
    #[command(flatten)]
    password: PasswordArgs,
}

#[derive(Debug, Args)]
pub(super) struct PasswdArgs {
    /// Only this wallet [default: all keystores, which workers open with one password]
    wallet: Option<Address>,
    #[command(flatten)]
    password: PasswordArgs,
    /// File whose first line is the new password [default: a prompt]
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct KmsArgs {
    /// aws:KEY_ID_OR_ARN or gcp:projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N [default: all of
    /// [wallet.kms]]
    key: Option<KmsKey>,
}

#[derive(Debug, Args)]
pub(super) struct PasswordArgs {
    /// File whose first line is the password [default: wallet.password_file, else LGI_MM_WALLET_PASSWORD, else a
    /// prompt]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// A V3 keystore of another tool, opened with the same password
    #[arg(long, value_name = "FILE")]
    keystore: Option<PathBuf>,
    #[command(flatten)]
    password: PasswordArgs,
}

pub(super) async fn run(settings: &Settings, out: Out, command: &WalletCommand) -> Result<(), AppError> {
    match command {
        WalletCommand::New(args) => new(settings, out, args),
        WalletCommand::Import(args) => import(settings, out, args),
        WalletCommand::List => super::holdings::list(settings, out).await,
        WalletCommand::Check(args) => check(settings, out, args).await,
        WalletCommand::Sweep(args) => super::withdraw::sweep(settings, out, args).await,
        WalletCommand::Passwd(args) => passwd(settings, out, args),
        WalletCommand::Kms(args) => kms(settings, out, args).await,
    }
}

fn new(settings: &Settings, out: Out, args: &PasswordArgs) -> Result<(), AppError> {
    let password = password(settings, args, "Password for the new wallet", true)?;
    let stored = wallets::create(settings, &password, &actor())?;
    show_stored(
        out,
        &stored,
        "created: back up its keystore and its password, there is no other copy",
    )
}

fn import(settings: &Settings, out: Out, args: &ImportArgs) -> Result<(), AppError> {
    let stored = if let Some(path) = &args.keystore {
        let password = password(settings, &args.password, "Password of the keystore", false)?;
        wallets::import(settings, &KeyOrigin::Keystore(path), &password, &actor())?
    } else {
        let key = raw_key(settings)?;
        let password = password(settings, &args.password, "Password for the keystore", true)?;
        wallets::import(settings, &KeyOrigin::Key(&key), &password, &actor())?
    };
    show_stored(out, &stored, "imported")
}

fn show_stored(out: Out, stored: &Wallet, what: &str) -> Result<(), AppError> {
    out.show(stored, |stored| {
        let address = stored.address.to_checksum(None);
        format!("wallet {address} {what}\n  keystore {}\n", stored.keystore)
    })
}

async fn check(settings: &Settings, out: Out, args: &CheckArgs) -> Result<(), AppError> {
    let given = args.password.password_file.is_some();
    let password = if given || wallets::needs_password(settings, args.wallet)? {
        Some(password(
            settings,
            &args.password,
            "Password of the keystores",
            false,
        )?)
    } else {
        None
    };
    let request = CheckRequest {
        wallet: args.wallet,
        password,
    };
    let report = wallets::check(settings, request).await?;
    out.show(&report, |report| {
        let rows = report.wallets.iter().map(checked_row);
        let mut text = format!("{}\n", table(&["wallet", "", "protection", "problem"], rows));
        for path in &report.unnamed {
            let path = path.display();
            text.push_str(&format!(
                "{path} names no address and is never used; import it: `lgi-mm wallet import --keystore {path}`\n"
            ));
        }
        text
    })?;
    match report.failed() {
        0 => Ok(()),
        failed => Err(AppError::Problems(failed)),
    }
}

fn checked_row(wallet: &CheckedWallet) -> Vec<String> {
    let kept = wallet.kept.clone().unwrap_or_default();
    vec![
        wallet.address.to_checksum(None),
        if wallet.opens { "opens" } else { "FAILS" }.to_owned(),
        match wallet.weak {
            true => format!("{kept}: WEAK, the password is cheap to brute-force"),
            false => kept,
        },
        wallet.problem.clone().unwrap_or_default(),
    ]
}

fn passwd(settings: &Settings, out: Out, args: &PasswdArgs) -> Result<(), AppError> {
    let old = password(settings, &args.password, "Old password", false)?;
    let new = match &args.new_password_file {
        Some(file) => wallets::known_password(settings, Some(file))?,
        None => typed("New password", true)?,
    };
    let new = new.ok_or_else(|| {
        AppError::Usage(
            "no new password: give --new-password-file FILE, or run on a terminal for a prompt".to_owned(),
        )
    })?;
    let renewed = wallets::change(settings, args.wallet, (&old, &new), &actor())?;
    out.show(&renewed, |renewed| {
        let lines = renewed.wallets.iter().map(|wallet| {
            let address = wallet.address.to_checksum(None);
            format!(
                "wallet {address} has a new password\n  keystore {}\n",
                wallet.keystore
            )
        });
        let mut text: String = lines.collect();
        text.push_str("back up the keystores again: older copies still open with the old password\n");
        if let Some(file) = &renewed.password_file {
            text.push_str(&format!(
                "write the new password into {} before the next start of a worker\n",
                file.display()
            ));
        }
        text
    })
}

async fn kms(settings: &Settings, out: Out, args: &KmsArgs) -> Result<(), AppError> {
    let found = wallets::kms(settings, args.key.as_ref()).await?;
    let asked = args.key.is_some();
    out.show(&found, |found| match found.as_slice() {
        [] => "[wallet.kms] is empty; name a key to see its wallet\n".to_owned(),
        [wallet] if asked => {
            let address = wallet.address.to_checksum(None);
            format!(
                "wallet {address}; to use it:\n\n[wallet.kms]\n\"{address}\" = \"{}\"\n",
                wallet.key
            )
        }
        several => {
            let rows = several
                .iter()
                .map(|wallet| vec![wallet.address.to_checksum(None), wallet.key.clone()]);
            format!("{}\n", table(&["wallet", "key"], rows))
        }
    })
}

/// From a file, the variable, or a terminal; prompts twice where a typing error would lock a key away.
fn password(
    settings: &Settings,
    args: &PasswordArgs,
    question: &str,
    twice: bool,
) -> Result<SecretText, AppError> {
    let file = args.password_file.as_deref().map(Path::new);
    if let Some(known) = wallets::known_password(settings, file)? {
        return Ok(known);
    }
    typed(question, twice)?.ok_or_else(|| {
        AppError::Usage(format!(
            "no password: give --password-file FILE, set {PASSWORD_VARIABLE}, or run on a terminal for a prompt"
        ))
    })
}

/// `None` without a terminal.
fn typed(question: &str, twice: bool) -> Result<Option<SecretText>, AppError> {
    let Some(first) = ask(question)? else {
        return Ok(None);
    };
    if twice && ask("Repeat the password")?.as_ref() != Some(&first) {
        return Err(AppError::Usage(
            "the two passwords differ; nothing was changed".to_owned(),
        ));
    }
    Ok(Some(first))
}

fn raw_key(settings: &Settings) -> Result<SecretText, AppError> {
    if let Some(key) = wallets::known_key(settings)? {
        return Ok(key);
    }
    ask("Private key (not shown)")?.ok_or_else(|| {
        AppError::Usage(format!(
            "no key: give --keystore FILE, set {UNSAFE_KEY_VARIABLE}, or run on a terminal for a prompt"
        ))
    })
}

/// Prompts without echo; `None` without a terminal.
pub(super) fn ask(question: &str) -> Result<Option<SecretText>, AppError> {
    if !std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let typed = rpassword::prompt_password(format!("{question}: ")).map_err(|source| AppError::Io {
        what: "reading from the terminal".to_owned(),
        source,
    })?;
    Ok(Some(SecretText::new(typed)))
}
