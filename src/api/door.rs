//! The port: any client that reaches it may connect, so what a client may take is bounded.
//!
//! When all places are taken, a newcomer gets the place of the client that has kept us waiting longest for its request;
//! those that are being answered keep theirs.

use std::{
    collections::VecDeque,
    net::IpAddr,
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
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{gate::Peer, rates::counted, tls::Tls};

/// Connections at once.
const CONNECTIONS_MAX: usize = 128;

/// Of them, from one address: others still find a place. A proxy has all.
const PER_ADDRESS_MAX: usize = 96;

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

/// Who is let in, and how.
pub(super) struct Terms {
    /// Connections are encrypted with this certificate.
    pub(super) tls: Option<Tls>,
    /// All clients come from the address of a proxy.
    pub(super) behind_proxy: bool,
}

/// One client.
struct Guest {
    address: IpAddr,
    /// Requests that are being answered: one, or none.
    busy: Arc<AtomicU32>,
    task: AbortHandle,
}

/// Answers requests with `app` until `stop`; what is being answered then may end.
pub(super) async fn serve(listener: TcpListener, app: Router, terms: Terms, stop: CancellationToken) {
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
        if !makes_room(&mut guests, address.ip(), terms.behind_proxy) {
            continue;
        }
        let busy = Arc::new(AtomicU32::new(0));
        let client = Client {
            peer: Peer(address),
            app: app.clone(),
            busy: busy.clone(),
            stop: stop.clone(),
        };
        let tls = terms.tls.as_ref().map(Tls::acceptor);
        guests.push_back(Guest {
            address: address.ip(),
            task: tokio::spawn(encrypted(stream, tls, client)).abort_handle(),
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

/// Whether a newcomer finds a place. One that keeps us waiting is given up for it: of the same address, if that has all
/// it may have, else of any.
fn makes_room(guests: &mut VecDeque<Guest>, newcomer: IpAddr, behind_proxy: bool) -> bool {
    let newcomer = counted(newcomer);
    let same = guests.iter().filter(|guest| counted(guest.address) == newcomer);
    let too_many = !behind_proxy && same.count() >= PER_ADDRESS_MAX;
    if !too_many && guests.len() < CONNECTIONS_MAX {
        return true;
    }
    // The oldest is in front.
    let idle = guests.iter().position(|guest| {
        guest.busy.load(Ordering::Relaxed) == 0 && (!too_many || counted(guest.address) == newcomer)
    });
    let Some(guest) = idle.and_then(|place| guests.remove(place)) else {
        return false;
    };
    guest.task.abort();
    true
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

/// What a connection is answered with.
struct Client {
    peer: Peer,
    app: Router,
    busy: Arc<AtomicU32>,
    stop: CancellationToken,
}

/// A connection, encrypted first if there is a certificate.
async fn encrypted(stream: TcpStream, tls: Option<TlsAcceptor>, client: Client) {
    let Some(acceptor) = tls else {
        return answer(stream, client).await;
    };
    if let Ok(Ok(stream)) = tokio::time::timeout(HEADER_PATIENCE, acceptor.accept(stream)).await {
        answer(stream, client).await;
    }
}

/// One connection from its first byte to its end. What goes wrong is the client's affair.
async fn answer(stream: impl AsyncRead + AsyncWrite + Send + 'static, client: Client) {
    let Client {
        peer,
        app,
        busy,
        stop,
    } = client;
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
