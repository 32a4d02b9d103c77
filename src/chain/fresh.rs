//! Single-flight cache for answers that many callers request at the same time.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use crate::ports::RpcError;

/// Answers younger than this are reused. A node's own view is usually older.
const FRESH_FOR: Duration = Duration::from_millis(200);

/// One answer, shared by all callers while it is fresh. Errors are shared too, so that an unresponsive node is not
/// queried by each caller in turn.
pub(super) struct Fresh<T>(Mutex<Option<(Instant, Result<T, RpcError>)>>);

impl<T> Default for Fresh<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Fresh<T> {
    /// The cached answer, or the result of `ask`.
    pub(super) async fn get<F>(&self, ask: impl FnOnce() -> F) -> Result<T, RpcError>
    where
        F: Future<Output = Result<T, RpcError>>,
    {
        self.get_while(|_| false, ask).await
    }

    /// The same; an answer that `still_holds` is kept longer.
    pub(super) async fn get_while<F>(
        &self,
        still_holds: impl Fn(&T) -> bool,
        ask: impl FnOnce() -> F,
    ) -> Result<T, RpcError>
    where
        F: Future<Output = Result<T, RpcError>>,
    {
        let mut last = self.0.lock().await;
        if let Some((at, answer)) = last.as_ref()
            && (at.elapsed() < FRESH_FOR || answer.as_ref().is_ok_and(&still_holds))
        {
            return answer.clone();
        }
        let begun = Instant::now();
        let answer = ask().await;
        // Age counts from the request, not the response: the answer is never newer than that.
        let at = if answer.is_ok() { begun } else { Instant::now() };
        *last = Some((at, answer.clone()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn who_asks_at_the_same_moment_shares_one_answer_and_later_gets_a_new_one() {
        let (fresh, asked) = (Fresh::<u32>::default(), AtomicU32::new(0));
        let ask = || async {
            let number = asked.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(number)
        };
        let all = join_all((0..50).map(|_| fresh.get(ask))).await;
        assert!(all.iter().all(|answer| matches!(answer, Ok(0))));
        tokio::time::sleep(FRESH_FOR).await;
        assert!(matches!(fresh.get(ask).await, Ok(1)));
    }
}
