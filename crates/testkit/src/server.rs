//! A local HTTP server.

use axum::Router;
use tokio::task::JoinHandle;

/// Serves `router` at a port of its own until the task is aborted: where it listens, and the task.
pub fn serve(router: Router) -> (String, JoinHandle<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let port = listener.local_addr().expect("an address").port();
    let task = tokio::spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
        axum::serve(listener, router).await.expect("a server");
    });
    (format!("http://127.0.0.1:{port}"), task)
}
