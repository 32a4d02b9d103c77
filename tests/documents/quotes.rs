//! What pages quote of messages, limits and thresholds is what the program has.

use lgi_mm::{
    config::Settings,
    domain::{
        job::{FAILING_AFTER, FAILURES_IN_A_ROW_MAX},
        span::Span,
    },
    notify::NotifySettings,
    store::deliveries::GONE_AFTER,
};

use crate::pages::{code, read, root, spans};

/// What the runbook quotes of logs and errors is what the program writes.
#[test]
fn the_runbook_quotes_what_the_program_writes() {
    let code = code(false);
    let page = read(&root().join("docs/runbook.md"));
    for span in spans(&page) {
        let begins = ["lgi-mm ", "docker ", "SELECT ", "UPDATE_DOCS", "--"];
        if span.contains(' ') && !begins.iter().any(|begin| span.starts_with(begin)) {
            assert!(code.contains(&span), "`{span}` is nowhere in the program");
        }
    }
}

fn words(span: Span) -> String {
    match span.std().as_secs() {
        86_400 => "a day".to_owned(),
        600 => "ten minutes".to_owned(),
        other => format!("{other} s"),
    }
}

fn number(count: u32) -> &'static str {
    ["zero", "one", "two", "three", "four", "five", "six"][count as usize]
}

/// Limits and defaults that pages quote, from the code that has them.
#[test]
fn limits_and_defaults_are_quoted_as_they_are() {
    let notify = NotifySettings::default();
    let settings = Settings::default();
    let capital = |text: &str| text[..1].to_uppercase() + &text[1..];
    let claims = [
        (
            "docs/notifications.md",
            format!("after `notify.give_up_after` ({})", words(notify.give_up_after)),
        ),
        (
            "docs/notifications.md",
            format!("in no process's settings for {} is removed", words(GONE_AFTER)),
        ),
        (
            "docs/runbook.md",
            format!("has had their receiver in its settings for {}", words(GONE_AFTER)),
        ),
        (
            "docs/metrics.md",
            format!("`metrics.max_jobs` ({} by default)", settings.metrics.max_jobs),
        ),
        (
            "docs/runbook.md",
            format!(
                "{} failures in a row are critical",
                capital(number(FAILING_AFTER))
            ),
        ),
        (
            "docs/runbook.md",
            format!(
                "A job failed {} times in a row and stopped",
                number(FAILURES_IN_A_ROW_MAX)
            ),
        ),
        (
            "README.md",
            format!("{} failures in a row stop a job", number(FAILURES_IN_A_ROW_MAX)),
        ),
        (
            "docs/runbook.md",
            format!(
                "after {} failures in a row it stops",
                number(FAILURES_IN_A_ROW_MAX)
            ),
        ),
    ];
    for (page, claim) in claims {
        let text = read(&root().join(page))
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert!(text.contains(&claim), "{page} does not say: {claim}");
    }
}

/// The words of the runbook are those of the alerts' thresholds.
#[test]
fn thresholds_of_alerts_are_quoted_as_they_are() {
    let rules = read(&root().join("deploy/prometheus/rules/lgi-mm.yml"));
    let runbook = read(&root().join("docs/runbook.md"));
    for (expression, words) in [
        (
            "lgi_mm_signer_native_balance) < 0.002",
            "less than 0.002 native coins",
        ),
        (
            "max(lgi_mm_open_trade_age_seconds) > 600",
            "neither executed nor failed for ten minutes",
        ),
        (
            "lgi_mm_job_price_timestamp_seconds) < time() - 900",
            "no acceptable price for fifteen minutes",
        ),
        (
            "max by (queue) (lgi_mm_queue_oldest_age_seconds) > 30",
            "more than 30 seconds",
        ),
        (
            "max(lgi_mm_outbox_oldest_age_seconds) > 900",
            "for more than 15 minutes",
        ),
        ("le=\"2.5\"", "more than 2.5 s"),
    ] {
        assert!(rules.contains(expression), "{expression}");
        assert!(
            runbook.contains(words)
                || words.starts_with("more than 2.5") && runbook.contains("later than 2.5 s"),
            "{words}"
        );
    }
    let three = format!("failed at least {} times in a row", number(FAILING_AFTER));
    assert!(rules.contains(&three), "{three}");
}
