//! `start`: a new job, a new cycle, or a paused one resumed.

use std::path::PathBuf;

use clap::Args;
use rust_decimal::Decimal;

use super::place::{Place, PlaceArgs};
use crate::{
    app::{AppError, jobs::start::StartRequest},
    cli::{mode::ModeArg, out::Out},
    config::{JobLayers, Settings},
};

#[derive(Debug, Args)]
pub struct StartArgs {
    /// How the job trades; required for a new job
    #[arg(long, value_enum)]
    mode: Option<ModeArg>,
    /// Job configuration file, TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Modes liquidity and basket: initial money, USD; same as --set liquidity.budget_usd=.. or basket.budget_usd=..
    #[arg(long, value_name = "USD", allow_negative_numbers = true)]
    budget: Option<Decimal>,
    #[command(flatten)]
    place: PlaceArgs,
}

impl StartArgs {
    fn request(&self, place: Place) -> Result<StartRequest, AppError> {
        Ok(StartRequest {
            token: place.token,
            realm: place.realm,
            chain: place.chain,
            mode: self.mode.map(Into::into),
            given: JobLayers::of_job()
                .file(self.config.as_deref())?
                .assignments(&self.place.set, "--set")?,
            budget: self.budget,
            symbol: place.symbol,
            decimals: place.decimals,
            quote: self.place.quote.clone(),
            placed: None,
        })
    }
}

pub async fn run(settings: &Settings, out: Out, args: &StartArgs) -> Result<(), AppError> {
    args.place.place(settings, out, |place| args.request(place)).await
}
