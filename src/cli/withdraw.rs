//! `withdraw` and `wallet sweep`: takes coins and tokens out of a live wallet.

use std::io::IsTerminal;

use clap::Args;

use super::{
    confirm::{asks, confirm},
    out::{Out, dollars, table},
    target::actor,
};
use crate::{
    app::{
        App, AppError,
        withdraw::{self, Asked, Planned, WithdrawRequest, WithdrawalView},
    },
    config::Settings,
};

#[derive(Debug, Args)]
pub(super) struct WithdrawArgs {
    /// ETH, USDC, a token's address, or the ticker of a job's token [default: list past withdrawals]
    #[arg(requires = "to")]
    asset: Option<String>,
    /// How much, in whole tokens, such as 0.25
    #[arg(conflicts_with = "all")]
    amount: Option<String>,
    /// All that no job holds and no open trade needs
    #[arg(long, requires = "asset")]
    all: bool,
    /// A text of your own that makes a repeated command pay once: it then shows the withdrawal that was made
    #[arg(long, value_name = "TEXT", requires = "asset")]
    key: Option<String>,
    #[command(flatten)]
    to: ToArgs,
}

#[derive(Debug, Args)]
pub(super) struct SweepArgs {
    #[command(flatten)]
    to: ToArgs,
}

#[derive(Debug, Args)]
struct ToArgs {
    /// The receiver, with its checksum; withdraw_to in the policy must name it
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// The wallet that pays [default: wallet.address, or the only one]
    #[arg(long, value_name = "ADDRESS")]
    wallet: Option<String>,
    /// Chain
    #[arg(long, default_value = "base")]
    chain: String,
    /// Do not ask for confirmation; required without a terminal
    #[arg(long)]
    yes: bool,
}

impl ToArgs {
    fn request(&self, asset: &str) -> Result<WithdrawRequest, AppError> {
        let to = self.to.clone().ok_or_else(|| {
            AppError::Usage("--to ADDRESS is required: the receiver, with its checksum".to_owned())
        })?;
        Ok(WithdrawRequest {
            asset: asset.to_owned(),
            amount: None,
            key: None,
            to,
            wallet: self.wallet.clone(),
            chain: self.chain.clone(),
        })
    }

    /// A payment cannot be undone, so the owner has to agree.
    fn agreed(&self, out: Out, question: &str) -> Result<(), AppError> {
        if asks(out, self.yes) {
            return confirm(out, question);
        }
        if self.yes {
            return Ok(());
        }
        let terminal = std::io::stdin().is_terminal();
        Err(AppError::Refused(format!(
            "{question} Nothing was signed: {}; --yes answers",
            if terminal {
                "with --json nobody is asked"
            } else {
                "there is no terminal to ask on"
            }
        )))
    }
}

pub(super) async fn run(settings: &Settings, out: Out, args: &WithdrawArgs) -> Result<(), AppError> {
    let Some(asset) = &args.asset else {
        let app = App::read(settings).await?;
        return out.show(&withdraw::list(&app).await?, |views| listed(views));
    };
    if args.amount.is_none() && !args.all {
        return Err(AppError::Usage(format!(
            "how much {asset}? Write an amount, such as `lgi-mm withdraw {asset} 0.25 --to ADDRESS`, or --all"
        )));
    }
    let request = WithdrawRequest {
        amount: args.amount.clone(),
        key: args.key.clone(),
        ..args.to.request(asset)?
    };
    let app = App::open(settings).await?;
    let view = match withdraw::ask(&app, &request).await? {
        Asked::Before(view) => {
            out.remark("a command with this key was carried out before; nothing is paid again");
            *view
        }
        Asked::Now(planned) => {
            args.to
                .agreed(out, &format!("{} Continue?", question(&planned)))?;
            withdraw::withdraw(&app, *planned, &actor()).await?
        }
    };
    out.show(&view, said)?;
    view.failure().map_or(Ok(()), Err)
}

pub(super) async fn sweep(settings: &Settings, out: Out, args: &SweepArgs) -> Result<(), AppError> {
    let request = args.to.request("native")?;
    let app = App::open(settings).await?;
    let found = withdraw::sweep(&app, &request).await?;
    let mut lines = Vec::new();
    for one in &found {
        lines.push(question(&withdraw::plan(&app, one).await?));
    }
    args.to.agreed(out, &format!("{}\nContinue?", lines.join("\n")))?;
    let mut views = Vec::new();
    for one in &found {
        // Gas of the ones before has been paid by now.
        let planned = withdraw::plan(&app, one).await?;
        views.push(withdraw::withdraw(&app, planned, &actor()).await?);
    }
    out.show(&views, |views| views.iter().map(said).collect())?;
    views.iter().find_map(WithdrawalView::failure).map_or(Ok(()), Err)
}

fn question(planned: &Planned) -> String {
    format!(
        "LIVE on {}: pays {} {} of wallet {} to {}; the wallet holds {}, jobs hold {} of it. Gas may cost {}. This cannot be \
         undone.",
        planned.chain,
        planned.amount,
        planned.symbol,
        planned.wallet,
        planned.receiver,
        planned.held,
        planned.of_jobs,
        dollars(planned.gas_usd)
    )
}

fn said(view: &WithdrawalView) -> String {
    let hash = view.tx_hash.map(|hash| format!(" tx {hash}")).unwrap_or_default();
    let note = view
        .note
        .as_ref()
        .map(|note| format!("\n  {note}"))
        .unwrap_or_default();
    format!(
        "LIVE on {}: withdrawal {} of {} {} to {} {}{hash}{note}\n",
        view.chain, view.withdrawal, view.amount, view.symbol, view.receiver, view.status
    )
}

fn listed(views: &[WithdrawalView]) -> String {
    if views.is_empty() {
        return "no withdrawals\n".to_owned();
    }
    let rows = views.iter().map(|view| {
        vec![
            view.withdrawal.to_string(),
            "LIVE".to_owned(),
            view.chain.clone(),
            view.created_at.format("%Y-%m-%d %H:%M UTC").to_string(),
            format!("{} {}", view.amount, view.symbol),
            view.receiver.to_checksum(None),
            view.status.to_string(),
            view.note.clone().unwrap_or_default(),
        ]
    });
    let columns = ["id", "realm", "chain", "time", "amount", "to", "status", "note"];
    format!("{}\n", table(&columns, rows))
}
