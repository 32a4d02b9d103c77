//! Edits of the policy file by command. Everything else in the file, comments included, is preserved.

use std::{
    fs::{self, DirBuilder, File},
    io::Write,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use alloy_primitives::Address;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value, value};

use super::file::{Entry, Policy};

const HEADING: &str = "\
# What the keys of this machine may sign with real money. Everything that is not allowed here is refused.
# Changes count from the next signature on. `lgi-mm policy show` explains it, `lgi-mm policy stop` stops everything.

";

/// An edit that failed. The file is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The file is not a valid policy, before or after the edit.
    #[error("{path} is not a policy: {detail}; nothing was written")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is invalid.
        detail: String,
    },
    /// The entry does not exist.
    #[error("the policy {path} has no entry for {wallet} on {chain}")]
    NoEntry {
        /// The file.
        path: PathBuf,
        /// Chain.
        chain: String,
        /// Wallet.
        wallet: Address,
    },
    /// The file cannot be written.
    #[error(
        "{path} cannot be written: {source}; change it where it comes from, or set LGI_MM_POLICY to a file of this user"
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
}

/// Returns the file at `path` with this entry added or replaced (same wallet and chain).
///
/// # Errors
/// [`EditError::Invalid`], [`EditError::Io`].
pub fn with_entry(path: &Path, entry: &Entry) -> Result<String, EditError> {
    let mut document = load(path)?;
    let tables = document
        .entry("allow")
        .or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()))
        .as_array_of_tables_mut()
        .ok_or_else(|| invalid(path, "allow is not written as [[allow]] tables"))?;
    let place = tables
        .iter()
        .position(|table| is_of(table, &entry.chain, entry.wallet));
    match place.and_then(|place| tables.get_mut(place)) {
        Some(table) => fill(table, entry),
        None => {
            let mut table = Table::new();
            fill(&mut table, entry);
            tables.push(table);
        }
    }
    checked(path, &document)
}

/// Returns the file at `path` with a kill switch set: for all wallets, or for one wallet on one chain.
///
/// # Errors
/// [`EditError`].
pub fn with_stop(path: &Path, of: Option<(&str, Address)>, stop: bool) -> Result<String, EditError> {
    let mut document = load(path)?;
    match of {
        None => put(document.as_table_mut(), "stop", Value::from(stop)),
        Some((chain, wallet)) => {
            let tables = document.get_mut("allow").and_then(Item::as_array_of_tables_mut);
            let table = tables
                .into_iter()
                .flat_map(ArrayOfTables::iter_mut)
                .find(|table| is_of(table, chain, wallet));
            let table = table.ok_or_else(|| EditError::NoEntry {
                path: path.to_owned(),
                chain: chain.to_owned(),
                wallet,
            })?;
            put(table, "stop", Value::from(stop));
        }
    }
    checked(path, &document)
}

/// Writes `text` to `path` atomically, readable by this user only.
///
/// # Errors
/// [`EditError::Io`].
pub fn write(path: &Path, text: &str) -> Result<(), EditError> {
    // Follow symbolic links to the real file.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    written(&path, text).map_err(|source| EditError::Io {
        path: path.clone(),
        source,
    })
}

fn written(path: &Path, text: &str) -> std::io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or_else(|| Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    // Created with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(dir)?.sync_all()
}

fn invalid(path: &Path, detail: impl ToString) -> EditError {
    EditError::Invalid {
        path: path.to_owned(),
        detail: detail.to_string(),
    }
}

/// The existing file, or the header of a new one.
fn load(path: &Path) -> Result<DocumentMut, EditError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => format!("{HEADING}stop = false\n"),
        Err(source) => {
            return Err(EditError::Io {
                path: path.to_owned(),
                source,
            });
        }
    };
    Policy::read(&text).map_err(|detail| invalid(path, detail))?;
    text.parse().map_err(|error| invalid(path, error))
}

fn checked(path: &Path, document: &DocumentMut) -> Result<String, EditError> {
    let text = document.to_string();
    Policy::read(&text).map_err(|detail| invalid(path, detail))?;
    Ok(text)
}

fn is_of(table: &Table, chain: &str, wallet: Address) -> bool {
    let text = |key: &str| table.get(key).and_then(Item::as_str).unwrap_or_default();
    text("chain") == chain && text("wallet").parse() == Ok(wallet)
}

/// Sets a value and keeps its trailing comment.
fn put(table: &mut Table, key: &str, new: Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(place) => {
            let decor = place.decor().clone();
            *place = new;
            *place.decor_mut() = decor;
        }
        None => {
            table.insert(key, value(new));
        }
    }
}

fn fill(table: &mut Table, entry: &Entry) {
    put(table, "chain", entry.chain.as_str().into());
    put(table, "wallet", entry.wallet.to_checksum(None).into());
    if let Some(id) = entry.chain_id.and_then(|id| i64::try_from(id).ok()) {
        put(table, "chain_id", id.into());
    }
    let tokens: Array = entry.tokens.iter().map(|token| token.to_checksum(None)).collect();
    put(table, "tokens", tokens.into());
    let quotes: Array = entry.quotes.iter().map(ToString::to_string).collect();
    put(table, "quotes", quotes.into());
    for (key, usd) in [
        ("max_trade_usd", entry.max_trade_usd.decimal()),
        ("max_hour_usd", entry.max_hour_usd.decimal()),
        ("max_day_usd", entry.max_day_usd.decimal()),
        ("max_gas_usd", entry.max_gas_usd.decimal()),
        ("native_usd_min", entry.native_usd_min.decimal()),
    ] {
        // Exact digits; values that TOML cannot represent as a number are quoted.
        let text = usd.normalize().to_string();
        let short = text.len() <= 12;
        let number = text.parse::<Value>().ok().filter(|_| short);
        put(table, key, number.unwrap_or_else(|| text.into()));
    }
    put(table, "max_loss_bps", i64::from(entry.max_loss_bps).into());
    put(table, "max_deadline", entry.max_deadline.to_string().into());
    if !entry.withdraw_to.is_empty() {
        let receivers: Array = entry.withdraw_to.iter().map(|to| to.to_checksum(None)).collect();
        put(table, "withdraw_to", receivers.into());
    }
    if !entry.routers.is_empty() {
        let routers: Array = entry.routers.iter().map(ToString::to_string).collect();
        put(table, "routers", routers.into());
    }
    put(table, "stop", entry.stop.into());
    let named = &entry.contracts;
    let addresses = [
        ("permit2", named.permit2),
        ("universal_router", named.universal_router),
        ("swap_router", named.swap_router),
        ("pancake_v3_router", named.pancake_v3_router),
        ("slipstream_router", named.slipstream_router),
        ("slipstream_caps_router", named.slipstream_caps_router),
        ("slipstream_v3_router", named.slipstream_v3_router),
        ("aerodrome_router", named.aerodrome_router),
        ("aerodrome_factory", named.aerodrome_factory),
        ("wrapped_native", named.wrapped_native),
        ("usdc", named.usdc),
    ];
    for (key, address) in addresses {
        let Some(address) = address else { continue };
        if let Some(inner) = below(table, "contracts") {
            put(inner, key, address.to_checksum(None).into());
        }
    }
    for (name, address) in &named.v2_routers {
        let inner = below(table, "contracts").and_then(|inner| below(inner, "v2_routers"));
        if let Some(inner) = inner {
            put(inner, &name.to_string(), address.to_checksum(None).into());
        }
    }
}

/// The table of that name inside another one.
fn below<'a>(table: &'a mut Table, key: &str) -> Option<&'a mut Table> {
    let inner = table.entry(key).or_insert_with(|| Item::Table(Table::new()));
    inner.as_table_mut()
}
