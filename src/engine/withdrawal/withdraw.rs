//! What the owner takes out of a wallet: how much is free, and the one transaction that pays it.

use alloy_primitives::{Address, U256};
use tracing::info;

use crate::engine::{
    checks::{halted, too_expensive},
    core::Engine,
    error::EngineError,
    submit::{sign_all, stopped},
};
use crate::{
    domain::{
        costs::{REPLACEMENT_HEADROOM, gas_cost, gas_reserve},
        ids::WithdrawalId,
        job::{Account, JobStatus, Token},
        onchain::{Asset, Call, Fees},
        span::Span,
        units::{Amount, Rounding, Usd},
    },
    failpoint::reach,
    ports::Market,
    store::{
        jobs::{self, Filter, Job},
        room::Reservation,
        signers::SignerState,
        submission::Submitted,
        withdrawals::{self, NewWithdrawal},
    },
};

/// A withdrawal that is not mined for so long is cancelled.
const DEADLINE: Span = Span::from_secs(24 * 3_600);
/// How often a withdrawal is tried whose wallet is busy with trades.
const TRIES: usize = 8;

/// Why nothing was withdrawn.
#[derive(Debug, thiserror::Error)]
pub enum WithdrawError {
    /// The wallet, the policy or the chain does not allow it now.
    #[error("{0}")]
    Refused(String),
    /// A failed step.
    #[error(transparent)]
    Engine(EngineError),
}

impl<E: Into<EngineError>> From<E> for WithdrawError {
    fn from(error: E) -> Self {
        Self::Engine(error.into())
    }
}

/// What the owner wants to take out.
#[derive(Debug, Clone)]
pub struct WithdrawOrder {
    /// The wallet.
    pub account: Account,
    /// The token; its address is zero for the native coin.
    pub token: Token,
    /// Base units; `None`: all that is free.
    pub amount: Option<Amount>,
    /// Who gets it.
    pub to: Address,
    /// A second order of the account with this key pays nothing.
    pub key: Option<String>,
}

/// What would be signed.
#[derive(Debug, Clone)]
pub struct WithdrawPlan {
    /// The order.
    pub order: WithdrawOrder,
    /// Base units that are paid.
    pub amount: Amount,
    /// What the wallet holds.
    pub held: Amount,
    /// What jobs hold of it.
    pub of_jobs: Amount,
    /// What open trades and withdrawals may still take.
    pub reserved: Amount,
    /// What gas costs at most by the first fee, USD.
    pub gas_usd: Usd,
    call: Call,
    fees: Fees,
    gas_max: Amount,
    /// Native coin that stays for the gas of jobs.
    kept: Amount,
    takes_all: bool,
    balances: [Amount; 2],
    seen: SignerState,
}

/// What a wallet holds, and what of it is free. Base units.
struct Room {
    /// Of the asset, and of the native coin.
    balances: [Amount; 2],
    /// What jobs hold of the asset.
    owned: Amount,
    /// What open transactions may take of the asset.
    reserved: Amount,
    free: Amount,
    free_native: Amount,
}

impl Room {
    /// The most that can be paid if gas may take `gas_max` and jobs keep `kept` native coin for theirs.
    fn most(&self, asset: Asset, gas_max: Amount, kept: Amount) -> Result<Amount, WithdrawError> {
        if asset == Asset::Native {
            return Ok(self.free.saturating_sub(gas_max).saturating_sub(kept));
        }
        if self.free_native < gas_max {
            return Err(WithdrawError::Refused(format!(
                "the wallet cannot pay the gas: {} wei of native coin are free, and up to {gas_max} are needed; send it \
                 native coin",
                self.free_native
            )));
        }
        Ok(self.free)
    }

    fn said(&self, order: &WithdrawOrder) -> String {
        format!(
            "the wallet holds {}, jobs hold {} of it, open transactions may take {}",
            order.whole(self.balances[0]),
            order.whole(self.owned),
            order.whole(self.reserved)
        )
    }
}

impl WithdrawOrder {
    fn whole(&self, amount: Amount) -> String {
        format!("{} {}", amount.to_whole(self.token.decimals), self.token.symbol)
    }
}

/// What jobs of a wallet own of an asset, and the native coin that they keep for gas.
pub(crate) fn of_jobs(
    jobs: &[Job],
    account: &Account,
    asset: Asset,
) -> Result<(Amount, Amount), EngineError> {
    let (mut owned, mut kept) = (Amount::ZERO, Amount::ZERO);
    for job in jobs.iter().filter(|job| job.account == *account) {
        if Asset::of(job.token.address) == asset {
            owned = owned.checked_add(job.position.token_balance)?;
        }
        if job.status == JobStatus::Idle {
            continue;
        }
        if Asset::of(job.quote.address) == asset {
            owned = owned.checked_add(job.position.quote_balance)?;
        }
        kept = kept.max(gas_reserve(&job.config.limits)?);
    }
    Ok((owned, kept))
}

/// What jobs own of the native coin and the wallet holds in its wrapped form, because its code refuses coins. It cannot
/// be withdrawn: the jobs need it.
pub(crate) fn owned_as_wrapped(
    jobs: &[Job],
    account: &Account,
    (asset, wrapped): (Asset, Option<Address>),
    native: Amount,
) -> Result<Amount, EngineError> {
    if wrapped.map(Asset::of) != Some(asset) {
        return Ok(Amount::ZERO);
    }
    let (coin, _) = of_jobs(jobs, account, Asset::Native)?;
    Ok(coin.saturating_sub(native))
}

impl Engine {
    /// What a withdrawal would pay and cost. Nothing is signed.
    ///
    /// # Errors
    /// [`WithdrawError`] says what forbids it.
    pub async fn plan_withdrawal(&self, order: &WithdrawOrder) -> Result<WithdrawPlan, WithdrawError> {
        let account = &order.account;
        let market = self.markets.market(account).await?;
        let asset = Asset::of(order.token.address);
        market
            .signer
            .permits_payment(order.token.address, order.to)
            .await?;
        let seen = self.booked(account, &market, order).await?;
        let jobs = jobs::list(&self.pool, &Filter::default()).await?;
        let (_, kept) = of_jobs(&jobs, account, asset)?;
        let room = self.room(&market, order, &jobs).await?;
        let free = room.free;
        let fees = market.chain.fees().await?;
        if let Some(why) = too_expensive(&market, fees) {
            return Err(WithdrawError::Refused(why));
        }
        let probe = order.amount.unwrap_or(if asset == Asset::Native {
            Amount::new(U256::ONE)
        } else {
            free
        });
        let whole = |amount: Amount| order.whole(amount);
        if free.is_zero() || probe > free {
            let asked = order.amount.map_or_else(|| "all".to_owned(), whole);
            return Err(WithdrawError::Refused(format!(
                "{asked} cannot be withdrawn: {} is free; {}. What a job holds is its own until it is sold or released",
                whole(free),
                room.said(order)
            )));
        }
        let call = Call::pay(asset, order.to, probe);
        let (units, data_fee) = market.chain.gas_of(account.wallet, &call).await?;
        let (gas, gas_usd) = gas_cost(units, fees, market.chain.usd_price(Asset::Native).await?.price)?;
        let gas_max = gas.checked_add(data_fee)?.mul_div(
            U256::from(REPLACEMENT_HEADROOM),
            U256::from(1),
            Rounding::Up,
        )?;
        let most = room.most(asset, gas_max, kept)?;
        let amount = order.amount.unwrap_or(most);
        if amount > most || amount.is_zero() {
            return Err(WithdrawError::Refused(format!(
                "{} is the most that can be withdrawn: {}; gas may take {} and jobs keep {} for theirs (limits.gas_reserve)",
                whole(most),
                room.said(order),
                whole(gas_max),
                whole(kept)
            )));
        }
        Ok(WithdrawPlan {
            order: order.clone(),
            amount,
            held: room.balances[0],
            of_jobs: room.owned,
            reserved: room.reserved,
            gas_usd,
            call: Call {
                gas_limit: units,
                ..Call::pay(asset, order.to, amount)
            },
            fees,
            gas_max,
            kept,
            takes_all: order.amount.is_none(),
            balances: room.balances,
            seen,
        })
    }

    /// What is left of the wallet's balances.
    async fn room(&self, market: &Market, order: &WithdrawOrder, jobs: &[Job]) -> Result<Room, EngineError> {
        let account = &order.account;
        let asset = Asset::of(order.token.address);
        let held = market
            .chain
            .balances(account.wallet, &[asset, Asset::Native])
            .await?;
        let [of_asset, native] = [0, 1].map(|index| held.get(index).copied().unwrap_or_default());
        let (owned, _) = of_jobs(jobs, account, asset)?;
        let wrapped = (asset, market.chain.wrapped_native());
        let owned = owned.checked_add(owned_as_wrapped(jobs, account, wrapped, native)?)?;
        let reserved = self.reserved(account).await?;
        let taken = |asset| reserved.get(&asset).copied().unwrap_or_default();
        Ok(Room {
            balances: [of_asset, native],
            owned,
            reserved: taken(asset),
            free: of_asset.saturating_sub(owned).saturating_sub(taken(asset)),
            free_native: native.saturating_sub(taken(Asset::Native)),
        })
    }

    /// The counter of a signer that may sign now, once no open trade brings the asset into the wallet: what has
    /// arrived but is not booked would look free, although it is a job's. A trade that begins later takes a nonce,
    /// and one that ends moves the counter too, so that nothing planned before is recorded.
    async fn booked(
        &self,
        account: &Account,
        market: &Market,
        order: &WithdrawOrder,
    ) -> Result<SignerState, WithdrawError> {
        let asset = Asset::of(order.token.address);
        let mut tries = 0;
        loop {
            let seen = self.ready(account, market).await?;
            let mut arriving = withdrawals::arriving(&self.pool, account, asset).await?;
            // A wallet whose code refuses coins is paid in the wrapped form.
            if arriving.is_none() && market.chain.wrapped_native().map(Asset::of) == Some(asset) {
                arriving = withdrawals::arriving(&self.pool, account, Asset::Native).await?;
            }
            let Some(trade) = arriving else {
                return Ok(seen);
            };
            if tries == TRIES {
                return Err(WithdrawError::Refused(format!(
                    "trade {} is open and brings {} into the wallet, and what arrived is not booked yet: try again when it has \
                     ended, or pause its job first",
                    trade.0, order.token.symbol
                )));
            }
            tries += 1;
            tokio::time::sleep(self.intervals(1).std()).await;
        }
    }

    /// The counter of a signer that may sign now.
    async fn ready(&self, account: &Account, market: &Market) -> Result<SignerState, WithdrawError> {
        let Some(seen) = self.counter(account, market).await? else {
            let why = "transactions of this wallet that are not ours are pending".to_owned();
            return Err(WithdrawError::Refused(why));
        };
        if let Some(why) = stopped(&seen) {
            return Err(WithdrawError::Refused(why));
        }
        let head = market.chain.head().await?;
        let now = crate::store::now(&self.pool).await?;
        match halted(market, head, now) {
            Some((_, why)) => Err(WithdrawError::Refused(why)),
            None => Ok(seen),
        }
    }

    /// Signs a planned withdrawal and records it with its nonce; nothing is sent here. Where a trade of the wallet came
    /// first, the same amount is planned again. The answer is the withdrawal on record if there is one of the order's
    /// key.
    ///
    /// # Errors
    /// [`WithdrawError`]; nothing was recorded then.
    pub async fn withdraw(&self, plan: WithdrawPlan, actor: &str) -> Result<WithdrawalId, WithdrawError> {
        let mut plan = plan;
        for _ in 0..TRIES {
            match self.record_withdrawal(&plan, actor).await? {
                Ok(id) => return Ok(id),
                Err(Submitted::Unfunded(asset)) => {
                    return Err(WithdrawError::Refused(format!(
                        "not enough of {asset} on top of what open trades have reserved by now; try again"
                    )));
                }
                Err(_) => tokio::time::sleep(self.intervals(1).std()).await,
            }
            if let Some(key) = &plan.order.key
                && let Some(id) = withdrawals::of_key(&self.pool, &plan.order.account, key).await?
            {
                return Ok(id);
            }
            let takes_all = plan.takes_all;
            let order = WithdrawOrder {
                amount: Some(plan.amount),
                ..plan.order
            };
            plan = WithdrawPlan {
                takes_all,
                ..self.plan_withdrawal(&order).await?
            };
        }
        Err(WithdrawError::Refused(
            "the wallet is busy with trades: nothing was signed; pause its jobs, or try again".to_owned(),
        ))
    }

    async fn record_withdrawal(
        &self,
        plan: &WithdrawPlan,
        actor: &str,
    ) -> Result<Result<WithdrawalId, Submitted>, WithdrawError> {
        let order = &plan.order;
        let market = self.markets.market(&order.account).await?;
        let calls = std::slice::from_ref(&plan.call);
        let Some(signed) = sign_all(&market, calls, plan.seen.next_nonce, plan.fees)
            .await?
            .pop()
        else {
            return Err(WithdrawError::Refused("nothing was signed".to_owned()));
        };
        reach("withdrawal_signed");
        let asset = Asset::of(order.token.address);
        let [held, native] = plan.balances;
        let gas = Reservation {
            asset: Asset::Native,
            amount: plan.gas_max,
            spendable: native,
        };
        let reservations = match asset {
            Asset::Native => vec![Reservation {
                amount: plan.gas_max.checked_add(plan.amount)?,
                spendable: native.saturating_sub(plan.kept).saturating_sub(plan.of_jobs),
                ..gas
            }],
            Asset::Token(_) => vec![
                Reservation {
                    asset,
                    amount: plan.amount,
                    spendable: held.saturating_sub(plan.of_jobs),
                },
                gas,
            ],
        };
        let new = NewWithdrawal {
            account: &order.account,
            seen: &plan.seen,
            asset,
            symbol: &order.token.symbol,
            decimals: order.token.decimals,
            amount: plan.amount,
            receiver: order.to,
            actor,
            takes_all: plan.takes_all,
            request_key: order.key.as_deref(),
            signed: &signed,
            deadline: DEADLINE.after(crate::store::now(&self.pool).await?),
            reservations: &reservations,
            gas_max: plan.gas_max,
            pipeline_max: self.settings.pipeline_max,
        };
        let recorded = withdrawals::create(&self.pool, &new).await?;
        if let Ok(id) = &recorded {
            reach("withdrawal_recorded");
            info!(withdrawal = id.0, nonce = plan.seen.next_nonce, hash = %signed.signed.hash, "withdrawal recorded");
        }
        Ok(recorded)
    }
}
