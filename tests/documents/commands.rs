//! Every command of README and docs can be typed.

use clap::{Parser, error::ErrorKind};
use lgi_mm::cli::Cli;

use crate::pages::{pages, read, root, spans};

/// The lines of shell blocks, continued lines joined, comments cut.
fn shell_lines(page: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for block in page.split("```sh").skip(1) {
        let (_, block) = block.split_once('\n').expect("a line");
        let block = block.split("```").next().expect("a block").replace("\\\n", " ");
        lines.extend(block.lines().map(|line| line.trim().to_owned()));
    }
    lines
}

/// The arguments of a command line up to a comment, a pipe or a redirection; quotes are taken away.
fn arguments(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut single, mut double) = (false, false);
    for c in line.chars() {
        match c {
            '\'' if !double => single = !single,
            '"' if !single => double = !double,
            c if c.is_whitespace() && !single && !double => words.push(String::new()),
            c => words.last_mut().expect("a word").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    let stops = |word: &str| ["#", "|", ">", "2>&1", "&", "&&", ";", ">>"].contains(&word);
    words.into_iter().take_while(|word| !stops(word)).collect()
}

/// What stands for a value of the reader.
fn filled(word: &str) -> String {
    match word {
        "JOB" | "USD" | "N" => "1".to_owned(),
        "CHAIN" => "base".to_owned(),
        "WALLET" => "0xbbd9aDe16525acb4B336b6dAd3b9762901522B07".to_owned(),
        other => other.to_owned(),
    }
}

/// A command that is only named may lack its arguments.
fn parses(line: &str) -> Result<(), String> {
    let words: Vec<String> = arguments(line).iter().map(|word| filled(word)).collect();
    match Cli::try_parse_from(&words) {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            ErrorKind::MissingRequiredArgument
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Ok(()),
            _ => Err(error.to_string()),
        },
    }
}

#[test]
fn every_command_of_every_page_can_be_typed() {
    let mut tried = 0;
    for (name, page) in pages() {
        let mut lines = shell_lines(&page);
        lines.extend(spans(&page));
        for line in lines {
            let command = match line.split_once("--rm cli ") {
                Some((_, rest)) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => {
                    format!("lgi-mm {rest}")
                }
                _ => line.clone(),
            };
            // Values that the reader fills in are checked where they are explained.
            if !command.starts_with("lgi-mm ") || command.contains("..`") || command.contains('$') {
                continue;
            }
            tried += 1;
            if let Err(error) = parses(&command) {
                panic!("{name}: {command}\n{error}");
            }
        }
    }
    assert!(tried > 80, "only {tried} commands");
}

#[test]
fn the_table_of_commands_names_commands() {
    let readme = read(&root().join("README.md"));
    let (_, table) = readme
        .split_once("| command | what it does |\n|---|---|\n")
        .expect("the table");
    let mut tried = 0;
    for row in table.lines().take_while(|line| line.starts_with('|')) {
        let cell = row.replace("\\|", "/");
        let cell = cell.split('|').nth(1).expect("a cell").to_owned();
        for span in spans(&cell) {
            let (command, choices) = span.split_once(' ').unwrap_or((&span, ""));
            for choice in choices.split('/') {
                let line = format!("lgi-mm {command} {choice}");
                parses(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
                tried += 1;
            }
        }
    }
    assert!(tried > 30, "{tried} commands");
}
