//! `wallet`: encrypted keys. No key or password ever comes through an argument or goes to the output.

use std::{io::IsTerminal, path::PathBuf};

use alloy_primitives::Address;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::{AppError, Out, out::table, wallet_check};
use crate::{
    chain::{
        keystore::{self, KeySource, SecretText, WalletFile},
        kms::KmsKey,
    },
    config::{PASSWORD_VARIABLE, Settings, UNSAFE_KEY_VARIABLE},
};

#[derive(Debug, Subcommand)]
pub(super) enum WalletCommand {
    /// Make a new key and store it encrypted
    New(PasswordArgs),
    /// Store a key that exists, encrypted
    ///
    /// The key is read from another V3 keystore (--keystore), from the variable LGI_MM_UNSAFE_PRIVATE_KEY, or
    /// asked for on a terminal; never from an argument.
    Import(ImportArgs),
    /// The wallets there are
    List,
    /// Open each key with its password, and say how well it is kept
    ///
    /// Fails if a key does not open, or if its keystore, the directory or the file of the password is open to others.
    Check(CheckArgs),
    /// Show the wallet of a key in AWS KMS or Google Cloud KMS, or check those in [wallet.kms]
    ///
    /// The key stays in the service. Add the line that this command prints to the settings of every worker.
    Kms(KmsArgs),
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Only this wallet [default: all]
    pub(super) wallet: Option<Address>,
    #[command(flatten)]
    pub(super) password: PasswordArgs,
}

#[derive(Debug, Args)]
pub(super) struct KmsArgs {
    /// aws:KEY_ID_OR_ARN or gcp:projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N [default: all of
    /// [wallet.kms]]
    key: Option<KmsKey>,
}

#[derive(Debug, Args)]
pub(super) struct PasswordArgs {
    /// File whose first line is the password [default: wallet.password_file, else LGI_MM_WALLET_PASSWORD, else asked]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordArgs {
    /// Whether the command line names a file.
    pub(super) const fn is_given(&self) -> bool {
        self.password_file.is_some()
    }
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// A V3 keystore of another tool, opened with the same password
    #[arg(long, value_name = "FILE")]
    keystore: Option<PathBuf>,
    #[command(flatten)]
    password: PasswordArgs,
}

#[derive(Debug, Serialize)]
struct Wallet {
    address: String,
    keystore: String,
}

impl From<&WalletFile> for Wallet {
    fn from(file: &WalletFile) -> Self {
        Self {
            address: file.address.to_checksum(None),
            keystore: file.path.display().to_string(),
        }
    }
}

pub(super) async fn run(settings: &Settings, out: Out, command: &WalletCommand) -> Result<(), AppError> {
    let keys = settings.keys().map_err(crate::config::SettingsError::from)?;
    match command {
        WalletCommand::New(args) => {
            let password = password(&keys, args, "Password for the new wallet", true)?;
            let stored = keys.create(&password)?;
            said(
                out,
                &stored,
                "is new: keep a copy of its keystore and of its password, nobody else has them",
            )
        }
        WalletCommand::Import(args) => {
            let stored = match &args.keystore {
                Some(path) => {
                    let password = password(&keys, &args.password, "Password of the keystore", false)?;
                    keys.adopt(path, &password)?
                }
                None => {
                    let key = raw_key(&keys)?;
                    let password = password(&keys, &args.password, "Password for the keystore", true)?;
                    keys.import(&key, &password)?
                }
            };
            said(out, &stored, "is in the keystore")
        }
        WalletCommand::List => list(&keys, out),
        WalletCommand::Check(args) => wallet_check::run(keys, out, args).await,
        WalletCommand::Kms(args) => kms(&keys, out, args).await,
    }
}

#[derive(Debug, Serialize)]
struct KmsWallet {
    address: String,
    key: String,
}

async fn kms(keys: &KeySource, out: Out, args: &KmsArgs) -> Result<(), AppError> {
    let mut found = Vec::new();
    if let Some(key) = &args.key {
        let address = key.address().await?.to_checksum(None);
        let key = key.to_string();
        found.push(KmsWallet { address, key });
    } else {
        for (wallet, key) in &keys.kms {
            key.open(*wallet).await?;
            found.push(KmsWallet {
                address: wallet.to_checksum(None),
                key: key.to_string(),
            });
        }
    }
    let asked = args.key.is_some();
    out.show(&found, |found| match found.as_slice() {
        [] => "[wallet.kms] is empty; name a key to see its wallet\n".to_owned(),
        [wallet] if asked => format!(
            "wallet {}; to use it:\n\n[wallet.kms]\n\"{}\" = \"{}\"\n",
            wallet.address, wallet.address, wallet.key
        ),
        several => {
            let rows = several
                .iter()
                .map(|wallet| vec![wallet.address.clone(), wallet.key.clone()]);
            format!("{}\n", table(&["wallet", "key"], rows))
        }
    })
}

fn said(out: Out, stored: &WalletFile, what: &str) -> Result<(), AppError> {
    out.show(&Wallet::from(stored), |view| {
        format!("wallet {} {what}\n  keystore {}\n", view.address, view.keystore)
    })
}

fn list(keys: &KeySource, out: Out) -> Result<(), AppError> {
    let mut wallets: Vec<Wallet> = keys.list()?.iter().map(Wallet::from).collect();
    wallets.extend(keys.kms.iter().map(|(address, key)| Wallet {
        address: address.to_checksum(None),
        keystore: key.to_string(),
    }));
    out.show(&wallets, |wallets| {
        if wallets.is_empty() {
            return format!(
                "no wallets in {}; `lgi-mm wallet new` makes one\n",
                keys.dir.display()
            );
        }
        let rows = wallets
            .iter()
            .map(|wallet| vec![wallet.address.clone(), wallet.keystore.clone()]);
        format!("{}\n", table(&["wallet", "keystore"], rows))
    })
}

/// From a file, the variable, or a terminal; asked twice where a slip would lock a key away for ever.
pub(super) fn password(
    keys: &KeySource,
    args: &PasswordArgs,
    question: &str,
    twice: bool,
) -> Result<SecretText, AppError> {
    if let Some(path) = args.password_file.as_ref().or(keys.password_file.as_ref()) {
        return Ok(keystore::password_in(path)?);
    }
    if let Some(password) = &keys.password {
        return Ok(password.clone());
    }
    let first = ask(question)?.ok_or_else(|| {
        AppError::Usage(format!(
            "no password: give --password-file FILE, set {PASSWORD_VARIABLE}, or run on a terminal to be asked"
        ))
    })?;
    if twice && ask("The same again")?.as_ref() != Some(&first) {
        return Err(AppError::Usage(
            "the two passwords differ; nothing was stored".to_owned(),
        ));
    }
    Ok(first)
}

fn raw_key(keys: &KeySource) -> Result<SecretText, AppError> {
    if let Some(key) = &keys.unsafe_key {
        return Ok(key.clone());
    }
    ask("Private key (not shown)")?.ok_or_else(|| {
        AppError::Usage(format!(
            "no key: give --keystore FILE, set {UNSAFE_KEY_VARIABLE}, or run on a terminal to be asked"
        ))
    })
}

/// Asks without showing what is typed; `None` without a terminal.
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

/// Which wallet a new live job trades with: the one that was chosen, or the only one.
pub(super) fn choose(settings: &Settings, keys: &KeySource) -> Result<Address, AppError> {
    if let Ok(chosen) = settings.wallet.address.parse::<Address>() {
        keys.check(chosen)?;
        return Ok(chosen);
    }
    match keys.addresses()?.as_slice() {
        [] => Err(AppError::Refused(format!(
            "--live needs a wallet and {} holds none: `lgi-mm wallet new` makes one, `lgi-mm wallet import` takes one over",
            keys.dir.display()
        ))),
        [only] => {
            keys.check(*only)?;
            Ok(*only)
        }
        several => Err(AppError::Usage(format!(
            "which wallet? set wallet.address to one of {}",
            several
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        ))),
    }
}
