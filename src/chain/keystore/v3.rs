//! The V3 keystore format: a key encrypted with a password, compatible with other Ethereum tools.
//!
//! A file is untrusted until it opens: every number is checked before anything is derived or allocated.

use std::sync::{Mutex, PoisonError};

use aes::Aes128;
use alloy_primitives::{Address, hex, keccak256};
use ctr::{
    Ctr128BE,
    cipher::{KeyIvInit, StreamCipher},
};
use hmac::Hmac;
use rand_core::{OsRng, RngCore};
use serde_json::{Value, json};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Maximum size of a keystore, bytes.
pub(super) const BYTES_MAX: u64 = 64 * 1024;

/// Scrypt cost of new keystores, as a power of two: one guess takes 256 MB and about a second.
const STANDARD_LOG_N: u8 = 18;
/// For devnet keys, which open in a few milliseconds.
const DEVNET_LOG_N: u8 = 12;
/// The weakest scrypt cost that `doctor` accepts, as a power of two.
const WEAK_BELOW_LOG_N: u8 = 17;
/// The weakest PBKDF2 cost that `doctor` accepts, rounds.
const WEAK_BELOW_ROUNDS: u32 = 600_000;

/// Maximum scrypt n, as a power of two.
const LOG_N_MAX: u8 = 22;
/// Maximum scrypt n of a keystore that takes another one's place, as a power of two, with r = 8: 512 MB.
const RENEWED_LOG_N_MAX: u8 = 19;
/// Maximum scrypt n times r: 512 MB.
const MEMORY_MAX: u64 = 1 << 22;
/// Maximum scrypt n times r times p: eight times the standard's work.
const WORK_MAX: u64 = 1 << 24;
/// Maximum PBKDF2 rounds.
const ROUNDS_MAX: u64 = 10_000_000;
/// Derived bytes: enough for encryption and authentication.
const DERIVED: std::ops::RangeInclusive<u64> = 32..=128;
/// Allowed length of the salt, bytes.
const SALT: std::ops::RangeInclusive<usize> = 1..=256;

/// Derivations run one at a time, so memory does not grow with the number of wallets.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Cost of one password guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strength {
    /// For real money.
    Standard,
    /// For a devnet.
    Devnet,
    /// For real money, and not cheaper than a keystore that it takes the place of.
    NotBelow(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kdf {
    Scrypt { log_n: u8, r: u32, p: u32 },
    Pbkdf2 { rounds: u32 },
}

/// A parsed keystore with valid parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document {
    kdf: Kdf,
    salt: Vec<u8>,
    derived: usize,
    iv: [u8; 16],
    ciphertext: [u8; 32],
    mac: [u8; 32],
    /// The address that it claims.
    pub(super) address: Option<Address>,
}

/// Why a keystore does not open.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unopened {
    /// Wrong password, or the file was altered.
    WrongPassword,
    /// Derivation failed.
    Malformed(String),
}

impl Document {
    /// Parses a keystore. Derives nothing yet.
    ///
    /// # Errors
    /// The invalid field; without its value if that could be a secret.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let json: Value = serde_json::from_slice(bytes).map_err(|error| {
            // The parser's message may quote the file, which may hold a key.
            format!(
                "it is not JSON (line {}, column {})",
                error.line(),
                error.column()
            )
        })?;
        let crypto = crypto(&json).ok_or("the field crypto is missing")?;
        if json.get("version").and_then(Value::as_u64) != Some(3) {
            return Err("version is not 3; only V3 keystores can be read".to_owned());
        }
        if crypto.get("cipher").and_then(Value::as_str) != Some("aes-128-ctr") {
            return Err("crypto.cipher is not \"aes-128-ctr\"".to_owned());
        }
        let parameters = crypto
            .get("kdfparams")
            .ok_or("the field crypto.kdfparams is missing")?;
        let salt = bytes_of(parameters, "salt")?;
        if !SALT.contains(&salt.len()) {
            return Err(format!(
                "crypto.kdfparams.salt has {} bytes; {} to {} are allowed",
                salt.len(),
                SALT.start(),
                SALT.end()
            ));
        }
        let derived = number(parameters, "dklen", *DERIVED.start(), *DERIVED.end())?;
        let iv = crypto
            .get("cipherparams")
            .ok_or("the field crypto.cipherparams is missing")?;
        Ok(Self {
            kdf: Kdf::parse(crypto.get("kdf").and_then(Value::as_str), parameters)?,
            salt,
            derived: usize::try_from(derived).map_err(|error| error.to_string())?,
            iv: array_of(iv, "iv")?,
            ciphertext: array_of(crypto, "ciphertext")?,
            mac: array_of(crypto, "mac")?,
            address: address(&json),
        })
    }

    /// Decrypts the key. Takes about a second and up to 512 MB; one at a time per process.
    ///
    /// # Errors
    /// [`Unopened`].
    pub(super) fn open(&self, password: &str) -> Result<Zeroizing<[u8; 32]>, Unopened> {
        let derived = derive(self.kdf, &self.salt, self.derived, password).map_err(Unopened::Malformed)?;
        if mac(&derived, &self.ciphertext) != Some(self.mac) {
            return Err(Unopened::WrongPassword);
        }
        crypt(&derived, &self.iv, &self.ciphertext).map_err(Unopened::Malformed)
    }

    /// Cost of one password guess, as text.
    pub(super) fn strength(&self) -> String {
        match self.kdf {
            Kdf::Scrypt { log_n, r, p } => format!("scrypt n={} r={r} p={p}", 1_u64 << log_n),
            Kdf::Pbkdf2 { rounds } => format!("pbkdf2 c={rounds}"),
        }
    }

    /// The strength of a keystore that takes its place.
    pub(super) fn renewed(&self) -> Strength {
        match self.kdf {
            // Larger blocks of memory count as a higher cost. More than 512 MB could not be opened again.
            Kdf::Scrypt { log_n, r, .. } => {
                let blocks = u8::try_from((r / 8).checked_ilog2().unwrap_or_default()).unwrap_or_default();
                Strength::NotBelow(log_n.saturating_add(blocks).min(RENEWED_LOG_N_MAX))
            }
            Kdf::Pbkdf2 { .. } => Strength::Standard,
        }
    }

    /// Whether a password guess is too cheap.
    pub(super) fn is_weak(&self) -> bool {
        match self.kdf {
            Kdf::Scrypt { log_n, r, .. } => log_n < WEAK_BELOW_LOG_N || r < 8,
            Kdf::Pbkdf2 { rounds } => rounds < WEAK_BELOW_ROUNDS,
        }
    }
}

/// Encrypts a key: scrypt, AES-128 in counter mode, Keccak-256.
///
/// # Errors
/// No random numbers or not enough memory.
pub(super) fn seal(
    key: &[u8; 32],
    address: Address,
    password: &str,
    strength: Strength,
) -> Result<Vec<u8>, String> {
    let log_n = match strength {
        Strength::Standard => STANDARD_LOG_N,
        Strength::Devnet => DEVNET_LOG_N,
        Strength::NotBelow(log_n) => STANDARD_LOG_N.max(log_n),
    };
    let (salt, iv, id): ([u8; 32], [u8; 16], [u8; 16]) = (random()?, random()?, random()?);
    let kdf = Kdf::Scrypt { log_n, r: 8, p: 1 };
    let derived = derive(kdf, &salt, 32, password)?;
    let ciphertext = crypt(&derived, &iv, key)?;
    let mac = mac(&derived, &*ciphertext).ok_or("no mac")?;
    let file = json!({
        "address": hex::encode(address),
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": { "iv": hex::encode(iv) },
            "ciphertext": hex::encode(*ciphertext),
            "kdf": "scrypt",
            "kdfparams": { "dklen": 32, "n": 1_u64 << log_n, "p": 1, "r": 8, "salt": hex::encode(salt) },
            "mac": hex::encode(mac),
        },
        "id": uuid(id),
        "version": 3,
    });
    serde_json::to_vec(&file).map_err(|error| error.to_string())
}

/// The claimed address, if the file looks like a keystore: lenient, so that one odd file does not break a list.
pub(super) fn claim(bytes: &[u8]) -> Option<Option<Address>> {
    let json: Value = serde_json::from_slice(bytes).ok()?;
    crypto(&json)?;
    Some(address(&json))
}

/// Some tools write `Crypto`.
fn crypto(json: &Value) -> Option<&Value> {
    json.get("crypto")
        .or_else(|| json.get("Crypto"))
        .filter(|crypto| crypto.is_object())
}

fn address(json: &Value) -> Option<Address> {
    json.get("address")?.as_str()?.parse().ok()
}

impl Kdf {
    fn parse(name: Option<&str>, parameters: &Value) -> Result<Self, String> {
        match name {
            Some("scrypt") => Self::scrypt(parameters),
            Some("pbkdf2") => {
                if parameters.get("prf").and_then(Value::as_str) != Some("hmac-sha256") {
                    return Err("crypto.kdfparams.prf is not \"hmac-sha256\"".to_owned());
                }
                let rounds = number(parameters, "c", 1, ROUNDS_MAX)?;
                Ok(Self::Pbkdf2 {
                    rounds: u32::try_from(rounds).map_err(|error| error.to_string())?,
                })
            }
            _ => Err("crypto.kdf is neither \"scrypt\" nor \"pbkdf2\"".to_owned()),
        }
    }

    fn scrypt(parameters: &Value) -> Result<Self, String> {
        let n = number(parameters, "n", 2, 1 << LOG_N_MAX)?;
        let r = number(parameters, "r", 1, 1 << 10)?;
        let p = number(parameters, "p", 1, 1 << 10)?;
        if !n.is_power_of_two() {
            return Err(format!("crypto.kdfparams.n = {n} is not a power of two"));
        }
        let memory = n.saturating_mul(r);
        if memory > MEMORY_MAX || memory.saturating_mul(p) > WORK_MAX {
            return Err(format!(
                "crypto.kdfparams n={n} r={r} p={p} needs more than 512 MB, or more than eight times the work of n=262144 \
                 r=8 p=1"
            ));
        }
        let small = |value: u64| u32::try_from(value).map_err(|error| error.to_string());
        Ok(Self::Scrypt {
            log_n: u8::try_from(n.trailing_zeros()).map_err(|error| error.to_string())?,
            r: small(r)?,
            p: small(p)?,
        })
    }
}

fn derive(kdf: Kdf, salt: &[u8], length: usize, password: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut derived = Zeroizing::new(vec![0; length]);
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    match kdf {
        Kdf::Scrypt { log_n, r, p } => {
            let parameters = scrypt::Params::new(log_n, r, p).map_err(|error| error.to_string())?;
            scrypt::scrypt(password.as_bytes(), salt, &parameters, &mut derived)
                .map_err(|error| error.to_string())?;
        }
        Kdf::Pbkdf2 { rounds } => {
            pbkdf2::pbkdf2::<Hmac<Sha256>>(password.as_bytes(), salt, rounds, &mut derived)
                .map_err(|error| error.to_string())?;
        }
    }
    Ok(derived)
}

/// Authenticates the ciphertext with the second half of the derived bytes.
fn mac(derived: &[u8], ciphertext: &[u8]) -> Option<[u8; 32]> {
    let secret = derived.get(16..32)?;
    let input = Zeroizing::new([secret, ciphertext].concat());
    Some(keccak256(&*input).0)
}

/// Encrypts or decrypts with the first half of the derived bytes.
fn crypt(derived: &[u8], iv: &[u8; 16], text: &[u8; 32]) -> Result<Zeroizing<[u8; 32]>, String> {
    let key = derived.get(..16).ok_or("the derived key is too short")?;
    let mut cipher = Ctr128BE::<Aes128>::new_from_slices(key, iv).map_err(|error| error.to_string())?;
    let mut out = Zeroizing::new(*text);
    cipher
        .try_apply_keystream(&mut *out)
        .map_err(|error| error.to_string())?;
    Ok(out)
}

fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// A random UUID (version 4).
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let digits = hex::encode(bytes);
    let part = |range: std::ops::Range<usize>| digits.get(range).unwrap_or_default();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

fn number(parameters: &Value, name: &str, least: u64, most: u64) -> Result<u64, String> {
    parameters
        .get(name)
        .and_then(Value::as_u64)
        .filter(|value| (least..=most).contains(value))
        .ok_or_else(|| format!("crypto.kdfparams.{name} must be a whole number from {least} to {most}"))
}

fn bytes_of(value: &Value, name: &str) -> Result<Vec<u8>, String> {
    let text = value
        .get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| format!("the field {name} is missing or not a string"))?;
    hex::decode(text).map_err(|_| format!("{name} is not hexadecimal"))
}

fn array_of<const N: usize>(value: &Value, name: &str) -> Result<[u8; N], String> {
    let bytes = bytes_of(value, name)?;
    let length = bytes.len();
    bytes
        .try_into()
        .map_err(|_| format!("{name} has {length} bytes; it must have {N}"))
}
