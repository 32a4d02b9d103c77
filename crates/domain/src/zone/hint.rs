//! What was probably meant by a text that names no zone.

use super::names::{NAME_MAX, bundled_names};

/// Abbreviations that are in use in one region only, or mostly.
const ABBREVIATIONS: [(&str, &str); 14] = [
    ("PST", "America/Los_Angeles"),
    ("PDT", "America/Los_Angeles"),
    ("MDT", "America/Denver"),
    ("CST", "America/Chicago"),
    ("CDT", "America/Chicago"),
    ("EDT", "America/New_York"),
    ("BST", "Europe/London"),
    ("CEST", "Europe/Berlin"),
    ("EEST", "Europe/Athens"),
    ("MSK", "Europe/Moscow"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("AEST", "Australia/Sydney"),
    ("AEDT", "Australia/Sydney"),
];

/// Begins with a comma or is empty.
pub(super) fn hint(text: &str) -> String {
    if let Some(name) = fixed_offset(text) {
        return format!(
            ", did you mean {name}, whose sign is the other way round and whose clocks never change?"
        );
    }
    match near(text) {
        Some(name) => format!(", did you mean {name}?"),
        None => String::new(),
    }
}

fn near(text: &str) -> Option<&'static str> {
    if text.len() > NAME_MAX {
        return None;
    }
    let plain = |name: &str| name.replace([' ', '-'], "_").to_ascii_lowercase();
    let wanted = plain(text);
    let known = ABBREVIATIONS
        .iter()
        .find(|(short, _)| short.eq_ignore_ascii_case(text));
    if let Some((_, name)) = known {
        return Some(name);
    }
    // The city alone, or with another region before it.
    let city = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let same = bundled_names().find(|name| plain(name) == wanted);
    let same = same.or_else(|| bundled_names().find(|name| plain(&city(name)) == city(&wanted)));
    same.or_else(|| {
        let far = |name: &str| distance(&plain(name), &wanted).min(distance(&plain(&city(name)), &wanted));
        let best = bundled_names().min_by_key(|name| far(name))?;
        // Up to one typing error in four characters.
        (far(best).saturating_mul(4) <= wanted.chars().count() && far(best) <= 3).then_some(best)
    })
}

/// The zone of `UTC+2`, `GMT-05:00` or `+02`: the names of fixed offsets count westward.
fn fixed_offset(text: &str) -> Option<String> {
    let text = text.to_ascii_uppercase();
    let rest = text
        .strip_prefix("UTC")
        .or_else(|| text.strip_prefix("GMT"))
        .unwrap_or(&text);
    let (sign, hours) = match rest.strip_prefix('+') {
        Some(hours) => ('-', hours),
        None => ('+', rest.strip_prefix('-')?),
    };
    let hours = hours.strip_suffix(":00").unwrap_or(hours);
    let hours: u8 = hours.strip_suffix("00").unwrap_or(hours).parse().ok()?;
    let most = if sign == '-' { 14 } else { 12 };
    match hours {
        0 => Some("Etc/GMT".to_owned()),
        hours if hours <= most => Some(format!("Etc/GMT{sign}{hours}")),
        _ => None,
    }
}

/// Insertions, deletions and replacements of characters from one text to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, one) in from.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line.saturating_add(1);
        let mut next = vec![left];
        for (other, above) in to.iter().zip(row.iter().skip(1)) {
            let replaced = diagonal.saturating_add(usize::from(one != *other));
            left = replaced.min(above.saturating_add(1)).min(left.saturating_add(1));
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
