//! Checks the settings: ranges, and values that contradict each other.

use std::net::SocketAddr;

use super::settings::Settings;
use crate::domain::{
    config::{InvalidConfig, Validator},
    span::Span,
};

const SECOND: Span = Span::from_secs(1);
const MINUTE: Span = Span::from_secs(60);
const HOUR: Span = Span::from_secs(60 * 60);

/// Every error, not only the first.
pub(super) fn problems(settings: &Settings) -> Vec<InvalidConfig> {
    let mut found = Validator::default();
    found.extend(settings.paper.validate().err().unwrap_or_default());
    found.extend(settings.chain_problems());
    found.extend(settings.notify.problems());
    found.extend(settings.retention.problems());
    contradictions(settings, &mut found);
    numbers(settings, &mut found);
    spans(settings, &mut found);
    let listen = &settings.metrics.listen;
    found.require(
        listen == "off" || listen.parse::<SocketAddr>().is_ok(),
        "metrics.listen",
        listen,
        "an address and port such as 127.0.0.1:9464, or off",
    );
    api(settings, &mut found);
    for (name, signal) in &settings.signals {
        signal.check(name, &mut found);
    }
    found.into_found()
}

/// Beyond loopback every request crosses a network with its token in it.
fn api(settings: &Settings, found: &mut Validator) {
    let api = &settings.api;
    let address = api.listen.parse::<SocketAddr>();
    found.require(
        api.listen == "off" || address.is_ok(),
        "api.listen",
        &api.listen,
        "an address and port such as 127.0.0.1:9465, or off",
    );
    let exposed = address.is_ok_and(|address| !address.ip().is_loopback());
    found.require(
        !exposed || api.may_be_exposed(),
        "api.listen",
        &api.listen,
        "an address of this machine alone, such as 127.0.0.1:9465; others only with TLS: api.tls_cert and api.tls_key, or \
         api.behind_proxy = true, which says that nothing but a proxy with TLS reaches it",
    );
    found.require(
        api.tls_cert.is_empty() == api.tls_key.is_empty(),
        if api.tls_key.is_empty() {
            "api.tls_key"
        } else {
            "api.tls_cert"
        },
        "",
        "the files of certificate and key, both or neither",
    );
    found.range("api.requests_per_second", api.requests_per_second, 1, 10_000);
    for host in &api.hosts {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        found.require(
            !host.is_empty() && host.bytes().all(plain),
            "api.hosts",
            host,
            "names as they are in the address line, such as trade.example.org or trade.example.org:8443",
        );
    }
}

fn numbers(settings: &Settings, found: &mut Validator) {
    found.range("database.pool_max", settings.database.pool_max, 4, 1_000);
    found.range("scheduler.batch", settings.scheduler.batch, 1, 10_000);
    found.range("worker.concurrency", settings.worker.concurrency, 1, 256);
    found.range("worker.batch", settings.worker.batch, 1, 1_000);
    found.range("metrics.max_jobs", settings.metrics.max_jobs, 0, 10_000);
    found.range("trading.pipeline_max", settings.trading.pipeline_max, 1, 1_000);
    found.range(
        "dexscreener.requests_per_minute",
        settings.dexscreener.requests_per_minute,
        1,
        100_000,
    );
    found.range(
        "geckoterminal.requests_per_minute",
        settings.geckoterminal.requests_per_minute,
        1,
        100_000,
    );
}

fn spans(settings: &Settings, found: &mut Validator) {
    let (scheduler, worker, trading) = (&settings.scheduler, &settings.worker, &settings.trading);
    let (five, tenth) = (Span::from_secs(5), Span::from_millis(100));
    let connect = settings.database.connect_timeout;
    found.range("database.connect_timeout", connect, SECOND, HOUR);
    found.range("scheduler.tick_lease", scheduler.tick_lease, five, HOUR);
    found.range("scheduler.settle_lease", scheduler.settle_lease, SECOND, HOUR);
    found.range("worker.heartbeat", worker.heartbeat, tenth, MINUTE);
    found.range("worker.lease", worker.lease, Span::from_millis(300), HOUR);
    found.range("worker.timeout", worker.timeout, SECOND, HOUR);
    found.range("worker.grace", worker.grace, Span::ZERO, HOUR);
    found.range("trading.sample_interval", trading.sample_interval, tenth, HOUR);
    found.range("trading.plan_lifetime", trading.plan_lifetime, SECOND, HOUR);
    found.range("trading.trade_deadline", trading.trade_deadline, five, HOUR);
    found.range(
        "trading.check_interval",
        trading.check_interval,
        Span::from_millis(10),
        Span::from_secs(10 * 60),
    );
    let every = settings.metrics.census_every;
    found.range("metrics.census_every", every, SECOND, HOUR);
    found.range("dexscreener.timeout", settings.dexscreener.timeout, tenth, MINUTE);
    found.range("referees.timeout", settings.referees.timeout, tenth, MINUTE);
    let gecko = settings.geckoterminal.timeout;
    found.range("geckoterminal.timeout", gecko, tenth, MINUTE);
    found.range("notify.timeout", settings.notify.timeout, tenth, MINUTE);
    let month = Span::from_secs(30 * 24 * 60 * 60);
    found.range(
        "notify.give_up_after",
        settings.notify.give_up_after,
        MINUTE,
        month,
    );
    let notify = &settings.notify;
    found.range("notify.no_price_after", notify.no_price_after, Span::ZERO, month);
    found.range("notify.held_after", notify.held_after, Span::ZERO, month);
}

/// Values that are valid alone but not together.
fn contradictions(settings: &Settings, found: &mut Validator) {
    let heartbeat = settings.worker.heartbeat;
    found.require(
        settings.worker.lease.std() >= heartbeat.std().saturating_mul(3),
        "worker.lease",
        settings.worker.lease,
        format_args!("at least three times worker.heartbeat ({heartbeat})"),
    );
    // An event must not be deleted while it can still be sent.
    let (kept, sent) = (settings.retention.events, settings.notify.give_up_after);
    found.require(
        kept.is_zero() || kept >= sent,
        "retention.events",
        kept,
        format_args!(
            "0s (keep indefinitely), or at least notify.give_up_after = {sent}; lengthen one or shorten the other"
        ),
    );
}
