//! Heads and nonces by quorum, and contradictions between nodes.

use std::{sync::PoisonError, time::Instant};

use alloy_primitives::{Address, U64, U256};
use chrono::TimeDelta;
use metrics::counter;
use serde_json::{Value, json};
use tracing::{debug, error};

use super::{
    balance_request,
    state::{EvmChain, Heads},
};
use crate::{
    chain::{lookup::Contradiction, quorum::reached, receipts::RawBlock, voice::Voice},
    domain::{
        Timestamp,
        onchain::{Asset, Head, Nonces},
        span::Span,
        units::Amount,
    },
    ports::RpcError,
    telemetry::metric,
};

/// A number that a node answered: `0x` and 1 to 64 digits. Anything else is no balance of zero: what a wallet is
/// believed to have lost is written down.
fn units_of(answer: &Value) -> Option<U256> {
    let digits = answer.as_str()?.strip_prefix("0x")?;
    let fits = (1..=64).contains(&digits.len());
    fits.then(|| U256::from_str_radix(digits, 16).ok())?
}

/// A head this far ahead of the local clock is ignored while another node has a plausible one.
const CLOCK_SKEW_MAX: TimeDelta = TimeDelta::seconds(30);

/// Whether no block can follow yet the one of this time; by a clock that differs from the chain's, no longer than one
/// block would take.
fn is_last(time: Timestamp, pace: Span, now: Timestamp) -> bool {
    time <= now && !pace.passed(time, now)
}

impl EvmChain {
    /// Reads the newest block of every node, and each node's lag.
    async fn ask_heads(&self) -> Result<Heads, RpcError> {
        let said = self
            .rpc
            .each(|voice| async move {
                let block: RawBlock = voice
                    .request("eth_getBlockByNumber", json!(["latest", false]))
                    .await?;
                let number = block.number.to::<u64>();
                voice.set_head(number);
                let time = block
                    .time()
                    .ok_or_else(|| voice.nonsense("eth_getBlockByNumber", "its timestamp is out of range"))?;
                Ok(Head { number, time })
            })
            .await;
        let agreed = self.reached("the newest block", &said, |head| (head.number, head.time));
        let agreed = agreed.map(|(number, time)| Head { number, time });
        let latest_plausible = chrono::Utc::now() + CLOCK_SKEW_MAX;
        let heads = || said.iter().filter_map(|(_, head)| head.as_ref().ok());
        // A block from the future is ignored; the newest of the others counts, because a node may be behind.
        let best = heads()
            .filter(|head| head.time <= latest_plausible)
            .max_by_key(|head| head.time);
        let best = match best {
            Some(best) => *best,
            None => agreed.clone()?,
        };
        for (voice, head) in &said {
            if let Ok(head) = head {
                voice.set_lag(best.number.saturating_sub(head.number));
            }
        }
        Ok(Heads { agreed, best })
    }

    /// The newest blocks. On a chain of known pace they are asked again when the next one can be there: one look for
    /// all that this process does meanwhile.
    pub(super) async fn heads(&self) -> Result<Heads, RpcError> {
        let block_time = self.spec.block_time;
        let is_newest = |heads: &Heads| {
            // Nodes that lag behind each other are asked again.
            let agreed = heads
                .agreed
                .as_ref()
                .is_ok_and(|agreed| agreed.number == heads.best.number);
            agreed && block_time.is_some_and(|pace| is_last(heads.best.time, pace, chrono::Utc::now()))
        };
        self.heads.get_while(is_newest, || self.ask_heads()).await
    }

    pub(super) async fn each_nonces(&self, signer: Address) -> Vec<(Voice, Result<Nonces, RpcError>)> {
        let count = |tag| ("eth_getTransactionCount", json!([signer, tag]));
        let requests = [count("latest"), count("pending")];
        let ask = |voice: Voice| {
            let requests = &requests;
            async move {
                let mut answers = voice.batch(requests).await?.into_iter();
                let mut next = || {
                    let answer = answers.next().unwrap_or(Ok(Value::Null));
                    voice.read::<U64>("eth_getTransactionCount", answer)
                };
                Ok(Nonces {
                    latest: next()?.to(),
                    pending: next()?.to(),
                })
            }
        };
        self.rpc.each(ask).await
    }

    pub(super) async fn ask_nonces(&self, signer: Address) -> Result<Nonces, RpcError> {
        let said = self.each_nonces(signer).await;
        Ok(Nonces {
            latest: self.reached("the nonce", &said, |nonces| nonces.latest)?,
            pending: self.reached("the nonce", &said, |nonces| nonces.pending)?,
        })
    }

    /// The most that a quorum of nodes says the wallet holds.
    pub(super) async fn agreed_balance(&self, wallet: Address, asset: Asset) -> Result<Amount, RpcError> {
        let (method, parameters) = balance_request(wallet, &asset, json!("latest"));
        let ask = |voice: Voice| {
            let parameters = parameters.clone();
            async move {
                let answer: Value = voice.request(method, parameters).await?;
                let units = units_of(&answer).ok_or_else(|| voice.nonsense(method, &answer))?;
                Ok(Amount::new(units))
            }
        };
        let said = self.rpc.each(ask).await;
        self.reached("the balance", &said, |held| *held)
    }

    /// Logs and counts a contradiction. While unsettled, it blocks new trades on the chain for a while.
    pub(super) fn disagree(&self, contradiction: Contradiction) {
        let Contradiction { what, settled } = contradiction;
        let mut last = self.disagreement.lock().unwrap_or_else(PoisonError::into_inner);
        let repeated = last.as_ref().is_some_and(|(_, before)| *before == what);
        if repeated {
            debug!(chain = self.spec.name, what, settled, "nodes still disagree");
        } else {
            error!(chain = self.spec.name, what, settled, "nodes disagree");
        }
        counter!(metric::RPC_DISAGREEMENTS, "chain" => self.spec.name.clone()).increment(1);
        if settled {
            return;
        }
        *last = Some((Instant::now(), what));
    }

    pub(super) fn too_few(&self, what: &str) -> RpcError {
        RpcError {
            endpoint: self.spec.name.clone(),
            detail: format!("{what}: fewer than {} nodes answered", self.rpc.quorum()),
        }
    }

    /// The first error, if no node answered: it is the most specific one.
    pub(super) fn reached<T, N: Ord + Copy>(
        &self,
        what: &str,
        said: &[(Voice, Result<T, RpcError>)],
        number: impl Fn(&T) -> N,
    ) -> Result<N, RpcError> {
        let numbers = said
            .iter()
            .filter_map(|(voice, said)| Some((voice.host().to_owned(), number(said.as_ref().ok()?))));
        reached(numbers, self.rpc.quorum()).ok_or_else(|| {
            let error = said.iter().find_map(|(_, said)| said.as_ref().err().cloned());
            match error {
                Some(error) if self.rpc.quorum() == 1 => error,
                Some(error) => RpcError {
                    detail: format!("{} ({error})", self.too_few(what).detail),
                    ..self.too_few(what)
                },
                None => self.too_few(what),
            }
        })
    }
}
