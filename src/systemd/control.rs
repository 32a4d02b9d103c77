//! systemd's commands.

use std::process::{Command, Stdio};

use super::unit::Scope;

/// What systemd says of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// `active`, `inactive`, `failed` and so on.
    pub active: String,
    /// `enabled`, `disabled` and so on.
    pub enabled: String,
}

/// The manager that runs a unit.
#[derive(Debug, Clone, Copy)]
pub struct Control {
    scope: Scope,
}

impl Control {
    /// Of this scope.
    #[must_use]
    pub const fn new(scope: Scope) -> Self {
        Self { scope }
    }

    /// Reads the units again, then starts this one, now and whenever the machine or its user starts. One that runs is
    /// started again with its new unit.
    ///
    /// # Errors
    /// What systemd said.
    pub fn start(self, unit: &str) -> Result<(), String> {
        self.run(&["daemon-reload"])?;
        self.run(&["enable", unit])?;
        self.run(&["restart", unit])
    }

    /// Stops the unit, now and for good.
    ///
    /// # Errors
    /// What systemd said.
    pub fn stop(self, unit: &str) -> Result<(), String> {
        self.run(&["disable", "--now", unit])
    }

    /// Reads the units again.
    ///
    /// # Errors
    /// What systemd said.
    pub fn reload(self) -> Result<(), String> {
        self.run(&["daemon-reload"])
    }

    /// What systemd says of the unit; `None` if it does not run here.
    #[must_use]
    pub fn state(self, unit: &str) -> Option<State> {
        // Both end with an error for a unit that is not active; what they print counts.
        let ask = |what| {
            let output = self.command(&[what, unit]).output().ok()?;
            let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            (!said.is_empty()).then_some(said)
        };
        Some(State {
            active: ask("is-active")?,
            enabled: ask("is-enabled").unwrap_or_else(|| "not found".to_owned()),
        })
    }

    /// Whether units of this user run while the user is not logged in; `None` if nobody says.
    #[must_use]
    pub fn lingers(user: &str) -> Option<bool> {
        let output = Command::new("loginctl")
            .args(["show-user", user, "--property=Linger", "--value"])
            .stdin(Stdio::null())
            .output()
            .ok()?;
        match String::from_utf8_lossy(&output.stdout).trim() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        }
    }

    fn command(self, args: &[&str]) -> Command {
        let mut command = Command::new("systemctl");
        if self.scope == Scope::User {
            command.arg("--user");
        }
        command.args(args).stdin(Stdio::null());
        command
    }

    fn run(self, args: &[&str]) -> Result<(), String> {
        let output = self.command(args).output();
        let output = output.map_err(|error| format!("systemctl cannot be run: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said: Vec<&str> = said
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        Err(format!(
            "systemctl {} failed: {}",
            args.join(" "),
            said.join("; ")
        ))
    }
}
