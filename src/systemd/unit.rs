//! The text of a unit.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Whose manager runs the unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub enum Scope {
    /// A user's own.
    User,
    /// The machine's.
    System,
}

/// A unit that runs scheduler and worker.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Whose manager runs it.
    pub scope: Scope,
    /// The program.
    pub program: PathBuf,
    /// Its settings file, if it reads one.
    pub settings: Option<PathBuf>,
    /// Where relative paths of the settings begin.
    pub directory: PathBuf,
    /// The user's home, which a system unit does not know by itself.
    pub home: Option<PathBuf>,
    /// The file of its environment, if it has one.
    pub environment: Option<PathBuf>,
    /// Directories that it may write.
    pub writes: Vec<PathBuf>,
    /// How long it may take to stop.
    pub stop: Duration,
    /// Whether it runs the private PostgreSQL server, which other commands share.
    pub private_server: bool,
}

/// What needs no privileges and no namespaces.
const EVERYWHERE: &str = "\
UMask=0077
LimitCORE=0
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
";

/// What only the machine's manager can do. A user's manager would need a user namespace for it, in which files of root
/// appear as nobody's, and lgi-mm refuses settings of unknown owners.
const SYSTEM_ONLY: &str = "\
ProtectSystem=strict
ProtectHome=read-only
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
";

impl Unit {
    /// The text, without the line that says who wrote it.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}", self.head(), self.service(), self.install())
    }

    fn head(&self) -> String {
        let mut text = "[Unit]\nDescription=lgi-mm, trading runner: scheduler and worker\n".to_owned();
        // A user's manager has no target for the network; lgi-mm waits for its database and its nodes anyway.
        if self.scope == Scope::System {
            text.push_str("Wants=network-online.target\nAfter=network-online.target postgresql.service\n");
        }
        text.push_str("StartLimitIntervalSec=0\n");
        text
    }

    fn service(&self) -> String {
        let settings = self
            .settings
            .as_deref()
            .map(|path| format!(" --settings {}", argument(path)))
            .unwrap_or_default();
        let mut text = format!(
            "[Service]\nType=exec\nExecStart={}{settings} daemon\nWorkingDirectory={}\n",
            program(&self.program),
            setting(&self.directory)
        );
        if let Some(home) = &self.home {
            text.push_str(&format!(
                "Environment={}\n",
                quoted(&format!("HOME={}", home.display()), false)
            ));
        }
        if let Some(path) = &self.environment {
            text.push_str(&format!("EnvironmentFile={}\n", setting(path)));
        }
        // 2: settings that cannot be used; trying again does not change them.
        text.push_str("Restart=always\nRestartSec=5\nRestartPreventExitStatus=2\n");
        // The private server ends by itself after the last program that uses it; killed with us, it would end under
        // other commands.
        let mode = if self.private_server { "process" } else { "mixed" };
        text.push_str(&format!(
            "KillMode={mode}\nTimeoutStopSec={}\n",
            self.stop.as_secs()
        ));
        text.push_str(EVERYWHERE);
        if self.scope == Scope::System {
            text.push_str(SYSTEM_ONLY);
            // A private /tmp has none of our files.
            if !self.uses_tmp() {
                text.push_str("PrivateTmp=yes\n");
            }
            // As root, the private server is run as another user.
            let capabilities = if self.private_server {
                "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL CAP_SETGID CAP_SETUID"
            } else {
                ""
            };
            text.push_str(&format!("CapabilityBoundingSet={capabilities}\n"));
            for path in &self.writes {
                text.push_str(&format!("ReadWritePaths={}\n", argument(path)));
            }
        }
        text
    }

    fn uses_tmp(&self) -> bool {
        let files = [&self.program, &self.directory].into_iter();
        let files = files.chain(&self.settings).chain(&self.home).chain(&self.writes);
        let mut files = files.chain(&self.environment);
        files.any(|path| path.starts_with("/tmp") || path.starts_with("/var/tmp"))
    }

    fn install(&self) -> String {
        let target = match self.scope {
            Scope::User => "default.target",
            Scope::System => "multi-user.target",
        };
        format!("[Install]\nWantedBy={target}\n")
    }
}

/// The program of a command line: specifiers are expanded there, variables are not.
fn program(path: &Path) -> String {
    quoted(&path.display().to_string(), false)
}

/// A word of a command line or a list.
fn argument(path: &Path) -> String {
    quoted(&path.display().to_string(), true)
}

/// The value of a setting that takes one path: only specifiers are special.
fn setting(path: &Path) -> String {
    path.display().to_string().replace('%', "%%")
}

fn quoted(text: &str, dollars: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    let text = if dollars { text.replace('$', "$$") } else { text };
    format!("\"{text}\"")
}
