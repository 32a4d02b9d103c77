//! Translates cron lines to the syntax of the `cron` crate: seconds first, weekdays from 1 = Sunday, and a day of
//! the month *and* of the week where Unix means *or*.

/// A line of 5 or 6 fields.
pub(super) struct Fields {
    second: String,
    minute: String,
    hour: String,
    day: String,
    month: String,
    /// Days of the week, 1 = Sunday; `*` for all.
    weekday: String,
    /// The weekday was written with a leading `*`, such as `*/2`.
    weekday_starred: bool,
}

const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Fields {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split_whitespace().collect();
        let (second, rest) = match parts.as_slice() {
            [second, rest @ ..] if rest.len() == 5 => (*second, rest),
            rest if rest.len() == 5 => ("0", rest),
            other => return Err(format!("it has {} fields", other.len())),
        };
        let [minute, hour, day, month, weekday] = rest else {
            return Err("it has too few fields".to_owned());
        };
        Ok(Self {
            second: second.to_owned(),
            minute: (*minute).to_owned(),
            hour: (*hour).to_owned(),
            day: any(day).to_owned(),
            month: (*month).to_owned(),
            weekday_starred: any(weekday).starts_with('*'),
            weekday: weekdays(any(weekday))?,
        })
    }

    /// Whether the line means a wall-clock time rather than an interval: neither hour nor minute is a wildcard.
    pub(super) fn names_its_hours(&self) -> bool {
        !self.hour.starts_with('*') && !self.minute.starts_with('*')
    }

    /// If the line fires at equal distances all day and every day: the distance, and the first second of a day,
    /// seconds.
    pub(super) fn every(&self) -> Option<(i64, i64)> {
        let whole_days = [&self.hour, &self.day, &self.month, &self.weekday];
        if whole_days.iter().any(|field| *field != "*") {
            return None;
        }
        let step = |field: &str| -> Option<i64> {
            let step: i64 = match field.strip_prefix("*/") {
                Some(step) => step.parse().ok()?,
                None if field == "*" => 1,
                None => return None,
            };
            // Steps that do not divide a minute or an hour start over with each.
            (step > 0 && 60_i64.checked_rem(step)? == 0).then_some(step)
        };
        let place = |field: &str| field.parse::<i64>().ok().filter(|place| (0..60).contains(place));
        match (
            step(&self.second),
            place(&self.second),
            step(&self.minute),
            place(&self.minute),
        ) {
            (Some(seconds), _, Some(1), _) => Some((seconds, 0)),
            (_, Some(second), Some(minutes), _) => Some((minutes.checked_mul(60)?, second)),
            (_, Some(second), _, Some(minute)) => Some((3_600, minute.checked_mul(60)?.checked_add(second)?)),
            _ => None,
        }
    }

    /// One line for the crate, or two lines whose union is meant.
    pub(super) fn lines(&self) -> Vec<String> {
        let Self {
            second,
            minute,
            hour,
            day,
            month,
            weekday,
            weekday_starred,
        } = self;
        let line = |day: &str, weekday: &str| format!("{second} {minute} {hour} {day} {month} {weekday}");
        if day.starts_with('*') || *weekday_starred {
            vec![line(day, weekday)]
        } else {
            vec![line(day, "*"), line("*", weekday)]
        }
    }
}

fn any(field: &str) -> &str {
    if field == "?" { "*" } else { field }
}

/// Translates a weekday field, 0 or 7 = Sunday, into a list of the crate's numbers.
fn weekdays(field: &str) -> Result<String, String> {
    if field == "*" {
        return Ok(field.to_owned());
    }
    let mut days = [false; 7];
    for part in field.split(',') {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let step: usize = step
            .parse()
            .ok()
            .filter(|step| *step > 0)
            .ok_or_else(|| format!("weekday step '{step}'"))?;
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (0, 6),
            Some((first, last)) => (weekday(first)?, weekday(last)?),
            // `3/2` means from Wednesday on, every second day.
            None if part.contains('/') => (weekday(range)?, 6),
            None => (weekday(range)?, weekday(range)?),
        };
        // `FRI-SUN` runs over the end of the week; 7 is the Sunday after Saturday.
        let last = if last < first {
            last.saturating_add(7)
        } else {
            last
        };
        for day in (first..=last).step_by(step) {
            if let Some(day) = days.get_mut(day.checked_rem(7).unwrap_or(0)) {
                *day = true;
            }
        }
    }
    let numbers: Vec<String> = days
        .iter()
        .enumerate()
        .filter(|(_, on)| **on)
        .map(|(day, _)| day.saturating_add(1).to_string())
        .collect();
    Ok(if numbers.len() == days.len() {
        "*".to_owned()
    } else {
        numbers.join(",")
    })
}

fn weekday(text: &str) -> Result<usize, String> {
    let named = WEEKDAYS.iter().position(|name| name.eq_ignore_ascii_case(text));
    named
        .or_else(|| text.parse().ok().filter(|day| *day <= 7))
        .ok_or_else(|| format!("weekday '{text}' is none of 0-7 or SUN-SAT"))
}
