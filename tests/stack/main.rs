//! What is around the program: its private server, metrics, dashboards, alerts, the compose stack, reports in a
//! browser.

mod alerts;
mod compose;
mod dashboards;
mod embedded;
mod install;
mod report;
mod telemetry;
