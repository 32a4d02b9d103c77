//! A job's configuration from its layers: defaults < `[defaults]` < `--config` < `--set`.

use std::{collections::BTreeMap, path::Path};

use rust_decimal::Decimal;
use serde_json::Value;
use strum::VariantArray;

use super::{
    error::SettingsError,
    instants,
    layers::{Layer, LayerError, typed},
};
use crate::domain::{
    config::{ALTERNATIVES, JobConfig, JobConfigFile, KEYS},
    job::JobMode,
    name::distance,
    span::Span,
};

/// Where the settings have defaults of new jobs.
const DEFAULTS: &str = "defaults.";

/// Configuration given for one job.
#[derive(Debug, Clone)]
pub struct JobLayers {
    /// Lowest first.
    layers: Vec<Layer>,
    /// The assignments of a request, as they were given.
    assigned: BTreeMap<String, String>,
}

impl JobLayers {
    /// The settings' `[defaults]` alone: see [`JobLayers::over_defaults`].
    #[must_use]
    pub fn new(defaults: &serde_json::Map<String, Value>, mode: JobMode) -> Self {
        Self::of_job().over_defaults(defaults, mode)
    }

    /// The given keys, over the settings' `[defaults]` without the tables of other modes.
    #[must_use]
    pub fn over_defaults(mut self, defaults: &serde_json::Map<String, Value>, mode: JobMode) -> Self {
        let mut values = defaults.clone();
        for other in JobMode::VARIANTS.iter().filter(|other| **other != mode) {
            values.remove(other.section());
        }
        if let Some(lowest) = self.layers.first_mut() {
            lowest.values = values;
        }
        self
    }

    /// Only the given keys: for an existing job, which keeps its own configuration.
    #[must_use]
    pub fn of_job() -> Self {
        Self {
            layers: vec![Layer {
                origin: "[defaults]".to_owned(),
                values: serde_json::Map::new(),
            }],
            assigned: BTreeMap::new(),
        }
    }

    /// Adds a file.
    ///
    /// # Errors
    /// [`LayerError`].
    pub fn file(mut self, path: Option<&Path>) -> Result<Self, LayerError> {
        if let Some(path) = path {
            self.layers.push(Layer::file(path)?);
        }
        Ok(self)
    }

    /// Adds a layer.
    pub(super) fn layer(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// Adds `key=value` pairs. `origin`: what the face calls the field that they were given in.
    ///
    /// # Errors
    /// [`LayerError`].
    pub fn assignments(mut self, pairs: &[String], origin: &str) -> Result<Self, LayerError> {
        self.layers.push(Layer::assignments(pairs, origin)?);
        let given = pairs.iter().filter_map(|pair| pair.split_once('='));
        self.assigned
            .extend(given.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())));
        Ok(self)
    }

    /// The assignment of this key that has another value than `value`, which a field of the same request gives it; as
    /// it was given, such as `liquidity.budget_usd=50`. `5`, `5.0` and `"5"` are one value, as `1h` and `60m` are.
    #[must_use]
    pub fn contradiction(&self, key: &str, value: &str) -> Option<String> {
        let given = self.assigned.get(key)?;
        (!is_same(given, value)).then(|| format!("{key}={given}"))
    }

    /// Whether a layer sets this key or a key below it.
    #[must_use]
    pub fn sets(&self, key: &str) -> bool {
        self.layers
            .iter()
            .any(|layer| layer.leaves().keys().any(|leaf| leaf.starts_with(key)))
    }

    /// Whether only defaults were given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layers.iter().skip(1).all(|layer| layer.values.is_empty())
    }
}

/// Whether two texts are one value of a configuration.
fn is_same(one: &str, other: &str) -> bool {
    let bare = |text: &str| text.trim_matches(['"', '\'']).trim().to_ascii_lowercase();
    let (one, other) = (bare(one), bare(other));
    let numbers = one.parse::<Decimal>().ok().zip(other.parse::<Decimal>().ok());
    let spans = one.parse::<Span>().ok().zip(other.parse::<Span>().ok());
    one == other
        || numbers.is_some_and(|(one, other)| one == other)
        || spans.is_some_and(|(one, other)| one == other)
}

/// Every key of a job's configuration.
#[must_use]
pub fn known_job_keys() -> Vec<&'static str> {
    KEYS.iter().map(|key| key.name).collect()
}

/// Puts the layers over `base` and checks the result.
///
/// # Errors
/// [`SettingsError`] with the key, its origin and the allowed values.
pub fn build_job_config(
    base: &JobConfig,
    mode: JobMode,
    layers: &JobLayers,
) -> Result<JobConfig, SettingsError> {
    let mut lower = Layer {
        origin: "default".to_owned(),
        values: as_map(base),
    };
    let (mut unknown, mut known) = (Vec::new(), Vec::<Layer>::new());
    for layer in &layers.layers {
        let mut layer = layer.clone();
        for key in layer.leaves().keys() {
            if let Err(error) = check_known(key, &layer) {
                unknown.push(error);
                layer.remove(key);
            }
            for (one, other) in ALTERNATIVES {
                let replaced = if key == one {
                    other
                } else if key == other {
                    one
                } else {
                    continue;
                };
                lower.remove(replaced);
                known.iter_mut().for_each(|below| below.remove(replaced));
            }
        }
        known.push(layer);
    }
    unknown.extend(instants::read(&lower.values, &mut known));
    let file: Result<JobConfigFile, _> = typed(&lower.values, &known);
    match file {
        Ok(file) if unknown.is_empty() => file.validated(mode).map_err(SettingsError::Invalid),
        Ok(_) => Err(SettingsError::Keys(unknown)),
        Err(wrong) => {
            unknown.extend(wrong);
            Err(SettingsError::Keys(unknown))
        }
    }
}

fn as_map(config: &JobConfig) -> serde_json::Map<String, Value> {
    // A configuration is plain data: it always serialises to a table.
    serde_json::to_value(config)
        .ok()
        .and_then(|value| value.as_object().cloned())
        .unwrap_or_default()
}

fn check_known(key: &str, layer: &Layer) -> Result<(), LayerError> {
    match unlike(key) {
        None => Ok(()),
        Some(nearest) => Err(LayerError::UnknownKey {
            key: key.to_owned(),
            origin: layer.origin_of(key),
            nearest: nearest.to_owned(),
        }),
    }
}

/// The key that is spelt most like one that there is not.
fn unlike(key: &str) -> Option<&'static str> {
    let names = KEYS.iter().map(|known| known.name);
    names
        .min_by_key(|name| distance(name, key))
        .filter(|nearest| *nearest != key)
}

/// Keys of `[defaults]` in the settings: each must be one of a job's configuration, before a job is started with it.
///
/// # Errors
/// [`SettingsError`] names each, and the key that is spelt most like it.
pub(super) fn check_defaults(settings: &[Layer]) -> Result<(), SettingsError> {
    let mut wrong = Vec::new();
    for layer in settings {
        for key in layer.leaves().keys() {
            let nearest = key.strip_prefix(DEFAULTS).and_then(unlike);
            wrong.extend(nearest.map(|nearest| LayerError::UnknownKey {
                key: key.clone(),
                origin: layer.origin_of(key),
                nearest: format!("{DEFAULTS}{nearest}"),
            }));
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(SettingsError::Keys(wrong)),
    }
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn one_value_may_be_written_in_several_ways() {
        for (one, other, same) in [
            ("5", "5.00", true),
            ("\"5\"", "5", true),
            ("1h", "60m", true),
            ("BUY", "buy", true),
            ("5", "50", false),
            ("1h", "1m", false),
            ("buy", "sell", false),
        ] {
            assert_eq!(is_same(one, other), same, "{one} {other}");
        }
    }
}
