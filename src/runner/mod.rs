//! Runs the engine from the task queue: the scheduler pushes tasks, the handlers execute them in groups.

pub mod follow;
pub mod handlers;
mod places;
pub mod scheduler;
pub mod tasks;
pub mod watch;
