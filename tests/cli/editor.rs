//! `config edit` in an editor.

use crate::terminal::{TOKEN, Terminal};

/// Writes an editor that runs `before` and then sets the amount of a buy.
fn editor(terminal: &Terminal, before: &str, amount: &str) {
    let text = format!("{before}\nsed -i 's/^dca_amount_usd = .*/dca_amount_usd = \"{amount}\"/' \"$1\"\n");
    terminal.file("editor.sh", &text);
}

fn amount_is(terminal: &Terminal, amount: &str) {
    let shown = terminal.ok(&["config", "show", TOKEN]);
    assert!(
        shown.contains(&format!("dca_amount_usd = \"{amount}\"")),
        "{amount} in {shown}"
    );
}

fn drafts(terminal: &Terminal) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(terminal.path(".")).expect("a directory");
    let paths = files.map(|file| file.expect("a file").path());
    paths
        .filter(|path| path.to_string_lossy().contains("lgi-mm-config-"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_taken_and_its_draft_is_deleted() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    editor(&terminal, "", "33");
    let ran = terminal.run_with_editor(&["config", "edit", TOKEN], "sh editor.sh");
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    assert!(ran.stdout.contains("configuration version 2"), "{}", ran.stdout);
    amount_is(&terminal, "33");
    assert!(drafts(&terminal).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_an_old_version_is_refused_and_its_draft_is_kept() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    let program = env!("CARGO_BIN_EXE_lgi-mm");
    let other = format!("{program} config edit {TOKEN} --set accumulate.dca_amount_usd=44 || exit 1");
    editor(&terminal, &other, "55");
    let ran = terminal.run_with_editor(&["config", "edit", TOKEN], "sh editor.sh");
    assert_eq!(ran.code, 4, "{}", ran.stdout);
    assert!(ran.stdout.contains("edited in the meantime"), "{}", ran.stdout);
    amount_is(&terminal, "44");
    let draft = drafts(&terminal).pop().expect("a draft");
    assert!(
        ran.stdout
            .replace(['\r', '\n'], "")
            .contains(&draft.file_name().expect("a name").to_string_lossy().into_owned()),
        "{}",
        ran.stdout
    );
    terminal.ok(&["config", "edit", TOKEN, "--config", draft.to_str().expect("text")]);
    amount_is(&terminal, "55");
}
