//! Which test shows what: every fault of a node, every kind of token and every shape of pool that live trading was
//! tried against has a test of its own. A row without a test, or a test that is gone, fails here.

use std::{fs, path::Path};

/// What a node does, and the test of it.
const NODES: &[(&str, &str)] = &[
    (
        "has no eth_simulateV1",
        "a_node_with_few_methods_buys_and_one_with_the_fewest_sells",
    ),
    (
        "has no state overrides either",
        "a_node_with_few_methods_buys_and_one_with_the_fewest_sells",
    ),
    (
        "has no eth_maxPriorityFeePerGas",
        "a_node_with_few_methods_buys_and_one_with_the_fewest_sells",
    ),
    ("has no history of fees", ONLY_NODE),
    ("gives no logs", ONLY_NODE),
    ("knows no final block", ONLY_NODE),
    ("omits half of the receipts", ONLY_NODE),
    ("loses answers after the work was done", ONLY_NODE),
    ("limits requests by JSON errors", ONLY_NODE),
    ("goes back and forth behind one URL", ONLY_NODE),
    ("adds fields to blocks and receipts", ONLY_NODE),
    ("takes no transactions", FIRST_NODE),
    ("has no state", FIRST_NODE),
    ("answers with internal errors", FIRST_NODE),
    ("has no newest block", FIRST_NODE),
    ("stands still", FIRST_NODE),
    ("limits batches", ONLY_DOOR),
    ("refuses batches", ONLY_DOOR),
    (
        "refuses a part of a batch, or each of it",
        "however_a_node_refuses_a_batch_each_request_is_answered_and_none_is_asked_twice",
    ),
    ("answers 429, 402, 503 or Retry-After", ONLY_DOOR),
    (
        "names a long pause",
        "a_long_pause_fails_at_once_and_sends_nothing",
    ),
    (
        "has a budget of compute units",
        "a_node_is_asked_within_its_own_budget_of_compute_units",
    ),
    (
        "swallows what it accepted",
        "what_one_node_swallows_reaches_the_other_at_once",
    ),
    (
        "forges receipts",
        "one_node_of_two_that_forges_a_revert_settles_nothing_and_is_named_counted_and_forgiven",
    ),
    (
        "serves another chain",
        "a_node_of_another_chain_is_refused_at_start_by_name",
    ),
    (
        "belongs to a chain that halted",
        "a_chain_that_stands_still_is_named_and_gets_no_trades_until_it_moves",
    ),
    (
        "sends an endless body",
        "an_endless_body_costs_no_more_than_the_cap",
    ),
    (
        "is a relay that drops transactions",
        "what_a_relay_dropped_is_sent_again_and_swaps_once",
    ),
    (
        "is a relay that drops everything",
        "a_relay_that_drops_everything_frees_the_wallet_by_a_public_cancel_and_shows_nobody_the_swap",
    ),
    (
        "takes blocks back",
        "a_block_that_is_taken_back_before_it_counts_books_nothing_twice",
    ),
];
const ONLY_NODE: &str =
    "whatever_the_only_node_does_a_buy_and_its_liquidation_end_idle_with_the_ledger_of_the_chain";
const ONLY_DOOR: &str = "however_the_only_node_refuses_whole_requests_a_buy_and_its_liquidation_end_idle";
const FIRST_NODE: &str = "whatever_the_first_of_two_nodes_refuses_a_buy_and_its_liquidation_end_idle";

/// What a token or a wallet does.
const TOKENS: &[(&str, &str)] = &[
    (
        "wants its allowance cleared first",
        "an_allowance_that_must_be_cleared_first_is_and_only_then",
    ),
    (
        "keeps a share of each transfer",
        "what_a_token_keeps_is_measured_on_every_pool_and_the_floor_holds_for_what_arrives",
    ),
    (
        "raises its tax before the block",
        "finding_3d_a_tax_that_rises_before_the_block_reverts_on_every_pool",
    ),
    (
        "has no digits, or two",
        "tokens_of_no_and_of_two_digits_are_bought_and_liquidated_in_slices",
    ),
    (
        "changes its digits",
        "finding_3b_a_contract_that_changes_its_digits_is_traded_no_more",
    ),
    (
        "is called what a terminal obeys",
        "a_token_that_says_nul_stops_only_its_own_job_and_writes_on_no_terminal",
    ),
    (
        "limits transfers after the buy",
        "a_token_that_limits_transfers_is_sold_in_sizes_that_it_lets_go",
    ),
    (
        "is paused and goes on",
        "a_token_that_is_paused_is_sold_when_it_goes_on",
    ),
    (
        "cannot be sold from the start",
        "a_trap_is_refused_before_the_first_buy",
    ),
    (
        "cannot be sold after the first buy",
        "finding_10_a_token_that_shuts_after_the_first_buy_is_bought_no_more",
    ),
    (
        "blacklists a pair",
        "a_dead_pair_neither_tells_the_price_nor_stops_a_job",
    ),
    (
        "gives its holders more",
        "a_position_that_grew_by_itself_is_sold_as_it_was_bought",
    ),
    (
        "takes from its holders",
        "a_position_that_shrank_by_itself_is_written_down_with_evidence_and_the_rest_is_sold",
    ),
    (
        "takes all of it",
        "a_position_that_vanished_is_written_down_and_its_job_ends",
    ),
    (
        "is held by a wallet whose code refuses coins",
        "a_wallet_whose_code_refuses_coins_is_paid_in_the_wrapped_form",
    ),
    (
        "is taxed at its launch",
        "a_launch_waits_until_its_pool_is_old_enough_and_its_tax_fell",
    ),
];

/// Where a token trades.
const POOLS: &[(&str, &str)] = &[
    (
        "V4, any fee and spacing",
        "a_v4_pool_of_any_fee_and_spacing_is_found_and_traded_both_ways",
    ),
    (
        "V4, an unknown hook",
        "a_pool_with_a_hook_that_nobody_listed_is_traded_if_it_can_be_sold_in",
    ),
    ("V4, 80 % fee", "a_pool_that_keeps_too_much_is_found_and_refused"),
    (
        "V4, just made",
        "a_launch_waits_until_its_pool_is_old_enough_and_its_tax_fell",
    ),
    (
        "V2 or V3, just made",
        "a_young_pair_of_v2_or_v3_waits_and_is_then_bought_and_sold",
    ),
    (
        "PancakeSwap V3 or a fork of V2, just made",
        "a_pool_of_pancakeswap_or_of_a_fork_that_was_just_made_is_young",
    ),
    (
        "Aerodrome or Slipstream, just made",
        "a_pool_of_aerodrome_or_slipstream_that_was_just_made_is_young",
    ),
    (
        "two pools of any two versions, through another token",
        "two_pools_of_any_versions_fill_what_they_quoted_both_ways",
    ),
    (
        "three pools of V4, V2 and V3, through two other tokens",
        "a_token_behind_pools_of_three_versions_is_bought_and_sold_and_the_ledger_is_the_chain",
    ),
    (
        "dust on the way",
        "a_dust_pool_on_the_way_neither_hides_a_good_route_nor_is_taken",
    ),
    (
        "V2 or V4 against the coin, paid in dollars",
        "a_pool_of_v4_with_the_coin_is_reached_with_dollars_through_the_coin",
    ),
    (
        "a long way that gives more, while gas is cheap and dear",
        "a_route_that_brings_more_is_taken_only_while_its_gas_is_worth_it",
    ),
    (
        "V4 with the native coin, V3 of one and two hops, V2",
        "every_pool_fills_what_it_quoted_with_every_quote_and_leaves_no_allowance",
    ),
    (
        "V3, a fee that the factory enabled",
        "a_v3_pool_of_any_fee_that_the_factory_enabled_is_found",
    ),
    (
        "PancakeSwap V3",
        "every_fee_and_every_quote_fills_what_it_quoted_both_ways_and_leaves_no_allowance",
    ),
    (
        "Slipstream, three deployments",
        "every_deployment_fills_what_it_quoted_both_ways_through_its_own_router",
    ),
    (
        "Aerodrome, volatile and stable",
        "pools_of_both_curves_fill_what_they_quoted_both_ways_with_every_quote",
    ),
    (
        "a fork of V2",
        "a_fork_fills_what_it_quoted_both_ways_through_its_own_router",
    ),
    (
        "a dust pool next to a deep one",
        "a_dust_pool_neither_tells_the_price_nor_stops_a_job",
    ),
    (
        "pools that revert before one that works",
        "ten_pools_that_revert_do_not_hide_the_one_that_works",
    ),
    (
        "no pool at all",
        "a_pair_that_nobody_trades_is_told_what_was_asked",
    ),
];

fn sources(dir: &Path, text: &mut String) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).expect("a source"));
        }
    }
}

#[test]
fn every_fault_of_a_node_kind_of_token_and_shape_of_pool_has_a_test_that_exists() {
    let mut text = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut text);
    for (what, test) in [NODES, TOKENS, POOLS].concat() {
        assert!(
            text.contains(&format!("fn {test}(")),
            "{what}: no test is called {test}"
        );
    }
}
