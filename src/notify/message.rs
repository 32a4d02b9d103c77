//! The text of a message. Pure: the same event makes the same text.
//!
//! Symbols and errors come from outside. Whatever they hold is shown as plain text: no markup, no links, no mentions.

mod installation;

use rust_decimal::Decimal;
use serde_json::Value;

use super::notice::{Notice, TEST};
use crate::domain::{
    Timestamp, brief,
    decision::HoldReason,
    event::{Event, Severity},
    job::{JobStatus, Realm},
    units::{Amount, Usd},
};

/// Longest piece of foreign text, in characters.
const PIECE_MAX: usize = 280;

/// A title and lines below it.
pub(super) struct Message {
    title: String,
    lines: Vec<String>,
}

impl Message {
    /// The message of an event.
    pub(super) fn of(notice: &Notice) -> Self {
        let of = Pieces { notice };
        let token = of.symbol();
        let (title, mut lines) = match notice.event.parse() {
            Ok(Event::TradeFilled) => of.filled(),
            Ok(Event::TradeFailed) => (
                format!(
                    "{} of {token} failed: {}",
                    of.deed("Buy", "Sell"),
                    of.text("kind")
                ),
                of.failed(),
            ),
            Ok(Event::TradeDropped) => (
                format!("{} of {token} dropped; nothing was sent", of.deed("Buy", "Sell")),
                vec![format!("{}: {}", of.text("reason"), of.text("error"))],
            ),
            Ok(Event::TradeReversed) => (
                format!("A trade of {token} was reorged out; it is open again"),
                vec![of.text("error"), format!("transaction {}", of.text("tx_hash"))],
            ),
            Ok(Event::TradeStuck) => of.stuck(),
            Ok(Event::JobError) => of.stopped(),
            Ok(Event::JobLiquidated) => (format!("{token} is sold; its job is idle"), of.liquidated()),
            Ok(Event::JobUnsellable) => of.unsellable(&token),
            Ok(Event::JobPoolChanged) => of.pool_changed(&token),
            Ok(Event::JobStopped) => of.stop_sold(),
            Ok(Event::JobOrderEnded) => of.order_ended(),
            Ok(Event::SignerHalted) => of.halted(),
            Ok(
                event @ (Event::JobStopBlocked
                | Event::JobNoFunds
                | Event::JobLowGas
                | Event::JobLimitReached
                | Event::JobNoPrice
                | Event::JobHeld),
            ) => (of.blocked_title(event), of.blocked()),
            Ok(event @ (Event::NoWorker | Event::NoScheduler | Event::ServiceRecovered | Event::Summary)) => {
                of.installation(event)
            }
            Ok(Event::JobRecovered) => (
                format!("{token} is no longer blocked"),
                vec![format!("was {} since {}", of.text("event"), of.time("since"))],
            ),
            Err(_) if notice.event == TEST => (
                "lgi-mm can reach you".to_owned(),
                vec!["This is a test; nothing happened.".to_owned()],
            ),
            // An event of a newer version of this program.
            Err(_) => (piece(&notice.event), vec![piece(&notice.payload.to_string())]),
        };
        if let Some(job) = &notice.job {
            lines.push(format!("job {} on {}, {}", job.id, job.chain, job.realm));
        }
        Self {
            title: of.headed(&title),
            lines,
        }
    }

    /// The whole text, with its title and its lines escaped by the given functions.
    pub(super) fn text(&self, title: impl Fn(&str) -> String, line: impl Fn(&str) -> String) -> String {
        let lines = self.lines.iter().map(|text| line(text));
        std::iter::once(title(&self.title))
            .chain(lines)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Pieces of a payload. A missing one is shown as a question mark.
struct Pieces<'a> {
    notice: &'a Notice,
}

impl Pieces<'_> {
    fn filled(&self) -> (String, Vec<String>) {
        let job = self.notice.job.as_ref();
        let (decimals, quote_decimals) = job.map_or((0, 0), |job| (job.decimals, job.quote_decimals));
        let quote = job.map_or_else(unknown, |job| piece(&job.quote_symbol));
        let title = format!(
            "{} {} {} for {} {quote}",
            self.deed("Bought", "Sold"),
            self.amount("base_amount", decimals),
            self.symbol(),
            self.amount("quote_amount", quote_decimals),
        );
        let price = format!(
            "{}, {} USD each",
            self.text("reason"),
            brief::amount(&self.text("price_usd"))
        );
        let mut lines = vec![price];
        lines.extend(self.moved_usd());
        lines.push(format!("transaction {}", self.text("tx_hash")));
        (title, lines)
    }

    /// What a fill paid or brought in, and its gas; no gain without it. A message of an earlier version has neither.
    fn moved_usd(&self) -> Option<String> {
        let (moved, gas) = (self.usd("quote_usd")?, self.usd("gas_usd")?);
        Some(match self.usd("realized_usd").zip(self.usd("net_usd")) {
            Some((realized, net)) => {
                format!("received {moved} USD: realised {realized} - gas {gas} = net {net} USD")
            }
            None => format!("paid {moved} USD and gas {gas} USD"),
        })
    }

    /// What a stop did, and what its job does now.
    fn stop_sold(&self) -> (String, Vec<String>) {
        let token = self.symbol();
        let now = match self.text("status").parse() {
            Ok(JobStatus::Running) => "its job continues".to_owned(),
            Ok(status) => format!("its job is {}", status.to_string().to_lowercase()),
            Err(_) => unknown(),
        };
        let left = match self.text("token_balance").as_str() {
            "0" => "all of it is sold",
            _ => "a part of it is sold",
        };
        let mut lines = vec![format!(
            "{} at {} USD each: {left}",
            self.text("reason"),
            brief::amount(&self.text("plan_price_usd"))
        )];
        if let Some(realized) = self.usd("realized_usd") {
            lines.push(format!("realised {realized} USD before gas"));
        }
        if self.text("status") == JobStatus::Paused.to_string() {
            lines.push(format!("to continue: lgi-mm resume {}", self.job_id()));
        }
        (format!("{token} was sold by its stop; {now}"), lines)
    }

    /// How an order ended, and what came of it.
    fn order_ended(&self) -> (String, Vec<String>) {
        let token = self.symbol();
        let sells = self.deed("Buy", "Sell") == "Sell";
        let title = match self.text("ended").as_str() {
            "filled" => format!(
                "the order to {} {token} is filled",
                if sells { "sell" } else { "buy" }
            ),
            _ => format!("the time of the order for {token} is over; it is not filled"),
        };
        let figures = match (sells, self.usd("bought_usd"), self.usd("left_usd")) {
            (false, Some(bought), Some(left)) => {
                format!("{bought} USD spent, {left} USD not spent")
            }
            (true, _, _) => self
                .usd("realized_usd")
                .map_or_else(unknown, |realized| format!("realised {realized} USD before gas")),
            _ => unknown(),
        };
        let lines = vec![
            figures,
            format!("its job is idle; to end it: lgi-mm remove {}", self.job_id()),
        ];
        (title, lines)
    }

    fn stuck(&self) -> (String, Vec<String>) {
        let title = format!("{} of {} is in no block", self.deed("Buy", "Sell"), self.symbol());
        let lines = vec![
            format!(
                "accepted {} times: the node or relay does not pass it on",
                self.text("sends")
            ),
            format!("transaction {}", self.text("tx_hash")),
            format!("its wallet waits; details: lgi-mm status {}", self.job_id()),
        ];
        (title, lines)
    }

    fn stopped(&self) -> (String, Vec<String>) {
        let (token, failures) = (self.symbol(), self.text("failures_in_row"));
        let lines = vec![
            format!("the last one: {}", self.text("error")),
            format!("after fixing the cause: lgi-mm resume {}", self.job_id()),
        ];
        (
            format!("{token} stopped after {failures} failures in a row"),
            lines,
        )
    }

    fn halted(&self) -> (String, Vec<String>) {
        let title = format!(
            "Wallet {} on {} is halted",
            self.text("wallet"),
            self.text("chain")
        );
        let lines = vec![
            self.text("reason"),
            format!("{} wallet; details: lgi-mm reconcile", self.text("realm")),
        ];
        (title, lines)
    }

    fn liquidated(&self) -> Vec<String> {
        let cycle = format!("cycle {}", self.text("cycle"));
        let figures = (self.usd("realized_usd"), self.usd("gas_usd"), self.usd("net_usd"));
        let (Some(realized), Some(gas), Some(net)) = figures else {
            return vec![cycle];
        };
        let mut earned = format!("{cycle}: realised {realized} - gas {gas} = net {net} USD");
        if let Some(money_in) = self.usd("money_in_usd") {
            earned.push_str(&format!(", money in {money_in} USD"));
        }
        if let Some(Value::String(pct)) = self.notice.payload.get("return_pct") {
            earned.push_str(&format!(", return {} %", piece(pct)));
        }
        vec![earned]
    }

    /// The title behind how urgent it is, and whose money it is about: nobody may take a live message for one of paper.
    fn headed(&self, title: &str) -> String {
        let urgent = match self.notice.severity() {
            Severity::Info => "",
            Severity::Warning => "Warning: ",
            Severity::Critical => "Critical: ",
        };
        let place = self
            .place()
            .map(|place| format!("{place} - "))
            .unwrap_or_default();
        format!("{place}{urgent}{title}")
    }

    /// Realm and chain, as the first words of a message.
    fn place(&self) -> Option<String> {
        let (realm, chain) = match &self.notice.job {
            Some(job) => (job.realm.to_string(), job.chain.as_str()),
            None => {
                let text = |field| self.notice.payload.get(field).and_then(Value::as_str);
                (text("realm")?.to_owned(), text("chain")?)
            }
        };
        let realm = if realm == Realm::Live.to_string() {
            "LIVE".to_owned()
        } else {
            piece(&realm)
        };
        Some(format!("{realm} {}", piece(chain)))
    }

    fn blocked_title(&self, event: Event) -> String {
        let (token, since) = (self.symbol(), self.time("since"));
        let reminder = self.notice.payload.get("reminder").and_then(Value::as_bool);
        let still = if reminder == Some(true) { "still " } else { "" };
        match event {
            Event::JobStopBlocked => {
                format!("the stop of {token} {still}cannot sell: {}", self.text("reason"))
            }
            Event::JobNoFunds => format!("{token} {still}cannot pay for its trades: fund its wallet"),
            Event::JobLowGas => format!("{token} {still}cannot pay for gas: send its wallet native coin"),
            Event::JobLimitReached => format!("a limit has kept {token} from trading since {since}"),
            Event::JobNoPrice => format!("{token} {still}has no usable price, since {since}"),
            _ => format!(
                "{token} has {still}not traded since {since}: {}",
                self.text("reason")
            ),
        }
    }

    /// What blocks the job, what to do, and where to look.
    fn blocked(&self) -> Vec<String> {
        let reason = self.text("reason");
        let mut lines = match reason.parse::<HoldReason>() {
            Ok(known) => vec![format!("{reason}: {}", known.explain())],
            // Of a newer version of this program.
            Err(_) => vec![reason],
        };
        if self.notice.payload.get("error").is_some_and(Value::is_string) {
            lines.push(self.text("error"));
        }
        lines.push(format!("details: lgi-mm status {}", self.job_id()));
        lines
    }

    /// An instant, to the minute.
    fn time(&self, field: &str) -> String {
        let text = self.text(field);
        text.parse::<Timestamp>()
            .map_or_else(|_| unknown(), |at| at.format("%Y-%m-%d %H:%M UTC").to_string())
    }

    fn failed(&self) -> Vec<String> {
        let mut lines = vec![format!("{}: {}", self.text("reason"), self.text("error"))];
        if let Some(gas) = self.usd("gas_usd").filter(|gas| gas != "0.00") {
            lines.push(format!("gas {gas} USD"));
        }
        if let failures @ 2.. = self.notice.failures_in_row() {
            lines.push(format!("{failures} failures in a row"));
        }
        lines
    }

    fn deed(&self, buy: &'static str, sell: &'static str) -> &'static str {
        if self.notice.payload.get("side").and_then(Value::as_str) == Some("SELL") {
            sell
        } else {
            buy
        }
    }

    fn unsellable(&self, token: &str) -> (String, Vec<String>) {
        (
            format!("{token} cannot be sold any more; buying is stopped"),
            vec![
                self.text("error"),
                format!("details: lgi-mm status {}", self.job_id()),
            ],
        )
    }

    fn pool_changed(&self, token: &str) -> (String, Vec<String>) {
        (
            format!("{token} trades in another pool"),
            vec![
                format!("now {}", self.text("after")),
                format!("before {}", self.text("before")),
                format!("details: lgi-mm status {}", self.job_id()),
            ],
        )
    }

    fn text(&self, field: &str) -> String {
        match self.notice.payload.get(field) {
            Some(Value::String(text)) => piece(text),
            Some(Value::Null) | None => unknown(),
            Some(other) => piece(&other.to_string()),
        }
    }

    /// USD, cut to cents, with more digits only for what is less; `None` if the payload does not say.
    fn usd(&self, field: &str) -> Option<String> {
        let usd: Decimal = self.notice.payload.get(field)?.as_str()?.parse().ok()?;
        Usd::new(usd).ok().map(brief::usd)
    }

    /// Whole tokens, for people.
    fn amount(&self, field: &str, decimals: u8) -> String {
        let amount: Result<Amount, _> = self.text(field).parse();
        amount.map_or_else(|_| unknown(), |amount| brief::amount(&amount.to_whole(decimals)))
    }

    fn symbol(&self) -> String {
        let job = self.notice.job.as_ref();
        job.map_or_else(unknown, |job| piece(&job.symbol))
    }

    fn job_id(&self) -> String {
        let job = self.notice.job.as_ref();
        job.map_or_else(unknown, |job| job.id.to_string())
    }
}

fn unknown() -> String {
    "?".to_owned()
}

/// Foreign text as one line of limited length, without mentions and links.
fn piece(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() || is_invisible(c) { ' ' } else { c })
        .collect();
    // A zero-width space breaks mentions and links.
    clip(line.trim(), PIECE_MAX)
        .replace('@', "@\u{200b}")
        .replace("://", ":\u{200b}//")
}

/// Characters that are invisible or change the direction of text.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Shortens a text to `most` characters.
pub(super) fn clip(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(2)).collect();
    format!("{kept} …")
}

/// Escapes the three special characters of HTML.
pub(super) fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_one_harmless_line() {
        let line = piece("a\nb @everyone <!channel> https://evil.example\u{202e}x");
        assert!(
            !line.contains("@everyone") && !line.contains("://") && !line.contains('\n'),
            "{line}"
        );
        assert!(!line.contains('\u{202e}'), "{line}");
        assert_eq!(piece(&"x".repeat(1_000)).chars().count(), PIECE_MAX);
    }
}
