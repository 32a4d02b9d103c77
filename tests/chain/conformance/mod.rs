//! The contract of the ports: what can happen to a trade, written once and run on every venue.
//!
//! A scenario is a function over a [`rig::Rig`]. It looks at the ledger and at the venue's own records, never at how
//! the rig makes a fault. A new venue is one file that implements the trait, and one line here.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot continue fails"
)]

mod local;
mod paper;
mod rig;
mod scenarios;

/// Each scenario as a test on one rig.
macro_rules! on_rig {
    ($name:ident, $rig:ty: $($(#[$only:meta])* $scenario:ident,)*) => {
        mod $name {
            $(
                $(#[$only])*
                #[tokio::test(flavor = "multi_thread")]
                async fn $scenario() {
                    crate::conformance::scenarios::$scenario::<$rig>().await;
                }
            )*
        }
    };
}

/// Each scenario on each rig.
macro_rules! conformance {
    ($($scenarios:tt)*) => {
        on_rig!(on_paper, crate::conformance::paper::Paper: $($scenarios)*);
        on_rig!(on_a_local_chain, crate::conformance::local::Local: $($scenarios)*);
    };
}

conformance! {
    a_buy_and_a_sale_are_filled_once_and_booked_as_they_happened,
    a_swap_that_reverts_fails_its_trade_and_moves_nothing_but_gas,
    a_stuck_swap_is_replaced_on_its_own_nonce_and_fills_once,
    past_its_deadline_a_stuck_swap_is_cancelled_on_its_own_nonce,
    a_lost_answer_to_a_send_neither_fails_nor_doubles_the_trade,
    a_reorg_before_the_required_depth_sends_the_same_bytes_again,
    a_reorg_after_the_fill_reverses_it_and_the_same_bytes_fill_again,
    a_foreign_transaction_on_our_nonce_fails_the_trade_and_halts_the_signer_until_reconciled,
    a_wallet_without_the_quote_holds_and_buys_when_it_has_it,
    a_wallet_that_cannot_pay_its_gas_keeps_the_trade_open_until_it_can,
    a_worker_that_restarts_after_every_step_trades_once,
    #[cfg(feature = "failpoints")]
    a_process_killed_at_each_step_of_a_buy_buys_once,
    #[cfg(feature = "failpoints")]
    a_process_killed_while_it_books_a_failure_uses_the_nonce_once,
}
