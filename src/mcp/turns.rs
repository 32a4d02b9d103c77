//! Calls that write are carried out one after the other, in the order in which they came. The protocol's library hands
//! each message to a task of its own, and tasks do not begin in order; so a call takes its place while messages are
//! still read one by one.

use std::sync::{Arc, Mutex as Plain, PoisonError};

use futures::{FutureExt, future::BoxFuture};
use rmcp::{
    RoleServer,
    model::{ClientRequest, GetExtensions, JsonRpcMessage},
    service::{RxJsonRpcMessage, TxJsonRpcMessage},
    transport::Transport,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::tools::Name;

/// The place of a call in the queue of those that write. It is given up when it is dropped, also if it never came up.
#[derive(Clone)]
pub(super) struct Turn(Arc<Plain<Option<BoxFuture<'static, OwnedMutexGuard<()>>>>>);

impl Turn {
    /// The next place.
    fn new(queue: &Arc<Mutex<()>>) -> Self {
        let mut waiting = queue.clone().lock_owned().boxed();
        // The lock is fair: who has asked once is served before those who ask later.
        let waiting = match (&mut waiting).now_or_never() {
            Some(now) => futures::future::ready(now).boxed(),
            None => waiting,
        };
        Self(Arc::new(Plain::new(Some(waiting))))
    }

    /// Waits for its turn, which lasts as long as the answer is kept. `None`: it had its turn already.
    pub(super) async fn come(&self) -> Option<OwnedMutexGuard<()>> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match waiting {
            Some(waiting) => Some(waiting.await),
            None => None,
        }
    }
}

/// A transport whose calls that write have their place in the queue.
pub(super) struct Ordered<T> {
    inner: T,
    queue: Arc<Mutex<()>>,
}

impl<T> Ordered<T> {
    pub(super) fn new(inner: T) -> Self {
        Self {
            inner,
            queue: Arc::default(),
        }
    }
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for Ordered<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.inner.send(item)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let mut message = self.inner.receive().await?;
        if let JsonRpcMessage::Request(asked) = &mut message
            && writes(&asked.request)
        {
            asked.request.extensions_mut().insert(Turn::new(&self.queue));
        }
        Some(message)
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.inner.close().await
    }
}

fn writes(request: &ClientRequest) -> bool {
    let ClientRequest::CallToolRequest(call) = request else {
        return false;
    };
    let name = call.params.name.parse::<Name>();
    name.is_ok_and(|name| name.needs().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_come_in_the_order_in_which_they_were_taken_and_one_that_is_given_up_keeps_nobody() {
        let queue = Arc::new(Mutex::new(()));
        let [first, second, third] = [(), (), ()].map(|()| Turn::new(&queue));
        drop(second);
        let held = first.come().await.expect("its turn");
        assert!(first.come().await.is_none(), "each comes once");
        let waiting = tokio::spawn(async move { third.come().await.is_some() });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "one at a time");
        drop(held);
        assert!(waiting.await.expect("a task"));
    }
}
