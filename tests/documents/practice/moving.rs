//! docs/moving-house.md: from one home to another, each with a private database of its own.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const PAGE: &str = include_str!("../../../docs/moving-house.md");

/// The commands of one machine.
fn commands(machine: &str) -> &'static str {
    let fence = format!("```sh {machine} machine\n");
    let (_, rest) = PAGE.split_once(&fence).expect("the machine's commands");
    rest.split("```").next().expect("a block")
}

/// A machine: its home, and nothing of the other one's.
struct Machine {
    home: PathBuf,
    path: String,
}

impl Machine {
    fn new(dir: &Path, name: &str) -> Self {
        let home = dir.join(name);
        fs::create_dir_all(home.join("data")).expect("a home");
        // The private server's user passes through.
        for dir in [&home, &home.join("data")] {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).expect("permissions");
        }
        let program = Path::new(env!("CARGO_BIN_EXE_lgi-mm"))
            .parent()
            .expect("a directory");
        let postgres = testkit::programs::program("initdb");
        let path = [&dir.join("bin"), program, postgres.parent().expect("a directory")]
            .map(|dir| dir.display().to_string())
            .join(":");
        Self {
            home,
            path: format!("{path}:{}", std::env::var("PATH").expect("PATH")),
        }
    }

    fn run(&self, script: &str) -> Output {
        Command::new("timeout")
            .args(["120", "bash", "-euc", script])
            .current_dir(&self.home)
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", &self.home)
            .env("USER", "tester")
            .env("LGI_MM_DATA_DIR", self.home.join("data"))
            .env("LGI_MM__METRICS__LISTEN", "off")
            .output()
            .expect("bash")
    }

    fn ok(&self, script: &str) -> String {
        let ran = self.run(script);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            ran.status.success(),
            "{script}\n{}\n{}",
            text(&ran.stdout),
            text(&ran.stderr)
        );
        text(&ran.stdout)
    }
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).expect("a script");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("executable");
}

#[test]
fn the_page_moving_house_works_word_for_word() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    let (old, new) = (Machine::new(dir.path(), "old"), Machine::new(dir.path(), "new"));
    let bin = dir.path().join("bin");
    fs::create_dir(&bin).expect("a directory");
    // The way between the machines, and their managers of services, which only note what they are asked.
    let copy = format!(
        "#!/bin/sh\nset -e\nfor file; do [ \"$file\" = new-machine: ] || cp \"$file\" {}/; done\n",
        new.home.display()
    );
    script(&bin.join("scp"), &copy);
    script(
        &bin.join("systemctl"),
        "#!/bin/sh\necho \"$*\" >> \"$HOME/asked\"\ncase $* in *is-*) echo active;; esac\n",
    );
    script(&bin.join("loginctl"), "#!/bin/sh\necho yes\n");
    old.ok("umask 077
        mkdir -p .config/lgi-mm .local/share/lgi-mm/policy
        printf '[defaults.accumulate]\\ndca_amount_usd = 12\\n' > .config/lgi-mm/lgi-mm.toml
        printf 'correct horse battery staple' > password
        LGI_MM__WALLET__PASSWORD_FILE=password lgi-mm wallet new
        lgi-mm start 0xbbd9aDe16525acb4B336b6dAd3b9762901522B07 --mode accumulate --symbol CLAWD \
            --set price.sources=generated
        lgi-mm tick 1
        mkdir -p units
        lgi-mm service install --user --no-start");
    let before = old.ok("lgi-mm trades --json");
    assert!(before.contains("\"DCA\""), "{before}");
    let said = old.ok(commands("old"));
    assert!(
        said.contains("removed") && said.contains("1 job and 1 trade"),
        "{said}"
    );
    let said = new.ok(commands("new"));
    assert!(
        said.contains("restored lgi-mm.dump") && said.contains("CLAWD"),
        "{said}"
    );
    assert_eq!(new.ok("lgi-mm trades --json"), before);
    assert_eq!(
        new.ok("lgi-mm wallet list --json"),
        old.ok("lgi-mm wallet list --json").replace("/old/", "/new/")
    );
    assert!(new.ok("lgi-mm config show 1").contains("dca_amount_usd = \"12\""));
    let asked = fs::read_to_string(new.home.join("asked")).expect("systemd was asked");
    assert!(asked.contains("restart lgi-mm.service"), "{asked}");
    new.ok("lgi-mm service remove --user");
}
