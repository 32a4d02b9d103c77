//! Starts a new job, a new cycle of an idle one, or resumes a paused one.

mod before;
mod fit;
mod funds;
mod listing;
mod live;
mod made;
mod named;
mod paper;
mod past;
mod placing;
mod request;
mod shown;
mod spends;
mod started;
mod terms;
mod together;

use alloy_primitives::Address;
use tracing::warn;

use self::request::{Groundwork, Plan};
use crate::app::message::{Advice, Field, Message, message};
use crate::{
    app::{
        Actor, App, AppError,
        costs::{self, Costs, CostsOf},
        jobs::{config::check_window, recorded},
        name::JobName,
        policy, receivers,
    },
    config::build_job_config,
    domain::{
        Timestamp,
        config::{JobConfig, OrderSide},
        ids::JobId,
        job::{Account, JobStatus, Realm, Token, Transition},
        units::{Amount, Price, Rounding, Usd},
    },
    store::{
        self,
        jobs::{self, Filter, Job, NewJob},
        orders::{self, Order},
        placed::{self, Placing},
        together::{Starter, start_all as start_together},
    },
};

pub(super) use self::request::agree;
pub use self::{
    named::{KnownToken, TokenName, known_token},
    request::{Placed, StartRequest},
    started::{NotAllowed, Pair, Started, Step, What},
    terms::Terms,
    together::{BasketRequest, propose_all, start_all},
};

/// A start that can be made: shown first, then made.
#[derive(Debug)]
pub struct Proposal(Prepared);

#[derive(Debug)]
enum Prepared {
    Create {
        new: Box<NewJob>,
        /// USD for one whole quote token.
        quote_price: Price,
        order: Order,
        /// Of one order: what it begins with.
        placing: Option<Placing>,
        assumed: Vec<Message>,
        costs: Option<Box<Costs>>,
    },
    Again {
        job: Box<Job>,
        order: Order,
    },
    /// This order was placed before, at this time.
    Before(JobId, Timestamp),
}

/// What starting the job of a token would do: a new one, a new cycle of an idle one, or a paused one resumed. A running
/// one is left alone. Changes nothing.
pub async fn propose(app: &App, request: &StartRequest) -> Result<Proposal, AppError> {
    request.check()?;
    if let Some((job, at)) = before::placed(app, request).await? {
        return Ok(Proposal(Prepared::Before(job, at)));
    }
    let filter = Filter {
        token: Some(request.token),
        chain: Some(request.chain.clone()),
        ..Filter::default()
    };
    let mut known = jobs::list(&app.pool, &filter).await?;
    known.retain(|job| job.account.realm == request.realm);
    let known = this_wallets(app, request.realm, known)?;
    Ok(Proposal(match (known, &request.placed) {
        (Some(job), None) => again(app, request, job).await?,
        (None, None) => create(app, request, None).await?,
        (known, Some(_)) => {
            let ended = known.map(placing::replaceable).transpose()?;
            create(app, request, ended).await?
        }
    }))
}

impl Proposal {
    /// Ticker of its token.
    pub(super) fn symbol(&self) -> &str {
        match &self.0 {
            Prepared::Create { new, .. } => &new.token.symbol,
            Prepared::Again { job, .. } => &job.token.symbol,
            Prepared::Before(..) => "",
        }
    }
}

/// Makes a start as it was proposed.
pub async fn start(app: &App, proposal: Proposal, actor: &Actor) -> Result<Started, AppError> {
    let (account, mut started) = match proposal.0 {
        Prepared::Create {
            new,
            order,
            placing,
            assumed,
            costs,
            quote_price: _,
        } => {
            let (account, mut started) = created(app, *new, (order, placing), assumed, actor).await?;
            started.costs = costs.map(|costs| *costs);
            (account, started)
        }
        Prepared::Again { job, order } => begun(app, *job, order, actor).await?,
        Prepared::Before(job, at) => return before::started(app, job, at).await,
    };
    if account.realm == Realm::Live {
        started.policy = not_allowed(app, started.job).await?;
    }
    Ok(started)
}

/// The requested job: on paper the only one; live that of the wallet in the settings, else the only one.
fn this_wallets(app: &App, realm: Realm, mut known: Vec<Job>) -> Result<Option<Job>, AppError> {
    let chosen = app.settings.wallet.address.parse::<Address>().ok();
    if let (Realm::Live, Some(wallet)) = (realm, chosen) {
        known.retain(|job| job.account.wallet == wallet);
    }
    if known.len() > 1 {
        let jobs: Vec<String> = known
            .iter()
            .map(|job| format!("{} (wallet {})", JobName::from(job), job.account.wallet))
            .collect();
        return Err(AppError::Refused(format!(
            "{} trade this token; set wallet.address to choose the wallet",
            jobs.join(" and ")
        )));
    }
    Ok(known.pop())
}

/// What this machine's policy lacks for the job: nothing is signed until the worker's own policy allows it.
async fn not_allowed(app: &App, job: JobId) -> Result<Option<NotAllowed>, AppError> {
    let found = jobs::by_ids(&app.pool, &[job]).await?;
    let Some(Ok(job)) = found.first() else {
        return Ok(None);
    };
    Ok(policy::missing(app, job).await.map(NotAllowed))
}

/// Refuses changes to fixed properties, and a job that may not trade.
fn check_same(request: &StartRequest, job: &Job) -> Result<(), AppError> {
    let name = JobName::from(job);
    if request.mode.is_some_and(|mode| mode != job.mode) {
        let problem = format!("{name} has mode {}, which never changes; run ", job.mode);
        let first = " first, or start it without ";
        return Err(message![problem, Advice::Remove(job.id), first, Field::Mode].refused());
    }
    let token = &job.token;
    let other_decimals = request.decimals.is_some_and(|given| given != token.decimals);
    let other_symbol = request
        .symbol
        .as_ref()
        .is_some_and(|given| *given != token.symbol);
    if other_decimals || other_symbol {
        let problem = format!(
            "{name} knows this token as {} with {} decimals, which never changes; run ",
            token.symbol, token.decimals
        );
        let first = " first, or start it without ";
        let remove = Advice::Remove(job.id);
        return Err(message![problem, remove, first, Field::Symbol, " and ", Field::Decimals].refused());
    }
    if let Some(refused) = &job.refused {
        let problem =
            format!("{name} cannot trade, its configuration is refused: {refused}; change it with ");
        return Err(message![problem, edit(job)].refused());
    }
    Ok(())
}

const fn edit(job: &Job) -> Advice {
    Advice::Edit {
        job: Some(job.id),
        assignment: "key=value",
    }
}

/// An existing job: started from IDLE, resumed from PAUSED, left alone while it runs.
async fn again(app: &App, request: &StartRequest, job: Job) -> Result<Prepared, AppError> {
    check_same(request, &job)?;
    if let Some(quote) = &request.quote {
        live::require_quote(app, request, &job, quote)?;
    }
    if job.status == JobStatus::Idle {
        recorded::check(&job.config)?;
    }
    let given = request.with_budget(request.given.clone(), job.mode)?;
    if !given.is_empty() && build_job_config(&job.config, job.mode, &given)? != job.config {
        let name = JobName::from(&job);
        let problem = format!("{name} has another configuration; change it with ");
        return Err(message![problem, edit(&job)].refused());
    }
    let quote_price = match job.account.realm {
        Realm::Paper => Price::ONE,
        Realm::Live => live::quote_price(app, &job).await?,
    };
    let order = Order::Start {
        deposit: deposit(&job.config, job.quote.decimals, quote_price)?,
    };
    Ok(Prepared::Again {
        job: Box::new(job),
        order,
    })
}

async fn begun(app: &App, job: Job, order: Order, actor: &Actor) -> Result<(Account, Started), AppError> {
    let made = orders::order(&app.pool, job.id, order, actor.as_str())
        .await
        .map_err(|error| super::selected::about(&job, error))?;
    let status = match made {
        Transition::To(status) => status,
        Transition::Already | Transition::Archived => job.status,
    };
    let started = resumed(&job, status, Step::of(&job, made));
    Ok((job.account, started))
}

/// The view of a job that was there already.
fn resumed(job: &Job, status: JobStatus, step: Step) -> Started {
    let live = job.account.realm == Realm::Live;
    Started {
        job: job.id,
        token: job.token.address,
        what: What {
            step,
            live: live.then(|| Pair::new(&job.account, &job.token, &job.quote)),
        },
        symbol: job.token.symbol.clone(),
        chain: job.account.chain.clone(),
        realm: job.account.realm,
        mode: job.mode,
        status,
        assumed: vec![],
        costs: None,
        policy: None,
    }
}

/// `ended`: the order that this one takes the place of.
async fn create(app: &App, request: &StartRequest, ended: Option<Job>) -> Result<Prepared, AppError> {
    let Some(mode) = request.mode else {
        return Err(message![
            "a new job needs ",
            Field::Mode,
            " accumulate, liquidity, order or basket",
        ]
        .bad_input());
    };
    let given = request.given.clone().over_defaults(&app.settings.defaults, mode);
    let given = request.with_budget(given, mode)?;
    placing::has_amount(request, mode)?;
    let mut plan = Plan {
        config: build_job_config(
            &JobConfig::beginning(mode, request.realm, &request.chain),
            mode,
            &given,
        )?,
        request,
        given,
        mode,
        assumed: vec![],
    };
    receivers::check_named(app, &plan.config).await?;
    let ground = match request.realm {
        Realm::Paper => paper::prepare(app, &mut plan).await?,
        Realm::Live => live::prepare(app, &mut plan).await?,
    };
    finish(app, &mut plan, &ground.quote).await?;
    let Groundwork {
        account,
        token,
        quote,
        quote_price,
    } = ground;
    let order = Order::Start {
        deposit: deposit(&plan.config, quote.decimals, quote_price)?,
    };
    let new = NewJob {
        account,
        token,
        quote,
        mode,
        config: plan.config,
    };
    fit::require_fit(app, &new, &[]).await?;
    let placing = match &request.placed {
        Some(placed) => Some(placing::checked(app, &new, placed, ended.as_ref().map(|job| job.id)).await?),
        None => None,
    };
    if let Some(placing) = &placing {
        placing::say(placing, &new, ended.as_ref(), &mut plan.assumed);
    }
    plan.assumed.extend(funds::short(app, &new, quote_price).await);
    Ok(Prepared::Create {
        placing,
        quote_price,
        costs: costs_of(app, &new).await.map(Box::new),
        new: Box::new(new),
        order,
        assumed: plan.assumed,
    })
}

async fn created(
    app: &App,
    new: NewJob,
    (order, placing): (Order, Option<Placing>),
    assumed: Vec<Message>,
    actor: &Actor,
) -> Result<(Account, Started), AppError> {
    let job = match placing {
        Some(placing) => placed::place(&app.pool, &new, &placing, actor.as_str()).await?,
        None => {
            let starters = [(Starter::New(Box::new(new.clone())), order)];
            let made = start_together(&app.pool, &starters, actor.as_str()).await;
            let made = made.map_err(|refused| AppError::from(refused.error))?;
            let made = made.first().copied();
            made.ok_or_else(|| AppError::Internal("no job was started".to_owned()))?
        }
    };
    let started = made::new_one(job, &new, assumed);
    Ok((new.account, started))
}

/// What one buy of a new job and a sale right after it cost: shown before anything is bought, and no reason not to
/// start. On a live chain the pools are asked; where they do not answer, it is left out, and the first buy is still
/// held to the job's limits.
async fn costs_of(app: &App, new: &NewJob) -> Option<Costs> {
    if new
        .config
        .rules
        .order()
        .is_some_and(|rules| rules.side == OrderSide::Sell)
    {
        return None;
    }
    let amount = costs::one_buy(&new.config.rules);
    match new.account.realm {
        Realm::Paper => costs::on_paper(&app.settings, amount).ok(),
        Realm::Live => {
            let of = CostsOf {
                chain: &new.account.chain,
                token: new.token.address,
                quote: new.quote.address,
                quote_decimals: new.quote.decimals,
                pool: new.config.venue.pool,
            };
            let asked = costs::quoted(app, &of, amount).await;
            asked
                .inspect_err(|why| warn!(why, "the costs of a round trip are not known"))
                .ok()
        }
    }
}

/// Common to both realms: the schedule, the start of recorded prices, and the final checks.
async fn finish(app: &App, plan: &mut Plan<'_>, quote: &Token) -> Result<(), AppError> {
    if !plan.given.sets("schedule.cron") {
        plan.assumed.push(message![
            format!("evaluated by cron '{}' UTC (", plan.config.schedule.cron),
            Advice::Set("schedule.cron=..".into()),
            ")",
        ]);
    }
    if let Some(recorded) = plan.config.price.recorded.as_mut() {
        let now = store::now(&app.pool).await?;
        recorded.starts_at.get_or_insert(now);
    }
    let request = plan.request;
    if request.token == quote.address {
        return Err(AppError::Usage(format!(
            "token {} is {} itself, which this job would pay with",
            request.token, quote.symbol
        )));
    }
    placing::in_time(app, &plan.config).await?;
    plan.config
        .validate_for(plan.mode, request.realm, &request.chain)
        .map_err(AppError::Config)?;
    check_window(&plan.config, &app.settings)?;
    recorded::check(&plan.config)
}

/// Initial quote balance of a liquidity job, base units.
fn deposit(config: &JobConfig, decimals: u8, price: Price) -> Result<Amount, AppError> {
    let budget = config.rules.budget().unwrap_or(Usd::ZERO);
    budget
        .to_amount(decimals, price, Rounding::Down)
        .map_err(|error| AppError::Usage(format!("liquidity.budget_usd = {budget}: {error}")))
}
