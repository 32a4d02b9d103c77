use std::fs;

use super::*;
use crate::{chain::policy::file::Policy, domain::units::Price};

const CHAIN: &str = "base";
const WALLET: Address = Address::repeat_byte(7);

fn usd(dollars: i64) -> Usd {
    Usd::new(dollars.into()).expect("dollars")
}

/// A hundred an hour, a hundred and fifty a day.
fn entry() -> Entry {
    let text = format!(
        "[[allow]]\nchain = \"{CHAIN}\"\nwallet = \"{WALLET}\"\ntokens = []\nquotes = [\"native\"]\nmax_trade_usd = 100\n\
         max_hour_usd = 100\nmax_day_usd = 150\nmax_gas_usd = 4\nnative_usd_min = 900.5\n"
    );
    let policy = Policy::read(&text).expect("a policy");
    assert_eq!(
        policy.allow[0].native_usd_min,
        Price::new("900.5".parse().expect("a number")).expect("a price")
    );
    policy.allow[0].clone()
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn signed(nonce: u64, dollars: i64, time: &str) -> Signed {
    Signed {
        at: at(time),
        chain: CHAIN.to_owned(),
        wallet: WALLET,
        nonce,
        usd: usd(dollars),
        call: keccak256(dollars.to_be_bytes()),
    }
}

fn place() -> (tempfile::TempDir, Journal) {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = Journal::new(dir.path().join("state"));
    (dir, journal)
}

const NOON: &str = "2026-03-01T12:00:00Z";

#[test]
fn a_nonce_counts_once_with_the_largest_of_its_attempts_and_limits_hold_to_the_cent() {
    let (_dir, journal) = place();
    journal.record(&entry(), signed(1, 60, NOON)).expect("the first");
    journal
        .record(&entry(), signed(1, 80, NOON))
        .expect("another, larger, on its nonce");
    journal
        .record(&entry(), signed(1, 50, NOON))
        .expect("another, smaller");
    let spent = journal.spent(CHAIN, WALLET, at(NOON)).expect("readable");
    assert_eq!((spent.hour, spent.day), (usd(80), usd(80)));
    let refused = journal
        .record(&entry(), signed(2, 21, NOON))
        .expect_err("past the hour");
    assert_eq!(refused.reason, Reason::Hour);
    journal
        .record(&entry(), signed(2, 20, NOON))
        .expect("to the last dollar");
    // An hour later the day's rest is left; the next day all of it.
    let refused = journal
        .record(&entry(), signed(3, 51, "2026-03-01T13:00:00Z"))
        .expect_err("past the day");
    assert_eq!(refused.reason, Reason::Day);
    journal
        .record(&entry(), signed(3, 50, "2026-03-01T13:00:00Z"))
        .expect("the day's rest");
    journal
        .record(&entry(), signed(4, 100, "2026-03-02T00:00:00Z"))
        .expect("a new day");
    // Another wallet, another chain: their own.
    assert_eq!(
        journal.spent("ethereum", WALLET, at(NOON)).expect("readable"),
        Spent::default()
    );
}

#[test]
fn what_only_pays_more_is_signed_whatever_else_was_spent_and_a_sale_spends_nothing() {
    let (_dir, journal) = place();
    journal.record(&entry(), signed(1, 60, NOON)).expect("a buy");
    journal
        .record(&entry(), signed(2, 40, NOON))
        .expect("and the rest of the hour");
    journal
        .record(&entry(), signed(1, 60, NOON))
        .expect("the first again, for more gas");
    assert!(journal.knows(&signed(1, 60, NOON)).expect("readable"));
    assert!(
        !journal.knows(&signed(1, 61, NOON)).expect("readable"),
        "another call"
    );
    assert!(
        !journal.knows(&signed(9, 60, NOON)).expect("readable"),
        "another nonce"
    );
    journal.record(&entry(), signed(3, 0, NOON)).expect("a sale");
}

#[test]
fn a_clock_that_was_set_back_frees_nothing() {
    let (_dir, journal) = place();
    journal.record(&entry(), signed(1, 90, NOON)).expect("a buy");
    let refused = journal
        .record(&entry(), signed(2, 20, "2026-02-01T12:00:00Z"))
        .expect_err("a month before");
    assert_eq!(refused.reason, Reason::Hour);
}

#[test]
fn a_torn_line_is_cut_off_and_a_damaged_one_stops_everything() {
    let (_dir, journal) = place();
    journal.record(&entry(), signed(1, 60, NOON)).expect("a buy");
    let file = journal.dir().join(NAME);
    let whole = fs::read(&file).expect("the file");
    let torn = [&whole[..], &whole[..whole.len() / 2]].concat();
    fs::write(&file, &torn).expect("as a crash leaves it");
    for journal in [&journal, &Journal::new(journal.dir().to_owned())] {
        assert_eq!(
            journal.spent(CHAIN, WALLET, at(NOON)).expect("readable").day,
            usd(60)
        );
    }
    journal
        .record(&entry(), signed(2, 40, NOON))
        .expect("behind the torn line");
    let fresh = Journal::new(journal.dir().to_owned());
    assert_eq!(
        fresh.spent(CHAIN, WALLET, at(NOON)).expect("readable").day,
        usd(100)
    );
    let text = fs::read_to_string(&file).expect("the file");
    fs::write(&file, text.replace("\"60\"", "\"10\"")).expect("tampered");
    let fresh = Journal::new(journal.dir().to_owned());
    let refused = fresh.spent(CHAIN, WALLET, at(NOON)).expect_err("damaged");
    assert!(
        refused.reason == Reason::Journal && refused.detail.contains("line 1"),
        "{refused}"
    );
    assert_eq!(
        fresh
            .record(&entry(), signed(3, 1, NOON))
            .expect_err("damaged")
            .reason,
        Reason::Journal
    );
}

#[test]
fn workers_of_one_machine_share_one_count() {
    let (_dir, journal) = place();
    let dir = journal.dir().to_owned();
    let workers: Vec<_> = (0..8_u64)
        .map(|worker| {
            let journal = Journal::new(dir.clone());
            std::thread::spawn(move || {
                let buys = (0..10).map(|buy| signed(worker * 100 + buy, 7, NOON));
                buys.filter(|buy| journal.record(&entry(), buy.clone()).is_ok())
                    .count()
            })
        })
        .collect();
    let allowed: usize = workers
        .into_iter()
        .map(|worker| worker.join().expect("a worker"))
        .sum();
    assert_eq!(allowed, 14, "fourteen sevens are the most in a hundred");
    assert_eq!(
        journal.spent(CHAIN, WALLET, at(NOON)).expect("readable").hour,
        usd(98)
    );
}

#[test]
fn old_lines_go_and_what_counts_stays() {
    let (_dir, journal) = place();
    let other = Journal::new(journal.dir().to_owned());
    let mut text = String::new();
    for nonce in 0..6_000 {
        text.push_str(&written(&signed(nonce, 1, "2026-02-01T12:00:00Z")).expect("a line"));
    }
    fs::create_dir_all(journal.dir()).expect("a directory");
    fs::set_permissions(journal.dir(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("own");
    fs::write(journal.dir().join(NAME), text).expect("an old file");
    let lines = || {
        let text = fs::read_to_string(journal.dir().join(NAME)).expect("the file");
        text.lines().count()
    };
    journal.record(&entry(), signed(6_000, 5, NOON)).expect("a buy");
    assert_eq!(lines(), 6_001, "not yet twice as long as it was found");
    assert_eq!(
        other.spent(CHAIN, WALLET, at(NOON)).expect("readable").day,
        usd(5)
    );
    journal.seen.lock().expect("alone").prune_from = 1;
    journal.record(&entry(), signed(6_001, 7, NOON)).expect("a buy");
    assert_eq!(lines(), 2);
    for journal in [&journal, &other] {
        assert_eq!(
            journal.spent(CHAIN, WALLET, at(NOON)).expect("readable").day,
            usd(12)
        );
    }
    journal
        .record(&entry(), signed(6_002, 1, NOON))
        .expect("behind them");
    assert_eq!(lines(), 3);
}

#[test]
fn a_directory_that_others_may_write_counts_nothing() {
    let (_dir, journal) = place();
    fs::create_dir_all(journal.dir()).expect("a directory");
    fs::set_permissions(journal.dir(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("own");
    let refused = journal.record(&entry(), signed(1, 1, NOON)).expect_err("open");
    assert!(
        refused.reason == Reason::Journal && refused.detail.contains("0777"),
        "{refused}"
    );
}
