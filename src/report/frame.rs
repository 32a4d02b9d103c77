//! What every report is framed by, with `head.html`: its style, its theme, its title and the policy of its content.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

pub(super) const STYLE: &str = include_str!("style.css");
pub(super) const THEME: &str = include_str!("theme.js");

/// Content security policy: no external resources, and only these scripts, by hash.
pub(super) fn policy(scripts: &[&str]) -> String {
    let hashes: Vec<String> = scripts
        .iter()
        .map(|script| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script.as_bytes()))))
        .collect();
    format!(
        "default-src 'none'; script-src {}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
         form-action 'none'",
        hashes.join(" ")
    )
}

/// The title of the page; `what` is escaped already.
pub(super) fn title(what: &str, invented: bool) -> String {
    let invented = if invented { " (INVENTED prices)" } else { "" };
    format!("Backtest of {what}{invented}")
}

/// The heading; `what` is escaped already.
pub(super) fn heading(what: &str, invented: bool) -> String {
    if invented {
        format!(
            "{what} <span class=\"invented\" title=\"The prices were generated: nobody ever paid them.\">INVENTED prices</span>"
        )
    } else {
        what.to_owned()
    }
}
