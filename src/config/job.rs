//! A job's configuration from its layers: defaults < `[defaults]` < `--config` < `--set`.

use std::path::Path;

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
};

/// Configuration given for one job.
#[derive(Debug, Clone)]
pub struct JobLayers {
    /// Lowest first.
    layers: Vec<Layer>,
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
        Ok(self)
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
    let names = KEYS.iter().map(|known| known.name);
    match names.min_by_key(|name| distance(name, key)) {
        Some(nearest) if nearest != key => Err(LayerError::UnknownKey {
            key: key.to_owned(),
            origin: layer.origin_of(key),
            nearest,
        }),
        _ => Ok(()),
    }
}

/// Edit distance between two keys, to suggest the key after a typing error.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut last = i + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(&b) {
            let cost = if left == *right {
                diagonal
            } else {
                diagonal.min(*cell).min(last) + 1
            };
            diagonal = std::mem::replace(cell, cost);
            last = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}
