//! Payments of the owner: only to whom the entry names.

use super::*;

#[tokio::test]
async fn payments_go_only_where_the_entry_says() {
    const OWNER: Address = Address::repeat_byte(0x42);
    let pay = |to: Address, wei: u64| Call {
        purpose: Purpose::Transfer,
        to,
        data: alloy_primitives::Bytes::new(),
        value: U256::from(wei),
        gas_limit: 21_000,
    };
    let transfer = |token: Address, to: Address| Call {
        data: Erc20::transferCall {
            to,
            amount: U256::from(5),
        }
        .abi_encode()
        .into(),
        gas_limit: 60_000,
        ..pay(token, 0)
    };
    let key = Key::new(|entry| entry.withdraw_to = vec![OWNER]);
    let nobody = Key::new(|_| {});
    let stopped = Key::new(|entry| {
        entry.withdraw_to = vec![OWNER];
        entry.stop = true;
    });
    let careless = Key::new(|entry| entry.withdraw_to = vec![TOKEN, spec().usdc, spec().contracts.permit2]);
    let spec = spec();
    let mut padded = transfer(TOKEN, OWNER);
    padded.data = [padded.data.as_ref(), &[0_u8; 4]].concat().into();
    let as_swap = Call {
        purpose: Purpose::Swap,
        ..pay(OWNER, 5)
    };
    let with_value = Call {
        value: U256::ONE,
        ..transfer(TOKEN, OWNER)
    };
    for (key, call, expected) in [
        (&key, pay(OWNER, 5), None),
        (&key, transfer(TOKEN, OWNER), None),
        (&key, transfer(spec.usdc, OWNER), None),
        // A token that no job trades, sent to the wallet by anyone, is the owner's too.
        (&key, transfer(STRANGER, OWNER), None),
        (&key, pay(STRANGER, 5), Some("recipient")),
        (&key, transfer(TOKEN, STRANGER), Some("recipient")),
        (&key, transfer(TOKEN, Address::ZERO), Some("recipient")),
        (&nobody, pay(OWNER, 5), Some("recipient")),
        (&nobody, transfer(TOKEN, OWNER), Some("recipient")),
        (&careless, transfer(TOKEN, TOKEN), Some("recipient")),
        (&careless, pay(spec.usdc, 5), Some("recipient")),
        (
            &careless,
            transfer(TOKEN, spec.contracts.permit2),
            Some("recipient"),
        ),
        (&stopped, pay(OWNER, 5), Some("stopped")),
        (&key, padded, Some("shape")),
        (&key, as_swap, Some("shape")),
        (&key, with_value, Some("contract")),
    ] {
        assert_eq!(key.refused(&call).await.as_deref(), expected, "{call:?}");
    }
    let refused = nobody.sign(&pay(OWNER, 5)).await.expect_err("refused");
    assert!(
        refused.detail.contains(&format!("withdraw_to = [\"{OWNER}\"]")),
        "{refused}"
    );
}
