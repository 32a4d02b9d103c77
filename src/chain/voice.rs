//! One of several nodes, queried on its own.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    error::CallError,
    node::{Node, worst},
    nodes::{FIRST_PAUSE, Nodes},
    unfit::Fitness,
    wire::{Answers, Request},
};
use crate::{domain::foreign::Foreign, ports::RpcError};

/// A node that is queried on its own.
#[derive(Clone)]
pub(super) struct Voice {
    pub(super) inner: Arc<Nodes>,
    pub(super) index: usize,
}

impl Voice {
    fn node(&self) -> Option<&Arc<Node>> {
        self.inner.nodes.get(self.index)
    }

    /// Position in the list of nodes.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// Name of the node, without credentials.
    pub(super) fn host(&self) -> &str {
        self.node().map_or("?", |node| node.voice())
    }

    /// Records the newest block that the node reported.
    pub(super) fn set_head(&self, number: u64) {
        if let Some(node) = self.node() {
            node.set_head(number);
        }
    }

    /// Records how many blocks the node is behind the best one.
    pub(super) fn set_lag(&self, lag: u64) {
        if let Some(node) = self.node() {
            node.set_lag(lag);
        }
    }

    /// An error for an impossible answer. The node is moved to the end of the list for a while.
    pub(super) fn nonsense(&self, what: &str, why: impl ToString) -> RpcError {
        if let Some(node) = self.node() {
            node.distrust();
        }
        let why = Foreign::new(&why.to_string());
        self.error(format!("{what}: invalid answer: {why}"))
    }

    /// A port error that names this node.
    pub(super) fn error(&self, detail: String) -> RpcError {
        RpcError {
            endpoint: self.node().map_or("?", |node| node.name()).to_owned(),
            detail,
        }
    }

    /// Queries this node alone. A chain's only node is retried as `rpc_rounds` allows.
    pub(super) async fn batch(&self, requests: &[Request]) -> Result<Answers, RpcError> {
        if requests.is_empty() {
            return Ok(vec![]);
        }
        let Some(node) = self.node() else {
            return Err(self.error("no RPC URL is configured".to_owned()));
        };
        let alone = self.inner.nodes.len() == 1;
        if !alone && node.is_resting() {
            return Err(node.error("backing off after consecutive failures".to_owned()));
        }
        let rounds = if alone { self.inner.rounds } else { 1 };
        let mut pause = FIRST_PAUSE;
        let mut round = 1;
        loop {
            let mut may_recover = true;
            let answered = match node.call(requests).await {
                Ok(answers) => match worst(&answers) {
                    (Fitness::Overload, error) => {
                        Err(node.error(error.map(CallError::to_string).unwrap_or_default()))
                    }
                    (fitness, _) => {
                        // One URL may stand for several nodes, of which the next knows the block.
                        may_recover = fitness == Fitness::Trouble;
                        Ok(answers)
                    }
                },
                Err(failure) => match failure.said {
                    Some(said) => Ok(said),
                    None => Err(node.error(failure.detail)),
                },
            };
            if !may_recover || round >= rounds {
                return answered;
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2);
            round = round.saturating_add(1);
        }
    }

    /// Sends one request to this node alone.
    pub(super) async fn request<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<T, RpcError> {
        let answer = self.batch(&[(method, params)]).await?.pop();
        self.read(method, answer.unwrap_or(Ok(Value::Null)))
    }

    /// Decodes one of its answers.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        what: &str,
        answer: Result<Value, CallError>,
    ) -> Result<T, RpcError> {
        let value = answer.map_err(CallError::into_rpc)?;
        serde_json::from_value(value).map_err(|error| self.nonsense(what, error))
    }
}
