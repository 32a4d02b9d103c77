//! The application: every request that a face can make, as typed request -> typed view.
//!
//! A face (the command line, an HTTP API, a chat) parses a request, calls one function here and renders its view. It
//! knows no SQL, no store and no rule. Each function that writes takes an [`Actor`] and leaves a row in the audit trail.

mod actor;
pub mod audit;
mod context;
pub mod doctor;
mod error;
pub mod policy;
pub mod target;
pub mod wallets;
pub(crate) mod whole;

pub use self::{
    actor::Actor,
    context::{App, redacted},
    error::{AppError, ErrorKind},
    target::Target,
};
