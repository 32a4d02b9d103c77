//! Our program as processes that share a database: side by side, killed, stopped, and cut off from it.

mod crash;
mod demo;
mod notify;
mod retention;
mod services;
