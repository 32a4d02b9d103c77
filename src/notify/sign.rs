//! The signature of webhooks, as the Standard Webhooks specification has it, so that its libraries can check it.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// What a secret in base64 begins with.
const PREFIX: &str = "whsec_";

/// What a symmetric signature begins with.
const VERSION: &str = "v1,";

/// Signatures of one message that are looked at.
const SIGNATURES_MAX: usize = 10;

/// A shorter key can be guessed.
const LENGTH_MIN: usize = 16;

/// The key of one receiver, or of one signal.
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
        let mac = self.mac(id, timestamp, body);
        mac.map_or_else(String::new, |mac| {
            format!("{VERSION}{}", STANDARD.encode(mac.finalize().into_bytes()))
        })
    }

    /// Whether a header `webhook-signature` has a signature of this key. It may have several, with blanks between, as
    /// while a secret is replaced. Takes as long for a wrong one as for the right one.
    #[must_use]
    pub fn has_signed(&self, id: &str, timestamp: i64, body: &[u8], signatures: &str) -> bool {
        let Some(mac) = self.mac(id, timestamp, body) else {
            return false;
        };
        signatures
            .split(' ')
            .take(SIGNATURES_MAX)
            .filter_map(|one| STANDARD.decode(one.strip_prefix(VERSION)?).ok())
            .fold(false, |found, one| found | mac.clone().verify_slice(&one).is_ok())
    }

    fn mac(&self, id: &str, timestamp: i64, body: &[u8]) -> Option<Hmac<Sha256>> {
        // A key of any length will do.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        Some(mac)
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
    fn only_this_key_over_exactly_this_message_has_signed() {
        let key = Key::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
        let other = Key::new("another secret of some length").expect("a key");
        let (id, at, body) = ("msg_1", 1_614_265_330, b"{}".as_slice());
        let (ours, theirs) = (key.sign(id, at, body), other.sign(id, at, body));
        for (signatures, signed) in [
            (ours.clone(), true),
            (format!("{theirs} {ours}"), true),
            (format!("v1a,xyz {ours}"), true),
            (theirs, false),
            (String::new(), false),
            ("v1,".to_owned(), false),
            (ours.replace("v1,", "v2,"), false),
            (ours.trim_start_matches("v1,").to_owned(), false),
            (ours.chars().take(20).collect(), false),
        ] {
            assert_eq!(key.has_signed(id, at, body, &signatures), signed, "{signatures}");
        }
        assert!(!key.has_signed("msg_2", at, body, &ours));
        assert!(!key.has_signed(id, at + 1, body, &ours));
        assert!(!key.has_signed(id, at, b"{} ", &ours));
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
