//! A fork of Uniswap V2 on the local chain: V2's own factory, pairs and Router02, with pairs of another hash, as any
//! other compilation of them has.

use std::path::Path;

use alloy::sol_types::SolValue;
use alloy_primitives::{Address, Bytes, U256, hex, keccak256};

use super::{
    artifacts::Artifacts,
    code::replaced,
    error::DevnetError,
    node::{DEPLOYER, Node},
    pools::WETH,
};
use crate::chain::v2_forks::ForkFile;

const PAIR: &str = "@uniswap/v2-core/build/UniswapV2Pair.json";
const FACTORY: &str = "@uniswap/v2-core/build/UniswapV2Factory.json";
const ROUTER: &str = "@uniswap/v2-periphery/build/UniswapV2Router02.json";
/// Stands before the hash of a contract's metadata, 32 bytes that mean nothing to the chain.
const BEFORE_METADATA: [u8; 9] = hex!("a265627a7a72315820");

/// Deploys it; `word` makes its pairs differ from others.
pub(super) async fn deploy(node: &Node, contracts: &Path, word: &str) -> Result<ForkFile, DevnetError> {
    let artifacts = Artifacts::new(contracts);
    let make = async |code: Bytes, arguments: Vec<u8>| {
        let data: Bytes = [code.as_ref(), &arguments].concat().into();
        let created = node.send(DEPLOYER, None, &data, U256::ZERO).await?;
        created.ok_or(DevnetError::Rpc {
            method: "eth_sendTransaction",
            detail: "a contract of V2's fork has no address".to_owned(),
        })
    };
    let pair = artifacts.creation(PAIR)?;
    let before = pair
        .windows(BEFORE_METADATA.len())
        .position(|bytes| bytes == BEFORE_METADATA);
    let hash = before
        .and_then(|at| pair.get(at..)?.get(BEFORE_METADATA.len()..)?.first_chunk::<32>())
        .ok_or_else(|| DevnetError::Artifact {
            path: PAIR.into(),
            detail: "its metadata is not where it used to be".to_owned(),
        })?;
    let other = keccak256(word);
    let own_pair = replaced(&pair, hash, other.as_slice());
    let factory = replaced(&artifacts.creation(FACTORY)?, hash, other.as_slice());
    let init_code_hash = keccak256(&own_pair);
    let router = replaced(
        &artifacts.creation(ROUTER)?,
        keccak256(&pair).as_slice(),
        init_code_hash.as_slice(),
    );
    let factory: Address = make(factory, DEPLOYER.abi_encode()).await?;
    let router = make(router, (factory, WETH).abi_encode_params()).await?;
    Ok(ForkFile {
        factory,
        router,
        init_code_hash,
        fee_bps: 30,
    })
}
