//! A private PostgreSQL server from binaries found on the machine, for when there is no `DATABASE_URL`.
//!
//! Every process that uses the server holds the write end of one FIFO next to it. A small shell supervises the
//! server and holds the read end: it stops the server when the last holder has ended, `kill -9` included. So
//! the process that started the server may end first, and no server is ever left running.
//!
//! Root starts the server as another user, and trusts that user with nothing: see [`owned`]. The program itself works
//! in the database as a role that is no superuser.

mod access;
mod binaries;
mod database;
mod error;
mod options;
mod owned;
mod place;
mod roles;
mod server;
mod supervisor;
mod users;

pub use binaries::{client_dirs, clients};
pub use database::ensure_database;
pub use error::EmbeddedError;
pub use options::Options;
pub use place::{default_data_dir, is_new};
pub use server::{Server, start_or_join};
