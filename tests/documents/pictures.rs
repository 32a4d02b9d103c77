//! The pictures of the README are the views of today: each is made from a snapshot that a test of the command compares
//! with the command itself. `scripts/pictures` makes them.

use crate::pages::{read, root};

/// Name, snapshot, the first line that the picture leaves out, and the command above it.
const PICTURES: [(&str, &str, &str, &str); 2] = [
    ("list", "cli__tables__list_100", "\n\n", "lgi-mm list"),
    (
        "status",
        "cli__views__status",
        "last decisions",
        "lgi-mm status 1",
    ),
];

/// What stands for times in snapshots, and an example of each.
const EXAMPLES: [(&str, &str); 4] = [
    ("[near] UTC, if", "14:58 UTC (in 3 h 52 m), if"),
    ("resets [near] UTC", "resets tomorrow 00:00 UTC (in 12 h 54 m)"),
    ("[near]", "14:58"),
    ("[time]", "2026-11-29 11:06:00"),
];

const LINE: usize = 20;
/// Width of a character of the font, in tenths of a pixel.
const TENTHS: usize = 84;
const MARGIN: usize = 16;

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// A line with the colours that a terminal shows.
fn painted(line: &str) -> String {
    let mut painted = escaped(line);
    for (word, color) in [
        ("ERROR", "#f47067"),
        ("PAUSED", "#daaa3f"),
        ("RUNNING", "#57ab5a"),
        ("LIVE", "#ffffff"),
    ] {
        painted = painted.replace(word, &format!("<tspan fill=\"{color}\">{word}</tspan>"));
    }
    painted
}

fn svg(command: &str, text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let columns = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let width = (columns * TENTHS).div_ceil(10) + 2 * MARGIN;
    let height = (lines.len() + 2) * LINE + MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"14\">\n\
         <title>{command}; times are examples</title>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#1c2128\"/>\n\
         <text x=\"{MARGIN}\" y=\"{}\" fill=\"#768390\" xml:space=\"preserve\">$ {command}</text>\n",
        MARGIN + LINE / 2
    );
    for (index, line) in lines.iter().enumerate() {
        svg.push_str(&format!(
            "<text x=\"{MARGIN}\" y=\"{}\" fill=\"#cdd9e5\" xml:space=\"preserve\">{}</text>\n",
            MARGIN + LINE / 2 + (index + 1) * LINE,
            painted(line)
        ));
    }
    svg.push_str("</svg>\n");
    svg
}

/// What the command prints, from its snapshot.
fn view(snapshot: &str, until: &str) -> String {
    let file = read(&root().join(format!("tests/cli/snapshots/{snapshot}.snap")));
    let (_, text) = file.split_once("\n---\n").expect("a snapshot");
    let mut text = text.split(until).next().expect("a view").to_owned();
    for (placeholder, example) in EXAMPLES {
        text = text.replace(placeholder, example);
    }
    text
}

#[test]
fn the_pictures_show_the_views_of_today() {
    for (name, snapshot, until, command) in PICTURES {
        let made = svg(command, &view(snapshot, until));
        let path = root().join(format!("docs/pictures/{name}.svg"));
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::create_dir_all(path.parent().expect("a directory")).expect("docs/pictures");
            std::fs::write(&path, &made).expect("a picture");
        }
        assert_eq!(
            read(&path),
            made,
            "docs/pictures/{name}.svg is old: run scripts/pictures"
        );
        assert!(made.len() < 20_000, "{name}: {} bytes", made.len());
    }
}
