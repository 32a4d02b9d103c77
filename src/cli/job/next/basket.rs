//! The basket of a job, in words.

use crate::{
    app::jobs::basket::{BasketSeen, OtherMember},
    cli::out::dollars,
    domain::{basket::Standing, job::JobStatus},
};

/// One line for the basket, one for this job's share, and one for each other member.
pub(super) fn lines(basket: &BasketSeen) -> Vec<(&'static str, String)> {
    let worth = basket.total_usd.map_or_else(
        || "its value is not known yet".to_owned(),
        |total| format!("{} USD", dollars(total)),
    );
    let mut lines = vec![(
        "basket",
        format!(
            "{}, {} of {} members started, {worth}",
            basket.name, basket.started, basket.members
        ),
    )];
    lines.extend(basket.own.as_ref().map(|own| ("share", share(own))));
    lines.extend(basket.others.iter().map(|other| ("", member(other))));
    lines
}

fn share(standing: &Standing) -> String {
    let Standing {
        share_pct,
        target_pct,
        buys_below_pct,
        sells_above_pct,
    } = standing;
    let digits = |pct: &rust_decimal::Decimal| pct.round_dp(2).normalize();
    format!(
        "{} % of the basket, target {} %; buys below {} %, sells above {} %",
        digits(share_pct),
        digits(target_pct),
        digits(buys_below_pct),
        digits(sells_above_pct)
    )
}

fn member(other: &OtherMember) -> String {
    let what = match (&other.standing, other.status) {
        (Some(standing), _) => share(standing),
        (None, JobStatus::Running) => format!(
            "weight {}, its share is not known: a price is missing",
            other.weight
        ),
        (None, JobStatus::Idle) => "no member until it is started".to_owned(),
        (None, _) => "left out until it runs again".to_owned(),
    };
    let blocked = other.blocked_by.as_ref();
    let blocked = blocked.map_or_else(String::new, |reason| format!("; blocked: {reason}"));
    format!(
        "job {} ({}), {}: {what}{blocked}",
        other.job, other.symbol, other.status
    )
}
