//! Operations that read: each answers with the view that the command line prints as JSON.

pub(super) mod events;
pub(super) mod history;
pub(super) mod installation;
pub(super) mod jobs;
pub(super) mod overview;
pub(super) mod page;
pub(super) mod paper;
mod paths;
pub(super) mod prices;
pub(super) mod trial;
