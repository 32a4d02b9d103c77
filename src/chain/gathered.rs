//! What several callers ask of one node at nearly the same time goes out as one batch, and equal questions are asked
//! once. Each caller gets the answers to its own requests, in its own order.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use tokio::sync::oneshot;

use super::wire::{Answers, Failure, Request};

/// How long the first request waits for others. Far below what a round trip to a node takes.
const WINDOW: Duration = Duration::from_millis(10);
/// Requests of one batch, where a node allows more: nodes answer a batch from its first request to its last.
const BATCH_MAX: usize = 50;

/// Requests that never wait for others, nor let others wait: bytes that are sent, and searches that take long.
const ALONE: [&str; 3] = ["eth_sendRawTransaction", "eth_getLogs", "eth_getBlockReceipts"];

/// A node that many callers ask.
pub(super) trait Exchange: Send + Sync + 'static {
    /// Sends one batch.
    fn exchange(&self, requests: &[Request]) -> impl Future<Output = Result<Answers, Failure>> + Send;

    /// Callers whose requests to it are about to be sent.
    fn gathered(&self) -> &Gathered;
}

/// Requests of one caller, and where their answers go.
struct Caller {
    requests: Vec<Request>,
    answers: oneshot::Sender<Result<Answers, Failure>>,
}

/// Callers whose requests are about to be sent.
#[derive(Default)]
pub(super) struct Gathered(Mutex<Vec<Caller>>);

/// Whether these requests are sent by themselves.
pub(super) fn is_alone(requests: &[Request]) -> bool {
    requests.len() >= BATCH_MAX || requests.iter().any(|(method, _)| ALONE.contains(method))
}

/// Answers for `requests`, sent together with what others ask of `node` meanwhile.
pub(super) async fn ask<N: Exchange>(node: &Arc<N>, requests: &[Request]) -> Result<Answers, Failure> {
    let (answers, answered) = oneshot::channel();
    let caller = Caller {
        requests: requests.to_vec(),
        answers,
    };
    let is_first = {
        let mut waiting = node.gathered().lock();
        waiting.push(caller);
        waiting.len() == 1
    };
    if is_first {
        // A task of its own: the caller that asked first may stop waiting, and the others still get their answers.
        let node = node.clone();
        tokio::spawn(async move {
            tokio::time::sleep(WINDOW).await;
            let callers = std::mem::take(&mut *node.gathered().lock());
            join_all(split(callers).into_iter().map(|part| send(&*node, part))).await;
        });
    }
    answered
        .await
        .unwrap_or_else(|_| Err(Failure::of("the request was given up".to_owned())))
}

impl Gathered {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Caller>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Callers in groups whose requests fit into one batch, without those that have stopped waiting.
fn split(callers: Vec<Caller>) -> Vec<Vec<Caller>> {
    let mut groups: Vec<Vec<Caller>> = Vec::new();
    let mut size = usize::MAX;
    for caller in callers.into_iter().filter(|caller| !caller.answers.is_closed()) {
        let more = caller.requests.len();
        match groups.last_mut() {
            Some(group) if size.saturating_add(more) <= BATCH_MAX => {
                size = size.saturating_add(more);
                group.push(caller);
            }
            _ => {
                size = more;
                groups.push(vec![caller]);
            }
        }
    }
    groups
}

async fn send<N: Exchange>(node: &N, callers: Vec<Caller>) {
    let mut distinct: Vec<Request> = Vec::new();
    let mut places: Vec<Vec<usize>> = Vec::with_capacity(callers.len());
    for caller in &callers {
        places.push(
            caller
                .requests
                .iter()
                .map(|request| place(&mut distinct, request))
                .collect(),
        );
    }
    match node.exchange(&distinct).await {
        Ok(answers) => {
            for (caller, places) in callers.into_iter().zip(places) {
                let own = places.iter().filter_map(|place| answers.get(*place).cloned());
                deliver(caller, Ok(own.collect()));
            }
        }
        // A request that a node cannot bear costs no other caller its answers.
        Err(failure) if callers.len() > 1 && !failure.overload && !failure.disconnected => {
            let each = callers.into_iter().map(|caller| async {
                let answers = node.exchange(&caller.requests).await;
                deliver(caller, answers);
            });
            join_all(each).await;
        }
        Err(failure) => callers
            .into_iter()
            .for_each(|caller| deliver(caller, Err(failure.clone()))),
    }
}

/// Where `request` stands among the distinct ones.
fn place(distinct: &mut Vec<Request>, request: &Request) -> usize {
    let known = distinct.iter().position(|other| other == request);
    known.unwrap_or_else(|| {
        distinct.push(request.clone());
        distinct.len().saturating_sub(1)
    })
}

fn deliver(caller: Caller, answers: Result<Answers, Failure>) {
    // A caller that has stopped waiting needs no answer.
    drop(caller.answers.send(answers));
}

#[cfg(test)]
mod tests {
    use alloy_primitives::U64;
    use serde_json::{Value, json};

    use super::*;

    /// Answers each request with its parameters, and fails a batch with a poisoned one.
    #[derive(Default)]
    struct Echo {
        gathered: Gathered,
        sizes: Mutex<Vec<usize>>,
    }

    impl Exchange for Echo {
        async fn exchange(&self, requests: &[Request]) -> Result<Answers, Failure> {
            self.sizes.lock().expect("sizes").push(requests.len());
            if requests.iter().any(|(method, _)| *method == "poison") {
                return Err(Failure::of("HTTP 500".to_owned()));
            }
            Ok(requests.iter().map(|(_, params)| Ok(params.clone())).collect())
        }

        fn gathered(&self) -> &Gathered {
            &self.gathered
        }
    }

    fn number(of: u64) -> Request {
        ("eth_getBalance", json!(U64::from(of)))
    }

    fn said(answers: Result<Answers, Failure>) -> Vec<Value> {
        let answers = answers.expect("answers").into_iter();
        answers.map(|answer| answer.expect("an answer")).collect()
    }

    #[tokio::test]
    async fn what_is_asked_together_is_one_batch_and_equal_questions_are_asked_once() {
        let node = Arc::new(Echo::default());
        let callers = [
            vec![number(1), number(2)],
            vec![number(2)],
            vec![number(3), number(1)],
        ];
        let all = join_all(callers.iter().map(|requests| ask(&node, requests))).await;
        for (requests, answers) in callers.iter().zip(all) {
            let own: Vec<Value> = requests.iter().map(|(_, params)| params.clone()).collect();
            assert_eq!(said(answers), own);
        }
        assert_eq!(*node.sizes.lock().expect("sizes"), [3]);
        assert_eq!(said(ask(&node, &[number(1)]).await), [json!("0x1")]);
        assert_eq!(*node.sizes.lock().expect("sizes"), [3, 1], "later is asked again");
    }

    #[tokio::test]
    async fn one_poisoned_request_harms_no_other_caller_and_a_caller_that_leaves_harms_none() {
        let node = Arc::new(Echo::default());
        let poison = [("poison", json!(null))];
        let mine = [number(7)];
        let (failed, answered) = futures::join!(ask(&node, &poison), ask(&node, &mine));
        assert!(failed.is_err());
        assert_eq!(said(answered), [json!("0x7")]);
        let first = ask(&node, &mine);
        let left = tokio::time::timeout(Duration::from_millis(1), first).await;
        assert!(left.is_err(), "it waits for others");
        assert_eq!(said(ask(&node, &[number(8)]).await), [json!("0x8")]);
    }

    #[tokio::test]
    async fn no_batch_is_larger_than_the_most_and_a_single_caller_is_never_cut() {
        let node = Arc::new(Echo::default());
        let many: Vec<Vec<Request>> = (0..30).map(|of| vec![number(of), number(100 + of)]).collect();
        let all = join_all(many.iter().map(|requests| ask(&node, requests))).await;
        assert!(all.into_iter().all(|answers| said(answers).len() == 2));
        let mut sizes = node.sizes.lock().expect("sizes").clone();
        sizes.sort_unstable();
        assert_eq!(sizes, [10, 50]);
    }
}
