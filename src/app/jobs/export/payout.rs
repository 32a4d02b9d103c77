//! Rows of withdrawals: what the owner took out of a wallet is neither a sale nor a loss, and its gas is a cost.

use super::{
    line::{ExportLine, RowKind, link},
    names::Names,
};
use crate::{
    app::whole::Whole,
    config::Settings,
    domain::{onchain::Asset, pool::NATIVE, trade::TradeStatus, units::NATIVE_DECIMALS},
    store::payouts::Payout,
};

impl ExportLine {
    pub(super) fn of_payout(paid: &Payout, names: &Names, settings: &Settings) -> Self {
        let account = &paid.account;
        let executed = paid.status == TradeStatus::Executed;
        let gas = Some(paid.gas_native).filter(|gas| !gas.is_zero());
        // A transaction that only paid gas, as that of a failed trade.
        let only_gas = paid.status == TradeStatus::Failed && gas.is_some();
        let amount = Whole::new(paid.amount, paid.decimals);
        let sent = executed.then_some(amount);
        let purpose = match paid.purpose.as_deref() {
            Some("transfer") if only_gas => "reverted transfer; ",
            Some("cancel") if only_gas => "cancel; ",
            _ => "",
        };
        let receiver = paid.receiver.to_checksum(None);
        let why = paid
            .note
            .as_ref()
            .map(|note| format!("; {note}"))
            .unwrap_or_default();
        let tx_hash = paid.hash.map(|hash| hash.to_string());
        Self {
            kind: if only_gas { RowKind::Gas } else { RowKind::Payout },
            at: paid.at,
            realm: account.realm,
            chain: account.chain.clone(),
            wallet: account.wallet,
            job: None,
            symbol: paid.symbol.clone(),
            token_address: match paid.asset {
                Asset::Native => NATIVE,
                Asset::Token(token) => token,
            },
            quote_currency: None,
            quote_address: None,
            trade: None,
            withdrawal: Some(paid.withdrawal),
            cycle: None,
            slot: None,
            side: None,
            reason: None,
            status: (!only_gas).then_some(paid.status),
            sent_amount: sent,
            sent_currency: sent.map(|_| paid.symbol.clone()),
            received_amount: None,
            received_currency: None,
            fee_amount: gas.map(|gas| Whole::new(gas, NATIVE_DECIMALS)),
            fee_currency: gas.map(|_| names.native(&account.chain, settings)),
            gas_usd: gas.map(|_| paid.gas_usd),
            base_amount: (!only_gas).then_some(amount),
            quote_amount: None,
            price_usd: None,
            quote_usd: paid.value_usd,
            cost_basis_average_usd: None,
            realized_average_usd: None,
            cost_basis_fifo_usd: None,
            realized_fifo_usd: None,
            link: link(settings, account, tx_hash.as_ref()),
            tx_hash,
            failure_kind: paid.failure.clone(),
            note: Some(format!("{purpose}to {receiver}{why}")),
            created_at: paid.created_at,
            executed_at: paid.executed_at,
            sent_ticker: sent.map(|_| names.asset(paid, settings)),
            received_ticker: None,
        }
    }
}
