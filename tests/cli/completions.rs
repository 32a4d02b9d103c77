//! Completions as real shells ask for them, and manual pages as `man` reads them.

use std::process::Command;

use crate::terminal::{TOKEN, Terminal};

/// What bash offers for the last of these words.
fn offered(terminal: &Terminal, words: &[&str]) -> Vec<String> {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let script = format!(
        "source <(lgi-mm completions bash)
         complete -p lgi-mm >/dev/null
         COMP_WORDS=({0}); COMP_CWORD={1}; COMP_TYPE=9
         _clap_complete_lgi_mm lgi-mm \"${{COMP_WORDS[COMP_CWORD]}}\" ''
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        quoted.join(" "),
        words.len() - 1
    );
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_lgi-mm"))
        .parent()
        .expect("a directory");
    let ran = Command::new("bash")
        .args(["-uc", &script])
        .env_clear()
        .env(
            "PATH",
            format!("{}:{}", program.display(), std::env::var("PATH").expect("PATH")),
        )
        .env("DATABASE_URL", &terminal.url)
        .current_dir(terminal.path(""))
        .output()
        .expect("bash");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && said.is_empty(), "{words:?}: {said}");
    String::from_utf8(ran.stdout)
        .expect("text")
        .split(['\n', '\u{b}'])
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn bash_completes_every_word_jobs_and_keys_included() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    let has = |words: &[&str], wanted: &[&str]| {
        let offered = offered(&terminal, words);
        for wanted in wanted {
            assert!(
                offered.iter().any(|word| word == wanted),
                "{words:?}: {offered:?} lacks {wanted}"
            );
        }
        offered
    };
    assert_eq!(has(&["lgi-mm", "sta"], &["start", "status"]).len(), 2);
    has(&["lgi-mm", "wallet", ""], &["new", "import", "list"]);
    has(&["lgi-mm", "config", "sh"], &["show"]);
    has(&["lgi-mm", "policy", "allow", "--max-tr"], &["--max-trade-usd"]);
    has(&["lgi-mm", "status", ""], &["1"]);
    has(&["lgi-mm", "config", "edit", ""], &["1"]);
    has(&["lgi-mm", "status", "1", "--chain", "ba"], &["base"]);
    let keys = has(
        &["lgi-mm", "config", "edit", "1", "--set", "accumulate.d"],
        &["accumulate.dca_amount_usd="],
    );
    assert!(
        keys.len() > 3 && keys.iter().all(|key| key.starts_with("accumulate.d")),
        "{keys:?}"
    );
    has(
        &["lgi-mm", "start", TOKEN, "--set", "limits.max_sl"],
        &["limits.max_slippage_bps="],
    );
    // A job is started again by its number.
    assert!(offered(&terminal, &["lgi-mm", "start", ""]).contains(&"1".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_pressed_makes_no_database_and_prints_no_error() {
    let terminal = Terminal::new().await;
    let dir = terminal.path("none");
    let ran = terminal
        .command(&["--", "lgi-mm", "status", ""])
        .env_remove("DATABASE_URL")
        .env("LGI_MM_DATA_DIR", &dir)
        .env("LGI_MM_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", "2")
        .output()
        .expect("our own program");
    assert!(ran.status.success() && ran.stderr.is_empty(), "{ran:?}");
    assert!(!dir.exists());
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(
            terminal.ok(&["completions", shell]).contains("LGI_MM_COMPLETE"),
            "{shell}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_has_a_manual_page_that_man_reads_without_a_warning() {
    let terminal = Terminal::new().await;
    terminal.ok(&["man", "pages"]);
    let mut pages: Vec<String> = std::fs::read_dir(terminal.path("pages"))
        .expect("pages")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .collect();
    pages.sort();
    for page in [
        "lgi-mm.1",
        "lgi-mm-backup.1",
        "lgi-mm-config-edit.1",
        "lgi-mm-service-install.1",
    ] {
        assert!(
            pages.iter().any(|name| name == page),
            "{page} is not among {pages:?}"
        );
    }
    let text = std::fs::read_to_string(terminal.path("pages/lgi-mm-config-edit.1")).expect("a page");
    assert!(
        text.contains("lgi\\-mm config edit") || text.contains("lgi\\-mm\\-config\\-edit"),
        "{text}"
    );
    assert_eq!(
        terminal.ok(&["man"]),
        std::fs::read_to_string(terminal.path("pages/lgi-mm.1")).expect("a page")
    );
    // groff is not on every machine.
    for page in pages {
        let Ok(ran) = Command::new("groff")
            .args(["-ww", "-man", "-Tutf8", "-z"])
            .arg(terminal.path("pages").join(&page))
            .output()
        else {
            return;
        };
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success() && said.is_empty(), "{page}: {said}");
    }
}
