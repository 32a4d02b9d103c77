//! What `trades`, `pnl`, `status` and `doctor` show on terminals of 80, 100 and 160 columns, with what is longest in
//! each: names, prices, amounts, reasons, errors.

use crate::terminal::{TOKEN, Terminal, settled};

/// A ticker as long as a ledger takes one.
const LONG: &str = "ALONGERTICKERTHANANYWALLETSHOWS1";

/// No file of this machine is read.
const VARIABLES: [(&str, &str); 3] = [
    ("NO_COLOR", "1"),
    ("HOME", "/nobody"),
    ("LGI_MM_POLICY", "/nobody/policy.toml"),
];

const TINY: &str = "0x4200000000000000000000000000000000000042";

/// A paper job in ERROR after a failed trade, and a live one with a large position that cannot pay for its next buy.
async fn long_things() -> Terminal {
    let terminal = Terminal::new().await;
    for (token, symbol, price) in [(TOKEN, LONG, "1"), (TINY, "TINY", "0.00000010170019")] {
        let start_usd = format!("price.generated.start_usd={price}");
        terminal.ok(&[
            "start",
            token,
            "--mode",
            "accumulate",
            "--symbol",
            symbol,
            "--set",
            "price.sources=generated",
            "--set",
            "price.generated.swing_pct=0",
            "--set",
            &start_usd,
        ]);
    }
    let mut connection = terminal.pool.acquire().await.expect("a connection");
    sqlx::raw_sql(include_str!("widths.sql"))
        .execute(&mut *connection)
        .await
        .expect("long things");
    terminal
}

/// What depends on the time of the day, or on the machine, and how long it is.
fn varying() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"(daily limit|next DCA) +.*(\n {17}.*)*", "$1 [varies]");
    let line = r"(  .*)?\n( {6}.*\n)*";
    settings.add_filter(&format!(r"(OK  |WARN)  time zone rules{line}"), "");
    settings.add_filter(
        &format!("OK    (database|settings file){line}"),
        "OK    $1 [varies]\n",
    );
    settings.add_filter(r"-?\d+\.\d s from", "[skew] s from");
    settings.bind_to_scope()
}

/// What the program shows at each width; no line is wider, but for what cannot be broken.
fn at_each_width(terminal: &Terminal, args: &[&str]) -> Vec<(u16, String)> {
    let shown = [80, 100, 160].map(|columns| {
        let ran = terminal.at_columns(columns, args, &VARIABLES);
        for line in ran.stdout.lines() {
            // Links, commands and settings are copied; a hash cannot be broken.
            let is_word = !line.trim().contains(' ');
            let whole = is_word || line.contains("://") || line.contains('`') || line.contains(" = ");
            let width = line.chars().count();
            assert!(
                whole || width <= usize::from(columns),
                "{width} of {columns} columns: {line}"
            );
            assert!(!line.contains('\u{a0}'), "{line:?}");
        }
        (columns, ran.stdout)
    });
    shown.to_vec()
}

/// The first line that has all of these columns.
fn assert_columns(text: &str, names: &[&str]) {
    let has = |line: &&str| {
        let found: Vec<&str> = line.split("  ").map(str::trim).collect();
        names.iter().all(|name| found.contains(name))
    };
    assert!(text.lines().find(has).is_some(), "{names:?}: {text}");
}

/// No instant is broken: a date has its clock in the same line, a clock its zone.
fn assert_whole_instants(text: &str) {
    for line in text.lines() {
        let mut words = line.split_whitespace().peekable();
        while let Some(word) = words.next() {
            let is_day = word.len() == 10 && word.starts_with("2026-") && word.matches('-').count() == 2;
            let next = words.peek().copied().unwrap_or_default();
            assert!(!is_day || next.contains(':'), "a day without its clock: {line}");
            let is_clock = word.len() == 8 && word.matches(':').count() == 2;
            assert!(
                !is_clock || next.starts_with("UTC"),
                "a clock without its zone: {line}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trades_fit_their_terminal() {
    let terminal = long_things().await;
    let _settled = settled();
    for (columns, text) in at_each_width(&terminal, &["trades"]) {
        assert_columns(&text, &["realm", "token", "status", "price", "reason"]);
        assert_whole_instants(&text);
        assert!(text.contains("LIVE") && text.contains("1.017e-7"), "{text}");
        insta::assert_snapshot!(format!("trades_{columns}"), text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn profit_and_loss_fits_its_terminal() {
    let terminal = long_things().await;
    let _settled = settled();
    for (columns, text) in at_each_width(&terminal, &["pnl", "--by", "month"]) {
        assert_columns(&text, &["job", "token", "realised", "unrealised", "gas", "net"]);
        assert!(
            text.contains("LIVE, USD") && text.contains("PAPER, USD"),
            "{text}"
        );
        insta::assert_snapshot!(format!("pnl_{columns}"), text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_fits_its_terminal() {
    let terminal = long_things().await;
    let (_settled, _varying) = (settled(), varying());
    for (job, name) in [("1", "paper"), ("3", "live")] {
        for (columns, text) in at_each_width(&terminal, &["status", job]) {
            assert_columns(&text, &["last slot", "reason", "price"]);
            assert_columns(&text, &["realm", "token", "status", "price"]);
            assert_whole_instants(&text);
            assert!(text.contains("why not buying"), "{text}");
            insta::assert_snapshot!(format!("status_{name}_{columns}"), text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconcile_fits_its_terminal() {
    let terminal = long_things().await;
    let _settled = settled();
    for (columns, text) in at_each_width(&terminal, &["reconcile"]) {
        assert_columns(&text, &["chain", "signer", "repair"]);
        insta::assert_snapshot!(format!("reconcile_{columns}"), text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_fit_their_terminal() {
    let terminal = long_things().await;
    let _settled = settled();
    for (columns, text) in at_each_width(&terminal, &["logs", "--since", "2026-01-01"]) {
        assert_whole_instants(&text);
        insta::assert_snapshot!(format!("logs_{columns}"), text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_info_says_fits_its_terminal() {
    let terminal = long_things().await;
    for (_, text) in at_each_width(&terminal, &["info"]) {
        assert!(text.contains("processes"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doctor_fits_its_terminal() {
    let terminal = long_things().await;
    let _varying = varying();
    for (columns, text) in at_each_width(&terminal, &["doctor"]) {
        assert!(text.contains("FAIL"), "{text}");
        assert_whole_instants(&text);
        insta::assert_snapshot!(format!("doctor_{columns}"), text);
    }
}
