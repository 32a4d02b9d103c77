//! The signature of webhooks, as the Standard Webhooks specification has it, so that its libraries can check it.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What a secret in base64 begins with.
const PREFIX: &str = "whsec_";

/// A shorter key can be guessed.
const LENGTH_MIN: usize = 16;

/// The key of one receiver.
pub struct Key(Zeroizing<Vec<u8>>);

/// A secret that makes no key. It is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakKey {
    /// What follows the prefix is no base64.
    #[error("what follows {PREFIX} is not base64; write {PREFIX} and the base64 of 24 to 64 random bytes")]
    NotBase64,
    /// Too short.
    #[error(
        "a secret of {0} bytes can be guessed; give at least {LENGTH_MIN}, such as `openssl rand -hex 32` makes"
    )]
    Short(usize),
}

impl Key {
    /// Reads a secret: `whsec_` and base64, or a text whose bytes are the key.
    ///
    /// # Errors
    /// [`WeakKey`].
    pub fn new(secret: &str) -> Result<Self, WeakKey> {
        let bytes = match secret.strip_prefix(PREFIX) {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| WeakKey::NotBase64)?,
            None => secret.as_bytes().to_vec(),
        };
        let key = Self(Zeroizing::new(bytes));
        if key.0.len() < LENGTH_MIN {
            return Err(WeakKey::Short(key.0.len()));
        }
        Ok(key)
    }

    /// The header `webhook-signature`: HMAC-SHA256 over id, time in Unix seconds and body, with dots between.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        // A key of any length will do.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return String::new();
        };
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specification_s_own_example_signs_as_it_says() {
        let key = Key::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
        assert_eq!(
            key.sign(
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                br#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_weak_or_broken_secret_is_refused_and_not_shown() {
        for (secret, says) in [
            ("hunter2", "7 bytes"),
            ("whsec_%%%%", "not base64"),
            ("", "0 bytes"),
        ] {
            let Err(error) = Key::new(secret) else {
                panic!("{secret} is taken")
            };
            let said = error.to_string();
            assert!(
                said.contains(says) && (secret.is_empty() || !said.contains(secret)),
                "{said}"
            );
        }
    }
}
