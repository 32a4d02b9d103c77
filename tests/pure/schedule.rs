//! Slots: what people type, clock changes, catching up after an outage, jitter.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "an error in a test's set-up fails the test"
)]

use chrono::{DateTime, NaiveDate, TimeDelta, Timelike, Utc};
use lgi_mm::domain::{
    config::JobConfig,
    job::{JobId, JobMode, Realm},
    schedule::{CronExpr, MISSED_COUNTED_MAX, jitter, starts_at},
    span::Span,
    zone::Zone,
};
use proptest::prelude::*;

fn cron(line: &str) -> CronExpr {
    line.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn zone(name: &str) -> Zone {
    name.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn slots(line: &str, zone: Zone, from: &str, until: &str) -> Vec<DateTime<Utc>> {
    let (line, until) = (cron(line), at(until));
    let next = |slot: &DateTime<Utc>| line.next_after(zone, *slot);
    std::iter::successors(next(&at(from)), next)
        .take_while(|slot| *slot <= until)
        .collect()
}

fn walls(line: &str, zone: Zone, from: &str, until: &str) -> Vec<String> {
    slots(line, zone, from, until)
        .iter()
        .map(|s| {
            format!(
                "{} {:+}",
                zone.wall(*s).format("%d %H:%M"),
                zone.offset_at(*s).num_hours()
            )
        })
        .collect()
}

#[test]
fn weekdays_are_read_as_unix_cron_reads_them() {
    // 2026-11-22 is a Sunday.
    let days = |field: &str| -> String {
        slots(
            &format!("0 0 * * {field}"),
            Zone::UTC,
            "2026-11-21T12:00:00Z",
            "2026-11-28T12:00:00Z",
        )
        .iter()
        .map(|slot| slot.format("%a").to_string())
        .collect::<Vec<_>>()
        .join(" ")
    };
    for (field, expected) in [
        ("0", "Sun"),
        ("7", "Sun"),
        ("1", "Mon"),
        ("MON-FRI", "Mon Tue Wed Thu Fri"),
        ("1-5", "Mon Tue Wed Thu Fri"),
        ("5-7", "Sun Fri Sat"),
        ("FRI-SUN", "Sun Fri Sat"),
        ("sat,SUN", "Sun Sat"),
        ("0-6", "Sun Mon Tue Wed Thu Fri Sat"),
        ("*/2", "Sun Tue Thu Sat"),
        ("1-5/2", "Mon Wed Fri"),
        ("?", "Sun Mon Tue Wed Thu Fri Sat"),
    ] {
        assert_eq!(days(field), expected, "{field}");
    }
}

#[test]
fn day_of_month_or_day_of_week_when_both_are_named() {
    let days: Vec<String> = slots(
        "0 0 13 * FRI",
        Zone::UTC,
        "2026-11-01T00:00:00Z",
        "2026-11-30T00:00:00Z",
    )
    .iter()
    .map(|slot| slot.format("%d").to_string())
    .collect();
    assert_eq!(days, ["06", "13", "20", "27"]);
    let october = slots(
        "0 0 14 * FRI",
        Zone::UTC,
        "2026-10-10T00:00:00Z",
        "2026-10-17T00:00:00Z",
    );
    assert_eq!(
        october.len(),
        2,
        "the 14th, a Wednesday, and Friday the 16th: {october:?}"
    );
    // As in Vixie cron, a field that begins with `*` is no second choice: the 13th, if it is a Sunday, Tuesday, ..
    let both = slots(
        "0 0 13 * */2",
        zone("UTC"),
        "2026-09-01T00:00:00Z",
        "2026-11-30T00:00:00Z",
    );
    assert_eq!(both, [at("2026-09-13T00:00:00Z"), at("2026-10-13T00:00:00Z")]);
}

#[test]
fn six_fields_begin_with_seconds() {
    let seconds = slots(
        "*/20 * * * * *",
        Zone::UTC,
        "2026-11-01T00:00:00Z",
        "2026-11-01T00:01:00Z",
    );
    assert_eq!(
        seconds.iter().map(Timelike::second).collect::<Vec<_>>(),
        [20, 40, 0]
    );
}

#[test]
fn what_is_no_cron_line_is_refused_with_its_text_and_an_example() {
    for line in [
        "",
        "* * * *",
        "* * * * * * *",
        "61 * * * *",
        "* 25 * * *",
        "* * * * 8",
        "* * * * MOO",
        "* * * * 1/0",
        "0 0 30 2 *",
        "a b c d e",
    ] {
        let error = line.parse::<CronExpr>().expect_err(line).to_string();
        assert!(
            error.contains(&format!("'{line}'")) && error.contains("such as"),
            "{error}"
        );
    }
}

#[test]
fn a_daily_time_in_the_spring_gap_fires_once_at_the_gaps_end() {
    let berlin = walls(
        "30 2 * * *",
        zone("Europe/Berlin"),
        "2026-03-28T00:00:00Z",
        "2026-03-30T12:00:00Z",
    );
    assert_eq!(berlin, ["28 02:30 +1", "29 03:00 +2", "30 02:30 +2"]);
    let lord_howe = walls(
        "15 2 * * *",
        zone("Australia/Lord_Howe"),
        "2026-10-03T00:00:00Z",
        "2026-10-04T20:00:00Z",
    );
    assert_eq!(lord_howe.len(), 2, "{lord_howe:?}");
}

#[test]
fn a_daily_time_in_the_autumn_hour_that_comes_twice_fires_once() {
    let new_york = walls(
        "30 1 * * *",
        zone("America/New_York"),
        "2026-10-31T00:00:00Z",
        "2026-11-02T12:00:00Z",
    );
    assert_eq!(new_york, ["31 01:30 -4", "01 01:30 -4", "02 01:30 -5"]);
}

#[test]
fn an_interval_fires_at_every_real_interval_through_both_changes() {
    for (zone, from, until) in [
        (
            zone("Europe/Berlin"),
            "2026-10-24T20:00:00Z",
            "2026-10-25T06:00:00Z",
        ),
        (
            zone("Europe/Berlin"),
            "2026-03-28T20:00:00Z",
            "2026-03-29T06:00:00Z",
        ),
        (
            zone("America/New_York"),
            "2026-11-01T00:00:00Z",
            "2026-11-01T12:00:00Z",
        ),
        (
            zone("Australia/Lord_Howe"),
            "2026-04-04T06:00:00Z",
            "2026-04-04T22:00:00Z",
        ),
        (
            zone("Australia/Lord_Howe"),
            "2026-10-03T06:00:00Z",
            "2026-10-03T22:00:00Z",
        ),
    ] {
        let slots = slots("*/30 * * * *", zone, from, until);
        let steps: Vec<TimeDelta> = slots.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(
            steps.iter().all(|step| *step == TimeDelta::minutes(30)),
            "{zone}: {steps:?}"
        );
        assert_eq!(
            i64::try_from(slots.len()).expect("a count"),
            (at(until) - at(from)).num_minutes() / 30,
            "{zone}"
        );
    }
}

#[test]
fn after_an_outage_the_latest_slot_runs_once_and_the_others_are_counted() {
    let hourly = cron("0 * * * *");
    let claim = hourly.claim(Zone::UTC, at("2026-11-01T09:00:00Z"), at("2026-11-01T13:30:00Z"));
    assert_eq!((claim.slot, claim.missed), (at("2026-11-01T13:00:00Z"), 4));
    assert_eq!(claim.next, Some(at("2026-11-01T14:00:00Z")));
    let on_time = hourly.claim(Zone::UTC, at("2026-11-01T09:00:00Z"), at("2026-11-01T09:00:00Z"));
    assert_eq!((on_time.slot, on_time.missed), (at("2026-11-01T09:00:00Z"), 0));
}

#[test]
fn a_month_of_missed_seconds_is_caught_up_with_in_bounded_time() {
    let now = at("2026-12-01T00:00:00.5Z");
    let claim = cron("* * * * * *").claim(Zone::UTC, at("2026-11-01T00:00:00Z"), now);
    assert_eq!(
        (claim.slot, claim.missed),
        (at("2026-12-01T00:00:00Z"), MISSED_COUNTED_MAX)
    );
    assert_eq!(claim.next, Some(at("2026-12-01T00:00:01Z")));
}

fn zones() -> impl Strategy<Value = Zone> {
    prop::sample::select(vec![
        Zone::UTC,
        zone("America/New_York"),
        zone("Europe/Berlin"),
        zone("Australia/Lord_Howe"),
        zone("Asia/Kathmandu"),
        zone("America/Santiago"),
    ])
}

proptest! {
    #[test]
    fn a_daily_line_fires_exactly_once_on_every_local_day(zone in zones(), hour in 0..24_u32, minute in 0..60_u32) {
        let line = cron(&format!("{minute} {hour} * * *"));
        let mut slot = at("2025-12-31T00:00:00Z");
        let mut days = std::collections::BTreeMap::<NaiveDate, u32>::new();
        while slot < at("2027-01-03T00:00:00Z") {
            slot = line.next_after(zone, slot).expect("a next slot");
            *days.entry(zone.wall(slot).date()).or_default() += 1;
        }
        for day in NaiveDate::from_ymd_opt(2026, 1, 1).expect("day").iter_days().take(365) {
            prop_assert_eq!(days.get(&day), Some(&1), "{} in {}", day, zone);
        }
    }

    #[test]
    fn slots_strictly_increase_and_none_is_lost_by_asking_in_between(
        zone in zones(),
        start in 1_767_225_600_i64..1_798_761_600,
        line in prop::sample::select(vec!["*/10 * * * *", "30 * * * *", "0 */2 * * *", "15 1,2,3 * * *", "0 0 * * *"]),
        skew in 1..7_200_i64,
    ) {
        let (line, start) = (cron(line), DateTime::from_timestamp(start, 0).expect("instant"));
        let next = line.next_after(zone, start).expect("a next slot");
        prop_assert!(next > start);
        // Asked from any instant before the slot, the answer is the same.
        let between = start + TimeDelta::seconds(skew.min((next - start).num_seconds() - 1).max(0));
        prop_assert_eq!(line.next_after(zone, between), Some(next));
        prop_assert!(line.next_after(zone, next).expect("another") > next);
    }

    #[test]
    fn an_interval_is_over_from_its_end_on(
        zone in zones(),
        micros in 1_767_225_600_000_000_i64..1_798_761_600_000_000,
        interval in prop_oneof![
            (0..4_u64).prop_map(|days| Span::from_secs(days * 86_400)),
            (0..10_000_u64).prop_map(Span::from_millis),
            (0..1_000_000_u64).prop_map(Span::from_secs),
        ],
        // Next to the end, or anywhere.
        off in prop_oneof![-2_i64..=2, -2_000_000_i64..2_000_000, -100_000_000_000_i64..100_000_000_000],
    ) {
        let mut schedule = JobConfig::for_mode(JobMode::Accumulate).schedule;
        schedule.timezone = zone;
        let last = DateTime::from_timestamp_micros(micros).expect("an instant");
        let end = schedule.interval_end(interval, last);
        let now = end + TimeDelta::microseconds(off);
        prop_assert_eq!(schedule.interval_is_over(interval, last, now), end <= now);
        prop_assert_eq!(interval.has_passed(last, now), interval.after(last) <= now);
    }

    #[test]
    fn jitter_is_fixed_for_a_slot_and_stays_below_its_maximum(job in any::<i64>(), slot in 0..2_000_000_000_i64, max in 0..3_600_u64) {
        let (slot, max) = (DateTime::from_timestamp(slot, 0).expect("instant"), Span::from_secs(max));
        let first = jitter(b"salt", JobId(job), slot, max);
        prop_assert_eq!(first, jitter(b"salt", JobId(job), slot, max));
        prop_assert!(first < max || max.is_zero());
    }
}

#[test]
fn jitter_spreads_jobs_and_depends_on_the_secret() {
    let slot = at("2026-11-01T00:00:00Z");
    let of = |salt: &[u8], job| jitter(salt, JobId(job), slot, Span::from_secs(60));
    let spread: std::collections::HashSet<Span> = (0..100).map(|job| of(b"salt", job)).collect();
    assert!(spread.len() > 90);
    assert_ne!(of(b"salt", 1), of(b"pepper", 1));
}

#[test]
fn live_jobs_start_together_and_paper_jobs_are_spread() {
    let (slot, max) = (at("2026-11-01T00:00:00Z"), Span::from_secs(60));
    let starts = |realm| -> std::collections::HashSet<_> {
        (1..=100)
            .map(|job| starts_at(b"salt", (realm, JobId(job)), slot, max))
            .collect()
    };
    assert_eq!(starts(Realm::Live).len(), 1);
    assert!(starts(Realm::Paper).len() > 90);
    let next = at("2026-11-01T00:01:00Z");
    let delay = |slot| starts_at(b"salt", (Realm::Live, JobId(1)), slot, max) - slot;
    assert_ne!(delay(slot), delay(next), "each slot has a delay of its own");
}

/// Lines that are computed, and the same slots written so that they are searched.
#[test]
fn slots_of_equal_distances_are_those_that_a_search_finds() {
    let lists = |step: usize| {
        (0..60)
            .step_by(step)
            .map(|n| n.to_string())
            .collect::<Vec<_>>()
            .join(",")
    };
    let pairs = [
        ("* * * * *".to_owned(), format!("{} * * * *", lists(1))),
        ("*/15 * * * *".to_owned(), "0,15,30,45 * * * *".to_owned()),
        ("20 */4 * * * *".to_owned(), format!("20 {} * * * *", lists(4))),
        ("*/10 * * * * *".to_owned(), format!("{} * * * * *", lists(10))),
        ("* * * * * *".to_owned(), format!("{} * * * * *", lists(1))),
        ("7 * * * *".to_owned(), "7,7 * * * *".to_owned()),
        ("*/7 * * * *".to_owned(), format!("{} * * * *", lists(7))),
    ];
    // Offsets of whole hours, quarters and, long ago, odd seconds; clocks that change by an hour and by half of one.
    for zone in [
        "UTC",
        "Europe/Berlin",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Africa/Monrovia",
        "America/St_Johns",
    ] {
        let zone: Zone = zone.parse().expect("a zone");
        for (computed, searched) in &pairs {
            let (computed, searched): (CronExpr, CronExpr) = (
                computed.parse().expect(computed),
                searched.parse().expect(searched),
            );
            let mut seconds = 172_801_i64;
            while seconds < 2_000_000_000 {
                let after = DateTime::from_timestamp(
                    seconds,
                    u32::try_from(seconds % 3 * 400_000_000).expect("short"),
                );
                let after = after.expect("an instant");
                assert_eq!(
                    computed.next_after(zone, after),
                    searched.next_after(zone, after),
                    "'{computed}' and '{searched}' in {zone} after {after}"
                );
                if let Some(step) = computed.step(zone) {
                    let slot = computed.next_after(zone, after).expect("a slot");
                    assert_eq!(
                        computed.next_after(zone, slot),
                        Some(step.after(slot)),
                        "{computed} after {slot}"
                    );
                    assert_eq!(zone, Zone::UTC);
                }
                seconds += 2_718_281 + seconds % 997;
            }
            // Around the change of clocks of 2026 in Europe, minute by minute.
            for minute in 0..240 {
                let after = DateTime::from_timestamp(1_774_738_800 + 60 * minute, 0).expect("an instant");
                assert_eq!(
                    computed.next_after(zone, after),
                    searched.next_after(zone, after),
                    "{computed} {zone} {after}"
                );
            }
        }
    }
}
