//! Compiled contracts, read from npm packages at run time: building needs none of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use alloy_primitives::{Bytes, hex};
use serde_json::Value;

use super::error::DevnetError;

/// Where `node_modules` of `scripts/contracts` is.
#[derive(Debug, Clone)]
pub(super) struct Artifacts {
    modules: PathBuf,
}

impl Artifacts {
    pub(super) fn new(contracts: &Path) -> Self {
        Self {
            modules: contracts.join("node_modules"),
        }
    }

    fn read(&self, file: &str) -> Result<String, DevnetError> {
        let path = self.modules.join(file);
        fs::read_to_string(&path).map_err(|source| DevnetError::Artifact {
            path,
            detail: source.to_string(),
        })
    }

    fn bad(&self, file: &str, detail: impl ToString) -> DevnetError {
        DevnetError::Artifact {
            path: self.modules.join(file),
            detail: detail.to_string(),
        }
    }

    fn json(&self, file: &str) -> Result<Value, DevnetError> {
        serde_json::from_str(&self.read(file)?).map_err(|error| self.bad(file, error))
    }

    /// The creation code, without constructor arguments. Compilers store it in different fields.
    pub(super) fn creation(&self, file: &str) -> Result<Bytes, DevnetError> {
        self.code(file, "bytecode")
    }

    /// The runtime code.
    pub(super) fn runtime(&self, file: &str) -> Result<Bytes, DevnetError> {
        self.code(file, "deployedBytecode")
    }

    fn code(&self, file: &str, field: &str) -> Result<Bytes, DevnetError> {
        let json = self.json(file)?;
        let code = json.get(field).unwrap_or(&Value::Null);
        let text = code.as_str().or_else(|| code.get("object")?.as_str());
        let text = text.ok_or_else(|| self.bad(file, format_args!("no {field}")))?;
        hex::decode(text)
            .map(Bytes::from)
            .map_err(|error| self.bad(file, error))
    }

    /// Permit2 comes as a hex literal inside a Solidity source.
    pub(super) fn permit2(&self) -> Result<Bytes, DevnetError> {
        const FILE: &str = "@uniswap/v4-periphery/lib/permit2/test/utils/DeployPermit2.sol";
        self.literal(FILE, "hex\"")
    }

    /// Multicall3 comes as a constant of a JavaScript source.
    pub(super) fn multicall3(&self) -> Result<Bytes, DevnetError> {
        const FILE: &str = "viem/_esm/constants/contracts.js";
        self.literal(FILE, "multicall3Bytecode = '")
    }

    fn literal(&self, file: &str, before: &str) -> Result<Bytes, DevnetError> {
        let text = self.read(file)?;
        let code = text
            .split(before)
            .nth(1)
            .and_then(|rest| rest.split(['"', '\'']).next());
        let code = code.ok_or_else(|| self.bad(file, "the code is not where it used to be"))?;
        hex::decode(code)
            .map(Bytes::from)
            .map_err(|error| self.bad(file, error))
    }
}
