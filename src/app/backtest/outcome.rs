//! What came of a backtest of a server.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use tempfile::NamedTempFile;

use super::{
    BASKET_DRAWN, BacktestRequest, BasketRequest, SweepRequest, Swept,
    asked::{Of, RunRequest, basket_over},
    run_basket, run_until, sweep_basket, sweep_until,
};
use crate::{
    app::{AppError, message::Message},
    backtest::{
        Detail,
        basket::{BasketResult, Charted},
        result::{BacktestResult, Summary},
    },
    config::Settings,
    domain::Timestamp,
    report,
};

/// Threads of one run: trades of the same machine are not to wait for it.
const THREADS: NonZeroUsize = NonZeroUsize::MIN;

/// What came of it.
#[derive(Debug)]
pub struct Finished {
    /// Of a sweep, of its best configuration.
    pub of: Outcome,
    /// Every configuration of a sweep.
    pub swept: Option<Swept>,
}

/// One run.
#[derive(Debug)]
pub enum Outcome {
    Token(Box<BacktestResult>),
    /// With what its charts are drawn from.
    Basket(Box<(BasketResult, Charted)>),
}

impl Outcome {
    /// Figures of the whole.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        match self {
            Self::Token(result) => &result.summary,
            Self::Basket(result) => &result.0.summary,
        }
    }

    /// The report, as a page.
    pub(super) fn page(&self, made: Timestamp) -> Result<String, AppError> {
        match self {
            Self::Token(result) => {
                report::page(result, made).map_err(|error| AppError::Internal(error.to_string()))
            }
            Self::Basket(result) => Ok(report::basket_page(&result.0, &result.1, made)),
        }
    }

    /// Says of prices what they are called instead of where they were kept.
    fn rename(&mut self, names: Vec<String>) {
        let series: Vec<_> = match self {
            Self::Token(result) => vec![&mut result.series],
            Self::Basket(result) => {
                let members = result.0.members.iter_mut();
                members.map(|member| &mut member.series).collect()
            }
        };
        for (series, name) in series.into_iter().zip(names) {
            series.name = name;
        }
    }
}

/// Runs it over these files, one for each of its sources. `progress`: how many of how many runs are done.
pub(super) fn computed(
    settings: &Settings,
    request: &RunRequest,
    prices: &[NamedTempFile],
    (progress, stop): (&(dyn Fn(usize) + Sync), &AtomicBool),
) -> Result<Finished, AppError> {
    let names: Vec<String> = request.sources().iter().map(|source| source.name()).collect();
    let files: Vec<PathBuf> = prices.iter().map(|file| file.path().to_owned()).collect();
    let wanted = SweepRequest {
        axes: request.axes.clone(),
        sort_by: request.sort_by,
        walk_forward: request.walk_forward,
        best: Some(Detail::REPORT),
        threads: Some(THREADS),
    };
    let wanted = (!request.axes.is_empty()).then_some(wanted);
    let ended = match &request.of {
        Of::Token(one) => {
            let over = one.over(files.first().map_or(Path::new(""), PathBuf::as_path));
            of_token(settings, &over, wanted, (progress, stop))
        }
        Of::Basket(members) => {
            let over = basket_over(members, files.clone());
            of_basket(settings, &over, wanted, (progress, stop))
        }
    };
    // Where the prices were kept meanwhile says nothing to anybody.
    match ended {
        Ok(mut finished) => {
            finished.of.rename(names);
            Ok(finished)
        }
        Err(error) => {
            let places = files.iter().map(|file| file.display().to_string());
            let said = places
                .zip(names)
                .fold(Message::from(error), |said, (place, name)| {
                    said.replaced(&place, &name)
                });
            Err(said.bad_input())
        }
    }
}

fn of_token(
    settings: &Settings,
    over: &BacktestRequest,
    wanted: Option<SweepRequest>,
    (progress, stop): (&(dyn Fn(usize) + Sync), &AtomicBool),
) -> Result<Finished, AppError> {
    let Some(wanted) = wanted else {
        let result = run_until(settings, over, Detail::REPORT, stop)?;
        progress(1);
        return Ok(Finished {
            of: Outcome::Token(Box::new(result)),
            swept: None,
        });
    };
    let mut swept = sweep_until(settings, over, wanted, (progress, stop))?;
    let best = swept.best.take();
    let result = best.ok_or_else(|| AppError::Internal("a sweep without a best one".to_owned()))?;
    Ok(Finished {
        of: Outcome::Token(Box::new(result)),
        swept: Some(swept),
    })
}

fn of_basket(
    settings: &Settings,
    over: &BasketRequest,
    wanted: Option<SweepRequest>,
    (progress, stop): (&(dyn Fn(usize) + Sync), &AtomicBool),
) -> Result<Finished, AppError> {
    let swept = match wanted {
        Some(wanted) => Some(sweep_basket(settings, over, wanted, (progress, stop))?),
        None => None,
    };
    let best = swept.as_ref().map(Swept::best_assignments).unwrap_or_default();
    let result = run_basket(settings, over, (&best, BASKET_DRAWN), stop)?;
    if swept.is_none() {
        progress(1);
    }
    Ok(Finished {
        of: Outcome::Basket(Box::new(result)),
        swept,
    })
}
