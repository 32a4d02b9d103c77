//! Configurations that were parsed. Most jobs have one of a few, so the same text is parsed once: that took most of the
//! time of a list of jobs.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use serde_json::value::RawValue;

use crate::{
    domain::config::JobConfig,
    store::{StoreError, columns::json_text},
};

/// Configurations that are remembered, some megabytes of them.
const KEPT_MAX: usize = 1_024;
/// A longer text is parsed each time. A usual one has three thousand bytes.
const LENGTH_MAX: usize = 32_768;

static PARSED: LazyLock<Mutex<HashMap<Box<str>, Arc<JobConfig>>>> = LazyLock::new(Mutex::default);

/// The configuration of a row of `jobs`.
pub(super) fn config(text: &RawValue) -> Result<JobConfig, StoreError> {
    let text = text.get();
    let known = PARSED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(text)
        .cloned();
    if let Some(known) = known {
        return Ok(JobConfig::clone(&known));
    }
    let config: JobConfig = json_text("jobs.config", text)?;
    if text.len() <= LENGTH_MAX {
        let mut parsed = PARSED.lock().unwrap_or_else(PoisonError::into_inner);
        if parsed.len() >= KEPT_MAX {
            parsed.clear();
        }
        parsed.insert(text.into(), Arc::new(config.clone()));
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::JobMode;

    fn raw(config: &JobConfig) -> Box<RawValue> {
        serde_json::value::to_raw_value(config).expect("JSON")
    }

    #[test]
    fn a_text_that_was_parsed_before_gives_the_same_and_another_its_own() {
        let mut config_of = JobConfig::for_mode(JobMode::Accumulate);
        let first = raw(&config_of);
        for _ in 0..2 {
            assert_eq!(config(&first).expect("a configuration"), config_of);
        }
        config_of.limits.max_trades_per_hour = 7;
        let second = raw(&config_of);
        for _ in 0..2 {
            assert_eq!(config(&second).expect("a configuration"), config_of);
        }
        let wrong = RawValue::from_string("{\"price\": 1}".to_owned()).expect("JSON");
        for _ in 0..2 {
            let error = config(&wrong).expect_err("no configuration").to_string();
            assert!(error.contains("jobs.config"), "{error}");
        }
    }

    #[test]
    fn no_more_than_some_are_kept() {
        let mut config_of = JobConfig::for_mode(JobMode::Accumulate);
        for number in 0..2 * u32::try_from(KEPT_MAX).expect("a number") {
            config_of.limits.max_trades_per_hour = number;
            assert_eq!(config(&raw(&config_of)).expect("a configuration"), config_of);
        }
        let kept = PARSED.lock().expect("no panic").len();
        assert!((1..=KEPT_MAX).contains(&kept), "{kept}");
    }
}
