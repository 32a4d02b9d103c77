//! moto's AWS KMS, run for as long as a test needs it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use alloy::signers::aws::{
    AwsSigner,
    aws_config::{BehaviorVersion, Region},
    aws_sdk_kms::{self, config::Credentials},
};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};

const REGION: &str = "eu-central-1";

/// Stops with this value.
pub struct Moto {
    url: String,
    _server: Child,
}

/// Where `scripts/test` installed it.
fn python() -> PathBuf {
    let given = std::env::var_os("LGI_MM_MOTO").map(PathBuf::from);
    given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/moto/bin/python"))
}

impl Moto {
    pub async fn start() -> Self {
        let python = python();
        let mut server = tokio::process::Command::new(&python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/moto/serve.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; scripts/test installs it", python.display()));
        let mut lines = BufReader::new(server.stdout.take().expect("its output")).lines();
        let port = lines.next_line().await.expect("readable").expect("a port");
        Self {
            url: format!("http://127.0.0.1:{}", port.trim()),
            _server: server,
        }
    }

    /// A new secp256k1 key; its id.
    pub async fn create_key(&self) -> String {
        let answer = Client::new()
            .post(&self.url)
            .header("X-Amz-Target", "TrentService.CreateKey")
            .header("Content-Type", "application/x-amz-json-1.1")
            .header(
                "Authorization",
                format!("AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/kms/aws4_request"),
            )
            .body(json!({ "KeySpec": "ECC_SECG_P256K1", "KeyUsage": "SIGN_VERIFY" }).to_string())
            .send()
            .await
            .expect("moto answers");
        let answer: Value = answer.json().await.expect("JSON");
        answer["KeyMetadata"]["KeyId"]
            .as_str()
            .expect("a key id")
            .to_owned()
    }

    /// The signer that the program uses, in this process.
    pub async fn signer(&self, key: &str) -> AwsSigner {
        let config = aws_sdk_kms::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(&self.url)
            .build();
        AwsSigner::new(aws_sdk_kms::Client::from_conf(config), key.to_owned(), None)
            .await
            .expect("a signer")
    }

    /// What a process needs to find this server.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.url.clone()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            // No key but the one in KMS.
            ("LGI_MM_UNSAFE_PRIVATE_KEY", String::new()),
        ]
    }

    /// Runs our program: its exit code and all it printed.
    pub async fn run(&self, args: &[&str], settings: Option<&Path>) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lgi-mm"));
        command.args(args).envs(self.environment()).stdin(Stdio::null());
        if let Some(settings) = settings {
            command.env("LGI_MM_SETTINGS", settings);
        }
        let output = tokio::task::spawn_blocking(move || command.output()).await;
        let output = output.expect("no panic").expect("our own program runs");
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8_lossy(&printed).into_owned();
        (output.status.code().expect("an exit"), printed)
    }

    /// The address that `wallet kms` prints for a key.
    pub async fn wallet_of(&self, key: &str) -> String {
        let (exit, printed) = self
            .run(&["--json", "wallet", "kms", &format!("aws:{key}")], None)
            .await;
        assert_eq!(exit, 0, "{printed}");
        let view: Value = serde_json::from_str(&printed).expect("JSON");
        view[0]["address"].as_str().expect("an address").to_owned()
    }
}
