//! `logs`: what happened, in the order of time.

use chrono::{DateTime, Utc};
use std::io::{BufRead, BufReader};

use crate::terminal::{TOKEN, Terminal};

fn objects(text: &str) -> Vec<serde_json::Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("one object a line"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_shown_in_the_order_of_time_as_text_and_as_one_object_a_line() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    terminal.ok(&["tick", TOKEN]);
    terminal.ok(&["tick", TOKEN]);
    terminal.ok(&["pause", TOKEN]);

    let lines = objects(&terminal.ok(&["logs", TOKEN, "--json"]));
    let names: Vec<String> = lines
        .iter()
        .map(|line| {
            format!(
                "{} {}",
                line["kind"].as_str().expect("a kind"),
                line["name"].as_str().expect("a name")
            )
        })
        .collect();
    let place = |name: &str| {
        let found = names.iter().position(|seen| seen == name);
        found.unwrap_or_else(|| panic!("{name} in {names:?}"))
    };
    assert!(place("trade DCA") < place("end EXECUTED"), "{names:?}");
    assert!(place("end EXECUTED") < place("hold not_due"), "{names:?}");
    assert!(place("hold not_due") < place("order pause"), "{names:?}");
    let times: Vec<DateTime<Utc>> = lines
        .iter()
        .map(|line| line["at"].as_str().expect("a time").parse().expect("ISO 8601"))
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    assert!(
        lines
            .iter()
            .all(|line| line["realm"] == "paper" && line["job"] == 1)
    );

    let text = terminal.ok(&["logs", "1", "--utc"]);
    assert_eq!(text.lines().count(), lines.len(), "one line each: {text}");
    assert!(
        text.lines()
            .all(|line| line.contains(" UTC  paper base ") && line.contains(" #1  ")),
        "{text}"
    );
    let newest = terminal.ok(&["logs", "--limit", "1"]);
    assert_eq!(newest.lines().count(), 1, "{newest}");
    assert!(newest.contains("command pause"), "the newest: {newest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_beginning_is_a_length_of_time_or_a_time_and_nothing_else() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    for since in ["2h", "2020-01-01", "2020-01-01T18:30"] {
        assert!(
            terminal.ok(&["logs", "--since", since]).contains("command start"),
            "{since}"
        );
    }
    assert_eq!(terminal.ok(&["logs", "--since", "2100-01-01"]), "");
    let ran = terminal.run(&["logs", "--since", "soon"]);
    assert!(ran.code == 2 && ran.stderr.contains("soon"), "{}", ran.story());
    let ran = terminal.run(&["logs", "0x9999999999999999999999999999999999999999"]);
    assert!(ran.code != 0 && ran.stdout.is_empty(), "{}", ran.story());
}

/// `logs -f | head -1`: the program ends with the pipe; and Ctrl-C is no error.
#[tokio::test(flavor = "multi_thread")]
async fn following_shows_what_happens_next_and_ends_with_its_reader() {
    let terminal = Terminal::new().await;
    terminal.start(&[]);
    let mut following = terminal
        .command(&["logs", "-f", "--json"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("our own program runs");
    let mut reader = BufReader::new(following.stdout.take().expect("a pipe"));
    let mut next = || {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        serde_json::from_str::<serde_json::Value>(&line).expect("an object")
    };
    while next()["name"] != "start" {}
    terminal.ok(&["pause", TOKEN]);
    while next()["name"] != "pause" {}
    drop(reader);
    terminal.ok(&["resume", TOKEN]);
    let ended = tokio::task::spawn_blocking(move || following.wait())
        .await
        .expect("a thread");
    assert_eq!(ended.expect("an exit").code(), Some(0));
}
