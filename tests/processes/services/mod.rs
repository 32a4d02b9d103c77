//! Schedulers, workers and daemons as processes: side by side, stopped, and with a database that goes away.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

mod census;
mod health;
mod logs;
mod processes;
mod refusals;
mod schedulers;
mod settings_file;
mod upgrade;
mod zone_rules;
