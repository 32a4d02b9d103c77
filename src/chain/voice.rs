//! One of several nodes, asked for its own word.

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

/// One of the nodes, asked for itself.
#[derive(Clone)]
pub(super) struct Voice {
    pub(super) inner: Arc<Nodes>,
    pub(super) index: usize,
}

impl Voice {
    fn node(&self) -> Option<&Node> {
        self.inner.nodes.get(self.index)
    }

    /// Its place among the nodes.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// Whose word it is.
    pub(super) fn host(&self) -> &str {
        self.node().map_or("?", Node::voice)
    }

    /// Notes the newest block that it named.
    pub(super) fn set_head(&self, number: u64) {
        if let Some(node) = self.node() {
            node.set_head(number);
        }
    }

    /// Notes how many blocks it is behind the best.
    pub(super) fn set_lag(&self, lag: u64) {
        if let Some(node) = self.node() {
            node.set_lag(lag);
        }
    }

    /// An answer of it that cannot be true, as an error that names it. It is asked last for a while.
    pub(super) fn nonsense(&self, what: &str, why: impl ToString) -> RpcError {
        if let Some(node) = self.node() {
            node.distrust();
        }
        let why = Foreign::new(&why.to_string());
        self.error(format!("{what}: an answer that makes no sense: {why}"))
    }

    /// An error of the port that names it.
    pub(super) fn error(&self, detail: String) -> RpcError {
        RpcError {
            endpoint: self.node().map_or("?", Node::name).to_owned(),
            detail,
        }
    }

    /// Asks this node alone. The only node of a chain is asked as often as `rpc_rounds` says.
    pub(super) async fn batch(&self, requests: &[Request]) -> Result<Answers, RpcError> {
        if requests.is_empty() {
            return Ok(vec![]);
        }
        let Some(node) = self.node() else {
            return Err(self.error("no RPC URL is configured".to_owned()));
        };
        let alone = self.inner.nodes.len() == 1;
        if !alone && node.is_resting() {
            return Err(
                node.error("it has failed several times in a row; it is asked again in a moment".to_owned())
            );
        }
        let rounds = if alone { self.inner.rounds } else { 1 };
        let mut pause = FIRST_PAUSE;
        let mut round = 1;
        loop {
            let answered = match node.call(requests).await {
                Ok(answers) => match worst(&answers) {
                    (Fitness::Overload, error) => {
                        Err(node.error(error.map(CallError::to_string).unwrap_or_default()))
                    }
                    _ => Ok(answers),
                },
                Err(failure) => Err(node.error(failure.detail)),
            };
            if answered.is_ok() || round >= rounds {
                return answered;
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2);
            round = round.saturating_add(1);
        }
    }

    /// Asks this node alone for one thing.
    pub(super) async fn request<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<T, RpcError> {
        let answer = self.batch(&[(method, params)]).await?.pop();
        self.read(method, answer.unwrap_or(Ok(Value::Null)))
    }

    /// Reads one answer of it.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        what: &str,
        answer: Result<Value, CallError>,
    ) -> Result<T, RpcError> {
        let value = answer.map_err(CallError::into_rpc)?;
        serde_json::from_value(value).map_err(|error| self.nonsense(what, error))
    }
}
