//! Events of the whole installation: missing services, and summaries.

use serde_json::Value;

use super::{Pieces, piece, unknown};
use crate::domain::{brief, event::Event, job::Realm, units::Usd};

impl Pieces<'_> {
    /// An event that belongs to no job and no wallet.
    pub(super) fn installation(&self, event: Event) -> (String, Vec<String>) {
        match event {
            Event::NoWorker => (
                "No worker runs: nothing is evaluated, no trade is settled".to_owned(),
                self.waiting("start one: lgi-mm daemon, or lgi-mm worker"),
            ),
            Event::NoScheduler => (
                "No scheduler runs: slots are due and nobody claims them".to_owned(),
                self.waiting("start one: lgi-mm daemon, or lgi-mm scheduler"),
            ),
            Event::ServiceRecovered => (
                "Jobs are worked on again".to_owned(),
                vec![format!("was {} since {}", self.text("event"), self.time("since"))],
            ),
            _ => (format!("Summary of {}", self.text("period")), self.summary()),
        }
    }

    /// How many jobs wait, since when, and what to do.
    fn waiting(&self, remedy: &str) -> Vec<String> {
        let jobs = format!("{} jobs wait", self.text("jobs"));
        let since = match self.notice.payload.get("unclaimed_since") {
            Some(Value::String(_)) => format!("{jobs}, the first since {}", self.time("unclaimed_since")),
            _ => jobs,
        };
        vec![since, remedy.to_owned()]
    }

    /// A line for each realm.
    fn summary(&self) -> Vec<String> {
        let realms = self.notice.payload.get("realms").and_then(Value::as_array);
        let lines = realms.into_iter().flatten().map(realm_line);
        let lines: Vec<String> = lines.collect();
        if lines.is_empty() {
            vec!["there are no jobs".to_owned()]
        } else {
            lines
        }
    }
}

/// `LIVE: 3 trades, 1 failed; realised 2.00 - gas 0.40 = net 1.60 USD; 4 jobs run, 1 in ERROR`
fn realm_line(realm: &Value) -> String {
    let text = |field| {
        realm
            .get(field)
            .and_then(Value::as_str)
            .map_or_else(unknown, piece)
    };
    let count = |field| realm.get(field).and_then(Value::as_u64).unwrap_or_default();
    let usd = |field| {
        let usd = realm.get(field).and_then(Value::as_str)?;
        Usd::new(usd.parse().ok()?).ok()
    };
    let shown = |field| usd(field).map_or_else(unknown, brief::usd);
    let name = text("realm");
    let name = if name == Realm::Live.to_string() {
        "LIVE".to_owned()
    } else {
        name
    };
    let mut line = format!(
        "{name}: {} trades, {} failed; realised {} - gas {} = net {} USD; {} jobs run, {} in ERROR",
        count("trades"),
        count("failed"),
        shown("realized_usd"),
        shown("gas_usd"),
        shown("net_usd"),
        count("running"),
        count("error"),
    );
    if let Some(taken) = usd("taken_out_usd").filter(|taken| *taken != Usd::ZERO) {
        line.push_str(&format!("; taken out {} USD", brief::usd(taken)));
    }
    line
}
