//! Key files that lie, are broken, or lie open; and what other tools write.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use lgi_mm::chain::keystore::{KeyError, KeySource, SecretText};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{may_be_others, nobody, shell};

/// The vectors of the format's definition, both of the password `testpassword`.
const OWNER: &str = "0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b";
const VECTOR_PASSWORD: &str = "testpassword";

fn scrypt_vector() -> Value {
    json!({
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": { "iv": "83dbcc02d8ccb40e466191a123791e0e" },
            "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
            "kdf": "scrypt",
            "kdfparams": {
                "dklen": 32, "n": 262_144, "r": 1, "p": 8,
                "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
            },
            "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
        },
        "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
        "version": 3,
    })
}

fn pbkdf2_vector() -> Value {
    json!({
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": { "iv": "6087dab2f9fdbbfaddc31a909735c1e6" },
            "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
            "kdf": "pbkdf2",
            "kdfparams": {
                "c": 262_144, "dklen": 32, "prf": "hmac-sha256",
                "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
            },
            "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
        },
        "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
        "version": 3,
    })
}

fn secret(text: &str) -> SecretText {
    SecretText::new(text.to_owned())
}

fn keys(dir: &Path) -> KeySource {
    KeySource {
        dir: dir.join("keys"),
        password: Some(secret("correct horse")),
        ..KeySource::default()
    }
}

/// Takes over what `file` says, in directories of its own.
fn adopt(file: &[u8], password: &str) -> Result<(tempfile::TempDir, PathBuf), KeyError> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("theirs");
    fs::write(&path, file).expect("a file");
    let taken = keys(dir.path()).adopt(&path, &secret(password))?;
    Ok((dir, taken.path))
}

#[test]
fn keystores_of_other_tools_open_and_are_kept_bit_for_bit() {
    let mut ethers = scrypt_vector();
    let crypto = ethers["crypto"].take();
    ethers["Crypto"] = crypto;
    ethers["address"] = json!(OWNER[2..].to_lowercase());
    ethers["x-ethers"] = json!({ "client": "ethers.js" });
    ethers.as_object_mut().expect("an object").remove("crypto");
    for (name, file) in [
        ("scrypt", scrypt_vector()),
        ("pbkdf2", pbkdf2_vector()),
        ("ethers", ethers),
    ] {
        let bytes = serde_json::to_vec_pretty(&file).expect("JSON");
        let (dir, path) = adopt(&bytes, VECTOR_PASSWORD).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(fs::read(&path).expect("the copy"), bytes, "{name}");
        let mode = fs::metadata(&path).expect("the copy").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        let ours = KeySource {
            password: Some(secret(VECTOR_PASSWORD)),
            ..keys(dir.path())
        };
        let owner = OWNER.parse().expect("an address");
        assert_eq!(ours.unlock(owner).expect(name).address(), owner);
    }
}

#[test]
fn a_wrong_password_is_called_that_and_another_owner_is_named() {
    let bytes = serde_json::to_vec(&scrypt_vector()).expect("JSON");
    let wrong = adopt(&bytes, "horse of a liar")
        .expect_err("it stays closed")
        .to_string();
    assert!(
        wrong.contains("wrong password") && !wrong.contains("horse"),
        "{wrong}"
    );
    let mut lies = scrypt_vector();
    lies["address"] = json!("11".repeat(20));
    let bytes = serde_json::to_vec(&lies).expect("JSON");
    let refused = adopt(&bytes, VECTOR_PASSWORD).expect_err("it is another's");
    assert!(matches!(refused, KeyError::OtherKey { .. }), "{refused}");
}

#[test]
fn a_new_key_costs_a_guesser_what_other_tools_ask() {
    let dir = tempfile::tempdir().expect("a directory");
    let made = keys(dir.path())
        .create(&secret("correct horse"))
        .expect("a wallet");
    let file: Value = serde_json::from_slice(&fs::read(&made.path).expect("the file")).expect("JSON");
    let parameters = &file["crypto"]["kdfparams"];
    assert_eq!((&parameters["n"], &parameters["r"]), (&json!(262_144), &json!(8)));
    assert_eq!(
        keys(dir.path()).unlock(made.address).expect("it opens").address(),
        made.address
    );
}

/// Each asks for terabytes, for years, or for what is not there: it is refused at once, by the name of its field.
#[test]
fn numbers_that_cannot_be_computed_are_refused_before_anything_is_derived() {
    let cases: [(&str, Value, &str); 17] = [
        ("/crypto/kdfparams/n", json!(2_147_483_648_u64), ".n"),
        ("/crypto/kdfparams/n", json!(4_194_304), "512 MB"),
        ("/crypto/kdfparams/n", json!(262_143), "power of two"),
        ("/crypto/kdfparams/n", json!(-8), ".n"),
        ("/crypto/kdfparams/n", json!(8192.5), ".n"),
        ("/crypto/kdfparams/r", json!(0), ".r"),
        ("/crypto/kdfparams/r", json!(1_000_000), ".r"),
        ("/crypto/kdfparams/p", json!(1_024), "eight times"),
        ("/crypto/kdfparams/dklen", json!(31), ".dklen"),
        ("/crypto/kdfparams/dklen", json!(4_294_967_296_u64), ".dklen"),
        ("/crypto/kdfparams/salt", json!(""), "salt"),
        ("/crypto/kdfparams/salt", json!("ab".repeat(10_000)), "salt"),
        ("/crypto/cipherparams/iv", json!("83dbcc02"), "iv"),
        ("/crypto/ciphertext", json!("d172"), "ciphertext"),
        ("/crypto/mac", json!("zz"), "mac"),
        ("/crypto/cipher", json!("aes-256-cbc"), "cipher"),
        ("/version", json!(1), "version"),
    ];
    for (place, value, named) in cases {
        let mut file = scrypt_vector();
        // More rows are allowed where the work stays small.
        *file.pointer_mut("/crypto/kdfparams/r").expect("a field") = json!(8);
        *file.pointer_mut(place).expect("a field") = value.clone();
        refused(
            &serde_json::to_vec(&file).expect("JSON"),
            &format!("{place} = {value}"),
            named,
        );
    }
    for (field, value) in [
        ("c", json!(0)),
        ("c", json!(1_u64 << 40)),
        ("prf", json!("hmac-md5")),
    ] {
        let mut file = pbkdf2_vector();
        file["crypto"]["kdfparams"][field] = value;
        refused(&serde_json::to_vec(&file).expect("JSON"), field, field);
    }
    let bomb = [b"[".repeat(60_000), b"]".repeat(60_000)].concat();
    refused(&bomb, "brackets", "bytes");
    refused(&b"[".repeat(60_000), "brackets", "not JSON");
    let key = "46".repeat(32);
    let said = refused(format!("\"{key}\"").as_bytes(), "a raw key", "crypto");
    let also = refused(format!("0x{key}").as_bytes(), "a raw key", "not JSON");
    assert!(
        !said.contains(&key[..8]) && !also.contains(&key[..8]),
        "{said} {also}"
    );
}

fn refused(file: &[u8], what: &str, named: &str) -> String {
    let begun = Instant::now();
    let error = adopt(file, VECTOR_PASSWORD).err();
    let error = error.unwrap_or_else(|| panic!("{what} was taken")).to_string();
    assert!(error.contains(named), "{what}: {error}");
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{what}: {:?}",
        begun.elapsed()
    );
    error
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Bytes of a good file are changed, lost, repeated: it opens or is refused, and never ends the program.
    #[test]
    fn no_broken_file_ends_the_program(
        scrypt in any::<bool>(),
        edits in prop::collection::vec((0_usize..900, prop_oneof![any::<u8>(), Just(b'9'), Just(b'"'), Just(b'0')], 0_u8..4), 1..6),
    ) {
        let mut file = if scrypt { scrypt_vector() } else { pbkdf2_vector() };
        // Cheap: what is tried here is the reading.
        if scrypt {
            file["crypto"]["kdfparams"]["n"] = json!(2);
        } else {
            file["crypto"]["kdfparams"]["c"] = json!(2);
        }
        let mut bytes = serde_json::to_vec(&file).expect("JSON");
        for (at, byte, kind) in edits {
            let at = at % bytes.len().max(1);
            if bytes.is_empty() {
                break;
            }
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes.truncate(at.max(1)),
            }
        }
        // The cheap parameters have another mac, so that nothing opens but a file that is whole again.
        prop_assert!(adopt(&bytes, VECTOR_PASSWORD).is_err());
    }
}

/// A keystore and a file of its password in a directory that others may enter.
struct Kept {
    dir: tempfile::TempDir,
    key: PathBuf,
    password: PathBuf,
    owner: String,
}

impl Kept {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
        };
        let made = keys(dir.path())
            .create_for_devnet(&secret("correct horse"))
            .expect("a wallet");
        let password = dir.path().join("password");
        fs::write(&password, "correct horse\nnot this line\n").expect("a file");
        mode(dir.path(), 0o755);
        mode(&dir.path().join("keys"), 0o755);
        mode(&password, 0o600);
        Self {
            key: made.path,
            owner: made.address.to_string(),
            dir,
            password,
        }
    }

    fn source(&self) -> KeySource {
        KeySource {
            password: None,
            password_file: Some(self.password.clone()),
            ..keys(self.dir.path())
        }
    }

    fn check(&self) -> Result<(), KeyError> {
        let owner = self.owner.parse().expect("an address");
        self.source().unlock(owner).map(|_| ())
    }

    /// `wallet check` of our program.
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
        command
            .args(["wallet", "check"])
            .env_clear()
            .env("HOME", self.dir.path())
            .env("LGI_MM__WALLET__KEYSTORE_DIR", self.dir.path().join("keys"))
            .env("LGI_MM__WALLET__PASSWORD_FILE", &self.password)
            .current_dir(self.dir.path());
        command
    }
}

#[test]
fn what_others_can_read_or_change_is_refused_with_the_command_that_closes_it() {
    let kept = Kept::new();
    kept.check().expect("it is well kept");
    let directory = kept.dir.path().join("keys");
    for (path, modes, good) in [
        (&kept.key, [0o644, 0o640, 0o660, 0o602], 0o600),
        (&kept.password, [0o644, 0o604, 0o640, 0o622], 0o600),
        (&directory, [0o777, 0o775, 0o757, 0o1777], 0o755),
    ] {
        for mode in modes {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
            let refused = kept.check().expect_err("others can reach it");
            let KeyError::Exposed { path: named, fix, .. } = &refused else {
                panic!("{mode:o}: {refused}");
            };
            assert_eq!(named, path, "{mode:o}");
            let said = kept.command().output().expect("our own program runs");
            let text =
                String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
            assert!(
                !said.status.success() && text.contains("chmod"),
                "{mode:o}: {text}"
            );
            let ran = Command::new("/bin/sh")
                .args(["-c", fix])
                .status()
                .expect("a shell");
            assert!(ran.success(), "{fix}");
            kept.check()
                .unwrap_or_else(|error| panic!("{mode:o} after `{fix}`: {error}"));
        }
        fs::set_permissions(path, fs::Permissions::from_mode(good)).expect("permissions");
    }
    // A directory that is closed closes what is in it, as the secrets of the stack are kept.
    fs::set_permissions(&kept.key, fs::Permissions::from_mode(0o644)).expect("permissions");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).expect("permissions");
    kept.check().expect("nobody else gets there");
    let said = kept.command().output().expect("our own program runs");
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(
        said.status.success() && text.contains("scrypt n=4096") && text.contains("WEAK"),
        "{text}"
    );
}

#[test]
fn anothers_files_are_refused_and_a_mounted_secret_is_not() {
    if !may_be_others() {
        return;
    }
    let kept = Kept::new();
    chown(&kept.password, Some(nobody().uid.as_raw()), None).expect("theirs");
    let refused = kept.check().expect_err("they can change it").to_string();
    assert!(
        refused.contains("another user") && refused.contains("chown"),
        "{refused}"
    );
    // As Docker and Kubernetes mount secrets: somebody's, readable by all, on what nobody here can write.
    let script = "mount -t tmpfs none \"$1\" && cp -p \"$2\" \"$3\" \"$1\" && chmod 444 \"$1\"/* && \
                  mount -o remount,ro \"$1\" && LGI_MM__WALLET__KEYSTORE_DIR=$1 LGI_MM__WALLET__PASSWORD_FILE=$1/password \
                  exec \"$0\" wallet check";
    let mounted = kept.dir.path().join("mounted");
    fs::create_dir(&mounted).expect("a directory");
    let said = Command::new("unshare")
        .args(["--mount", "/bin/sh", "-c", script, env!("CARGO_BIN_EXE_lgi-mm")])
        .args([&mounted, &kept.key, &kept.password])
        .output()
        .expect("unshare");
    let text = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    if text.contains("unshare failed") || text.contains("permission denied") {
        println!("not run: nothing can be mounted here");
        return;
    }
    assert!(said.status.success() && text.contains("opens"), "{text}");
}

#[test]
fn a_service_reads_what_root_hands_to_its_group() {
    if !may_be_others() {
        return;
    }
    let kept = Kept::new();
    let user = nobody();
    let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
    // They may not be able to reach the place where this binary was built.
    let program = kept.dir.path().join("lgi-mm");
    fs::copy(env!("CARGO_BIN_EXE_lgi-mm"), &program).expect("a copy");
    for path in [&kept.key, &kept.password] {
        chown(path, Some(0), Some(gid)).expect("handed over");
        fs::set_permissions(path, fs::Permissions::from_mode(0o640)).expect("permissions");
    }
    let mut check = shell(uid, gid, kept.dir.path(), "exec ./lgi-mm wallet check");
    check
        .env("LGI_MM__WALLET__KEYSTORE_DIR", kept.dir.path().join("keys"))
        .env("LGI_MM__WALLET__PASSWORD_FILE", &kept.password);
    let said = check.output().expect("a shell");
    let text = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && text.contains("opens"), "{text}");
}
