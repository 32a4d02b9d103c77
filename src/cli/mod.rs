//! The command line: the clap tree, one file for each command family, pure rendering.

mod adopt;
mod completions;
mod confirm;
mod console;
mod costs;
mod db;
mod demo;
mod devnet;
mod doctor;
mod exit;
mod health;
mod holdings;
mod info;
mod job;
mod keep;
mod live;
mod man;
mod mcp;
mod mode;
mod notify;
mod out;
mod paper;
mod policy;
mod pools;
mod prune;
mod reconcile;
mod serve;
mod service;
mod services;
mod stop;
mod target;
mod token;
mod trial;
mod wallet;
mod withdraw;
mod wording;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::{
    config::{self, Settings},
    telemetry, version,
};

pub use crate::app::AppError;
pub use exit::Exit;
use out::{Format, Look, Out};

const LONG_ABOUT: &str = "\
Builds a position in an EVM token over time (DCA, dip-buy, take-profit), or keeps its inventory balanced, \
unattended. Crash it anywhere, run as many copies as you like: it never buys twice and never forgets a trade.

Trading is on paper unless --live is given. Without DATABASE_URL a private PostgreSQL server is used.";

const AFTER_HELP: &str = "\
Exit codes:
  0  done
  1  an error of the program itself
  2  bad input: a flag, key, value, address or file
  3  no such job
  4  refused: the job's status does not allow it, or it exists already
  5  the database cannot be used
  6  doctor, health or policy check found something that needs fixing
  7  a price source, a venue or a notification receiver cannot be used

A JOB or TOKEN is an address, a ticker that only one job has, or a job number as `list` shows it. A ticker may be a \
number too: job:7 is only ever the job number, as is '#7' (in quotes: # begins a comment in a shell).

Commands for several jobs print a line for each. A named job that cannot follow does not stop the others; the exit code \
is then that of the first such job, 2 to 4. Jobs that --all or another filter chooses and that cannot follow are only \
mentioned. `config edit` changes all jobs or none.

On a terminal, what moves real money or cannot be undone shows what it is about and asks: `start --live`, `liquidate` of \
live jobs, `withdraw`, `wallet sweep`, `adopt`, `release`, `remove`, `reconcile --apply` and --count-in, and `config edit` \
of several jobs. --yes answers. Without a terminal, and with --json, nothing is asked; `withdraw`, `wallet sweep`, `policy \
allow` and `reconcile --adopt` then need --yes.

With --json, results are JSON on standard output and errors are {\"error\":{\"code\",\"message\"}} on standard error.";

/// lgi-mm
#[derive(Debug, Parser)]
#[command(name = "lgi-mm", version = version::FULL, about = "Crash-proof trading runner for EVM tokens", long_about = LONG_ABOUT, after_help = AFTER_HELP)]
pub struct Cli {
    /// Settings file [default: ./lgi-mm.toml, else ~/.config/lgi-mm/lgi-mm.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE", env = "LGI_MM_SETTINGS")]
    settings: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,
    /// How to print [default: table on a terminal, plain elsewhere]
    #[arg(
        short = 'o',
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        conflicts_with = "json"
    )]
    output: Option<Format>,
    /// Show times in UTC instead of the job's time zone
    #[arg(long, global = true)]
    utc: bool,
    #[command(subcommand)]
    command: Command,
}

impl Cli {
    fn json(&self) -> bool {
        self.json || self.output == Some(Format::Json)
    }
}

/// Whether arguments that cannot be parsed ask for JSON.
fn want_json(arguments: &[OsString]) -> bool {
    let formats = ["--json", "-ojson", "-o=json", "--output=json"];
    let pairs = arguments.windows(2);
    arguments
        .iter()
        .any(|argument| formats.iter().any(|format| argument == format))
        || pairs.into_iter().any(
            |pair| matches!(pair, [flag, format] if (flag == "-o" || flag == "--output") && format == "json"),
        )
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Begin with a token: its pools, what a buy costs, a job file, a backtest, and what to type next
    Init(trial::init::InitArgs),
    /// Start a job for a token, or resume a paused one
    #[command(
        arg_required_else_help = true,
        after_help = "`lgi-mm init TOKEN` shows pools and costs first, and writes the job's file."
    )]
    Start(job::start::StartArgs),
    /// Buy or sell once: at a price, in parts, until an instant
    Order(job::order::OrderArgs),
    /// Start the members of a basket together, or sell them
    #[command(subcommand)]
    Basket(job::basket::BasketCommand),
    /// Stop trading and keep the positions: one job, several, or all
    Pause(job::selection::JobsArgs),
    /// Resume after a pause or an error, or undo a pause
    Resume(job::lifecycle::ResumeArgs),
    /// Sell everything that jobs bought, then make them idle
    Liquidate(job::lifecycle::LiquidateArgs),
    /// Make tokens that the wallet already holds a job's own, at what they cost
    Adopt(job::adopt::AdoptArgs),
    /// Give tokens of a job back to you without selling them; all of them end the job
    Release(job::adopt::ReleaseArgs),
    /// Show everything about one job
    Status(target::TargetArgs),
    /// List all jobs
    List(job::list::ListArgs),
    /// Remove idle jobs and orders from the list; their history is kept
    Remove(job::lifecycle::RemoveArgs),
    /// Show trades, newest first
    Trades(job::trades::TradesArgs),
    /// Show what happened, oldest first: decisions, trades, orders and events; -f follows
    Logs(job::logs::LogsArgs),
    /// Show what was earned: realised, unrealised, gas and net, by period and by job
    Pnl(job::pnl::PnlArgs),
    /// Export all that moved: CSV, JSON, or a file for a tax tool
    Export(job::export::ExportArgs),
    /// Show, edit or check a job's configuration
    #[command(subcommand)]
    Config(job::config::ConfigCommand),
    /// Run a configuration over a file of historical prices
    Backtest(trial::backtest::BacktestArgs),
    /// Re-run a job's history with another configuration and compare
    Replay(job::replay::ReplayArgs),
    /// Show every pool of a token: venue, fee, hook, depth, and what a round trip costs
    Pools(pools::PoolsArgs),
    /// Evaluate one slot of a job now
    Tick(job::tick::TickArgs),
    /// Run scheduler, worker and metrics in one process
    Daemon,
    /// Serve the HTTP API, and nothing else; `daemon` serves it too if api.listen is set
    Serve(serve::ServeArgs),
    /// Serve tools for an agent over standard input and output (MCP); it only reads unless allowed more
    Mcp(mcp::McpArgs),
    /// Print a link that opens the console in a browser, once
    Console(console::ConsoleArgs),
    /// Create, list or revoke tokens of the HTTP API
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Run the scheduler: dispatch due slots to the queue
    Scheduler(services::SchedulerArgs),
    /// Run a worker: evaluate slots and settle trades
    Worker(services::WorkerArgs),
    /// Migrate the database to this version
    Migrate,
    /// Delete expired rows now (services do this automatically)
    Prune(prune::PruneArgs),
    /// Run a program on this installation's database, such as `lgi-mm db psql`; it gets DATABASE_URL, PGHOST and so on
    Db(db::DbArgs),
    /// Write the whole database to a file, while services run
    Backup(keep::BackupArgs),
    /// Restore a backup into an empty database, while nothing of lgi-mm runs
    Restore(keep::RestoreArgs),
    /// Show version, settings file, database, keystore, policy and processes
    Info,
    /// Install, show or remove a systemd unit that keeps the daemon running
    #[command(subcommand)]
    Service(service::ServiceCommand),
    /// Check this installation and suggest fixes
    Doctor,
    /// Check whether a running service is ready, for health checks
    Health(health::HealthArgs),
    /// List notification receivers and send a test message
    #[command(subcommand)]
    Notify(notify::NotifyCommand),
    /// Compare positions and nonces with the chain, and repair differences if the evidence allows it
    Reconcile(reconcile::ReconcileArgs),
    /// Pay coins or tokens of a live wallet to an address that the policy names, or list past withdrawals
    Withdraw(withdraw::WithdrawArgs),
    /// Manage the encrypted keys of live jobs, or empty a wallet
    #[command(subcommand)]
    Wallet(wallet::WalletCommand),
    /// Manage what the keys of this machine may sign, and the kill switch
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Manage the paper venue: wallet, money and injected faults
    #[command(subcommand)]
    Paper(paper::PaperCommand),
    /// Write prices as CSV: the real history of a token, or a generated series for experiments
    Prices(trial::prices::PricesArgs),
    /// Run a local chain with the real contracts, to practise live trading
    Devnet(devnet::DevnetArgs),
    /// Run a demo: jobs of both modes trade on paper for a minute
    Demo(demo::DemoArgs),
    /// Print or write manual pages
    Man(man::ManArgs),
    /// Print what makes a shell complete commands, jobs and keys: `source <(lgi-mm completions bash)`
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
}

/// Reads the arguments. A negative number is the value of a flag that has one, never a flag: what is wrong with it is
/// then said by its name.
fn parsed(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let matches = with_negative_numbers(Cli::command()).try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

/// The words of a list are read in any case of letters, as in every other face.
fn with_negative_numbers(command: clap::Command) -> clap::Command {
    command
        .mut_args(|argument| match argument.get_action().takes_values() {
            true => argument.allow_negative_numbers(true).ignore_case(true),
            false => argument,
        })
        .mut_subcommands(with_negative_numbers)
}

/// Parses and runs the command, and prints its error.
pub async fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    config::zones::install();
    let arguments: Vec<OsString> = arguments.collect();
    if let Some(answered) = completions::answer(Cli::command, &arguments) {
        return ExitCode::from(answered.map_or_else(|error| Exit::of(&error).code(), |()| Exit::Done.code()));
    }
    let cli = match parsed(&arguments) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && want_json(&arguments) => {
            let message = error.render().to_string();
            let message = message.strip_prefix("error: ").unwrap_or(&message).trim_end();
            Out::new(true).error(&AppError::Usage(message.to_owned()));
            return ExitCode::from(Exit::Usage.code());
        }
        Err(error) => {
            // clap prints help to standard output and errors to standard error; only a closed pipe fails here.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() {
                Exit::Usage.code()
            } else {
                Exit::Done.code()
            });
        }
    };
    Look::decide(cli.output, cli.utc);
    let out = Out::new(cli.json());
    match dispatch(cli, out).await {
        Ok(()) => ExitCode::from(Exit::Done.code()),
        Err(error) => {
            out.error(&error);
            ExitCode::from(Exit::of(&error).code())
        }
    }
}

/// Services log as their settings say; a command logs errors alone.
fn log(settings: &Settings, cli: &Cli) {
    let service = matches!(
        cli.command,
        Command::Daemon | Command::Scheduler(_) | Command::Serve(_) | Command::Worker(_)
    );
    telemetry::init_logging(
        settings.log.format,
        match (service, cli.json()) {
            (true, _) => &settings.log.filter,
            (false, false) => "error,lgi_mm::app::context=warn",
            // With JSON, standard error holds only the one error.
            (false, true) => "error",
        },
    );
}

async fn dispatch(cli: Cli, out: Out) -> Result<(), AppError> {
    match &cli.command {
        Command::Completions { shell } => return out.verbatim(completions::script(*shell)?.as_bytes()),
        Command::Man(args) => return man::run(out, Cli::command(), args),
        _ => {}
    }
    keep_secrets()?;
    raise_file_limit();
    let settings = Settings::load(cli.settings.as_deref())?;
    log(&settings, &cli);
    match cli.command {
        Command::Init(args) => trial::init::run(&settings, out, &args).await,
        Command::Start(args) => job::start::run(&settings, out, &args).await,
        Command::Order(args) => job::order::run(&settings, out, &args).await,
        Command::Basket(command) => job::basket::run(&settings, out, &command).await,
        Command::Pause(args) => job::lifecycle::pause(&settings, out, &args).await,
        Command::Resume(args) => job::lifecycle::resume(&settings, out, &args).await,
        Command::Liquidate(args) => job::lifecycle::liquidate(&settings, out, &args).await,
        Command::Remove(args) => job::lifecycle::remove(&settings, out, &args).await,
        Command::Adopt(args) => job::adopt::adopt(&settings, out, &args).await,
        Command::Release(args) => job::adopt::release(&settings, out, &args).await,
        Command::Status(args) => job::status::run(&settings, out, &args).await,
        Command::List(args) => job::list::run(&settings, out, &args).await,
        Command::Trades(args) => job::trades::run(&settings, out, &args).await,
        Command::Logs(args) => job::logs::run(&settings, out, &args).await,
        Command::Pnl(args) => job::pnl::run(&settings, out, &args).await,
        Command::Export(args) => job::export::run(&settings, out, &args).await,
        Command::Config(command) => job::config::run(&settings, out, &command).await,
        Command::Backtest(args) => trial::backtest::run(&settings, out, &args),
        Command::Replay(args) => job::replay::run(&settings, out, &args).await,
        Command::Pools(args) => pools::run(&settings, out, &args).await,
        Command::Tick(args) => job::tick::run(&settings, out, &args).await,
        Command::Daemon => services::daemon(&settings).await,
        Command::Serve(args) => serve::run(&settings, &args).await,
        Command::Mcp(args) => mcp::run(&settings, &args).await,
        Command::Console(args) => console::run(&settings, out, &args).await,
        Command::Token(command) => token::run(&settings, out, &command).await,
        Command::Scheduler(args) => services::scheduler(&settings, out, &args).await,
        Command::Worker(args) => services::worker(settings, &args).await,
        Command::Migrate => services::migrate(&settings, out).await,
        Command::Prune(args) => prune::run(&settings, out, &args).await,
        Command::Db(args) => db::run(&settings, &args).await,
        Command::Backup(args) => keep::backup(&settings, out, &args).await,
        Command::Restore(args) => keep::restore(&settings, out, &args).await,
        Command::Info => info::run(&settings, out).await,
        Command::Service(command) => service::run(&settings, out, &command).await,
        Command::Doctor => doctor::run(&settings, out).await,
        Command::Health(args) => health::run(&settings, out, &args).await,
        Command::Notify(command) => notify::run(&settings, out, &command).await,
        Command::Reconcile(args) => reconcile::run(&settings, out, &args).await,
        Command::Withdraw(args) => withdraw::run(&settings, out, &args).await,
        Command::Wallet(command) => wallet::run(&settings, out, &command).await,
        Command::Policy(command) => policy::run(&settings, out, &command).await,
        Command::Paper(command) => paper::run(&settings, out, &command).await,
        Command::Prices(args) => trial::prices::run(&settings, out, &args).await,
        Command::Devnet(args) => devnet::run(out, &args).await,
        Command::Demo(args) => demo::run(&settings, out, &args).await,
        Command::Completions { .. } | Command::Man(_) => Ok(()),
    }
}

/// Any command may hold a key or a password: a crash must not write them to disk, and other processes of our user must
/// not read them from our memory or environment.
fn keep_secrets() -> Result<(), AppError> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)
        .map_err(|error| AppError::Internal(format!("no core dumps: {error}")))?;
    // Without such a call, the system's usual protection applies.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
    Ok(())
}

/// Raises the limit of open files to the maximum: nodes, the database and clients of the metrics port share it.
fn raise_file_limit() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // If the hard limit cannot be set, as on macOS, keep the current one.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}
