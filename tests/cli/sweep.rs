//! `backtest --sweep`, `--walk-forward` and `--report`: what they show, write and refuse.

use crate::terminal::{Ran, program};

struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    /// Two months of invented hours, and a job.
    fn new() -> Self {
        let desk = Self {
            dir: tempfile::tempdir().expect("a directory"),
        };
        let made = desk.run(&[
            "prices",
            "--for",
            "60d",
            "--every",
            "1h",
            "--seed",
            "4",
            "--period",
            "20d",
            "--out",
            "prices.csv",
        ]);
        assert_eq!(made.code, 0, "{}", made.stderr);
        let job =
            "[schedule]\ncron = \"0 * * * *\"\n[accumulate]\ndca_interval = \"12h\"\ntake_profit_pct = 15\n";
        std::fs::write(desk.dir.path().join("job.toml"), job).expect("a file");
        desk
    }

    fn run(&self, args: &[&str]) -> Ran {
        let output = program(args)
            .current_dir(self.dir.path())
            .env("HOME", self.dir.path())
            .output();
        Ran::of(&output.expect("our own program runs"))
    }

    fn sweep(&self, args: &[&str]) -> Ran {
        let first = ["backtest", "--prices", "prices.csv", "--config", "job.toml"];
        self.run(&[&first, args].concat())
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).expect(name)
    }
}

const SWEEP: [&str; 4] = [
    "--sweep",
    "accumulate.take_profit_pct=5..15:5",
    "--sweep",
    "accumulate.dca_interval=6h..18h:6h",
];

#[test]
fn a_sweep_shows_the_best_and_doubts_and_walks_forward() {
    let desk = Desk::new();
    let ran = desk.sweep(&[&SWEEP[..], &["--top", "3", "--walk-forward", "3"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    insta::assert_snapshot!("sweep", ran.story());
}

#[test]
fn csv_and_json_have_all_configurations_and_agree_with_one_backtest() {
    let desk = Desk::new();
    let ran = desk.sweep(&[&SWEEP[..], &["--csv", "all.csv", "--sort-by", "net", "--json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let swept: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let lines = swept["configurations"].as_array().expect("a list");
    assert_eq!(lines.len(), 9);
    let csv = desk.file("all.csv");
    assert_eq!(csv.lines().count(), 10);
    for (line, row) in lines.iter().zip(csv.lines().skip(1)) {
        let cells: Vec<&str> = row.split(',').collect();
        assert_eq!(
            [line["values"][0].as_str(), line["values"][1].as_str()],
            [Some(cells[0]), Some(cells[1])]
        );
        assert_eq!(line["net_usd"].as_str(), Some(cells[4]));
        // The very same as alone.
        let [profit, interval] = [0, 1].map(|i| cells[i]);
        let sets = [
            format!("accumulate.take_profit_pct={profit}"),
            format!("accumulate.dca_interval={interval}"),
        ];
        let alone = desk.sweep(&["--set", &sets[0], "--set", &sets[1], "--json"]);
        let alone: serde_json::Value = serde_json::from_str(&alone.stdout).expect("JSON");
        for key in [
            "net_usd",
            "return_pct",
            "money_weighted_pct",
            "money_in_usd",
            "buys",
            "sells",
        ] {
            assert_eq!(line[key], alone["summary"][key], "{row}: {key}");
        }
    }
    let profits: Vec<f64> = lines
        .iter()
        .map(|line| line["net_usd"].as_str().expect("USD").parse().expect("a number"))
        .collect();
    assert!(profits.is_sorted_by(|a, b| a >= b), "{profits:?}");
}

#[test]
fn the_report_is_of_the_configuration_that_ran_and_of_the_best_of_a_sweep() {
    let desk = Desk::new();
    let ran = desk.sweep(&["--report", "one.html"]);
    assert!(
        ran.code == 0 && ran.stderr.contains("report written to one.html"),
        "{}",
        ran.stderr
    );
    let set = |page: &str, key: &str| -> String {
        let row = page
            .split(&format!("<td class=\"key\">{key}</td><td>"))
            .nth(1)
            .expect(key);
        row.split('<').next().expect("a value").to_owned()
    };
    assert_eq!(set(&desk.file("one.html"), "accumulate.take_profit_pct"), "15");
    let ran = desk.sweep(&[&SWEEP[..], &["--report", "best.html", "--json"]].concat());
    let swept: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let best = &swept["configurations"][0]["values"];
    let page = desk.file("best.html");
    assert_eq!(best[0], set(&page, "accumulate.take_profit_pct"));
    assert_eq!(best[1], set(&page, "accumulate.dca_interval"));
}

fn refused(desk: &Desk, args: &[&str], named: &[&str]) {
    let ran = desk.sweep(args);
    assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
    for name in named {
        assert!(
            ran.stderr.contains(name),
            "{args:?} does not name {name:?}: {}",
            ran.stderr
        );
    }
}

#[test]
fn what_cannot_be_swept_is_refused_with_what_to_write() {
    let desk = Desk::new();
    for (range, named) in [
        ("accumulate.take_profit_pct=5", vec!["KEY=FROM..TO:STEP"]),
        ("accumulate.take_profit_pct=5..1:1", vec!["FROM not above TO"]),
        (
            "accumulate.take_profit_pc=5..6:1",
            vec![
                "accumulate.take_profit_pc",
                "did you mean accumulate.take_profit_pct",
            ],
        ),
        (
            "accumulate.dip_buy_threshold_pct=50..150:50",
            vec!["accumulate.dip_buy_threshold_pct", "100"],
        ),
        (
            "accumulate.dca_amount_usd=1..100000:1",
            vec!["accumulate.dca_amount_usd", "10000 configurations"],
        ),
    ] {
        refused(&desk, &["--sweep", range], &named);
    }
}

#[test]
fn flags_that_do_not_go_together_are_refused() {
    let desk = Desk::new();
    let (one, other) = (
        "accumulate.dca_amount_usd=1..200:1",
        "accumulate.take_profit_pct=1..100:1",
    );
    refused(
        &desk,
        &["--sweep", one, "--sweep", other],
        &["(200) x accumulate.take_profit_pct (100)", "10000 configurations"],
    );
    refused(
        &desk,
        &["--sweep", one, "--sweep", one],
        &["accumulate.dca_amount_usd", "twice"],
    );
    let set = "accumulate.take_profit_pct=9";
    refused(
        &desk,
        &["--sweep", other, "--set", set],
        &["accumulate.take_profit_pct", "--set", "--sweep"],
    );
    refused(&desk, &["--walk-forward", "3"], &["--sweep"]);
    refused(&desk, &["--csv", "all.csv"], &["--sweep"]);
    let range = "accumulate.take_profit_pct=5..15:5";
    refused(
        &desk,
        &["--sweep", range, "--walk-forward", "1"],
        &["--walk-forward", "2..=100"],
    );
    refused(
        &desk,
        &["--report", "/nowhere/report.html"],
        &["--report /nowhere/report.html", "its directory is not there"],
    );
    refused(
        &desk,
        &["--sweep", range, "--csv", "/nowhere/all.csv"],
        &["/nowhere/all.csv"],
    );
}
