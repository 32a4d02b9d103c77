//! What the table of a member of a basket refuses.

use super::*;
use lgi_mm::domain::config::{BasketConfig, Rules};

fn basket(config: &mut JobConfig) -> &mut BasketConfig {
    match &mut config.rules {
        Rules::Basket(rules) => rules,
        other => panic!("{other:?} is no member of a basket"),
    }
}

/// A change, and the message it causes.
pub(super) const BASKET: &[(Change, &str)] = &[
    (
        |c| basket(c).name = String::new(),
        "basket.name = \"\" is not allowed: 1 to 32 of a-z, 0-9, - and _",
    ),
    (
        |c| basket(c).name = "Index".to_owned(),
        "basket.name = Index is not allowed: 1 to 32 of a-z, 0-9, - and _",
    ),
    (
        |c| basket(c).members = 1,
        "basket.members = 1 is not allowed: 2 to 100",
    ),
    (
        |c| basket(c).members = 101,
        "basket.members = 101 is not allowed: 2 to 100",
    ),
    (
        |c| basket(c).weight = dec("0"),
        "basket.weight = 0 is not allowed: above 0, up to 1000",
    ),
    (
        |c| basket(c).band_pct = dec("100"),
        "basket.band_pct = 100 is not allowed: above 0, up to 99",
    ),
    (
        |c| basket(c).budget_usd = Usd::ZERO,
        "basket.budget_usd = 0 is not allowed: above 0, up to 1000000000",
    ),
];

#[test]
fn a_member_of_a_basket_refuses_what_is_out_of_range() {
    for (change, expected) in BASKET {
        let found = messages(JobMode::Basket, *change);
        assert!(
            found.iter().any(|message| message == expected),
            "{expected}: {found:#?}"
        );
    }
}
