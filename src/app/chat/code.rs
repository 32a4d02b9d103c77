//! Codes that are typed back: six digits, once, by the person who gave the order, in the same chat, within two minutes.

use rand_core::{OsRng, RngCore};
use sha2::{Digest, Sha256};

use super::chat::{self, Confirmable, Holder};
use crate::{
    app::{App, AppError},
    domain::span::Span,
};

/// How long a code may be typed back.
pub(super) const CODE_LASTS: Span = Span::from_secs(120);

/// Codes there are. A wrong one takes the order away, so there is one guess.
const CODES: u32 = 1_000_000;

/// Whether a text can be a code.
pub(super) fn is_one(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn digest(bot: i64, person: i64, code: &str) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(bot.to_be_bytes());
    hasher.update(person.to_be_bytes());
    hasher.update(code.as_bytes());
    hasher.finalize().into()
}

/// Lets an order wait, and returns its code.
///
/// # Errors
/// [`AppError`] if the database does not answer.
pub(super) async fn asked(app: &App, holder: Holder, order: &Confirmable) -> Result<String, AppError> {
    let code = format!("{:06}", random()?);
    let hash = digest(holder.bot, holder.person, &code);
    chat::await_code(&app.pool, holder, &hash, order, CODE_LASTS).await?;
    Ok(code)
}

/// Each code is as likely as any other.
fn random() -> Result<u32, AppError> {
    let fair = u32::MAX - u32::MAX % CODES;
    loop {
        let mut bytes = [0_u8; 4];
        let drawn = OsRng.try_fill_bytes(&mut bytes);
        drawn.map_err(|error| AppError::Internal(format!("no random numbers: {error}")))?;
        let number = u32::from_be_bytes(bytes);
        if number < fair {
            return Ok(number % CODES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_six_digits_and_of_one_person_and_bot() {
        for _ in 0..50 {
            assert!(is_one(&format!("{:06}", random().expect("a number"))));
        }
        for text in ["12345", "1234567", "12345a", "/jobs", "１２３４５６", ""] {
            assert!(!is_one(text), "{text}");
        }
        let one = digest(1, 2, "123456");
        for other in [
            digest(2, 2, "123456"),
            digest(1, 3, "123456"),
            digest(1, 2, "123457"),
        ] {
            assert_ne!(one, other);
        }
    }
}
