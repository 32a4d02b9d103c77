//! `KEY=A..B:STEP`.

use lgi_mm::{
    backtest::grid::{Axis, CONFIGURATIONS_MAX, Grid, GridError},
    domain::span::Span,
};
use proptest::prelude::*;
use rust_decimal::Decimal;

fn axis(text: &str) -> Result<Axis, GridError> {
    text.parse()
}

fn values(text: &str) -> Vec<String> {
    axis(text).expect("a range").values
}

#[test]
fn a_range_counts_in_exact_steps_up_to_its_end() {
    for (text, expected) in [
        ("a.b=5..20:5", vec!["5", "10", "15", "20"]),
        ("a.b=0.1..0.5:0.1", vec!["0.1", "0.2", "0.3", "0.4", "0.5"]),
        ("a.b = 1 .. 2 : 0.30", vec!["1", "1.3", "1.6", "1.9"]),
        ("a.b=-1..1:1", vec!["-1", "0", "1"]),
        ("a.b=7..7:1", vec!["7"]),
        ("a.b=4h..1d:10h", vec!["4h", "14h", "1d"]),
        ("a.b=90s..3m:45s", vec!["1m 30s", "2m 15s", "3m"]),
    ] {
        assert_eq!(values(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_range_is_refused_with_what_to_write() {
    for (text, said) in [
        ("a.b", "write KEY=FROM..TO:STEP"),
        ("a.b=1..2", "write KEY=FROM..TO:STEP"),
        ("a.b=1:2", "write KEY=FROM..TO:STEP"),
        ("=1..2:1", "write KEY=FROM..TO:STEP"),
        ("a.b=1..:1", "write KEY=FROM..TO:STEP"),
        ("a.b=one..2:1", "\"one\" is neither a number nor a length of time"),
        ("a.b=1..2h:1h", "\"2h\" is neither"),
        ("a.b=1..2:0", "STEP must be above 0"),
        ("a.b=1..2:-1", "STEP must be above 0"),
        ("a.b=2..1:1", "FROM not above TO"),
        ("a.b=0..1:0.00001", "more than 10000 configurations"),
        (
            "a.b=0..79228162514264337593543950335:0.0000000000000000000000000001",
            "more than 10000",
        ),
    ] {
        let error = axis(text).expect_err(text).to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
}

#[test]
fn a_grid_crosses_its_keys_and_has_a_bound() {
    let axes = ["a.b=1..2:1", "c.d=10m..30m:10m"].map(|text| axis(text).expect("a range"));
    let grid = Grid::new(axes.to_vec()).expect("a grid");
    let places = grid.places();
    assert_eq!(places.len(), 6);
    assert_eq!(grid.assignments(&places[0]), ["a.b=1", "c.d=10m"]);
    assert_eq!(grid.assignments(&places[4]), ["a.b=2", "c.d=20m"]);

    let twice = Grid::new(vec![axes[0].clone(), axes[0].clone()]).expect_err("twice");
    assert_eq!(
        twice,
        GridError::Twice {
            key: "a.b".to_owned()
        }
    );
    let many = ["a.b=1..100:1", "c.d=0..100:1"].map(|text| axis(text).expect("a range"));
    let error = Grid::new(many.to_vec()).expect_err("too many").to_string();
    assert!(
        error.contains("a.b (100) x c.d (101) make more than 10000"),
        "{error}"
    );
    let most = ["a.b=1..100:1", "c.d=1..100:1"].map(|text| axis(text).expect("a range"));
    assert_eq!(
        Grid::new(most.to_vec()).expect("just allowed").places().len(),
        CONFIGURATIONS_MAX
    );
}

fn decimal() -> impl Strategy<Value = Decimal> {
    (-1_000_000_i64..1_000_000, 0_u32..6).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale))
}

proptest! {
    #[test]
    fn every_value_lies_a_whole_number_of_steps_from_the_first(from in decimal(), steps in 0_u32..300, step in 1_i64..100_000, scale in 0_u32..8, beyond in 0_i64..100) {
        let step = Decimal::new(step, scale);
        let to = from + step * Decimal::from(steps) + step * Decimal::new(beyond, 2);
        let found = values(&format!("a.b={from}..{to}:{step}"));
        prop_assert_eq!(found.len(), usize::try_from(steps).expect("few") + 1);
        for (i, value) in found.iter().enumerate() {
            let value: Decimal = value.parse().expect("a number");
            prop_assert_eq!(value, from + step * Decimal::from(i));
            prop_assert!(value <= to);
        }
    }

    #[test]
    fn times_read_back_as_they_were_counted(from in 0_u64..10_000_000, steps in 0_u64..200, step in 1_u64..10_000_000) {
        let to = from + steps * step;
        let [from, to, step] = [from, to, step].map(Span::from_millis);
        let found = values(&format!("a.b={from}..{to}:{step}"));
        let spans: Vec<Span> = found.iter().map(|value| value.parse().expect("a time")).collect();
        prop_assert_eq!(spans.len() as u64, steps + 1);
        prop_assert_eq!(spans.first(), Some(&from));
        prop_assert_eq!(spans.last(), Some(&to));
        prop_assert!(spans.windows(2).all(|pair| pair[0].std() + step.std() == pair[1].std()));
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,60}") {
        let _ = axis(&text);
        let _ = axis(&format!("a.b={text}..{text}:{text}"));
    }
}
