//! The HTTP API: a face. It reads a request, asks the application and answers with its view.
//!
//! Nobody is answered without a token or a signature, whatever they ask for but the console's own files, which say
//! nothing about this installation. What each role may is in the OpenAPI document, and the gate reads it there. The
//! policy at the key is out of reach: no operation changes it.

mod body;
mod checks;
mod console;
mod cookie;
mod document;
mod door;
mod events;
mod extract;
mod gate;
mod hosts;
mod lockout;
mod nul;
mod problem;
mod rates;
mod read;
mod routes;
mod serve;
mod session;
mod signals;
mod state;
mod tls;
pub(crate) mod wording;
mod write;

pub use self::{routes::openapi_document, serve::serve};
