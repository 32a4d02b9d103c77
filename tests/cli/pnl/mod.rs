//! What was earned: each figure of each view against sums that the test keeps itself, and against each other.

mod books;
mod dice;
mod expected;
mod faces;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use lgi_mm::domain::{
    config::JobConfig,
    decision::Side,
    ids::JobId,
    job::{JobMode, Realm},
    trade::FailureKind,
};
use rust_decimal::Decimal;
use serde_json::Value;

use self::{
    books::{Books, Mined},
    dice::Dice,
};
use crate::terminal::{TOKEN, Terminal};

pub fn json(terminal: &Terminal, args: &[&str]) -> Value {
    serde_json::from_str(&terminal.ok(&[args, &["--json"]].concat())).expect("JSON")
}

pub fn decimal(value: &Value) -> Decimal {
    let text = value.as_str().expect("a number as text");
    text.parse().expect("a decimal")
}

fn zoned(zone: &str) -> JobConfig {
    let mut config = JobConfig::for_mode(JobMode::Accumulate);
    config.schedule.timezone = zone.parse().expect("a zone");
    config
}

/// A few months of one job: trades of all kinds, some of which are reorged out.
async fn trade(books: &mut Books, dice: &mut Dice, job: JobId) {
    let mut at = Utc::now() - TimeDelta::days(150);
    for _ in 0..12 {
        at += dice.hours(280) + TimeDelta::seconds(1);
        let held = u64::try_from(books.expected(job).held).expect("units");
        let side = if held > 10 && dice.below(3) == 0 {
            Side::Sell
        } else {
            Side::Buy
        };
        let mut mined: Vec<Mined> = Vec::new();
        if side == Side::Sell {
            mined.push(("approve", true, dice.sum(1, 9)));
        }
        let before = books.expected(job).clone();
        match dice.below(4) {
            0 => {
                let (kind, swap) = if dice.below(2) == 0 {
                    (FailureKind::Reverted, ("swap", false, dice.sum(2, 9)))
                } else {
                    (FailureKind::Cancelled, ("cancel", true, dice.sum(1, 9)))
                };
                mined.push(swap);
                let open = books.open(job, side, at, &mined).await;
                books.fail(job, &open, at, kind, &mined).await;
                if dice.below(2) == 0 {
                    books.reopen(job, &open, before).await;
                    mined.iter_mut().for_each(|mined| mined.2 += Decimal::new(1, 3));
                    books.fail(job, &open, at, FailureKind::Reverted, &mined).await;
                }
            }
            chance => {
                mined.push(("swap", true, dice.sum(2, 9)));
                let open = books.open(job, side, at, &mined).await;
                let tokens = match side {
                    Side::Buy => 1 + dice.below(900_000_000),
                    Side::Sell => 1 + dice.below(held),
                };
                let quote = dice.sum(300, 6) + Decimal::ONE;
                books
                    .fill(job, (&open, side), (at, &mined), (tokens, quote))
                    .await;
                if chance == 1 {
                    books.reverse(job, &open, before).await;
                    at += TimeDelta::minutes(3);
                    mined.iter_mut().for_each(|mined| mined.2 += Decimal::new(5, 4));
                    books
                        .fill(job, (&open, side), (at, &mined), (tokens, quote + Decimal::ONE))
                        .await;
                }
            }
        }
    }
}

async fn ledger(terminal: &Terminal, seed: u64) -> Books {
    let mut books = Books::new(&terminal.pool);
    let mut dice = Dice(seed);
    for (realm, symbol) in [
        (Realm::Live, "ONE"),
        (Realm::Paper, "TWO"),
        (Realm::Live, "THREE"),
    ] {
        let job = books.job(realm, symbol, zoned("Asia/Kathmandu")).await;
        trade(&mut books, &mut dice, job).await;
        books
            .adopt(job, 1_000 + dice.below(50_000), dice.sum(40, 6))
            .await;
        books.withdraw(job, 1 + dice.below(900)).await;
        books.release(job, 1 + dice.below(700)).await;
        books.price(job, Decimal::new(17, 7)).await;
    }
    books
}

/// Kathmandu is 5:45 ahead all year.
fn local(at: DateTime<Utc>) -> DateTime<Utc> {
    at + TimeDelta::minutes(345)
}

fn periods(value: &Value) -> BTreeMap<String, (Decimal, Decimal)> {
    let listed = value["periods"].as_array().expect("periods");
    let sums = listed.iter().map(|period| {
        let (realized, gas) = (decimal(&period["realized_usd"]), decimal(&period["gas_usd"]));
        assert_eq!(decimal(&period["net_usd"]), realized - gas, "{period}");
        (
            period["period"].as_str().expect("a name").to_owned(),
            (realized, gas),
        )
    });
    sums.collect()
}

fn shows(view: &Value, expected: &expected::Expected, price: Decimal) {
    assert_eq!(decimal(&view["realized_usd"]), expected.realized);
    assert_eq!(decimal(&view["gas_usd"]), expected.gas);
    assert_eq!(decimal(&view["money_in_usd"]), expected.money_in);
    assert_eq!(decimal(&view["net_usd"]), expected.net(price));
    let back = expected.net(price) * Decimal::ONE_HUNDRED / expected.money_in;
    assert_eq!(decimal(&view["return_pct"]), back.round_dp(4));
}

/// Live and paper stand apart, and each is the sum of its jobs.
fn realms_add_up(by_month: &Value, books: &Books, price: Decimal) {
    let realms = by_month["realms"].as_array().expect("realms");
    assert_eq!(
        (&realms[0]["realm"], &realms[1]["realm"]),
        (&"live".into(), &"paper".into())
    );
    for (realm, jobs) in realms.iter().zip([vec![JobId(1), JobId(3)], vec![JobId(2)]]) {
        for (field, expected) in [
            (
                "realized_usd",
                jobs.iter().map(|job| books.jobs[job].realized).sum::<Decimal>(),
            ),
            ("gas_usd", jobs.iter().map(|job| books.jobs[job].gas).sum()),
            ("net_usd", jobs.iter().map(|job| books.jobs[job].net(price)).sum()),
        ] {
            assert_eq!(decimal(&realm["total"][field]), expected, "{field}");
        }
    }
}

/// The random ledgers have all kinds of gas, reversals and adjustments in them.
#[tokio::test(flavor = "multi_thread")]
async fn every_view_adds_up_to_the_same_figures_to_the_last_digit() {
    for seed in [1, 7, 42] {
        let terminal = Terminal::new().await;
        let books = ledger(&terminal, seed).await;
        let price = Decimal::new(17, 7);
        let listed = json(&terminal, &["list"]);
        let exported = json(&terminal, &["export", "--all"]);
        let by_month = json(&terminal, &["pnl", "--by", "month"]);
        let by_day = json(&terminal, &["pnl", "--by", "day"]);
        assert_eq!(by_month["zone"], "Asia/Kathmandu");
        for (job, expected) in &books.jobs {
            let of_job = |rows: &Value| -> Vec<Value> {
                let rows = rows.as_array().expect("rows").iter();
                rows.filter(|row| row["job"] == job.0).cloned().collect()
            };
            let line = of_job(&listed).remove(0);
            let status = json(&terminal, &["status", &job.to_string()]);
            for view in [&line, &status] {
                shows(view, expected, price);
            }
            let sum = |field: &str| -> Decimal {
                let rows = of_job(&exported);
                rows.iter()
                    .filter(|row| !row[field].is_null())
                    .map(|row| decimal(&row[field]))
                    .sum()
            };
            assert_eq!(
                sum("realized_average_usd"),
                expected.realized,
                "seed {seed} job {job}"
            );
            assert_eq!(sum("gas_usd"), expected.gas, "seed {seed} job {job}");
            for (view, name) in [(&by_month, "%Y-%m"), (&by_day, "%Y-%m-%d")] {
                let realms = view["realms"].as_array().expect("realms").iter();
                let jobs = realms.flat_map(|realm| realm["jobs"].as_array().expect("jobs"));
                let found: Vec<&Value> = jobs.filter(|line| line["job"] == job.0).collect();
                let named = |at| local(at).format(name).to_string();
                assert_eq!(
                    periods(found[0]),
                    expected.by_period(named),
                    "seed {seed} job {job}"
                );
                let total = &found[0]["total"];
                assert_eq!(decimal(&total["realized_usd"]), expected.realized);
                assert_eq!(decimal(&total["gas_usd"]), expected.gas);
                assert_eq!(total["unrealized_usd"], line["unrealized_usd"]);
                assert_eq!(total["net_usd"], line["net_usd"], "{total} {line}");
            }
        }
        realms_add_up(&by_month, &books, price);
    }
}

/// A removed job has its dust, a new cycle counts on, and unknown figures are reported as unknown.
#[tokio::test(flavor = "multi_thread")]
async fn removed_jobs_and_earlier_cycles_count_and_what_is_unknown_is_said() {
    let terminal = Terminal::new().await;
    let mut books = Books::new(&terminal.pool);
    assert!(terminal.ok(&["pnl"]).contains("nothing was traded yet"));
    let at = Utc::now() - TimeDelta::days(3);
    let swap: [Mined; 1] = [("swap", true, Decimal::new(25, 2))];
    let (first, second) = (
        books.job(Realm::Live, "OLD", zoned("UTC")).await,
        books.job(Realm::Live, "NEW", zoned("Europe/Berlin")).await,
    );
    for job in [first, second] {
        let open = books.open(job, Side::Buy, at, &swap).await;
        books
            .fill(job, (&open, Side::Buy), (at, &swap), (1_000_000, Decimal::TEN))
            .await;
    }
    books.dust(first).await;
    terminal.ok(&["remove", &first.to_string()]);
    let found = json(&terminal, &["pnl", "--by", "year"]);
    assert_eq!(found["zone"], "UTC", "the jobs' zones differ");
    let jobs = &found["realms"][0]["jobs"];
    assert_eq!(jobs[0]["removed"], true);
    assert_eq!(decimal(&jobs[0]["total"]["net_usd"]), Decimal::new(-1025, 2));
    assert_eq!(jobs[1]["total"]["net_usd"], Value::Null, "no price yet");
    assert_eq!(found["realms"][0]["total"]["net_usd"], Value::Null);
    assert!(terminal.ok(&["pnl"]).contains("whose price is not known yet"));
    // A period that has ended values nothing.
    let until = at.format("%Y-%m-%d").to_string();
    let ended = json(&terminal, &["pnl", "--to", &until, "--zone", "Pacific/Auckland"]);
    assert_eq!(ended["held_now"], false);
    assert_eq!(ended["zone"], "Pacific/Auckland");
    let ended = json(&terminal, &["pnl", "--utc", "--to", &until]);
    assert_eq!(
        decimal(&ended["realms"][0]["total"]["net_usd"]),
        Decimal::new(-5, 1)
    );
    // The next cycle of the job begins with nothing, and its history still counts.
    books.price(second, Decimal::TEN).await;
    books.dust(second).await;
    books.again(second).await;
    let at = Utc::now();
    let open = books.open(second, Side::Buy, at, &swap).await;
    books
        .fill(second, (&open, Side::Buy), (at, &swap), (1_000_000, Decimal::TEN))
        .await;
    let listed = json(&terminal, &["list"]);
    assert_eq!(decimal(&listed[0]["net_usd"]), Decimal::new(-25, 2));
    assert_eq!(decimal(&listed[0]["money_in_usd"]), Decimal::new(1025, 2));
    let all = json(&terminal, &["pnl", "--job", "NEW"]);
    let total = &all["realms"][0]["total"];
    assert_eq!(
        (decimal(&total["net_usd"]), &total["trades"]),
        (Decimal::new(-1050, 2), &2.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_added_up_is_refused_by_name() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    for (args, code, said) in [
        (
            vec!["--by", "hour"],
            2,
            "[possible values: day, week, month, year, all]",
        ),
        (vec!["--job", "7"], 3, "no job for 7"),
        (vec!["--job", "NOPE"], 3, "no job for NOPE"),
        (vec!["--zone", "Europe/Berlni"], 2, "Europe/Berlin"),
        (vec!["--zone", "UTC", "--utc"], 2, "cannot be used with"),
        (vec!["--live", "--paper"], 2, "cannot be used with"),
        (vec!["--from", "yesterday"], 2, "read as one of UTC"),
        (
            vec!["--from", "2026-02-02", "--to", "2026-02-01"],
            2,
            "the period is empty",
        ),
        (
            vec!["--live", "--job", TOKEN],
            3,
            "it trades on paper; give --paper",
        ),
    ] {
        let ran = terminal.run(&[&["pnl"], args.as_slice()].concat());
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{args:?}: {}", ran.stderr);
    }
    assert!(
        terminal
            .ok(&["pnl", "--job", "clawd"])
            .contains("nothing was traded by these jobs")
    );
}
