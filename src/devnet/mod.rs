//! A local chain with the real contracts: Uniswap V2, V3 and V4, Permit2, the Universal Router and Multicall3 on
//! anvil, with pools of every shape. For tests, the live demo and practice; its money is worth nothing.

mod aerodrome;
mod artifacts;
mod code;
mod deploy;
mod deployment;
mod error;
mod node;
mod options;
mod pancake;
mod pools;
mod slipstream;
mod v2_fork;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use alloy::sol_types::SolCall;
use alloy_primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Serialize};

use crate::{
    chain::{ChainFile, v2_forks::ForkFile},
    domain::{
        pool::{Curve, Pool, PoolKey, Slipstream},
        span::Span,
    },
};
use deploy::deploy;

pub use deployment::Deployment;
pub use error::DevnetError;
pub use node::{CHAIN_ID, DEPLOYER, Node};
pub use options::{BlockTime, DevnetOptions};

/// The name under which settings know the local chain.
pub const NAME: &str = crate::domain::chains::PRACTICE;

/// A running local chain. It ends when this is dropped.
pub struct Devnet {
    /// The node, with anvil's own methods.
    pub node: Node,
    deployment: Deployment,
    contracts: PathBuf,
    /// By name.
    v2_forks: BTreeMap<String, ForkFile>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    deployment: Deployment,
    state: Bytes,
}

impl Devnet {
    /// Starts anvil and deploys everything, or loads a saved state.
    ///
    /// # Errors
    /// [`DevnetError`].
    pub async fn start(options: &DevnetOptions) -> Result<Self, DevnetError> {
        let saved = options.state.as_deref().map(read).transpose()?.flatten();
        let contracts = &options.contracts;
        let (deployment, state) = match saved {
            Some(Saved { deployment, state }) => (deployment, state),
            None => {
                let node = Node::start(contracts, 0, BlockTime::OnTransaction).await?;
                let deployment = deploy(&node, contracts).await?;
                let state = node.dump_state().await?;
                let saved = Saved { deployment, state };
                if let Some(path) = &options.state {
                    write(path, &saved)?;
                }
                (saved.deployment, saved.state)
            }
        };
        let node = Node::start(contracts, options.port, options.block_time).await?;
        node.load_state(&state).await?;
        if options.block_time != BlockTime::OnDemand {
            node.mine(1).await?;
        }
        Ok(Self {
            node,
            deployment,
            contracts: contracts.clone(),
            v2_forks: BTreeMap::new(),
        })
    }

    /// Addresses of contracts, tokens and pools.
    #[must_use]
    pub const fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// The settings `[chains.local]` for this chain.
    #[must_use]
    pub fn chain_file(&self) -> ChainFile {
        let Deployment {
            contracts,
            weth,
            usdc,
            hook,
            ..
        } = &self.deployment;
        ChainFile {
            rpc_urls: vec![self.node.url().to_string()],
            chain_id: Some(CHAIN_ID),
            wrapped_native: Some(*weth),
            usdc: Some(*usdc),
            contracts: contracts.clone(),
            v4_hooks: Some(vec![format!(
                "{hook:#x}/{}/200",
                crate::domain::pool::DYNAMIC_FEE
            )]),
            v2_forks: self.v2_forks.clone(),
            rpc_requests_per_second: Some(10_000),
            required_depth: Some(1),
            resend_after: Some(Span::from_millis(1_000)),
            replace_after: Some(Span::from_millis(3_000)),
            max_head_age: Some(Span::from_secs(3_600)),
            ..ChainFile::default()
        }
    }

    /// Gives `wallet` a hundred native coins, and a hundred thousand dollars.
    ///
    /// # Errors
    /// [`DevnetError`].
    pub async fn fund(&self, wallet: Address) -> Result<(), DevnetError> {
        let coin = U256::from(10).pow(U256::from(18));
        self.node.set_balance(wallet, coin * U256::from(100)).await?;
        self.mint(self.deployment.usdc, wallet, U256::from(100_000_000_000_u64))
            .await
    }

    /// Mints a token that anyone may mint: USDC and the regular tokens.
    ///
    /// # Errors
    /// [`DevnetError`].
    pub async fn mint(&self, token: Address, to: Address, amount: U256) -> Result<(), DevnetError> {
        let data: Bytes = pools::mintCall { to, value: amount }.abi_encode().into();
        self.node
            .send(node::DEPLOYER, Some(token), &data, U256::ZERO)
            .await
            .map(|_| ())
    }

    /// Transfers tokens of the deployer.
    ///
    /// # Errors
    /// [`DevnetError`].
    pub async fn give(&self, token: Address, to: Address, amount: U256) -> Result<(), DevnetError> {
        let data: Bytes = pools::transferCall { to, amount }.abi_encode().into();
        self.node
            .send(node::DEPLOYER, Some(token), &data, U256::ZERO)
            .await
            .map(|_| ())
    }

    /// Deploys one more token, of which the deployer gets 10^12 whole ones.
    ///
    /// # Errors
    /// [`DevnetError`].
    pub async fn add_token(&self, symbol: &str, decimals: u8) -> Result<Address, DevnetError> {
        deploy::add_token(&self.node, &self.contracts, symbol, decimals).await
    }

    /// Deploys PancakeSwap V3, which settings then name.
    ///
    /// # Errors
    /// [`DevnetError`].
    pub async fn add_pancake(&mut self) -> Result<(), DevnetError> {
        let contracts = pancake::deploy(&self.node, &self.contracts).await?;
        self.deployment.contracts.extend(contracts);
        Ok(())
    }

    /// Deploys all of Aerodrome's Slipstream, which settings then name.
    ///
    /// # Errors
    /// [`DevnetError`].
    pub async fn add_slipstream(&mut self) -> Result<(), DevnetError> {
        let contracts = slipstream::deploy(&self.node, &self.contracts).await?;
        self.deployment.contracts.extend(contracts);
        Ok(())
    }

    /// Deploys a fork of Uniswap V2, which settings then name so; its pairs keep 30 basis points.
    ///
    /// # Errors
    /// [`DevnetError`].
    pub async fn add_v2_fork(&mut self, name: &str) -> Result<(), DevnetError> {
        let fork = v2_fork::deploy(&self.node, &self.contracts, name).await?;
        self.v2_forks.insert(name.to_owned(), fork);
        Ok(())
    }

    /// Deploys Aerodrome, which settings then name.
    ///
    /// # Errors
    /// [`DevnetError`].
    pub async fn add_aerodrome(&mut self) -> Result<(), DevnetError> {
        let contracts = aerodrome::deploy(&self.node, &self.contracts).await?;
        self.deployment.contracts.extend(contracts);
        Ok(())
    }

    /// Lets all pools of Aerodrome's with this curve keep `bps` of a swap, basis points, 1 to 300.
    ///
    /// # Errors
    /// [`DevnetError`].
    pub async fn set_aerodrome_fee(&self, curve: Curve, bps: u32) -> Result<(), DevnetError> {
        aerodrome::set_fee(&self.node, self.contract("aerodrome_factory"), curve, bps).await
    }

    /// Stops all swaps in pools of Aerodrome's, or resumes them.
    ///
    /// # Errors
    /// [`DevnetError`].
    pub async fn pause_aerodrome(&self, paused: bool) -> Result<(), DevnetError> {
        aerodrome::pause(&self.node, self.contract("aerodrome_factory"), paused).await
    }

    /// Lets all pools of one of Slipstream's factories keep `fee` of a swap, hundredths of a basis point, at most
    /// 100000.
    ///
    /// # Errors
    /// [`DevnetError`].
    pub async fn set_slipstream_fee(&self, which: Slipstream, fee: u32) -> Result<(), DevnetError> {
        let factory = self.contract(&slipstream::name(which, "factory"));
        slipstream::set_fee(&self.node, factory, fee).await
    }

    /// Opens a V2, V3, PancakeSwap V3, Slipstream, Aerodrome or fork's pool of `stake` base units of a token and
    /// `coins` wei of the wrapped native coin.
    ///
    /// # Errors
    /// [`DevnetError`].
    pub async fn add_pool(
        &self,
        token: Address,
        stake: U256,
        coins: U256,
        pool: Pool,
    ) -> Result<(), DevnetError> {
        let stakes = [(token, stake), (self.deployment.weth, coins)];
        if let Pool::Slipstream(which, spacing) = pool {
            return slipstream::pool(&self.node, which, stakes, spacing).await;
        }
        if let Pool::Aerodrome(curve) = pool {
            return aerodrome::pool(&self.node, self.contract("aerodrome_factory"), stakes, curve).await;
        }
        if let Pool::V2Fork(name) = pool {
            let fork = self.v2_forks.get(&name.to_string());
            let factory = fork.map(|fork| fork.factory).unwrap_or_default();
            return pools::v2_of(&self.node, factory, stakes).await;
        }
        if let Pool::Pancake(fee) = pool {
            return pancake::pool(&self.node, self.contract("pancake_v3_factory"), stakes, fee).await;
        }
        pools::add_pool(
            &self.node,
            &self.deployment.contracts,
            (token, stake),
            coins,
            pool,
        )
        .await
    }

    /// Opens a V2 pair of base units of any two tokens.
    ///
    /// # Errors
    /// [`DevnetError`].
    pub async fn add_v2_pair(&self, stakes: [(Address, U256); 2]) -> Result<(), DevnetError> {
        pools::v2_of(&self.node, self.contract("v2_factory"), stakes).await
    }

    /// Opens a V3 pool of base units of any two tokens.
    ///
    /// # Errors
    /// [`DevnetError`].
    pub async fn add_v3_pool(&self, stakes: [(Address, U256); 2], fee: u32) -> Result<(), DevnetError> {
        pools::add_v3_pool(&self.node, &self.deployment.contracts, stakes, fee).await
    }

    /// Opens a V4 pool of any shape, with `stakes` base units of its two currencies.
    ///
    /// # Errors
    /// [`DevnetError`].
    pub async fn add_v4_pool(&self, key: &PoolKey, stakes: [U256; 2]) -> Result<(), DevnetError> {
        let manager = self.contract("v4_pool_manager");
        pools::add_v4_pool(&self.node, (manager, self.deployment.liquidity), key, stakes).await
    }

    /// Lets the V3 factory make pools of one more fee, hundredths of a basis point, and distance of ticks.
    ///
    /// # Errors
    /// [`DevnetError`].
    pub async fn enable_v3_fee(&self, fee: u32, spacing: i32) -> Result<(), DevnetError> {
        pools::enable_fee(&self.node, self.contract("v3_factory"), (fee, spacing)).await
    }

    fn contract(&self, name: &str) -> Address {
        self.deployment.contracts.get(name).copied().unwrap_or_default()
    }

    /// Shuts the trap, or opens it again.
    ///
    /// # Errors
    /// [`DevnetError`].
    pub async fn shut_trap(&self, shut: bool) -> Result<(), DevnetError> {
        let word = B256::from(U256::from(u8::from(shut)));
        self.node
            .set_storage(self.deployment.trap, code::TRAP_SHUT, word)
            .await
    }

    /// Sets the native coin's price, 8 digits, and when it was updated (none: always just now).
    ///
    /// # Errors
    /// [`DevnetError`].
    pub async fn set_feed(
        &self,
        name: &str,
        answer: U256,
        updated_at: Option<u64>,
    ) -> Result<(), DevnetError> {
        let feed = self.deployment.contracts.get(name).copied().unwrap_or_default();
        self.node
            .set_storage(feed, code::FEED_ANSWER, answer.into())
            .await?;
        let updated = U256::from(updated_at.unwrap_or_default());
        self.node
            .set_storage(feed, code::FEED_UPDATED, updated.into())
            .await
    }
}

fn read(path: &Path) -> Result<Option<Saved>, DevnetError> {
    let state_error = |source| DevnetError::State {
        path: path.to_owned(),
        source,
    };
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| state_error(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(state_error(error)),
    }
}

/// Written completely before it gets its name: concurrent tests may all create it.
fn write(path: &Path, saved: &Saved) -> Result<(), DevnetError> {
    let place = path.parent().unwrap_or_else(|| Path::new("."));
    let written = tempfile::NamedTempFile::new_in(place).and_then(|mut draft| {
        draft.write_all(&serde_json::to_vec(saved)?)?;
        draft.persist(path)?;
        Ok(())
    });
    written.map_err(|source| DevnetError::State {
        path: path.to_owned(),
        source,
    })
}
