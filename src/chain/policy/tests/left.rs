//! What a swap may leave in the router must be swept to the wallet.

use alloy::sol_types::SolCall;
use alloy_primitives::Bytes;

use super::{Key, ways};
use crate::chain::contracts::UniversalRouter;

const V3_SWAP: u8 = 0x00;
const SWEEP: u8 = 0x04;

/// A V3 pool that runs out of what it gives takes less than all that the router holds.
#[tokio::test]
async fn calldata_that_sweeps_nothing_behind_a_swap_that_the_router_pays_is_refused() {
    let key = Key::new(|_| {});
    let mut refused = 0;
    for call in ways(key.wallet).into_iter().flatten() {
        let Ok(execute) = UniversalRouter::executeCall::abi_decode(&call.data) else {
            continue;
        };
        if !execute.commands.contains(&SWEEP) {
            continue;
        }
        assert!(execute.commands.contains(&V3_SWAP), "{call:?}");
        assert_eq!(key.refused(&call).await, None, "{call:?}");
        let steps = execute.commands.iter().zip(&execute.inputs);
        let kept: Vec<(u8, Bytes)> = steps
            .filter(|(command, _)| **command != SWEEP)
            .map(|(command, input)| (*command, input.clone()))
            .collect();
        let without = UniversalRouter::executeCall {
            commands: kept
                .iter()
                .map(|(command, _)| *command)
                .collect::<Vec<_>>()
                .into(),
            inputs: kept.into_iter().map(|(_, input)| input).collect(),
            deadline: execute.deadline,
        };
        let mut bare = call.clone();
        bare.data = without.abi_encode().into();
        assert_eq!(key.refused(&bare).await.as_deref(), Some("recipient"), "{bare:?}");
        // Nor does a sweep before the swap count.
        let mut steps: Vec<(u8, Bytes)> = execute.commands.into_iter().zip(execute.inputs).collect();
        steps.sort_by_key(|(command, _)| *command != SWEEP);
        let (commands, inputs): (Vec<u8>, Vec<Bytes>) = steps.into_iter().unzip();
        let mut early = call.clone();
        early.data = UniversalRouter::executeCall {
            commands: commands.into(),
            inputs,
            deadline: execute.deadline,
        }
        .abi_encode()
        .into();
        assert_eq!(
            key.refused(&early).await.as_deref(),
            Some("recipient"),
            "{early:?}"
        );
        refused += 1;
    }
    assert!(refused >= 10, "{refused}");
}
