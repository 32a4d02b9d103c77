//! The port of `/metrics`: any client that reaches it may connect, so the resources of a client are bounded.
//!
//! One request a connection, a few seconds for it, a few connections in all. When all places are taken, a newcomer gets
//! the place of the client that has kept us waiting longest for its request: silence never keeps others out.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Connections at once.
const CONNECTIONS_MAX: usize = 32;

/// Longest wait for a whole request header.
const HEADER_PATIENCE: Duration = Duration::from_secs(5);

/// Longest life of a connection, the reading of a slow client included.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(15);

/// Pause after an error of `accept`, such as no free file descriptor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One client.
struct Guest {
    /// Its request has arrived.
    asked: Arc<AtomicBool>,
    task: AbortHandle,
}

/// Answers one request of each connection with `app` until `stop`; what is being answered then may end.
pub(super) async fn serve(listener: TcpListener, app: Router, stop: CancellationToken) {
    let mut guests: VecDeque<Guest> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        guests.retain(|guest| !guest.task.is_finished());
        if guests.len() >= CONNECTIONS_MAX {
            let silent = guests
                .iter()
                .position(|guest| !guest.asked.load(Ordering::Relaxed));
            // The oldest is in front.
            if let Some(guest) = guests.remove(silent.unwrap_or_default()) {
                guest.task.abort();
            }
        }
        let asked = Arc::new(AtomicBool::new(false));
        let answering = answer(stream, app.clone(), asked.clone());
        guests.push_back(Guest {
            task: tokio::spawn(answering).abort_handle(),
            asked,
        });
    }
    drop(listener);
    for guest in guests {
        if !guest.asked.load(Ordering::Relaxed) {
            guest.task.abort();
        }
    }
}

/// One connection from its first byte to its end. What goes wrong is the client's affair.
async fn answer(stream: TcpStream, app: Router, asked: Arc<AtomicBool>) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        let request: Request = request.map(Body::new);
        let app = app.clone();
        async move { app.oneshot(request).await as Result<Response, std::convert::Infallible> }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let _ = tokio::time::timeout(CONNECTION_PATIENCE, connection).await;
}
