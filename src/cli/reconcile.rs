//! `reconcile`: the ledger against the chain.

use clap::Args;
use rust_decimal::Decimal;
use serde::Serialize;

use super::{App, AppError, Out, adopt, out::table};
use crate::{
    config::Settings,
    domain::ids::{JobId, TradeId},
    engine::reconcile::{BalanceRemedy, BalanceReport, Reconciliation, Remedy, SignerReport, UnknownNonce},
};

#[derive(Debug, Args)]
pub(super) struct ReconcileArgs {
    /// Do what is listed under "repair"; without it nothing is changed
    #[arg(long, conflicts_with_all = ["adopt", "count_in"])]
    apply: bool,
    /// Accept the past of a live wallet: transactions that this database does not know, because it was restored or replaced,
    /// or because the wallet was used elsewhere
    #[arg(long, value_name = "WALLET", conflicts_with = "count_in")]
    adopt: Option<String>,
    /// The chain of --adopt
    #[arg(long, default_value = "base")]
    chain: String,
    /// Do not ask before --adopt
    #[arg(long)]
    yes: bool,
    /// Count tokens that the wallet holds and this job does not track into its position, at --cost
    #[arg(long, value_name = "JOB", requires = "cost")]
    count_in: Option<i64>,
    /// What the tokens of --count-in cost, all together
    #[arg(
        long,
        value_name = "USD",
        requires = "count_in",
        allow_negative_numbers = true
    )]
    cost: Option<Decimal>,
}

#[derive(Debug, Serialize)]
struct View {
    signers: Vec<SignerView>,
    balances: Vec<BalanceView>,
    /// Whether anything differs.
    agree: bool,
    /// What was done, a line each; none without `--apply`.
    done: Vec<String>,
}

#[derive(Debug, Serialize)]
struct SignerView {
    realm: String,
    chain: String,
    wallet: String,
    next_nonce: u64,
    chain_nonce: Option<u64>,
    chain_error: Option<String>,
    halted: Option<String>,
    open_trades: Vec<TradeId>,
    unknown_nonces: Vec<NonceView>,
    repair: Option<String>,
    blocked: Option<String>,
}

#[derive(Debug, Serialize)]
struct NonceView {
    nonce: u64,
    tx_hash: Option<String>,
    block: Option<u64>,
    known: bool,
}

#[derive(Debug, Serialize)]
struct BalanceView {
    realm: String,
    chain: String,
    wallet: String,
    symbol: String,
    jobs: Vec<JobId>,
    tracked: String,
    held: Option<String>,
    missing: Option<String>,
    /// Held beyond what jobs track.
    beyond: Option<String>,
    /// A trade of it failed or was reversed: what is beyond may be its work.
    suspicious: bool,
    chain_error: Option<String>,
    repair: Option<String>,
    blocked: Option<String>,
}

pub(super) async fn run(settings: &Settings, out: Out, args: &ReconcileArgs) -> Result<(), AppError> {
    let changes = args.apply || args.adopt.is_some() || args.count_in.is_some();
    let world = if changes {
        App::open(settings).await?
    } else {
        App::read(settings).await?
    };
    if let Some(wallet) = &args.adopt {
        return adopt::wallet(&world, out, wallet, &args.chain, args.yes).await;
    }
    if let (Some(job), Some(cost)) = (args.count_in, args.cost) {
        return adopt::tokens(&world, out, job, cost).await;
    }
    let engine = world.engine().await?;
    let report = engine.reconcile().await?;
    let mut view = View::from(&report);
    if args.apply {
        if !out.is_json() && view.has_repairs() {
            out.remark(&view.repairs().join("\n"));
        }
        view.done = engine.repair(&report, "cli").await?;
    }
    let applied = args.apply;
    out.show(&view, |view| view.render(applied))
}

impl From<&Reconciliation> for View {
    fn from(report: &Reconciliation) -> Self {
        let signers = report.signers.iter().map(SignerView::from).collect();
        let balances = report.balances.iter().map(BalanceView::from).collect();
        let agree = report.signers.iter().all(|s| s.remedy == Remedy::Nothing)
            && report
                .balances
                .iter()
                .all(|b| b.remedy == BalanceRemedy::Nothing && !b.suspicious);
        Self {
            signers,
            balances,
            agree,
            done: vec![],
        }
    }
}

impl From<&SignerReport> for SignerView {
    fn from(report: &SignerReport) -> Self {
        let account = &report.row.account;
        let (repair, blocked) = match &report.remedy {
            Remedy::Nothing => (None, None),
            Remedy::Advance(to) => (Some(format!("go on with nonce {to}")), None),
            Remedy::Release => (Some("let the signer go on".to_owned()), None),
            Remedy::TakeBack { to, trades, .. } => {
                (Some(taken_back(*to, report.row.next_nonce, trades)), None)
            }
            Remedy::Not(why) => (None, Some(why.clone())),
        };
        Self {
            realm: account.realm.to_string(),
            chain: account.chain.clone(),
            wallet: account.wallet.to_string(),
            next_nonce: report.row.next_nonce,
            chain_nonce: report.chain_nonce.as_ref().ok().copied(),
            chain_error: report.chain_nonce.as_ref().err().cloned(),
            halted: report.row.halted.clone(),
            open_trades: report.row.open_trades.clone(),
            unknown_nonces: report.unknown.iter().map(NonceView::from).collect(),
            repair,
            blocked,
        }
    }
}

impl From<&UnknownNonce> for NonceView {
    fn from(unknown: &UnknownNonce) -> Self {
        Self {
            nonce: unknown.nonce,
            tx_hash: unknown.used.map(|used| used.hash.to_string()),
            block: unknown.used.map(|used| used.block_number),
            known: unknown.ours,
        }
    }
}

impl From<&BalanceReport> for BalanceView {
    fn from(report: &BalanceReport) -> Self {
        let (repair, blocked) = match &report.remedy {
            BalanceRemedy::Nothing => (None, None),
            BalanceRemedy::WriteDown(job) => (
                Some(format!("write job {job} down to what the wallet holds")),
                None,
            ),
            BalanceRemedy::Not(why) => (None, Some(why.clone())),
        };
        let held = report.held.as_ref().ok();
        let missing = held
            .map(|held| report.tracked.saturating_sub(*held))
            .filter(|missing| !missing.is_zero());
        Self {
            realm: report.account.realm.to_string(),
            chain: report.account.chain.clone(),
            wallet: report.account.wallet.to_string(),
            symbol: report.symbol.clone(),
            jobs: report.jobs.clone(),
            tracked: report.tracked.to_whole(report.decimals),
            held: held.map(|held| held.to_whole(report.decimals)),
            missing: missing.map(|missing| missing.to_whole(report.decimals)),
            beyond: (!report.surplus.is_zero()).then(|| report.surplus.to_whole(report.decimals)),
            suspicious: report.suspicious,
            chain_error: report.held.as_ref().err().cloned(),
            repair,
            blocked,
        }
    }
}

impl View {
    fn has_repairs(&self) -> bool {
        !self.repairs().is_empty()
    }

    /// What `--apply` does, a line each.
    fn repairs(&self) -> Vec<String> {
        let signers = self
            .signers
            .iter()
            .filter_map(|signer| Some((&signer.wallet, signer.repair.as_ref()?)));
        let balances = self
            .balances
            .iter()
            .filter_map(|balance| Some((&balance.symbol, balance.repair.as_ref()?)));
        signers
            .chain(balances)
            .map(|(what, repair)| format!("{what}: {repair}"))
            .collect()
    }

    fn render(&self, applied: bool) -> String {
        let mut parts = vec![self.signer_table(), self.balance_table()];
        parts.extend(self.signers.iter().flat_map(SignerView::remarks));
        parts.extend(self.balances.iter().filter_map(BalanceView::remark));
        parts.push(match (applied, self.agree, self.has_repairs()) {
            (_, true, _) => "ledger and chain agree".to_owned(),
            (true, ..) if self.done.is_empty() => "nothing could be repaired; see the last column".to_owned(),
            (true, ..) => format!("done:\n  {}", self.done.join("\n  ")),
            (false, _, true) => {
                let repairs = self.repairs().join("\n  ");
                format!("nothing was changed; `lgi-mm reconcile --apply` would do this:\n  {repairs}")
            }
            (false, _, false) => "nothing can be repaired yet; see the last column".to_owned(),
        });
        parts.retain(|part| !part.is_empty());
        parts.join("\n")
    }

    fn signer_table(&self) -> String {
        if self.signers.is_empty() {
            return "no signer has traded yet".to_owned();
        }
        let rows = self.signers.iter().map(|signer| {
            vec![
                format!("{} {}", signer.realm, signer.chain),
                signer.wallet.clone(),
                signer.next_nonce.to_string(),
                signer
                    .chain_nonce
                    .map_or_else(|| "?".to_owned(), |nonce| nonce.to_string()),
                if signer.halted.is_some() { "halted" } else { "" }.to_owned(),
                signer.open_trades.len().to_string(),
                last_column(&signer.repair, &signer.blocked),
            ]
        });
        let header = ["chain", "signer", "our nonce", "on chain", "", "open", "repair"];
        table(&header, rows)
    }

    fn balance_table(&self) -> String {
        if self.balances.is_empty() {
            return String::new();
        }
        let rows = self.balances.iter().map(|balance| {
            let jobs: Vec<String> = balance.jobs.iter().map(|job| format!("#{job}")).collect();
            vec![
                format!("{} {}", balance.realm, balance.chain),
                balance.symbol.clone(),
                jobs.join(" "),
                balance.tracked.clone(),
                balance.held.clone().unwrap_or_else(|| "?".to_owned()),
                balance.missing.clone().unwrap_or_default(),
                last_column(&balance.repair, &balance.blocked),
            ]
        });
        let header = [
            "chain",
            "token",
            "jobs",
            "jobs track",
            "wallet holds",
            "missing",
            "repair",
        ];
        table(&header, rows)
    }
}

impl BalanceView {
    /// What the wallet holds beyond the ledger.
    fn remark(&self) -> Option<String> {
        let beyond = self.beyond.as_ref()?;
        let (symbol, wallet) = (&self.symbol, &self.wallet);
        let beyond = format!("{wallet} holds {beyond} {symbol} beyond what jobs track");
        Some(if self.suspicious {
            format!(
                "WARNING: {beyond}, and a trade of {symbol} failed or was reversed: it may have bought after all. Compare \
                 `lgi-mm trades` with the chain's explorer"
            )
        } else {
            format!("{beyond}: no job sells them")
        })
    }
}

fn taken_back(to: u64, next: u64, trades: &[TradeId]) -> String {
    let last = next.saturating_sub(1);
    let mut repair = format!("take back nonces {to} to {last}, which were never on chain");
    if !trades.is_empty() {
        let trades: Vec<String> = trades.iter().map(ToString::to_string).collect();
        repair.push_str(&format!("; ends trades {} as expired", trades.join(", ")));
    }
    repair
}

impl SignerView {
    fn remarks(&self) -> Vec<String> {
        let halted = self.halted.iter().map(|why| format!("halted: {why}"));
        let asked = self
            .chain_error
            .iter()
            .map(|why| format!("{}: {why}", self.chain));
        let unknown = self.unknown_nonces.iter().map(|unknown| {
            let whose = if unknown.known {
                "on record as ours"
            } else {
                "not on record"
            };
            match (&unknown.tx_hash, unknown.block) {
                (Some(hash), Some(block)) => {
                    format!(
                        "nonce {}: transaction {hash} in block {block}, {whose}",
                        unknown.nonce
                    )
                }
                _ => format!("nonce {}: the block that holds it was not found", unknown.nonce),
            }
        });
        halted.chain(asked).chain(unknown).collect()
    }
}

fn last_column(repair: &Option<String>, blocked: &Option<String>) -> String {
    match (repair, blocked) {
        (Some(repair), _) => repair.clone(),
        (None, Some(why)) => format!("not yet: {why}"),
        (None, None) => "agrees".to_owned(),
    }
}
