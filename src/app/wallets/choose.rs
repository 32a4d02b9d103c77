//! Which wallet a new live job trades with.

use alloy_primitives::Address;

use crate::app::message::{Advice, Field, message};
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
        [] => Err(message![
            Field::Live,
            format!(
                " needs a wallet and {} holds none: create one with ",
                keys.dir.display()
            ),
            Advice::NewWallet,
            ", or import one with ",
            Advice::ImportWallet,
        ]
        .refused()),
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
