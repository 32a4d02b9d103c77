//! `config edit` of an order, and until when one may trade.

use crate::{
    pnl::json,
    terminal::{QUIET, TOKEN, Terminal},
};

fn order<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["order"], args, &QUIET].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_makes_no_other_order_of_one_and_does_not_end_it() {
    let terminal = Terminal::new().await;
    terminal.ok(&order(&[
        "buy", TOKEN, "--amount", "100", "--slices", "4", "--over", "6h",
    ]));
    terminal.ok(&["tick", "1"]);
    assert_eq!(json(&terminal, &["status", "1"])["spent_usd"], "25");
    let before = json(&terminal, &["config", "show", "1"]);
    for (set, said) in [
        ("order.side=sell", "its side stays; remove it"),
        (
            "order.amount_usd=24",
            "at least 25, which this order has spent already",
        ),
        ("order.until=2020-01-01", "is over"),
        ("order.until=soon", "write a day, 2026-12-31"),
        ("order.until=2026-02-30", "no such day"),
        ("order.until=7", "write a day, 2026-12-31"),
    ] {
        let ran = terminal.run(&["config", "edit", "1", "--set", set]);
        assert!(
            ran.code == 2 && ran.stderr.contains(said),
            "{set}, not {said}: {}",
            ran.story()
        );
    }
    let soon = (chrono::Utc::now() + chrono::TimeDelta::hours(5)).to_rfc3339();
    let ran = terminal.run(&["config", "edit", "1", "--set", &format!("order.until={soon}")]);
    assert!(
        ran.stderr.contains("the last of its 4 parts is due later"),
        "{}",
        ran.story()
    );
    assert_eq!(
        json(&terminal, &["config", "show", "1"]),
        before,
        "nothing changed"
    );
    let later = (chrono::Utc::now() + chrono::TimeDelta::hours(7)).to_rfc3339();
    for set in [
        "order.amount_usd=25",
        "order.amount_usd=120",
        &format!("order.until={later}"),
    ] {
        terminal.ok(&["config", "edit", "1", "--set", set]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_or_time_is_one_of_the_zone_of_the_jobs_schedule() {
    let terminal = Terminal::new().await;
    let zone = ["--set", "schedule.timezone=America/New_York"];
    let until = |terminal: &Terminal| json(terminal, &["config", "show", "1"])["order"]["until"].clone();
    let place = ["buy", TOKEN, "--amount", "25", "--until", "2999-01-31"];
    terminal.ok(&order(&[&place[..], &zone].concat()));
    assert_eq!(until(&terminal), "2999-01-31T05:00:00Z");
    for (given, instant) in [
        ("2999-07-01", "2999-07-01T04:00:00Z"),
        ("2999-07-01T18:30", "2999-07-01T22:30:00Z"),
        ("2999-07-01T18:30Z", "2999-07-01T18:30:00Z"),
        ("2999-07-01T18:30:01+02:00", "2999-07-01T16:30:01Z"),
    ] {
        terminal.ok(&["config", "edit", "1", "--set", &format!("order.until={given}")]);
        assert_eq!(until(&terminal), instant, "{given}");
    }
    terminal.file(
        "order.toml",
        "[order]\nuntil = 2999-01-01\n[schedule]\ntimezone = \"Asia/Tokyo\"\n",
    );
    terminal.ok(&["config", "edit", "1", "--config", "order.toml"]);
    assert_eq!(until(&terminal), "2998-12-31T15:00:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_ends_before_its_last_part_is_refused() {
    let terminal = Terminal::new().await;
    let until = (chrono::Utc::now() + chrono::TimeDelta::hours(6)).to_rfc3339();
    let place = |over: &'static str| {
        let args = ["buy", TOKEN, "--amount", "100", "--slices", "5", "--over", over];
        let mut args: Vec<String> = order(&args).iter().map(ToString::to_string).collect();
        args.extend(["--until".to_owned(), until.clone()]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        terminal.run(&args)
    };
    let refused = place("6h");
    assert!(
        refused.code == 2 && refused.stderr.contains("a shorter order.over (6h)"),
        "{}",
        refused.story()
    );
    assert_eq!(place("5h").code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_is_many_times_another_is_told_so() {
    let terminal = Terminal::new().await;
    terminal.ok(&order(&["buy", TOKEN, "--amount", "25", "--limit", "0.08"]));
    terminal.run(&["tick", "1"]);
    let shown = terminal.ok(&["status", "1"]);
    assert!(
        shown.contains("buys at 0.08 or below, the price is 12.5 times that"),
        "{shown}"
    );
    terminal.ok(&["config", "edit", "1", "--set", "order.limit_usd=0.5"]);
    let shown = terminal.ok(&["status", "1"]);
    assert!(shown.contains("100 % away"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_does_not_do_is_asked_by_its_side() {
    let terminal = Terminal::new().await;
    terminal.ok(&["paper", "fund", "--token", &format!("{TOKEN}=10")]);
    terminal.ok(&order(&[
        "sell", TOKEN, "--tokens", "all", "--cost", "0", "--limit", "5",
    ]));
    let shown = terminal.ok(&["status", "1"]);
    assert!(
        shown.contains("why not selling") && !shown.contains("why not buying"),
        "{shown}"
    );
}
