//! The port: any client that reaches it may connect, so what a client may take is bounded.
//!
//! When all places are taken, a newcomer gets the place of the client that has kept us waiting longest for its request;
//! those that are being answered keep theirs.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    response::Response,
};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::gate::Peer;

/// Connections at once.
const CONNECTIONS_MAX: usize = 128;

/// Longest wait for a whole request header, from the end of the answer before it: an idle connection ends then too.
const HEADER_PATIENCE: Duration = Duration::from_secs(10);

/// Longest time in which a client takes nothing of what is written to it.
const STALL_PATIENCE: Duration = Duration::from_secs(15);

/// Largest request header, bytes.
const HEADER_MAX: usize = 32 * 1024;

/// Time for what is being answered when the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// Pause after an error of `accept`, such as no free file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One client.
struct Guest {
    /// Requests that are being answered: one, or none.
    busy: Arc<AtomicU32>,
    task: AbortHandle,
}

/// Answers requests with `app` until `stop`; what is being answered then may end.
pub(super) async fn serve(listener: TcpListener, app: Router, stop: CancellationToken) {
    let mut guests: VecDeque<Guest> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, address)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        guests.retain(|guest| !guest.task.is_finished());
        if guests.len() >= CONNECTIONS_MAX {
            // The oldest is in front.
            let idle = guests
                .iter()
                .position(|guest| guest.busy.load(Ordering::Relaxed) == 0);
            match idle.and_then(|place| guests.remove(place)) {
                Some(guest) => guest.task.abort(),
                None => continue,
            }
        }
        let busy = Arc::new(AtomicU32::new(0));
        let answering = answer(stream, Peer(address), app.clone(), busy.clone(), stop.clone());
        guests.push_back(Guest {
            task: tokio::spawn(answering).abort_handle(),
            busy,
        });
    }
    drop(listener);
    let patience = tokio::time::Instant::now() + GRACE;
    while guests.iter().any(|guest| !guest.task.is_finished()) && tokio::time::Instant::now() < patience {
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
    for guest in guests {
        guest.task.abort();
    }
}

/// Counts a request for as long as its answer is made and written.
struct Answering(Arc<AtomicU32>);

impl Answering {
    fn new(busy: &Arc<AtomicU32>) -> Self {
        busy.fetch_add(1, Ordering::Relaxed);
        Self(busy.clone())
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One connection from its first byte to its end. What goes wrong is the client's affair.
async fn answer(stream: TcpStream, peer: Peer, app: Router, busy: Arc<AtomicU32>, stop: CancellationToken) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(STALL_PATIENCE));
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let answering = Answering::new(&busy);
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        let app = app.clone();
        async move {
            let answered: Result<Response, std::convert::Infallible> = app.oneshot(request).await;
            // Held by the body until it is written, or given up.
            let held = |body| Held {
                body,
                _answering: answering,
            };
            answered.map(|response| response.map(held))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE)
        .max_buf_size(HEADER_MAX)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// A body that counts as being answered until it is written.
struct Held {
    body: Body,
    _answering: Answering,
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
