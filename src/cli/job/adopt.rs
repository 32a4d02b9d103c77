//! `adopt` and `release`: tokens that come to a job, or leave it, without a trade.

use clap::Args;
use rust_decimal::Decimal;

use crate::{
    app::{
        App, AppError, Target,
        jobs::{
            adopt::{self, AdoptRequest, Adopted, Adopting, Cost, Tokens},
            release::{self, ReleaseRequest, ReleasedView, Releasing},
        },
    },
    cli::{
        confirm::{asks, confirm},
        out::{Out, dollars, moment, price, tokens},
        target::{TargetArgs, actor},
        wording::CommandLine,
    },
    config::Settings,
};

#[derive(Debug, Args)]
#[group(id = "paid", required = true, multiple = false, args = ["cost", "price"])]
pub struct AdoptArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// How many whole tokens, such as 12.5; `all`: all that the wallet holds beyond what its jobs own
    amount: String,
    /// What they cost in all, USD; 0 if they cost nothing
    #[arg(long, value_name = "USD", allow_negative_numbers = true)]
    cost: Option<Decimal>,
    /// What each of them cost, USD
    #[arg(long, value_name = "USD", allow_negative_numbers = true)]
    price: Option<Decimal>,
    /// A text of your own that makes a repeated command change nothing
    #[arg(long, value_name = "TEXT")]
    key: Option<String>,
    /// Adopt without asking for confirmation, and even if the same was adopted before
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub struct ReleaseArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// How many whole tokens, such as 12.5: the job continues without them [default: all, and the job becomes IDLE]
    amount: Option<String>,
    /// A text of your own that makes a repeated command change nothing
    #[arg(long, value_name = "TEXT")]
    key: Option<String>,
    /// Release without asking for confirmation
    #[arg(long)]
    yes: bool,
}

impl AdoptArgs {
    fn request(&self) -> Result<AdoptRequest, AppError> {
        let cost = match (self.cost, self.price) {
            (Some(cost), None) => Cost::Total(cost),
            (None, Some(price)) => Cost::Each(price),
            _ => return Err(AppError::Usage("give either --cost or --price".to_owned())),
        };
        Ok(AdoptRequest {
            target: Target::from(&self.target),
            tokens: if self.amount.eq_ignore_ascii_case("all") {
                Tokens::All
            } else {
                Tokens::Whole(self.amount.clone())
            },
            cost,
            key: self.key.clone(),
        })
    }
}

pub async fn adopt(settings: &Settings, out: Out, args: &AdoptArgs) -> Result<(), AppError> {
    let request = args.request()?;
    let app = App::open(settings).await?;
    if asks(out, args.yes) {
        confirm(out, &adopt_question(&adopt::preview(&app, &request).await?))?;
    } else if !args.yes && args.key.is_none() {
        let planned = adopt::preview(&app, &request).await?;
        if let Some(at) = planned.repeats {
            return Err(AppError::Refused(format!(
                "{} has adopted {} {} at a cost of {} USD before, {}; nothing was changed. If these are other tokens, add \
                 --yes; to make a command that may run twice safe, give it a --key",
                planned.name,
                planned.tokens,
                planned.name.symbol,
                planned.cost_usd,
                moment(at),
            )));
        }
    }
    let mut view = adopt::adopt(&app, &request, &actor()).await?;
    if let Some(note) = &mut view.note {
        note.write(&CommandLine);
    }
    out.show(&view, adopted)
}

fn adopt_question(planned: &Adopting) -> String {
    let Adopting {
        name,
        wallet,
        tokens: amount,
        cost_usd,
        repeats,
    } = planned;
    let again = repeats.map_or_else(String::new, |at| {
        format!(
            " It has adopted exactly as much at the same cost before, {}: these must be other tokens.",
            moment(at)
        )
    });
    format!(
        "{name}: adopts {} {} of wallet {wallet} at a cost of {} USD in all. From then on the job may sell them.{again} \
         Continue?",
        tokens(*amount),
        name.symbol,
        dollars(*cost_usd),
    )
}

fn adopted(view: &Adopted) -> String {
    let Adopted {
        name,
        tokens: amount,
        cost_usd,
        position,
        cost_basis_usd,
        average_cost_usd,
        done_before,
        note,
    } = view;
    let symbol = &name.symbol;
    let done = done_before.map_or_else(
        || {
            format!(
                "adopted {} {symbol} at a cost of {} USD",
                tokens(*amount),
                dollars(*cost_usd)
            )
        },
        |at| {
            format!(
                "a command with this key was carried out before, {}; nothing changed",
                moment(at)
            )
        },
    );
    let note = note
        .as_ref()
        .map(|note| format!("\n  {note}"))
        .unwrap_or_default();
    format!(
        "{name}: {done}; it owns {} {symbol} that cost {} USD, {} each{note}\n",
        tokens(*position),
        dollars(*cost_basis_usd),
        price(*average_cost_usd),
    )
}

pub async fn release(settings: &Settings, out: Out, args: &ReleaseArgs) -> Result<(), AppError> {
    let request = ReleaseRequest {
        target: Target::from(&args.target),
        tokens: args.amount.clone(),
        key: args.key.clone(),
    };
    let app = App::open(settings).await?;
    if asks(out, args.yes) {
        confirm(out, &release_question(&release::preview(&app, &request).await?))?;
    }
    let view = release::release(&app, &request, &actor()).await?;
    out.show(&view, released)
}

fn release_question(planned: &Releasing) -> String {
    let Releasing {
        name,
        wallet,
        status,
        tokens: amount,
        ends,
    } = planned;
    let then = if *ends {
        format!("The job ends: {status} -> IDLE")
    } else {
        format!("The job stays {status}")
    };
    format!(
        "{name}: gives {} {} back to you without selling them; they stay in wallet {wallet}. {then}. Continue?",
        tokens(*amount),
        name.symbol
    )
}

fn released(view: &ReleasedView) -> String {
    let ReleasedView {
        name,
        wallet,
        before,
        after,
        tokens: amount,
        cost_usd,
        position,
        ..
    } = view;
    let symbol = &name.symbol;
    if let Some(at) = view.done_before {
        return format!(
            "{name}: a command with this key was carried out before, {}; nothing changed\n",
            moment(at)
        );
    }
    if !view.changed() {
        return format!("{name}: {after} already, and owns no {symbol}\n");
    }
    let status = if before == after {
        after.to_string()
    } else {
        format!("{before} -> {after}")
    };
    format!(
        "{name}: {status}; released {} {symbol} that had cost {} USD, they stay in wallet {}; it owns {} {symbol}\n",
        tokens(*amount),
        dollars(*cost_usd),
        wallet.to_checksum(None),
        tokens(*position),
    )
}
