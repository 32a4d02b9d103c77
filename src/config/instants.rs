//! Keys whose value is an instant: written as a day or a time, read as one of the job's zone.

use serde_json::{Map, Value};

use super::layers::{Layer, LayerError};
use crate::domain::{moment::Moment, zone::Zone};

/// Section and key.
const INSTANTS: [&[&str]; 2] = [&["order", "until"], &["price", "recorded", "starts_at"]];

/// Replaces a day or a time by the instant that it is in the zone of the job's schedule. What cannot be read is taken
/// out, and an error says how it is written.
pub(super) fn read(base: &Map<String, Value>, layers: &mut [Layer]) -> Vec<LayerError> {
    let zone = zone(base, layers);
    let mut wrong = Vec::new();
    for path in INSTANTS {
        for layer in &mut *layers {
            let Some(value) = at(&mut layer.values, path) else {
                continue;
            };
            let text = match &*value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let instant = Moment::read(&text, zone).and_then(|moment| {
                moment
                    .begins(zone)
                    .ok_or_else(|| "this is out of range".to_owned())
            });
            match instant {
                Ok(instant) => {
                    *value = Value::String(instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true));
                }
                Err(why) => {
                    let key = path.join(".");
                    wrong.push(LayerError::Value {
                        origin: Some(layer.origin_of(&key)),
                        key: key.clone(),
                        error: format!(
                            "{text}: {why}; write a day, 2026-12-31, at whose beginning it is, or a time, 2026-12-31T18:30, \
                             which are read as of {zone} (schedule.timezone), or an instant with an offset: \
                             2026-12-31T18:30Z, 2026-12-31T18:30+02:00"
                        ),
                    });
                    layer.remove(&key);
                }
            }
        }
    }
    wrong
}

/// The zone of the schedule; one that cannot be read is an error of its own key.
fn zone(base: &Map<String, Value>, layers: &[Layer]) -> Zone {
    let of = |values: &Map<String, Value>| values.get("schedule")?.get("timezone")?.as_str()?.parse().ok();
    let topmost = layers.iter().rev().find_map(|layer| of(&layer.values));
    topmost.or_else(|| of(base)).unwrap_or(Zone::UTC)
}

fn at<'a>(values: &'a mut Map<String, Value>, path: &[&str]) -> Option<&'a mut Value> {
    let (last, sections) = path.split_last()?;
    let mut table = values;
    for section in sections {
        table = table.get_mut(*section)?.as_object_mut()?;
    }
    table.get_mut(*last)
}
