//! A basket of three, each with prices of its own.

use std::sync::atomic::AtomicBool;

use lgi_mm::backtest::{
    basket::{self, Member},
    series::{CandleTime, CsvSeries, ReadOptions, Rows},
};

use super::*;

struct Seat {
    job: JobId,
    setup: Setup,
    series: Rows,
    /// Read by the workers.
    _file: tempfile::NamedTempFile,
}

pub(super) struct Basket(Vec<Seat>);

impl Basket {
    pub(super) async fn start(pool: &PgPool, minutes: i64) -> Self {
        let mut seats = Vec::new();
        for (number, weight) in (60..).zip(["2", "1", "1.5"]) {
            let rows = walk::minutes(u64::from(number), minutes);
            let file = write(&rows);
            let path = file.path().to_str().expect("a path");
            let config = config(
                JobMode::Basket,
                path,
                &[
                    "basket.name=index",
                    "basket.members=3",
                    &format!("basket.weight={weight}"),
                    "basket.budget_usd=90",
                    "basket.band_pct=3",
                    "limits.max_daily_spend_usd=0",
                    "limits.max_trades_per_hour=0",
                ],
            );
            let options = ReadOptions {
                from: None,
                to: None,
                candle_time: CandleTime::Open,
                skip_bad: false,
            };
            let series = CsvSeries::open(file.path(), options).expect("a series");
            let setup = Setup {
                starts_at: Some(walk::start()),
                ..Setup::new(JobMode::Basket, config.clone(), costs())
            };
            seats.push(Seat {
                job: start(pool, number, JobMode::Basket, config).await,
                setup,
                series: series.load().expect("rows"),
                _file: file,
            });
        }
        Self(seats)
    }

    pub(super) fn jobs(&self) -> impl Iterator<Item = JobId> {
        self.0.iter().map(|seat| seat.job)
    }

    pub(super) fn backtested(&self, detail: Detail) -> Vec<(JobId, RunResult)> {
        let members: Vec<Member<'_>> = self
            .0
            .iter()
            .map(|seat| Member {
                setup: &seat.setup,
                series: &seat.series,
            })
            .collect();
        let (result, charted) = basket::run(&members, detail, &AtomicBool::new(false)).expect("sums");
        let spent = result.summary.money_in_usd;
        assert!(spent.is_positive(), "{spent}");
        self.jobs().zip(charted.members).collect()
    }
}
