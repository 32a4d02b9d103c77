//! `docs/stops.md` says how far beyond a stop it sells, by schedule. The numbers over invented minutes are those of
//! this test: backtests of one buy and one stop. Those over recorded minutes are printed by `scripts/stops`.

use chrono::TimeDelta;
use lgi_mm::{
    backtest::{Detail, PricePoint, Runner, Setup},
    domain::{
        Timestamp,
        config::{AccumulateConfig, JobConfig, Rules},
        decision::Reason,
        job::JobMode,
        span::Span,
        units::Price,
    },
    paper::PaperSettings,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rust_decimal::Decimal;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/stops.md");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/stops");
const SERIES: u64 = 150;
const MINUTES: i64 = 6_000;
const SCHEDULES: [(&str, &str); 5] = [
    ("a minute", "* * * * *"),
    ("5 minutes", "*/5 * * * *"),
    ("15 minutes", "*/15 * * * *"),
    ("an hour", "0 * * * *"),
    ("4 hours", "0 */4 * * *"),
];

/// A token that loses a fifth in four days: minutes that move by up to 0.6 % (about 0.3 % on average), and once in two
/// thousand of them by up to 8 %.
fn minutes(seed: u64) -> Vec<PricePoint> {
    let mut random = StdRng::seed_from_u64(seed);
    let begin: Timestamp = "2027-03-01T00:00:30Z".parse().expect("an instant");
    let mut price: i64 = 1_000_000_000_000;
    (0..MINUTES)
        .map(|minute| {
            let mut ppm = random.random_range(-6_000_i64..=6_000) - 40;
            if random.random_range(0..2_000) == 0 {
                ppm = random.random_range(-80_000..=80_000);
            }
            price += price / 1_000_000 * ppm;
            PricePoint {
                at: begin + TimeDelta::minutes(minute),
                price: Price::new(Decimal::new(price, 12)).expect("above zero"),
            }
        })
        .collect()
}

fn setup(cron: &str) -> Setup {
    let mut config = JobConfig::for_mode(JobMode::Accumulate);
    config.schedule.cron = cron.parse().expect("a cron line");
    config.rules = Rules::Accumulate(AccumulateConfig {
        dca_interval: Some(Span::from_secs(365 * 86_400)),
        dip_buy_threshold_pct: Decimal::ZERO,
        stop_loss_pct: 10.into(),
        ..AccumulateConfig::default()
    });
    config.limits.max_slippage_bps = 1_000;
    let costs: PaperSettings = serde_json::from_value(serde_json::json!({
        "fee_bps": 0, "slippage_bps": 0, "base_fee_gwei": 0, "tip_gwei": 0, "wallet_usd": 100_000
    }))
    .expect("paper settings");
    let mut setup = Setup::new(JobMode::Accumulate, config, costs);
    setup.stands_for = Span::from_secs(600);
    setup
}

/// What became of one stop.
enum Stop {
    /// It sold so far below its line, hundredths of a per cent of the line.
    Sold(i64),
    /// The price was at the line in some minute, and no two slots in a row saw it.
    Missed,
    /// The price was never at the line.
    Untouched,
}

fn stop(setup: &Setup, rows: &[PricePoint]) -> Stop {
    let mut runner = Runner::new(setup, Detail::REPORT);
    rows.iter().for_each(|row| runner.feed(*row));
    let trades = runner.finish().trades;
    let bought = trades.first().expect("one buy");
    let line = bought.average_cost.expect("a cost").decimal() * Decimal::new(9, 1);
    if let Some(sold) = trades.iter().find(|trade| trade.reason == Reason::StopLoss) {
        let beyond = (line - sold.price.decimal()) * Decimal::from(10_000) / line;
        return Stop::Sold(i64::try_from(beyond.round()).expect("small"));
    }
    let touched = rows
        .iter()
        .any(|row| row.at > bought.at && row.price.decimal() <= line);
    if touched { Stop::Missed } else { Stop::Untouched }
}

fn percent(hundredths: i64) -> String {
    format!("{} %", Decimal::new(hundredths, 2))
}

fn measured() -> String {
    let series: Vec<Vec<PricePoint>> = (0..SERIES).map(minutes).collect();
    let mut table = String::from(
        "| a slot every | stops | half of them at most | 9 of 10 at most | worst | touched, not sold |\n|---|---|---|---|---|---|\n",
    );
    for (name, cron) in SCHEDULES {
        let setup = setup(cron);
        let (mut beyond, mut missed) = (Vec::new(), 0);
        for rows in &series {
            match stop(&setup, rows) {
                Stop::Sold(hundredths) => beyond.push(hundredths),
                Stop::Missed => missed += 1,
                Stop::Untouched => {}
            }
        }
        beyond.sort_unstable();
        let at = |tenths: usize| percent(beyond[(beyond.len() - 1) * tenths / 10]);
        assert!(
            beyond.iter().all(|beyond| *beyond >= 0),
            "no stop sells above its line"
        );
        table.push_str(&format!(
            "| {name} | {} | {} | {} | {} | {missed} |\n",
            beyond.len(),
            at(5),
            at(9),
            at(10)
        ));
    }
    table
}

#[test]
fn the_page_of_stops_has_what_is_measured() {
    let table = measured();
    let page = std::fs::read_to_string(PAGE).expect("docs/stops.md");
    let begin = page.find("| a slot every |").expect("a table");
    let end = begin + page[begin..].find("\n\n").expect("its end") + 1;
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, format!("{}{table}{}", &page[..begin], &page[end..])).expect("the page");
    } else {
        assert_eq!(
            &page[begin..end],
            table,
            "UPDATE_DOCS=1 cargo test --test documents the_page_of_stops writes it"
        );
    }
    // What the page says of the numbers: a slower schedule sells further below.
    let rows: Vec<&str> = table.lines().skip(2).collect();
    let half = |row: &str| -> Decimal {
        let cell = row.split(" | ").nth(2).and_then(|cell| cell.strip_suffix(" %"));
        cell.expect("a number").parse().expect("a number")
    };
    assert!(
        half(rows[0]) < half(rows[3]) && half(rows[3]) < half(rows[4]),
        "{table}"
    );
}

/// The recorded minutes are not part of the repository: their table has the form that `scripts/stops` prints, and says
/// what the page says of it.
#[test]
fn the_table_over_recorded_prices_is_one_of_the_script() {
    let script = std::fs::read_to_string(SCRIPT).expect("scripts/stops");
    let printed = |line: &str| Some(line.strip_prefix("echo \"")?.strip_suffix('"')?.to_owned());
    let head: Vec<String> = script.lines().filter_map(printed).take(2).collect();
    let page = std::fs::read_to_string(PAGE).expect("docs/stops.md");
    let begin = page.find(&head.join("\n")).expect("the table of scripts/stops");
    let rows = page[begin..]
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cell = |row: &str, place: usize| row.split('|').nth(place).expect("a cell").trim().to_owned();
    let rows: Vec<String> = rows.map(str::to_owned).collect();
    let named: Vec<(String, String)> = rows.iter().map(|row| (cell(row, 1), cell(row, 2))).collect();
    let expected = ["5 %", "10 %"].map(|stop| {
        ["a minute", "5 minutes", "15 minutes", "an hour"].map(|slot| (stop.to_owned(), slot.to_owned()))
    });
    assert_eq!(named, expected.concat());
    for distance in rows.chunks(4) {
        let half = distance.iter().map(|row| {
            let cell = cell(row, 4);
            cell.trim_end_matches(" %").parse::<Decimal>().expect("a number")
        });
        let half: Vec<Decimal> = half.collect();
        assert!(half.is_sorted(), "{distance:?}");
    }
}
