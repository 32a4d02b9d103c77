//! `adopt` and `release`: tokens come to a job, and leave it, without a trade.

use rust_decimal::Decimal;
use serde_json::Value;

use crate::{
    pnl::{decimal, json},
    terminal::{QUIET, TOKEN, Terminal},
};

/// Ten 25-USD buys' worth, so that no amount of a test is more than was bought.
const HELD: &str = "CLAWD=500000000";

fn number(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

/// A paused paper job that has bought once, and its wallet, which holds much more.
async fn paused() -> Terminal {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    terminal.ok(&["tick", TOKEN]);
    terminal.ok(&["pause", TOKEN]);
    terminal.ok(&["paper", "fund", "--token", HELD]);
    terminal
}

struct Figures {
    position: Decimal,
    cost: Decimal,
    realized: Decimal,
    gas: Decimal,
    money_in: Decimal,
    spent: Decimal,
}

/// What `status` says; `list`, `pnl` and `export` must say the same.
fn figures(terminal: &Terminal) -> Figures {
    let status = json(terminal, &["status", TOKEN]);
    let found = Figures {
        position: decimal(&status["position"]),
        cost: decimal(&status["cost_basis_usd"]),
        realized: decimal(&status["realized_usd"]),
        gas: decimal(&status["gas_usd"]),
        money_in: decimal(&status["money_in_usd"]),
        spent: decimal(&status["spent_usd"]),
    };
    let line = &json(terminal, &["list"])[0];
    for field in [
        "position",
        "realized_usd",
        "gas_usd",
        "net_usd",
        "money_in_usd",
        "average_cost_usd",
    ] {
        assert_eq!(line[field], status[field], "{field}");
    }
    let pnl = json(terminal, &["pnl"]);
    let total = &pnl["realms"][0]["total"];
    for field in ["realized_usd", "gas_usd", "net_usd"] {
        assert_eq!(decimal(&total[field]), decimal(&status[field]), "{field}");
    }
    let rows = json(terminal, &["export"]);
    let rows = rows.as_array().expect("rows");
    let sum = |field: &str, of: &dyn Fn(&Value) -> bool| -> Decimal {
        let rows = rows.iter().filter(|row| of(row) && !row[field].is_null());
        rows.map(|row| decimal(&row[field])).sum()
    };
    let received = sum("received_amount", &|row| row["received_currency"] == "CLAWD");
    let sent = sum("sent_amount", &|row| row["sent_currency"] == "CLAWD");
    assert_eq!(received - sent, found.position, "the export's amounts");
    assert_eq!(sum("realized_average_usd", &|_| true), found.realized);
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn adopted_tokens_are_the_jobs_at_their_cost_and_every_view_agrees() {
    let terminal = paused().await;
    let before = figures(&terminal);
    let said = terminal.ok(&["adopt", TOKEN, "1234.5", "--cost", "0.07"]);
    for word in [
        "job 1 (CLAWD, paper on base)",
        "adopted 1 234.5 CLAWD",
        "0.07 USD",
    ] {
        assert!(
            said.replace(',', " ").contains(&word.replace(',', " ")),
            "{word}: {said}"
        );
    }
    let after = figures(&terminal);
    assert_eq!(after.position, before.position + number("1234.5"));
    assert_eq!(after.cost, before.cost + number("0.07"));
    assert_eq!(after.money_in, before.money_in + number("0.07"));
    assert_eq!(
        (after.realized, after.gas, after.spent),
        (before.realized, before.gas, before.spent)
    );
    // Each: 3 at 0.000000000000123456 come to 0.000000000000370368, which is rounded up to 12 digits.
    terminal.ok(&["adopt", TOKEN, "3", "--price", "0.000000000000123456"]);
    assert_eq!(figures(&terminal).cost, after.cost + number("0.000000000001"));
    // Tokens that cost nothing lower the average.
    let view = json(&terminal, &["adopt", TOKEN, "all", "--cost", "0"]);
    assert_eq!(decimal(&view["position"]), number("500000000"));
    assert_eq!(decimal(&view["cost_usd"]), Decimal::ZERO);
    let last = figures(&terminal);
    assert_eq!(last.position, number("500000000"));
    assert_eq!(decimal(&view["cost_basis_usd"]), last.cost);
    let events: Vec<(String, Value)> =
        sqlx::query_as("SELECT actor, after FROM job_events WHERE action = 'adopt' ORDER BY id")
            .fetch_all(&terminal.pool)
            .await
            .expect("the history");
    assert_eq!(events.len(), 3);
    assert_eq!(events[0].0, "cli:tester");
    assert_eq!(events[0].1["tokens_adopted"], "1234500000000000000000");
    assert_eq!(events[0].1["cost"], "0.07");
    // What was adopted is sold like what was bought, and nothing is missing afterwards.
    terminal.ok(&["liquidate", TOKEN]);
    terminal.ok(&["reconcile"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_adopted_is_refused_with_numbers_and_changes_nothing() {
    let terminal = paused().await;
    let before = terminal.rows().await;
    let usual = ["--cost", "5"];
    for (args, code, words) in [
        (
            vec!["500000000"],
            4,
            vec![
                "holds 500000000 CLAWD",
                "this job owns",
                "500000000 were asked for",
            ],
        ),
        (vec!["0"], 2, vec!["amount 0", "above 0"]),
        (vec!["1,5"], 2, vec!["amount 1,5", "12.5"]),
        (vec!["1e3"], 2, vec!["amount 1e3"]),
        (vec!["0.0000000000000000001"], 2, vec!["at most 18 digits"]),
        (vec!["1", "--key", ""], 2, vec!["--key", "1 to 100"]),
    ] {
        let ran = terminal.run(&[&["adopt", TOKEN], args.as_slice(), usual.as_slice()].concat());
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        for word in words {
            assert!(
                ran.stderr.contains(word),
                "{args:?}: {word} is not in {}",
                ran.stderr
            );
        }
    }
    for (cost, words) in [
        (vec!["--cost", "-1"], "--cost -1: must be from 0"),
        (vec!["--price", "-0.5"], "--price -0.5: must be from 0"),
        (vec!["--cost", "1000000000000.01"], "to 1000000000000 USD"),
        (
            vec!["--price", "79228162514264337593543950335"],
            "to 1000000000000 USD",
        ),
        (vec![], "--cost"),
        (vec!["--cost", "1", "--price", "1"], "cannot be used with"),
    ] {
        let ran = terminal.run(&[&["adopt", TOKEN, "5"], cost.as_slice()].concat());
        assert_eq!(ran.code, 2, "{cost:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{cost:?}: {}", ran.stderr);
    }
    assert_eq!(terminal.rows().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_adoption_twice_is_asked_about_and_a_key_makes_it_once() {
    let terminal = paused().await;
    let plain = ["adopt", TOKEN, "40", "--cost", "3"];
    terminal.ok(&plain);
    let again = terminal.run(&plain);
    assert_eq!(again.code, 4, "{}", again.stderr);
    assert!(
        again.stderr.contains("--yes") && again.stderr.contains("--key"),
        "{}",
        again.stderr
    );
    let once = figures(&terminal);
    terminal.ok(&[&plain[..], &["--yes"]].concat());
    assert_eq!(figures(&terminal).position, once.position + number("40"));
    let keyed = [&plain[..], &["--key", "invoice 7"]].concat();
    terminal.ok(&keyed);
    let after = figures(&terminal);
    assert!(terminal.ok(&keyed).contains("carried out before"));
    assert!(!json(&terminal, &keyed)["done_before"].is_null());
    assert_eq!(figures(&terminal).position, after.position);
    let other = terminal.run(&["adopt", TOKEN, "41", "--cost", "3", "--key", "invoice 7"]);
    assert!(
        other.code == 4 && other.stderr.contains("'invoice 7'"),
        "{}",
        other.stderr
    );
    let other = terminal.run(&["release", TOKEN, "40", "--key", "invoice 7"]);
    assert!(
        other.code == 4 && other.stderr.contains("'invoice 7'"),
        "{}",
        other.stderr
    );
    let part = ["release", TOKEN, "15", "--key", "to the safe"];
    terminal.ok(&part);
    assert!(terminal.ok(&part).contains("carried out before"));
    assert_eq!(figures(&terminal).position, after.position - number("15"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_job_ends_without_a_sale_and_without_a_profit() {
    let terminal = paused().await;
    terminal.ok(&["resume", TOKEN]);
    let bought = figures(&terminal);
    let sevenths = (bought.position / Decimal::from(7)).trunc();
    let said = terminal.ok(&["release", TOKEN, &sevenths.to_string()]);
    assert!(
        said.contains("RUNNING") && said.contains("they stay in wallet 0x"),
        "{said}"
    );
    let part = figures(&terminal);
    assert_eq!(part.position, bought.position - sevenths);
    let units = |whole: Decimal| (whole * number("1000000000000000000")).trunc();
    let exact = num(bought.cost) * big(units(sevenths)) / big(units(bought.position));
    let left = bought.cost - Decimal::from_i128_with_scale(exact, 12);
    assert_eq!(part.cost, left, "the share that leaves is rounded down");
    let more = terminal.run(&["release", TOKEN, &bought.position.to_string()]);
    assert!(
        more.code == 4 && more.stderr.contains("this job owns"),
        "{}",
        more.stderr
    );
    let view = json(&terminal, &["release", TOKEN]);
    assert_eq!(
        (&view["before"], &view["after"]),
        (&"RUNNING".into(), &"IDLE".into())
    );
    let ended = figures(&terminal);
    assert_eq!((ended.position, ended.cost, ended.realized), Default::default());
    assert_eq!((ended.gas, ended.money_in), (bought.gas, bought.money_in));
    let pnl = json(&terminal, &["pnl"]);
    assert_eq!(decimal(&pnl["realms"][0]["total"]["net_usd"]), -bought.gas);
    assert!(terminal.ok(&["release", TOKEN]).contains("IDLE already"));
    assert!(terminal.ok(&["reconcile"]).contains("agree"));
    let adopted = terminal.run(&["adopt", TOKEN, "1", "--cost", "1"]);
    assert!(
        adopted.code == 4 && adopted.stderr.contains("is IDLE"),
        "{}",
        adopted.stderr
    );
    // A new life owns nothing of the last one, and may take the tokens back.
    terminal.ok(&[&["start", TOKEN], &QUIET[..4]].concat());
    assert_eq!(figures(&terminal).money_in, Decimal::ZERO);
    terminal.ok(&["adopt", TOKEN, "100", "--cost", "1"]);
    terminal.ok(&["release", TOKEN]);
    assert!(terminal.ok(&["remove", TOKEN]).contains("removed"));
}

/// USD in units of its twelfth digit.
fn num(usd: Decimal) -> i128 {
    (usd * number("1000000000000"))
        .trunc()
        .to_string()
        .parse()
        .expect("a whole number")
}

fn big(units: Decimal) -> i128 {
    units.trunc().to_string().parse().expect("a whole number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_gives_nothing_back_while_a_trade_of_it_is_open() {
    let terminal = paused().await;
    terminal.ok(&["resume", TOKEN]);
    sqlx::query(
        "INSERT INTO trades (job_id, cycle, slot, side, reason, status, amount_in, amount_out_expected, amount_out_min,
                             value_usd, plan_price_usd, config_version, expires_at, base_amount, quote_amount, price_usd,
                             next_check_at)
         SELECT job_id, cycle, slot + interval '1 hour', side, reason, 'PENDING', amount_in, amount_out_expected,
                amount_out_min, value_usd, plan_price_usd, config_version, now() + interval '1 hour', base_amount,
                quote_amount, price_usd, now() FROM trades",
    )
    .execute(&terminal.pool)
    .await
    .expect("an open trade");
    let before = terminal.rows().await;
    for args in [
        vec!["release", TOKEN],
        vec!["release", TOKEN, "1"],
        vec!["adopt", TOKEN, "1", "--cost", "1"],
    ] {
        let ran = terminal.run(&args);
        assert_eq!(ran.code, 4, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("open"), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(terminal.rows().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liquidity_job_adopts_and_releases_too() {
    let terminal = Terminal::new().await;
    let args = [
        &["start", TOKEN, "--mode", "liquidity", "--budget", "80"],
        QUIET.as_slice(),
    ]
    .concat();
    terminal.ok(&args);
    terminal.ok(&["paper", "fund", "--token", &format!("{TOKEN}=77.25")]);
    let view = json(&terminal, &["adopt", TOKEN, "all", "--cost", "9.5"]);
    assert_eq!(decimal(&view["tokens"]), number("77.25"));
    let owned = json(&terminal, &["status", TOKEN]);
    assert_eq!(decimal(&owned["money_in_usd"]), number("89.5"));
    assert_eq!(decimal(&owned["quote_balance"]), number("80"));
    terminal.ok(&["release", TOKEN]);
    let ended = json(&terminal, &["status", TOKEN]);
    assert_eq!(decimal(&ended["money_in_usd"]), number("89.5"));
    assert_eq!(decimal(&ended["net_usd"]), Decimal::ZERO);
    assert_eq!(ended["status"], "IDLE");
    assert!(terminal.ok(&["reconcile"]).contains("agree"));
}

#[tokio::test(flavor = "multi_thread")]
async fn paper_tokens_are_given_by_ticker_or_address_and_only_of_jobs() {
    let terminal = Terminal::new().await;
    let unknown = terminal.run(&["paper", "fund", "--token", HELD]);
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
    assert!(
        unknown.stderr.contains("no paper job on base"),
        "{}",
        unknown.stderr
    );
    terminal.start(&[]);
    for (given, names) in [
        ("CLAWD", "="),
        ("CLAWD=", "="),
        ("CLAWD=x", "CLAWD=x"),
        ("CLAWD=-1", "CLAWD=-1"),
    ] {
        let ran = terminal.run(&["paper", "fund", "--usdc", "3", "--token", given]);
        assert_eq!(ran.code, 2, "{given}: {}", ran.stderr);
        assert!(ran.stderr.contains(names), "{given}: {}", ran.stderr);
    }
    let funded = json(&terminal, &["paper", "fund", "--token", "clawd=1.25"]);
    let assets = funded.as_array().expect("balances").iter();
    let held: Vec<&Value> = assets
        .filter(|held| held["asset"] == "CLAWD")
        .map(|held| &held["balance"])
        .collect();
    assert_eq!(held, [&Value::from("1.25")]);
}
