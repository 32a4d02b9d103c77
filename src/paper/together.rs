//! Questions that come while one is asked are asked together, as the calls to a node share a request.

use std::{
    collections::VecDeque,
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Mutex as Turn, oneshot};

use super::error::PaperError;
use crate::ports::RpcError;

/// Most questions of one request.
const MOST: usize = 64;

type Answered<A> = Result<A, RpcError>;

/// A question, and where its answer goes.
#[derive(Debug)]
struct Asked<Q, A> {
    question: Q,
    answer: oneshot::Sender<Answered<A>>,
}

/// The questions of one kind that one process has.
#[derive(Debug)]
pub(super) struct Together<Q, A> {
    asked: Mutex<VecDeque<Asked<Q, A>>>,
    /// Held by the caller that asks for all.
    turn: Turn<()>,
}

impl<Q, A> Default for Together<Q, A> {
    fn default() -> Self {
        Self {
            asked: Mutex::default(),
            turn: Turn::default(),
        }
    }
}

impl<Q: Clone, A> Together<Q, A> {
    /// The answer to `question`, asked after this call was made. `ask` answers many, in their order. A failure of a
    /// request is everyone's whose question was in it.
    pub(super) async fn ask<F>(&self, question: Q, ask: impl Fn(Vec<Q>) -> F) -> Answered<A>
    where
        F: Future<Output = Result<Vec<A>, PaperError>>,
    {
        loop {
            let (sender, mut receiver) = oneshot::channel();
            self.asked().push_back(Asked {
                question: question.clone(),
                answer: sender,
            });
            let answered = tokio::select! {
                biased;
                answered = &mut receiver => answered,
                turn = self.turn.lock() => {
                    self.answer_until(&mut receiver, &ask).await;
                    drop(turn);
                    receiver.await
                }
            };
            // The caller that had taken the question was cancelled.
            let Ok(answer) = answered else { continue };
            return answer;
        }
    }

    /// Asks whatever has come, until `own` has its answer.
    async fn answer_until<F>(&self, own: &mut oneshot::Receiver<Answered<A>>, ask: &impl Fn(Vec<Q>) -> F)
    where
        F: Future<Output = Result<Vec<A>, PaperError>>,
    {
        while own.is_empty() {
            let taken: Vec<Asked<Q, A>> = {
                let mut asked = self.asked();
                // Callers that were cancelled wait for no answer.
                asked.retain(|one| !one.answer.is_closed());
                let count = asked.len().min(MOST);
                asked.drain(..count).collect()
            };
            // Its own question was taken by a caller that was cancelled.
            if taken.is_empty() {
                return;
            }
            let (questions, waiting): (Vec<_>, Vec<_>) =
                taken.into_iter().map(|one| (one.question, one.answer)).unzip();
            match ask(questions).await {
                Ok(answers) => {
                    for (to, answer) in waiting.into_iter().zip(answers) {
                        // A caller that no longer waits has left its receiver.
                        drop(to.send(Ok(answer)));
                    }
                }
                Err(error) => {
                    let error = error.into_rpc();
                    for to in waiting {
                        drop(to.send(Err(error.clone())));
                    }
                }
            }
        }
    }

    fn asked(&self) -> MutexGuard<'_, VecDeque<Asked<Q, A>>> {
        // Each entry is whole after any panic.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use tokio::sync::Notify;

    use super::*;

    /// Doubles numbers, and keeps what it was asked; each request waits until it is let go.
    #[derive(Default)]
    struct Desk {
        together: Together<u32, u32>,
        requests: Mutex<Vec<Vec<u32>>>,
        go: Notify,
    }

    impl Desk {
        async fn double(&self, number: u32) -> Answered<u32> {
            self.together
                .ask(number, |numbers| async move {
                    self.requests.lock().expect("requests").push(numbers.clone());
                    self.go.notified().await;
                    if numbers.contains(&0) {
                        return Err(PaperError::Down);
                    }
                    Ok(numbers.into_iter().map(|number| number * 2).collect())
                })
                .await
        }

        fn requests(&self) -> Vec<Vec<u32>> {
            self.requests.lock().expect("requests").clone()
        }

        async fn until_asked(&self, requests: usize) {
            while self.requests().len() < requests {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }

        async fn until_waiting(&self, questions: usize) {
            while self.together.asked().len() < questions {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    fn asks(desk: &Arc<Desk>, number: u32) -> tokio::task::JoinHandle<Answered<u32>> {
        let desk = Arc::clone(desk);
        tokio::spawn(async move { desk.double(number).await })
    }

    #[tokio::test]
    async fn questions_that_come_while_one_is_asked_share_the_next_request() {
        let desk = Arc::new(Desk::default());
        let first = asks(&desk, 1);
        desk.until_asked(1).await;
        let rest: Vec<_> = (2..=9).map(|number| asks(&desk, number)).collect();
        desk.until_waiting(8).await;
        desk.go.notify_one();
        assert_eq!(first.await.expect("a task").expect("an answer"), 2);
        desk.until_asked(2).await;
        desk.go.notify_one();
        for (number, answer) in (2..=9).zip(rest) {
            assert_eq!(answer.await.expect("a task").expect("an answer"), number * 2);
        }
        assert_eq!(desk.requests(), [vec![1], (2..=9).collect()]);
    }

    #[tokio::test]
    async fn a_request_that_fails_fails_for_those_in_it_only() {
        let desk = Arc::new(Desk::default());
        let first = asks(&desk, 0);
        desk.until_asked(1).await;
        let next = asks(&desk, 5);
        desk.until_waiting(1).await;
        desk.go.notify_one();
        assert!(first.await.expect("a task").is_err());
        desk.until_asked(2).await;
        desk.go.notify_one();
        assert_eq!(next.await.expect("a task").expect("an answer"), 10);
    }

    #[tokio::test]
    async fn a_caller_that_asks_for_others_may_be_cancelled() {
        let desk = Arc::new(Desk::default());
        let first = asks(&desk, 1);
        desk.until_asked(1).await;
        let (leader, other) = (asks(&desk, 2), asks(&desk, 3));
        desk.until_waiting(2).await;
        desk.go.notify_one();
        first.await.expect("a task").expect("an answer");
        desk.until_asked(2).await;
        // It asks for both.
        leader.abort();
        desk.until_asked(3).await;
        desk.go.notify_one();
        assert_eq!(other.await.expect("a task").expect("an answer"), 6);
        assert_eq!(desk.requests()[1..], [vec![2, 3], vec![3]]);
    }

    #[tokio::test]
    async fn a_question_behind_many_that_were_given_up_is_answered() {
        let desk = Arc::new(Desk::default());
        let first = asks(&desk, 1);
        desk.until_asked(1).await;
        let given_up: Vec<_> = (2..=99).map(|number| asks(&desk, number)).collect();
        desk.until_waiting(98).await;
        let last = asks(&desk, 100);
        desk.until_waiting(99).await;
        for one in given_up {
            one.abort();
        }
        desk.go.notify_one();
        first.await.expect("a task").expect("an answer");
        desk.until_asked(2).await;
        desk.go.notify_one();
        let answer = tokio::time::timeout(Duration::from_secs(30), last).await;
        assert_eq!(answer.expect("in time").expect("a task").expect("an answer"), 200);
        assert_eq!(desk.requests(), [vec![1], vec![100]]);
    }

    #[tokio::test]
    async fn a_request_has_a_limit() {
        let desk = Arc::new(Desk::default());
        let first = asks(&desk, 1);
        desk.until_asked(1).await;
        let rest: Vec<_> = (2..=100).map(|number| asks(&desk, number)).collect();
        desk.until_waiting(99).await;
        for requests in 1..=3 {
            desk.until_asked(requests).await;
            desk.go.notify_one();
        }
        first.await.expect("a task").expect("an answer");
        for answer in rest {
            answer.await.expect("a task").expect("an answer");
        }
        let sizes: Vec<_> = desk.requests().iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, MOST, 99 - MOST]);
    }
}
