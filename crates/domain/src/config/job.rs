//! The configuration of one job, and the form in which it is written and stored.

use serde::{Deserialize, Serialize};

use super::{
    accumulate::AccumulateConfig,
    basket::BasketConfig,
    invalid::{InvalidConfig, Validator},
    liquidity::LiquidityConfig,
    order::OrderConfig,
    rules::Rules,
    sections::{LimitsConfig, NotifyConfig, PriceConfig, ScheduleConfig, VenueConfig},
};
use crate::{job::JobMode, span::Span};

/// The configuration of one job, complete and validated (see [`JobConfig::validate_for`]). Written as a
/// [`JobConfigFile`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "JobConfigFile", into = "JobConfigFile")]
pub struct JobConfig {
    /// The job's slots.
    pub schedule: ScheduleConfig,
    /// Its price sources, and checks of prices.
    pub price: PriceConfig,
    /// Where a live job trades.
    pub venue: VenueConfig,
    /// Limits that a plan must pass before it trades.
    pub limits: LimitsConfig,
    /// Events and receivers of notifications.
    pub notify: NotifyConfig,
    /// The rules of its mode.
    pub rules: Rules,
}

/// A job's configuration as files and the database hold it: a table for each mode, of which a job has one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobConfigFile {
    /// See [`JobConfig::schedule`].
    pub schedule: ScheduleConfig,
    /// See [`JobConfig::price`].
    pub price: PriceConfig,
    /// See [`JobConfig::venue`].
    #[serde(skip_serializing_if = "VenueConfig::is_default")]
    pub venue: VenueConfig,
    /// See [`JobConfig::limits`].
    pub limits: LimitsConfig,
    /// See [`JobConfig::notify`].
    #[serde(skip_serializing_if = "NotifyConfig::is_default")]
    pub notify: NotifyConfig,
    /// The rules of mode accumulate; present in that mode only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accumulate: Option<AccumulateConfig>,
    /// The rules of mode liquidity; present in that mode only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liquidity: Option<LiquidityConfig>,
    /// The rules of mode order; present in that mode only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderConfig>,
    /// The rules of mode basket; present in that mode only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basket: Option<BasketConfig>,
}

/// A configuration with the tables of no mode, or of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a job has the table of exactly one mode, [accumulate], [liquidity], [order] or [basket]; here are {found}"
)]
pub struct OneModeOnly {
    /// How many tables of modes there are.
    pub found: usize,
}

impl JobConfig {
    /// The configuration of a new job of `mode`, before files and flags.
    #[must_use]
    pub fn for_mode(mode: JobMode) -> Self {
        JobConfigFile::default().with(Rules::for_mode(mode))
    }

    /// The job's mode.
    #[must_use]
    pub const fn mode(&self) -> JobMode {
        self.rules.mode()
    }

    /// How far back the job's rules look: older price samples may be deleted.
    #[must_use]
    pub fn look_back(&self) -> Span {
        self.rules.look_back().longest()
    }
}

impl JobConfigFile {
    fn with(self, rules: Rules) -> JobConfig {
        JobConfig {
            schedule: self.schedule,
            price: self.price,
            venue: self.venue,
            limits: self.limits,
            notify: self.notify,
            rules,
        }
    }

    /// The configuration of a job of `mode`, checked by [`JobConfig::validate`].
    ///
    /// # Errors
    /// Every error: a table of another mode, the mode's own table missing, values out of range.
    pub fn validated(mut self, mode: JobMode) -> Result<JobConfig, Vec<InvalidConfig>> {
        let (accumulate, liquidity) = (self.accumulate.take(), self.liquidity.take());
        let (order, basket) = (self.order.take(), self.basket.take());
        let mut found = Validator::default();
        found.section(JobMode::Accumulate, accumulate.is_some(), mode);
        found.section(JobMode::Liquidity, liquidity.is_some(), mode);
        found.section(JobMode::Order, order.is_some(), mode);
        found.section(JobMode::Basket, basket.is_some(), mode);
        let rules = match mode {
            JobMode::Accumulate => accumulate.map(Rules::Accumulate),
            JobMode::Liquidity => liquidity.map(Rules::Liquidity),
            JobMode::Order => order.map(Rules::Order),
            JobMode::Basket => basket.map(Rules::Basket),
        };
        let config = self.with(rules.unwrap_or_else(|| Rules::for_mode(mode)));
        if let Err(wrong) = config.validate(mode) {
            found.extend(wrong);
        }
        found.or_errors(config)
    }
}

impl TryFrom<JobConfigFile> for JobConfig {
    type Error = OneModeOnly;

    fn try_from(mut file: JobConfigFile) -> Result<Self, OneModeOnly> {
        let mut found = [
            file.accumulate.take().map(Rules::Accumulate),
            file.liquidity.take().map(Rules::Liquidity),
            file.order.take().map(Rules::Order),
            file.basket.take().map(Rules::Basket),
        ]
        .into_iter()
        .flatten();
        match (found.next(), found.count()) {
            (Some(rules), 0) => Ok(file.with(rules)),
            (first, more) => Err(OneModeOnly {
                found: more.saturating_add(usize::from(first.is_some())),
            }),
        }
    }
}

impl From<JobConfig> for JobConfigFile {
    fn from(config: JobConfig) -> Self {
        let mut file = Self {
            schedule: config.schedule,
            price: config.price,
            venue: config.venue,
            limits: config.limits,
            notify: config.notify,
            ..Self::default()
        };
        match config.rules {
            Rules::Accumulate(rules) => file.accumulate = Some(rules),
            Rules::Liquidity(rules) => file.liquidity = Some(rules),
            Rules::Order(rules) => file.order = Some(rules),
            Rules::Basket(rules) => file.basket = Some(rules),
        }
        file
    }
}
