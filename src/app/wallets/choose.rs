//! Which wallet a new live job trades with.

use alloy_primitives::Address;

use crate::{app::error::AppError, config::Settings};

/// The wallet of the settings, or the only one there is.
///
/// # Errors
/// [`AppError`] if there is none, if there are several, or if its keystore cannot be used.
pub fn choose(settings: &Settings) -> Result<Address, AppError> {
    let keys = settings.keys()?;
    if let Ok(chosen) = settings.wallet.address.parse::<Address>() {
        keys.check(chosen)?;
        return Ok(chosen);
    }
    match keys.addresses()?.as_slice() {
        [] => Err(AppError::Refused(format!(
            "--live needs a wallet and {} holds none: create one with `lgi-mm wallet new`, or import one with `lgi-mm wallet import`",
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
