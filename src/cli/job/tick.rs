//! `tick`: evaluates one slot now, in this process.

use crate::{
    app::{App, AppError, jobs::tick},
    cli::{
        out::Out,
        target::{TargetArgs, actor},
    },
    config::Settings,
};

pub async fn run(settings: &Settings, out: Out, args: &TargetArgs) -> Result<(), AppError> {
    let app = App::open(settings).await?;
    let view = tick::tick(&app, &args.into(), &actor()).await?;
    out.show(&view, |view| {
        let explained = view.explanation.as_ref();
        let explained = explained.map(|text| format!(": {text}")).unwrap_or_default();
        let name = &view.name;
        match view.trade {
            Some(trade) if view.is_final => format!("{name}: trade {trade}; see `lgi-mm trades`"),
            Some(trade) => format!("{name}: trade {trade} is not final yet; `lgi-mm daemon` settles it"),
            None => format!("{name}: {}{explained}", view.decision),
        }
    })
}
