//! The input and output of a handler.

use std::time::Duration;

/// Tasks that were due together, in the order they became due.
#[derive(Debug, Clone)]
pub struct Group<T> {
    /// The tasks, at least one.
    pub members: Vec<Member<T>>,
}

/// One task of a group: one row.
#[derive(Debug, Clone)]
pub struct Member<T> {
    /// The row's id.
    pub row: String,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// The attempt that is the last.
    pub max_attempts: u32,
    /// What was pushed.
    pub payload: T,
}

/// How one member ended. A handler returns one for each member, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completion {
    /// The task is finished.
    Done,
    /// The task is to run again after this pause, or is killed if this was its last attempt.
    RetryAfter(Duration, String),
    /// The task must not run again. Its row stays, with this reason.
    Kill(String),
}
