//! A basket over a file of prices for each member.

use super::{FIRST, SECOND};
use crate::{pnl::json, terminal::Terminal};

/// A price a minute: the one rises by half, the other falls by as much.
fn prices(terminal: &Terminal, name: &str, step: i64) {
    let rows: String = (0..200)
        .map(|minute| {
            let price = 1_000_000 + step * minute;
            format!(
                "{},{}.{:06}\n",
                1_767_225_600 + 60 * minute,
                price / 1_000_000,
                price % 1_000_000
            )
        })
        .collect();
    terminal.file(name, &format!("time,price\n{rows}"));
}

/// A basket of two members, each with its file of prices.
pub(super) const ARGS: [&str; 7] = [
    "backtest",
    "--config",
    "index.toml",
    "--prices",
    "one.csv",
    "--prices",
    "two.csv",
];

/// The token of the first rises, the other one falls.
pub(super) async fn of_two_members() -> Terminal {
    let terminal = Terminal::new().await;
    prices(&terminal, "one.csv", 2_500);
    prices(&terminal, "two.csv", -2_500);
    terminal.file(
        "index.toml",
        &format!(
            "[limits]\nmax_daily_spend_usd = 0\n[basket]\nname = \"index\"\nbudget_usd = 50\n\
             [[member]]\ntoken = \"{FIRST}\"\nsymbol = \"ONE\"\n[[member]]\ntoken = \"{SECOND}\"\nsymbol = \"TWO\"\n"
        ),
    );
    terminal
}

#[tokio::test(flavor = "multi_thread")]
async fn a_basket_is_run_over_a_file_of_prices_for_each_member() {
    let terminal = of_two_members().await;
    let args = ARGS;
    let result = json(&terminal, &args);
    let usd = |value: &serde_json::Value| -> f64 { value.as_str().expect("USD").parse().expect("a number") };
    let (whole, members) = (&result["summary"], &result["members"]);
    let sum = |key: &str| usd(&members[0]["summary"][key]) + usd(&members[1]["summary"][key]);
    for key in ["value_usd", "net_usd", "gas_usd"] {
        assert!((usd(&whole[key]) - sum(key)).abs() < 1e-6, "{key}: {whole}");
    }
    // What rises is sold, what falls is bought: each at its share at the end, within its band.
    assert!(
        members[0]["summary"]["sells"].as_u64() > Some(0),
        "{}",
        members[0]["summary"]
    );
    assert!(
        members[1]["summary"]["buys"].as_u64() > Some(1),
        "{}",
        members[1]["summary"]
    );
    let held = usd(&members[0]["summary"]["value_usd"]) / usd(&whole["value_usd"]);
    assert!((0.43..0.57).contains(&held), "{held}");
    // No more was put in than both brought, and gas.
    let gas = usd(&whole["gas_usd"]);
    assert!(
        (usd(&whole["money_in_usd"]) - 100.0 - gas).abs() < 1e-6,
        "{whole}"
    );
    let text = terminal.ok(&args);
    for word in [
        "basket of 2 members",
        "ONE",
        "TWO",
        "kept instead",
        "deepest drawdown of the basket",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

/// The rows of a file that are in the second half of its 200 minutes, or in the first.
fn half(terminal: &Terminal, (from, to): (&str, &str), second: bool) {
    let text = std::fs::read_to_string(terminal.path(from)).expect("prices");
    let (head, rows) = text.split_once('\n').expect("a header");
    // The middle of the first and the last row is at minute 99.5.
    let rows = rows
        .lines()
        .enumerate()
        .filter(|(minute, _)| (*minute >= 100) == second);
    let rows: Vec<&str> = rows.map(|(_, row)| row).collect();
    terminal.file(to, &format!("{head}\n{}\n", rows.join("\n")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_forward_of_a_basket_is_a_sweep_of_each_part_and_a_run_on_the_next() {
    let terminal = of_two_members().await;
    let sweep = ["--sweep", "basket.band_pct=5..25:10", "--sort-by", "net"];
    let walked = json(&terminal, &[&ARGS[..], &sweep, &["--walk-forward", "2"]].concat());
    let steps = walked["walk_forward"]["steps"].as_array().expect("steps");
    assert_eq!(steps.len(), 1, "{walked}");
    let whole = json(&terminal, &[&ARGS[..], &sweep].concat());
    assert_eq!(walked["configurations"], whole["configurations"]);
    let mut ranked = Vec::new();
    for second in [false, true] {
        for name in ["one.csv", "two.csv"] {
            half(&terminal, (name, &format!("half-{name}")), second);
        }
        let mut args = ARGS;
        (args[4], args[6]) = ("half-one.csv", "half-two.csv");
        let half = json(&terminal, &[&args[..], &sweep].concat())["configurations"].clone();
        assert_ne!(
            half[0]["net_usd"], half[2]["net_usd"],
            "the band makes a difference"
        );
        ranked.push(half);
    }
    let (first, next) = (&ranked[0], &ranked[1]);
    assert_eq!(steps[0]["chosen"], first[0]);
    assert_eq!(steps[0]["hindsight"], next[0]);
    let next = next.as_array().expect("lines");
    let place = next.iter().position(|line| line["values"] == first[0]["values"]);
    let place = place.expect("the chosen one");
    assert_eq!(steps[0]["out_of_sample"], next[place]);
    assert_eq!(steps[0]["rank"], place + 1);
    let text = terminal.ok(&[&ARGS[..], &sweep, &["--walk-forward", "2"]].concat());
    assert!(text.contains("walk-forward, net in USD"), "{text}");
    let many = json(
        &terminal,
        &[&ARGS[..], &sweep, &["--walk-forward", "40"]].concat(),
    );
    let folds = many["walk_forward"]["folds"].as_array().expect("parts");
    assert_eq!(folds.len(), 40, "{many}");
    let seconds = |at: &serde_json::Value| at.as_str().map(str::to_owned);
    assert!(
        folds
            .iter()
            .all(|fold| seconds(&fold["from"]) < seconds(&fold["to"]))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_basket_is_swept_and_what_it_cannot_be_run_with_is_refused() {
    let terminal = of_two_members().await;
    let args = ARGS;
    let sweep = [&args[..], &["--sweep", "basket.band_pct=5..15:5"]].concat();
    let swept = json(&terminal, &sweep);
    assert_eq!(
        swept["configurations"].as_array().map(Vec::len),
        Some(3),
        "{swept}"
    );
    let nets: std::collections::BTreeSet<&str> = swept["configurations"]
        .as_array()
        .expect("lines")
        .iter()
        .filter_map(|line| line["net_usd"].as_str())
        .collect();
    assert!(nets.len() > 1, "the band makes a difference: {swept}");
    for (more, says) in [
        (&args[..5], "basket"),
        (
            &[
                "backtest",
                "--config",
                "index.toml",
                "--prices",
                "one.csv",
                "--prices",
                "two.csv",
                "--prices",
                "two.csv",
            ][..],
            "3 files for the 2 members",
        ),
        (
            &["backtest", "--prices", "one.csv", "--prices", "two.csv"][..],
            "give it with --config",
        ),
        (
            &[&args[..], &["--trades", "all.csv"]].concat()[..],
            "--trades: a basket has several tokens",
        ),
    ] {
        let ran = terminal.run(more);
        assert!(
            ran.code == 2 && ran.stderr.contains(says),
            "{says}: {}",
            ran.story()
        );
    }
}

const SELL: [&str; 7] = [
    "backtest",
    "--prices",
    "falls.csv",
    "--mode",
    "order",
    "--set",
    "order.side=sell",
];

#[tokio::test(flavor = "multi_thread")]
async fn an_order_to_sell_is_run_with_the_tokens_that_it_is_given() {
    let terminal = Terminal::new().await;
    prices(&terminal, "falls.csv", -2_500);
    let given = [&SELL[..], &["--tokens", "100", "--cost", "80"]].concat();
    let trailing = [&given[..], &["--set", "order.trail_pct=10"]].concat();
    let result = json(&terminal, &trailing);
    let (own, kept) = (&result["summary"], &result["comparisons"][0]);
    assert_eq!(
        (&own["sells"], &own["token_balance"]),
        (&1.into(), &"0".into()),
        "{own}"
    );
    assert_eq!(result["trades"][0]["reason"], "TRAILING_ORDER");
    // It fell to a half of what it was: sold at a tenth below, it brought more than what was kept is worth.
    assert_eq!(kept["plan"], "keep");
    assert_eq!(
        (&kept["summary"]["sells"], &kept["summary"]["token_balance"]),
        (&0.into(), &"100000000000000000000".into())
    );
    let usd = |value: &serde_json::Value| -> f64 { value.as_str().expect("USD").parse().expect("a number") };
    assert!(
        usd(&own["net_usd"]) > usd(&kept["summary"]["net_usd"]) + 30.0,
        "{own} {kept}"
    );
    assert!(
        (usd(&own["proceeds_usd"]) - usd(&own["gas_usd"]) - 80.0 - usd(&own["net_usd"])).abs() < 1e-6,
        "{own}"
    );
    let stop = [&given[..], &["--set", "order.stop_usd=0.7"]].concat();
    assert_eq!(json(&terminal, &stop)["trades"][0]["reason"], "STOP_ORDER");
    let limit = [&given[..], &["--set", "order.limit_usd=2"]].concat();
    assert_eq!(json(&terminal, &limit)["summary"]["sells"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_given_to_an_order_to_sell_and_to_no_other() {
    let terminal = Terminal::new().await;
    prices(&terminal, "falls.csv", -2_500);
    let ran = terminal.run(&SELL);
    assert!(
        ran.code == 2 && ran.stderr.contains("--tokens") && ran.stderr.contains("--cost"),
        "{}",
        ran.story()
    );
    for (more, says) in [
        (&["--tokens", "0", "--cost", "1"], "--tokens 0"),
        (&["--tokens", "1", "--cost", "-1"], "--cost -1"),
        (&["--tokens", "x", "--cost", "1"], "--tokens x"),
    ] {
        let ran = terminal.run(&[&SELL[..], more].concat());
        assert!(
            ran.code == 2 && ran.stderr.contains(says),
            "{says}: {}",
            ran.story()
        );
    }
    let buy = [
        "backtest",
        "--prices",
        "falls.csv",
        "--set",
        "order.amount_usd=5",
        "--tokens",
        "1",
        "--cost",
        "1",
    ];
    let ran = terminal.run(&buy);
    assert!(
        ran.code == 2 && ran.stderr.contains("only an order to sell"),
        "{}",
        ran.story()
    );
}
