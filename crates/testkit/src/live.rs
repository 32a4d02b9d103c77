//! A live world of a test's own: a chain with the real contracts, a funded wallet, a database, and our program.

use std::{
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, U256};
use lgi_mm::{
    app::audit::live::{LiveFindings, compare},
    chain::{
        ChainFile, ChainSpec, LiveChain, open_chains,
        policy::{Entry, NamedContracts, Quote, edit},
    },
    devnet::{BlockTime, DEPLOYER, Devnet, NAME},
    domain::{
        config::JobConfig,
        job::{Account, JobId, JobMode, Realm, Token},
        pool::NATIVE,
        units::Amount,
    },
    store::{
        jobs::{self, NewJob},
        orders::{self, Order},
    },
};
use serde_json::json;
use tokio::process::{Child, Command};

use crate::{TestDb, devnet, quick_daemon};

mod trader;

/// A publicly known key, and its address.
pub const KEY: &str = "4646464646464646464646464646464646464646464646464646464646464646";
pub const WALLET: Address = alloy_primitives::address!("0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F");
/// Maximum wait for any condition.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct World {
    pub devnet: Devnet,
    pub db: TestDb,
    pub live: LiveChain,
    pub account: Account,
    settings: PathBuf,
    dir: tempfile::TempDir,
}

/// The deployed tokens.
fn tokens(devnet: &Devnet) -> Vec<Address> {
    let at = devnet.deployment();
    let practice = at.practice.values().copied();
    practice
        .chain([at.clanker, at.token, at.taxed, at.trap])
        .collect()
}

/// The policy entry that lets the wallet trade `tokens` on this chain, with generous limits.
pub fn entry(devnet: &Devnet, wallet: Address, tokens: Vec<Address>) -> Entry {
    let keys = devnet.chain_file();
    let usd = |dollars: i64| lgi_mm::domain::units::Usd::new(dollars.into()).expect("dollars");
    let contract = |name: &str| keys.contracts.get(name).copied();
    Entry {
        chain: NAME.to_owned(),
        wallet,
        chain_id: keys.chain_id,
        tokens,
        quotes: vec![Quote::Native, Quote::Wrapped, Quote::Usdc],
        max_trade_usd: usd(1_000_000),
        max_hour_usd: usd(10_000_000),
        max_day_usd: usd(10_000_000),
        max_gas_usd: usd(1_000_000),
        max_loss_bps: 9_000,
        max_deadline: "1h".parse().expect("a span"),
        native_usd_min: lgi_mm::domain::units::Price::ONE,
        withdraw_to: vec![],
        routers: vec![],
        stop: false,
        contracts: NamedContracts {
            permit2: contract("permit2"),
            universal_router: contract("universal_router"),
            swap_router: contract("swap_router"),
            pancake_v3_router: contract("pancake_v3_router"),
            slipstream_router: contract("slipstream_router"),
            slipstream_caps_router: contract("slipstream_caps_router"),
            slipstream_v3_router: contract("slipstream_v3_router"),
            v2_routers: keys
                .v2_forks
                .iter()
                .map(|(name, fork)| (name.parse().expect("a name"), fork.router))
                .collect(),
            aerodrome_router: contract("aerodrome_router"),
            aerodrome_factory: contract("aerodrome_factory"),
            wrapped_native: keys.wrapped_native,
            usdc: keys.usdc,
        },
    }
}

pub fn coins(whole: u64) -> U256 {
    U256::from(whole) * U256::from(10).pow(U256::from(18))
}

impl World {
    /// A chain that mines on request, and a wallet with a hundred native coins.
    pub async fn new(block_time: BlockTime) -> Self {
        Self::with(block_time, |keys| keys).await
    }

    /// With `[chains.local]` changed by `change`.
    pub async fn with(block_time: BlockTime, change: impl FnOnce(ChainFile) -> ChainFile) -> Self {
        Self::on(devnet::devnet(block_time).await, change).await
    }

    /// On a chain with more than usual.
    pub async fn on(devnet: Devnet, change: impl FnOnce(ChainFile) -> ChainFile) -> Self {
        let db = crate::db().await;
        devnet.node.set_balance(WALLET, coins(100)).await.expect("funded");
        let keys = change(ChainFile {
            resend_after: Some("500ms".parse().expect("a span")),
            replace_after: Some("1s".parse().expect("a span")),
            ..devnet.chain_file()
        });
        let dir = tempfile::tempdir().expect("a directory");
        let settings = dir.path().join("lgi-mm.toml");
        let text = toml_edit::ser::to_string_pretty(&json!({ "chains": { NAME: without_nulls(&keys) } }));
        std::fs::write(&settings, text.expect("TOML")).expect("settings");
        let spec = ChainSpec::resolve(NAME, &keys).expect("a chain");
        let chains = open_chains(vec![Arc::new(spec)], &db.pool).expect("chains");
        let live = chains.get(NAME).expect("the chain").clone();
        let account = Account {
            realm: Realm::Live,
            chain: NAME.to_owned(),
            wallet: WALLET,
        };
        let world = Self {
            devnet,
            db,
            live,
            account,
            settings,
            dir,
        };
        world.permit(&entry(&world.devnet, WALLET, tokens(&world.devnet)));
        world
    }

    /// Path of this world's policy.
    pub fn policy(&self) -> PathBuf {
        self.dir.path().join("policy.toml")
    }

    /// Path of the signing journal.
    pub fn policy_state(&self) -> PathBuf {
        self.dir.path().join("signed")
    }

    /// Writes this as the policy's entry of its wallet.
    pub fn permit(&self, entry: &Entry) {
        let text = edit::with_entry(&self.policy(), entry).expect("a policy");
        edit::write(&self.policy(), &text).expect("a file");
    }

    /// The wallet's current policy entry; for another wallet, the default entry.
    pub fn permitted(&self) -> Entry {
        let text = std::fs::read_to_string(self.policy()).expect("a policy");
        let policy = lgi_mm::chain::policy::Policy::read(&text).expect("a policy");
        let wallet = self.account.wallet;
        let entry = policy.entry(NAME, wallet).or_else(|| policy.entry(NAME, WALLET));
        let mut entry = entry.expect("an entry").clone();
        entry.wallet = wallet;
        entry
    }

    /// The policy allows this token as well.
    pub fn permit_token(&self, token: Address) {
        let mut entry = self.permitted();
        if !entry.tokens.contains(&token) {
            entry.tokens.push(token);
        }
        self.permit(&entry);
    }

    /// Starts a job that trades `token` for the native coin, by these rules and limits.
    pub async fn start(&self, token: Address, symbol: &str, rules: serde_json::Value) -> JobId {
        self.start_against((NATIVE, "ETH", 18), token, symbol, rules)
            .await
    }

    /// The same against another quote: its address, ticker and digits.
    pub async fn start_against(
        &self,
        quote: (Address, &str, u8),
        token: Address,
        symbol: &str,
        rules: serde_json::Value,
    ) -> JobId {
        self.start_pair(quote, (token, symbol, 18), rules).await
    }

    /// The same for a token of these digits.
    pub async fn start_pair(
        &self,
        quote: (Address, &str, u8),
        token: (Address, &str, u8),
        rules: serde_json::Value,
    ) -> JobId {
        let mut config = json!({
            "schedule": { "cron": "* * * * * *" },
            "price": { "sources": ["onchain"] },
            "limits": {
                "max_trades_per_hour": 0, "max_daily_spend_usd": 0, "failure_backoff": "1s", "gas_reserve": 1,
            },
        });
        for (section, keys) in rules.as_object().expect("sections") {
            let place = config
                .as_object_mut()
                .expect("an object")
                .entry(section)
                .or_insert_with(|| json!({}));
            for (key, value) in keys.as_object().expect("keys") {
                place[key] = value.clone();
            }
        }
        let config: JobConfig = serde_json::from_value(config).expect("a configuration");
        config
            .validate(JobMode::Accumulate)
            .expect("a valid configuration");
        let named = |(address, symbol, decimals): (Address, &str, u8)| Token {
            address,
            symbol: symbol.to_owned(),
            decimals,
        };
        let new = NewJob {
            account: self.account.clone(),
            token: named(token),
            quote: named(quote),
            mode: JobMode::Accumulate,
            config,
        };
        self.permit_token(token.0);
        let job = jobs::create(&self.db.pool, &new, "test").await.expect("a job");
        let order = Order::Start {
            deposit: Amount::ZERO,
        };
        orders::order(&self.db.pool, job, order, "test")
            .await
            .expect("started");
        job
    }

    /// Our program, on this world; it dies at `failpoint`, if one is named.
    pub fn daemon(&self, failpoint: Option<&str>) -> Child {
        let named = failpoint.map(|failpoint| (lgi_mm::failpoint::VARIABLE, failpoint));
        self.daemon_with(named.as_slice())
    }

    /// Our program, on this world, with more in its environment.
    pub fn daemon_with(&self, more: &[(&str, &str)]) -> Child {
        let mut command = quick_daemon(&self.db.url);
        command
            .env("LGI_MM_SETTINGS", &self.settings)
            .env("LGI_MM_UNSAFE_PRIVATE_KEY", KEY)
            .env("LGI_MM_POLICY", self.policy())
            .env("LGI_MM_POLICY_STATE", self.policy_state())
            .envs(more.iter().copied());
        command.spawn().expect("our own program starts")
    }

    /// Path of this world's settings.
    pub fn settings(&self) -> &std::path::Path {
        &self.settings
    }

    /// Rows of the audit trail: who, to what, and what was written.
    pub async fn audited(&self, action: &str) -> Vec<(String, String, serde_json::Value)> {
        sqlx::query_as("SELECT actor, subject, detail FROM audit WHERE action = $1 ORDER BY id")
            .bind(action)
            .fetch_all(&self.db.pool)
            .await
            .expect("the audit")
    }

    /// Runs a command of our program on this world: returns its exit code and output.
    pub async fn run(&self, args: &[&str]) -> (i32, String) {
        let output = Command::new(crate::lgi_mm())
            .args(args)
            .env("DATABASE_URL", &self.db.url)
            .env("LGI_MM_SETTINGS", &self.settings)
            .env("LGI_MM_UNSAFE_PRIVATE_KEY", KEY)
            .env("LGI_MM_POLICY", self.policy())
            .env("LGI_MM_POLICY_STATE", self.policy_state())
            .stdin(Stdio::null())
            .output()
            .await
            .expect("our own program runs");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (output.status.code().expect("an exit"), said)
    }

    /// Signs with the wallet's own key, as another program would, and hands it to the chain.
    pub async fn foreign(&self, nonce: u64) -> alloy_primitives::B256 {
        let key = KEY.parse().expect("a key");
        let signer = lgi_mm::chain::LocalSigner::new(key, lgi_mm::devnet::CHAIN_ID);
        let unsigned = lgi_mm::domain::onchain::UnsignedTransaction {
            call: lgi_mm::domain::onchain::Call::cancel(DEPLOYER),
            nonce,
            fees: lgi_mm::domain::onchain::Fees {
                max_fee_per_gas: 900_000_000_000,
                max_priority_fee_per_gas: 500_000_000_000,
            },
        };
        let signed = lgi_mm::ports::Signer::sign(&signer, &unsigned)
            .await
            .expect("signed");
        let sent: Result<serde_json::Value, _> = self
            .devnet
            .node
            .request("eth_sendRawTransaction", json!([signed.raw]))
            .await;
        sent.expect("taken");
        signed.hash
    }

    /// Runs it until it dies at `failpoint`.
    pub async fn die_at(&self, failpoint: &str) {
        self.die_at_with(failpoint, &[]).await;
    }

    /// The same, with more in its environment.
    pub async fn die_at_with(&self, failpoint: &str, more: &[(&str, &str)]) {
        let environment = [more, &[(lgi_mm::failpoint::VARIABLE, failpoint)]].concat();
        let mut daemon = self.daemon_with(&environment);
        let status = tokio::time::timeout(PATIENCE, daemon.wait()).await;
        let status: ExitStatus = status
            .unwrap_or_else(|_| panic!("{failpoint} was never reached"))
            .expect("an end");
        assert!(!status.success(), "{failpoint}: {status}");
    }

    /// Waits until `sql` is true.
    pub async fn until(&self, what: &str, sql: &'static str) {
        let begun = Instant::now();
        loop {
            let holds: bool = sqlx::query_scalar(sql)
                .fetch_one(&self.db.pool)
                .await
                .expect("an answer");
            if holds {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "never: {what}\n{}",
                self.story().await
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until this many more ticks were decided, so that a running job has had its chance to act.
    pub async fn ticks(&self, more: i64) {
        let sql = "SELECT coalesce(sum(count), 0)::bigint FROM ticks";
        let before: i64 = self.read(sql).await;
        let begun = Instant::now();
        while self.read::<i64>(sql).await < before + more {
            self.assert_patient(begun, "more ticks").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until an open trade was checked this many more times.
    pub async fn looks(&self, more: u32) {
        let sql = "SELECT max(next_check_at) FROM trades WHERE status IN ('PENDING', 'SUBMITTED')";
        let (begun, mut seen) = (Instant::now(), 0);
        let mut last: Option<chrono::DateTime<chrono::Utc>> = self.read(sql).await;
        while seen < more {
            self.assert_patient(begun, "more looks at the open trade").await;
            let next = self.read(sql).await;
            seen += u32::from(next != last);
            last = next;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn read<T>(&self, sql: &'static str) -> T
    where
        T: for<'row> sqlx::Decode<'row, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        let answer = sqlx::query_scalar(sql).fetch_one(&self.db.pool).await;
        answer.expect(sql)
    }

    async fn assert_patient(&self, begun: Instant, what: &str) {
        assert!(
            begun.elapsed() < PATIENCE,
            "never: {what}\n{}",
            self.story().await
        );
    }

    /// Every trade with its attempts, for a failure's message.
    pub async fn story(&self) -> String {
        let sql = "SELECT concat_ws(' ', t.id, t.side, t.reason, t.status, t.failure_kind, t.error, t.note, x.nonce, a.purpose,
                          encode(a.hash, 'hex'), a.sends, a.last_answer)
                   FROM trades t LEFT JOIN transactions x ON x.trade_id = t.id LEFT JOIN attempts a ON a.transaction_id = x.id
                   ORDER BY t.id, x.nonce, a.id";
        let trades: Vec<String> = sqlx::query_scalar(sql)
            .fetch_all(&self.db.pool)
            .await
            .expect("trades");
        let sql = "SELECT concat_ws(' ', outcome, reason, detail, count) FROM ticks ORDER BY id DESC LIMIT 8";
        let ticks: Vec<String> = sqlx::query_scalar(sql)
            .fetch_all(&self.db.pool)
            .await
            .expect("ticks");
        format!("{}\n{}", trades.join("\n"), ticks.join("\n"))
    }

    /// Compares the chain with the ledger; returns the differences: nothing lost, nothing doubled.
    pub async fn audit(&self) -> LiveFindings {
        let found = compare(
            &self.db.pool,
            self.live.chain.as_ref(),
            &self.account,
            Amount::new(coins(100)),
        )
        .await
        .expect("both sides can be read");
        assert_eq!(
            found.findings,
            Default::default(),
            "{:?}\n{}",
            found.balances,
            self.story().await
        );
        found
    }
}

/// TOML has no nulls.
fn without_nulls(keys: &ChainFile) -> serde_json::Value {
    let mut value = serde_json::to_value(keys).expect("JSON");
    value
        .as_object_mut()
        .expect("an object")
        .retain(|_, value| !value.is_null() && value.as_str() != Some(""));
    value
}
