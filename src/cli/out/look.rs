//! How text is printed: aligned for people, plain for other programs; in colour or not.

use std::{
    env,
    io::{IsTerminal as _, stdout},
    sync::OnceLock,
};

use clap::ValueEnum;
use comfy_table::Table;

use super::wrap::wrapped;
use crate::domain::foreign::printable;

/// Width without a terminal, columns.
const WIDTH_ELSEWHERE: usize = 120;

/// `--output`. Without help of their own the values stay on one line of each command's help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    // Aligned columns that fit the terminal; the default on a terminal.
    Table,
    // Aligned columns, all of them, at any width.
    Wide,
    // Columns separated by tabs, never cut or wrapped; the default elsewhere.
    Plain,
    // JSON, the same as --json.
    Json,
}

/// How this process prints text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Tabs between columns instead of blanks.
    pub plain: bool,
    /// All columns, at any width.
    pub wide: bool,
    pub color: bool,
    /// Times in UTC instead of the job's zone.
    pub utc: bool,
}

/// A colour that means something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hue {
    Good,
    Warning,
    Bad,
    /// Bold: real money.
    Strong,
    /// Less important than the rest.
    Faint,
}

static LOOK: OnceLock<Look> = OnceLock::new();

/// What [`Look::paint`] and the tables write around a text, and nothing else may.
const STYLES: [&str; 7] = [
    "\x1b[38;5;1m",
    "\x1b[38;5;2m",
    "\x1b[38;5;3m",
    "\x1b[39m",
    "\x1b[1m",
    "\x1b[2m",
    "\x1b[0m",
];

impl Look {
    /// Of text in tests.
    #[cfg(test)]
    pub const ALIGNED: Self = Self {
        plain: false,
        wide: false,
        color: false,
        utc: false,
    };

    /// Decides once for this process.
    pub fn decide(format: Option<Format>, utc: bool) {
        let terminal = stdout().is_terminal();
        let plain = match format {
            None => !terminal,
            Some(format) => format == Format::Plain,
        };
        let _ = LOOK.set(Self {
            plain,
            wide: format == Some(Format::Wide),
            color: !plain
                && wants_color(terminal, |name| {
                    env::var(name).ok().filter(|value| !value.is_empty())
                }),
            utc,
        });
    }

    pub fn current() -> Self {
        *LOOK.get_or_init(|| Self {
            plain: false,
            wide: false,
            color: false,
            utc: false,
        })
    }

    /// Columns of the terminal; without one, what `COLUMNS` says.
    pub fn width(self) -> usize {
        let given = || env::var("COLUMNS").ok()?.parse().ok();
        let terminal = Table::new().width().map(usize::from);
        terminal.or_else(given).unwrap_or(WIDTH_ELSEWHERE)
    }

    /// Text that begins in column `indent`, broken between words if it is for people.
    pub fn wrapped(self, text: &str, indent: usize) -> String {
        if self.plain {
            return text.to_owned();
        }
        wrapped(text, indent, self.width())
    }

    /// Whether text that begins in column `indent` ends in the same line.
    pub fn fits(self, text: &str, indent: usize) -> bool {
        self.plain || text.chars().count().saturating_add(indent) <= self.width()
    }

    /// Text in a colour.
    pub fn paint(self, text: &str, hue: Hue) -> String {
        if self.color && !text.is_empty() {
            format!("{}{text}\x1b[0m", hue.style())
        } else {
            text.to_owned()
        }
    }

    /// Text without control characters other than our own colours.
    pub(super) fn cleaned(self, text: &str) -> String {
        if !self.color {
            return printable(text).into_owned();
        }
        let mut cleaned = String::new();
        let mut rest = text;
        while let Some(escape) = rest.find('\x1b') {
            let (before, from) = rest.split_at(escape);
            cleaned.push_str(&printable(before));
            let own = STYLES.iter().find(|style| from.starts_with(**style));
            let (kept, length) = own.map_or(("\u{fffd}", 1), |style| (*style, style.len()));
            cleaned.push_str(kept);
            rest = from.get(length..).unwrap_or_default();
        }
        cleaned.push_str(&printable(rest));
        cleaned
    }
}

impl Hue {
    pub(super) const fn style(self) -> &'static str {
        match self {
            Self::Good => "\x1b[38;5;2m",
            Self::Warning => "\x1b[38;5;3m",
            Self::Bad => "\x1b[38;5;1m",
            Self::Strong => "\x1b[1m",
            Self::Faint => "\x1b[2m",
        }
    }
}

/// <https://no-color.org>, <https://bixense.com/clicolors>. `variable`: the value of one that is set and not empty.
fn wants_color(terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    if variable("NO_COLOR").is_some() {
        return false;
    }
    if variable("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    let dumb = variable("TERM").is_none_or(|term| term == "dumb");
    terminal && !dumb && variable("CLICOLOR").is_none_or(|value| value != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_follows_the_customary_variables() {
        for (terminal, variables, wanted) in [
            (true, vec![("TERM", "xterm")], true),
            (true, vec![], false),
            (true, vec![("TERM", "dumb")], false),
            (true, vec![("TERM", "xterm"), ("NO_COLOR", "1")], false),
            (true, vec![("TERM", "xterm"), ("CLICOLOR", "0")], false),
            (false, vec![("TERM", "xterm")], false),
            (false, vec![("CLICOLOR_FORCE", "1")], true),
            (true, vec![("TERM", "dumb"), ("CLICOLOR_FORCE", "1")], true),
            (false, vec![("CLICOLOR_FORCE", "0")], false),
            (true, vec![("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
        ] {
            let value = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(wants_color(terminal, value), wanted, "{terminal} {variables:?}");
        }
    }

    #[test]
    fn only_our_own_colours_are_printed() {
        let colored = Look {
            color: true,
            ..Look::ALIGNED
        };
        let painted = colored.paint("LIVE", Hue::Strong);
        assert_eq!(colored.cleaned(&painted), painted);
        for foreign in [
            "\x1b[8mhidden",
            "\x1b]0;title\x07",
            "\x1b[2Jgone",
            "\x1b",
            "\u{202e}x",
        ] {
            let cleaned = colored.cleaned(foreign);
            assert!(!cleaned.contains(['\x1b', '\u{202e}', '\x07']), "{cleaned:?}");
        }
        assert!(!Look::ALIGNED.cleaned(&painted).contains('\x1b'));
        assert_eq!(Look::ALIGNED.paint("LIVE", Hue::Strong), "LIVE");
    }
}
