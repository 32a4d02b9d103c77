//! Lines that fit a terminal: broken between words, never inside a time or a command that is to be copied.

/// Stands for a blank at which a line is not broken; never printed.
pub(super) const GLUE: char = '\u{a0}';

/// What stands in brackets and is no longer than this is not broken, columns.
const REMARK_MAX: usize = 14;

/// Narrower than this a text is not broken: the terminal does it as well.
const NARROWEST: usize = 20;

/// `text` in lines of at most `width` columns. It begins in column `indent`, as each further line does; the terminal
/// itself breaks a word that is longer than a line.
pub fn wrapped(text: &str, indent: usize, width: usize) -> String {
    let room = width.saturating_sub(indent);
    if room < NARROWEST {
        return text.to_owned();
    }
    let text = with_whole_commands(&with_whole_times(text));
    let (mut lines, mut used) = (String::new(), 0_usize);
    for word in text.split(' ') {
        let long = word.chars().count();
        if used > 0 && used.saturating_add(1).saturating_add(long) > room {
            lines.push('\n');
            lines.extend(std::iter::repeat_n(' ', indent));
            used = 0;
        } else if used > 0 {
            lines.push(' ');
            used = used.saturating_add(1);
        }
        lines.push_str(word);
        used = used.saturating_add(long);
    }
    lines.replace(GLUE, " ")
}

/// The date, the time and the zone of an instant stay together, and so does its distance: `(in 3 h 52 m)`.
pub(super) fn with_whole_times(text: &str) -> String {
    let text = with_whole_remarks(text);
    let mut glued = String::with_capacity(text.len());
    let mut words = text.split(' ').peekable();
    while let Some(word) = words.next() {
        glued.push_str(word);
        if let Some(next) = words.peek() {
            let whole = (is_day(word) && is_clock(next)) || (is_clock(word) && is_zone(next));
            glued.push(if whole { GLUE } else { ' ' });
        }
    }
    glued
}

fn with_whole_remarks(text: &str) -> String {
    let mut glued = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('(') {
        glued.push_str(before);
        glued.push('(');
        rest = after;
        if let Some((remark, after)) = after.split_once(')')
            && remark.chars().count() <= REMARK_MAX
        {
            glued.extend(
                remark
                    .chars()
                    .map(|letter| if letter == ' ' { GLUE } else { letter }),
            );
            glued.push(')');
            rest = after;
        }
    }
    glued.push_str(rest);
    glued
}

fn with_whole_commands(text: &str) -> String {
    let mut inside = false;
    let glued = text.chars().map(|letter| {
        inside ^= letter == '`';
        if inside && letter == ' ' { GLUE } else { letter }
    });
    glued.collect()
}

/// `2026-11-30`, `tomorrow`, whatever stands around it.
fn is_day(word: &str) -> bool {
    let day = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let is_date = day.len() == 10 && has_form(day, "dddd-dd-dd");
    is_date || matches!(day, "tomorrow" | "yesterday")
}

/// `09:00`, `09:00:00`, before what may follow a time.
fn is_clock(word: &str) -> bool {
    let clock = word.trim_matches(|letter: char| !letter.is_ascii_digit());
    has_form(clock, "dd:dd") || has_form(clock, "dd:dd:dd")
}

/// `EST`, `+0545`, before what may follow it.
fn is_zone(word: &str) -> bool {
    let zone = word.trim_end_matches(|letter: char| letter.is_ascii_punctuation());
    let digits = zone.strip_prefix(['+', '-']);
    let is_offset = digits.is_some_and(|digits| digits.chars().all(|digit| digit.is_ascii_digit()));
    let is_name = (2..=5).contains(&zone.len()) && zone.chars().all(|letter| letter.is_ascii_uppercase());
    is_offset || is_name
}

/// `d` stands for a digit.
fn has_form(text: &str, form: &str) -> bool {
    let fits = |(letter, wanted): (char, char)| match wanted {
        'd' => letter.is_ascii_digit(),
        other => letter == other,
    };
    text.len() == form.len() && text.chars().zip(form.chars()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_indented() {
        let text = "held since 2026-11-30 09:00:00 EST; start `lgi-mm daemon --quiet` (tomorrow 09:00 +0545)";
        let lines = wrapped(text, 4, 36);
        assert_eq!(
            lines.lines().collect::<Vec<_>>(),
            [
                "held since",
                "    2026-11-30 09:00:00 EST; start",
                "    `lgi-mm daemon --quiet`",
                "    (tomorrow 09:00 +0545)",
            ]
        );
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&lines), words(text));
    }

    #[test]
    fn what_fits_or_cannot_be_broken_stays_as_it_is() {
        let path = "/a/path/that/is/longer/than/a/line/of/this/terminal";
        for (text, width) in [("short", 80), (path, 30), ("a b c", 10), ("", 80)] {
            assert_eq!(wrapped(text, 4, width), text);
        }
        assert_eq!(wrapped("3:4 12:3 x", 0, 80), "3:4 12:3 x");
        let near = "resets tomorrow 00:00 UTC (in 3 h 44 m)";
        assert_eq!(wrapped(near, 0, 32), "resets tomorrow 00:00 UTC\n(in 3 h 44 m)");
        assert_eq!(wrapped("(a b (c d", 0, 80), "(a b (c d");
    }
}
