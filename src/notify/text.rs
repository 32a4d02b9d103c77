//! What a message says, in the form that each kind of receiver wants. Pure: the same event makes the same message.
//!
//! Symbols and errors come from strangers. Whatever they hold, they are text: no markup, no link that looks like
//! another, and nobody is mentioned.

use serde_json::{Value, json};

use super::{Notice, TEST, settings::ReceiverKind};
use crate::domain::{event::Event, units::Amount};

/// Longest piece of somebody else's text.
const PIECE_MAX: usize = 280;
/// Longest message: what Discord takes.
const TEXT_MAX: usize = 2_000;
/// Digits of an amount after the zeros that begin its fraction.
const DIGITS: usize = 6;
/// Discord: no preview of whatever looks like a link.
const SUPPRESS_EMBEDS: u32 = 1 << 2;

/// The body of the request that tells a receiver.
#[must_use]
pub fn body(kind: ReceiverKind, chat_id: &str, notice: &Notice) -> Value {
    let said = Said::of(notice);
    match kind {
        ReceiverKind::Telegram => json!({
            "chat_id": chat_id,
            "text": said.text(|title| format!("<b>{}</b>", html(title)), html),
            "parse_mode": "HTML",
            "link_preview_options": { "is_disabled": true },
        }),
        ReceiverKind::Discord => json!({
            "content": clip(&said.text(|title| format!("**{}**", markdown(title)), markdown), TEXT_MAX),
            "allowed_mentions": { "parse": [] },
            "flags": SUPPRESS_EMBEDS,
        }),
        ReceiverKind::Slack => json!({
            "text": said.text(html, html),
            "mrkdwn": false,
            "link_names": false,
            "unfurl_links": false,
            "unfurl_media": false,
        }),
        ReceiverKind::Webhook => json!({
            "id": notice.id,
            "type": notice.event,
            "version": notice.version,
            "timestamp": notice.happened_at,
            "job": notice.job.as_ref().map(|job| json!({
                "id": job.id, "realm": job.realm, "chain": job.chain, "token": job.token, "symbol": job.symbol,
                "decimals": job.decimals, "quote_symbol": job.quote_symbol, "quote_decimals": job.quote_decimals,
            })),
            "text": said.text(str::to_owned, str::to_owned),
            "data": notice.payload,
        }),
    }
}

/// A title and lines below it.
struct Said {
    title: String,
    lines: Vec<String>,
}

impl Said {
    fn of(notice: &Notice) -> Self {
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
                vec![format!("{}: {}", of.text("reason"), of.text("error"))],
            ),
            Ok(Event::TradeReversed) => (
                format!("The chain took the end of a trade of {token} back; it is open again"),
                vec![of.text("error"), format!("transaction {}", of.text("tx_hash"))],
            ),
            Ok(Event::JobError) => (
                format!(
                    "{token} stopped after {} failures in a row",
                    of.text("failures_in_row")
                ),
                vec![
                    format!("the last one: {}", of.text("error")),
                    format!("when the cause is mended: lgi-mm resume {}", of.job_id()),
                ],
            ),
            Ok(Event::JobLiquidated) => (
                format!("{token} is sold; its job is idle"),
                vec![format!("cycle {}", of.text("cycle"))],
            ),
            Ok(Event::JobUnsellable) => (
                format!("{token} cannot be sold any more; nothing more of it is bought"),
                vec![
                    of.text("error"),
                    format!("to look at it: lgi-mm status {}", of.job_id()),
                ],
            ),
            Ok(Event::SignerHalted) => (
                format!("Wallet {} on {} is halted", of.text("wallet"), of.text("chain")),
                vec![
                    of.text("reason"),
                    format!("{} wallet; to look at it: lgi-mm reconcile", of.text("realm")),
                ],
            ),
            Err(_) if notice.event == TEST => (
                "lgi-mm can reach you".to_owned(),
                vec!["This is a test; nothing happened.".to_owned()],
            ),
            // Of a newer version of this program.
            Err(_) => (piece(&notice.event), vec![piece(&notice.payload.to_string())]),
        };
        if let Some(job) = &notice.job {
            lines.push(format!("job {} on {}, {}", job.id, job.chain, job.realm));
        }
        Self { title, lines }
    }

    fn text(&self, title: impl Fn(&str) -> String, line: impl Fn(&str) -> String) -> String {
        let lines = self.lines.iter().map(|text| line(text));
        std::iter::once(title(&self.title))
            .chain(lines)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Pieces of a payload. What is not there is a question mark: a message is better than none.
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
            short(&self.text("price_usd"))
        );
        (
            title,
            vec![price, format!("transaction {}", self.text("tx_hash"))],
        )
    }

    fn deed(&self, buy: &'static str, sell: &'static str) -> &'static str {
        if self.notice.payload.get("side").and_then(Value::as_str) == Some("SELL") {
            sell
        } else {
            buy
        }
    }

    fn text(&self, field: &str) -> String {
        match self.notice.payload.get(field) {
            Some(Value::String(text)) => piece(text),
            Some(Value::Null) | None => unknown(),
            Some(other) => piece(&other.to_string()),
        }
    }

    /// Whole tokens, for people.
    fn amount(&self, field: &str, decimals: u8) -> String {
        let amount: Result<Amount, _> = self.text(field).parse();
        amount.map_or_else(|_| unknown(), |amount| short(&amount.to_whole(decimals)))
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

/// Somebody else's text: one line, not too long, without mentions and without links.
fn piece(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() || is_invisible(c) { ' ' } else { c })
        .collect();
    // An invisible character keeps names and addresses from being more than text.
    clip(line.trim(), PIECE_MAX)
        .replace('@', "@\u{200b}")
        .replace("://", ":\u{200b}//")
}

/// Characters that turn text around or hide in it.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn clip(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(2)).collect();
    format!("{kept} …")
}

/// Cuts digits that nobody reads, never all of them.
fn short(number: &str) -> String {
    let Some((whole, fraction)) = number.split_once('.') else {
        return number.to_owned();
    };
    let zeros = if whole == "0" {
        fraction.chars().take_while(|digit| *digit == '0').count()
    } else {
        0
    };
    let cut: String = fraction.chars().take(zeros + DIGITS).collect();
    let cut = cut.trim_end_matches('0');
    if cut.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{cut}")
    }
}

/// For Telegram's HTML; Slack wants the same three characters escaped.
fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// For Discord: a backslash before everything that could be markup.
fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation()
            && !matches!(
                c,
                '.' | ',' | ';' | '?' | '!' | '%' | '/' | '\'' | '"' | '$' | '='
            )
        {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_what_is_read_and_never_become_zero() {
        for (number, shown) in [
            ("12", "12"),
            ("12.3456789", "12.345678"),
            ("12.50", "12.5"),
            ("3.0000001", "3"),
            ("0.0000000123456789", "0.0000000123456"),
        ] {
            assert_eq!(short(number), shown);
        }
    }

    #[test]
    fn other_people_s_text_is_one_harmless_line() {
        let said = piece("a\nb @everyone <!channel> https://evil.example\u{202e}x");
        assert!(
            !said.contains("@everyone") && !said.contains("://") && !said.contains('\n'),
            "{said}"
        );
        assert!(!said.contains('\u{202e}'), "{said}");
        assert_eq!(piece(&"x".repeat(1_000)).chars().count(), PIECE_MAX);
    }
}
