//! The anvil process, and anvil's own methods.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use alloy::rpc::client::{ClientBuilder, RpcClient};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use reqwest::Url;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::{error::DevnetError, options::BlockTime};

/// The chain id of every local chain.
pub const CHAIN_ID: u64 = 31_337;
/// The first account of the well-known test mnemonic; anvil signs for it.
pub const DEPLOYER: Address = alloy_primitives::address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
/// Longest wait for anvil to listen.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// Enough for every contract, so that no transaction depends on an estimate.
const GAS: u64 = 14_000_000;

/// Runs its arguments until they end, or until standard input does. What runs in the background would lose its
/// standard input but for the copy. Old states, gigabytes after some hours, go to a directory that is deleted with it:
/// anvil itself leaves them in the home directory when it is killed.
const WATCH: &str = r#"states=$(mktemp -d) || exit
trap 'rm -rf "$states"' EXIT
trap 'kill -9 "$anvil"; wait "$anvil"; exit 1' HUP INT TERM
exec 3<&0; "$@" --cache-path "$states" & anvil=$!
(cat <&3; kill -9 "$anvil") >/dev/null 2>&1 &
wait "$anvil""#;

/// A running anvil. It ends when this is dropped, and with our process however that ends.
pub struct Node {
    url: Url,
    client: RpcClient,
    /// Holds the end of its standard input.
    _child: Child,
}

impl Node {
    pub(super) async fn start(
        contracts: &Path,
        port: u16,
        block_time: BlockTime,
    ) -> Result<Self, DevnetError> {
        let program = program(contracts);
        // The shell ends anvil as soon as our end of its standard input is closed: also when we were killed.
        let mut command = Command::new("sh");
        command
            .args(["-c", WATCH, "sh"])
            .arg(&program)
            .args([
                "--host",
                "127.0.0.1",
                "--chain-id",
                &CHAIN_ID.to_string(),
                "--port",
                &port.to_string(),
            ])
            .args(["--gas-limit", "30000000", "--order", "fees"]);
        match block_time {
            BlockTime::OnTransaction => {}
            BlockTime::Every(span) => {
                command.args(["--block-time", &span.std().as_secs_f64().to_string()]);
            }
            BlockTime::OnDemand => {
                command.arg("--no-mining");
            }
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| DevnetError::NoAnvil {
                program: program.clone(),
                source,
            })?;
        let listening = tokio::time::timeout(START_PATIENCE, address(&mut child)).await;
        let address = listening.ok().flatten().ok_or(DevnetError::NotListening)?;
        let url: Url = format!("http://{address}/")
            .parse()
            .map_err(|_| DevnetError::NotListening)?;
        let client = ClientBuilder::default().http(url.clone());
        Ok(Self {
            url,
            client,
            _child: child,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// Sends any request.
    ///
    /// # Errors
    /// [`DevnetError::Rpc`] names the method and what anvil said.
    pub async fn request<T: DeserializeOwned + std::fmt::Debug + Send + Sync + Unpin + 'static>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<T, DevnetError> {
        self.client
            .request(method, params)
            .await
            .map_err(|error| DevnetError::Rpc {
                method,
                detail: error.to_string(),
            })
    }

    async fn order(&self, method: &'static str, params: Value) -> Result<(), DevnetError> {
        self.request::<Value>(method, params).await.map(|_| ())
    }

    /// Sends a transaction of an account that anvil signs for, and waits until it is mined.
    ///
    /// # Errors
    /// [`DevnetError`]; [`DevnetError::Reverted`] if it was mined and reverted.
    pub async fn send(
        &self,
        from: Address,
        to: Option<Address>,
        data: &Bytes,
        value: U256,
    ) -> Result<Option<Address>, DevnetError> {
        let hash = self.submit(from, to, data, value, GAS).await?;
        for _ in 0..600 {
            let receipt: Option<Value> = self.request("eth_getTransactionReceipt", json!([hash])).await?;
            if let Some(receipt) = receipt {
                if receipt.get("status").and_then(Value::as_str) != Some("0x1") {
                    return Err(DevnetError::Reverted { hash });
                }
                let created = receipt.get("contractAddress").and_then(Value::as_str);
                return Ok(created.and_then(|text| text.parse().ok()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(DevnetError::Rpc {
            method: "eth_getTransactionReceipt",
            detail: format!("{hash} is not mined"),
        })
    }

    /// Sends a transaction of an account that anvil signs for; its hash.
    ///
    /// # Errors
    /// [`DevnetError::Rpc`].
    pub async fn submit(
        &self,
        from: Address,
        to: Option<Address>,
        data: &Bytes,
        value: U256,
        gas: u64,
    ) -> Result<B256, DevnetError> {
        let mut transaction = json!({ "from": from, "data": data, "value": value, "gas": U64::from(gas) });
        if let (Some(to), Some(fields)) = (to, transaction.as_object_mut()) {
            fields.insert("to".to_owned(), json!(to));
        }
        self.request("eth_sendTransaction", json!([transaction])).await
    }

    /// The result of a call.
    ///
    /// # Errors
    /// [`DevnetError::Rpc`].
    pub async fn call(&self, to: Address, data: &Bytes) -> Result<Bytes, DevnetError> {
        self.request("eth_call", json!([{ "to": to, "data": data }, "latest"]))
            .await
    }

    /// Makes `code` the contract at `address`.
    ///
    /// # Errors
    /// [`DevnetError::Rpc`].
    pub async fn set_code(&self, address: Address, code: &Bytes) -> Result<(), DevnetError> {
        self.order("anvil_setCode", json!([address, code])).await
    }

    /// Writes one word of a contract's storage.
    ///
    /// # Errors
    /// [`DevnetError::Rpc`].
    pub async fn set_storage(&self, address: Address, slot: U256, value: B256) -> Result<(), DevnetError> {
        self.order("anvil_setStorageAt", json!([address, slot, value]))
            .await
    }

    /// Sets an account's balance of the native coin, wei.
    ///
    /// # Errors
    /// [`DevnetError::Rpc`].
    pub async fn set_balance(&self, address: Address, wei: U256) -> Result<(), DevnetError> {
        self.order("anvil_setBalance", json!([address, wei])).await
    }

    /// Mines this number of blocks at once.
    ///
    /// # Errors
    /// [`DevnetError::Rpc`].
    pub async fn mine(&self, blocks: u64) -> Result<(), DevnetError> {
        self.order("anvil_mine", json!([U64::from(blocks)])).await
    }

    /// Drops a pooled transaction.
    ///
    /// # Errors
    /// [`DevnetError::Rpc`].
    pub async fn drop_transaction(&self, hash: B256) -> Result<(), DevnetError> {
        self.order("anvil_dropTransaction", json!([hash])).await
    }

    /// Reorgs the newest blocks away; their transactions are lost, and not pooled again.
    ///
    /// # Errors
    /// [`DevnetError::Rpc`].
    pub async fn reorg(&self, depth: u64) -> Result<(), DevnetError> {
        self.order("anvil_reorg", json!([depth, []])).await
    }

    /// Whether each transaction is mined at once.
    ///
    /// # Errors
    /// [`DevnetError::Rpc`].
    pub async fn set_automine(&self, on: bool) -> Result<(), DevnetError> {
        self.order("evm_setAutomine", json!([on])).await
    }

    /// Dumps the whole state, for another anvil to load.
    ///
    /// # Errors
    /// [`DevnetError::Rpc`].
    pub async fn dump_state(&self) -> Result<Bytes, DevnetError> {
        self.request("anvil_dumpState", json!([])).await
    }

    /// Loads a dumped state.
    ///
    /// # Errors
    /// [`DevnetError::Rpc`].
    pub async fn load_state(&self, state: &Bytes) -> Result<(), DevnetError> {
        self.order("anvil_loadState", json!([state])).await
    }
}

fn program(contracts: &Path) -> PathBuf {
    let installed = contracts.join("node_modules/.bin/anvil");
    if installed.is_file() {
        installed
    } else {
        PathBuf::from("anvil")
    }
}

/// Reads until anvil says where it listens, and keeps reading so that it never blocks on a full pipe.
async fn address(child: &mut Child) -> Option<String> {
    let mut lines = BufReader::new(child.stdout.take()?).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(address) = line.strip_prefix("Listening on ") {
            let address = address.trim().to_owned();
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Some(address);
        }
    }
    None
}
