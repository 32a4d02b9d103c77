//! Charts without a script: lines and areas as SVG, texts and marks as HTML over it, so that they keep their size on
//! any screen.

use rust_decimal::{Decimal, prelude::ToPrimitive};

use crate::{
    domain::{Timestamp, brief},
    report::html::escape,
};

/// Width and height of a chart's own coordinates.
const SIDE: f64 = 1_000.0;

/// Parts between the lines of the grid.
const PARTS: u8 = 4;

/// Significant digits of an axis' labels.
const LABEL_DIGITS: u32 = 4;

/// An instant, seconds since 1970, and a value.
pub(super) type Spot = (i64, f64);

/// A line.
pub(super) struct Line {
    pub(super) name: String,
    /// A colour of the style sheet.
    pub(super) tint: String,
    pub(super) spots: Vec<Spot>,
    pub(super) dashed: bool,
}

/// A trade.
pub(super) struct Mark {
    pub(super) spot: Spot,
    pub(super) sells: bool,
    pub(super) says: String,
}

/// A range of values, shaded over all instants.
pub(super) struct Band {
    pub(super) name: String,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// What a chart shows.
#[derive(Default)]
pub(super) struct Chart {
    /// For those who do not see it.
    pub(super) about: String,
    /// Layers on top of each other, from the bottom: each line is the upper edge of its layer.
    pub(super) layers: Vec<Line>,
    pub(super) lines: Vec<Line>,
    pub(super) marks: Vec<Mark>,
    pub(super) band: Option<Band>,
    /// What follows a number, such as ` %`.
    pub(super) unit: &'static str,
    /// Lowest and highest value, if not those of the lines and the band.
    pub(super) bounds: Option<(f64, f64)>,
}

/// Where instants and values lie.
struct Scale {
    from: i64,
    to: i64,
    low: f64,
    high: f64,
}

impl Scale {
    fn of(chart: &Chart) -> Option<Self> {
        let spots = || {
            let lines = chart.lines.iter().chain(&chart.layers);
            lines.flat_map(|line| &line.spots)
        };
        let from = spots().map(|(at, _)| *at).min()?;
        let to = spots().map(|(at, _)| *at).max()?;
        let (low, high) = chart.bounds.unwrap_or_else(|| {
            let band = chart.band.iter().flat_map(|band| [band.low, band.high]);
            let band: Vec<f64> = band.collect();
            let values = || spots().map(|(_, value)| *value).chain(band.iter().copied());
            let (low, high) = (
                values().fold(f64::MAX, f64::min),
                values().fold(f64::MIN, f64::max),
            );
            // A flat line lies in the middle.
            let room = ((high - low) * 0.05)
                .max(high.abs() * 0.001)
                .max(f64::MIN_POSITIVE);
            (low - room, high + room)
        });
        Some(Self { from, to, low, high })
    }

    /// From the left, 0 to 1.
    fn across(&self, at: i64) -> f64 {
        let seconds = |count: i64| Decimal::from(count).to_f64().unwrap_or_default();
        let whole = seconds(self.to.saturating_sub(self.from)).max(1.0);
        seconds(at.saturating_sub(self.from)) / whole
    }

    /// From the top, 0 to 1.
    fn down(&self, value: f64) -> f64 {
        (self.high - value) / (self.high - self.low)
    }

    fn path(&self, spots: impl Iterator<Item = Spot>) -> String {
        let places: Vec<String> = spots
            .map(|(at, value)| format!("{:.1} {:.1}", SIDE * self.across(at), SIDE * self.down(value)))
            .collect();
        format!("M{}", places.join("L"))
    }
}

/// The chart with its legend; a sentence if there is nothing to draw.
pub(super) fn chart(chart: &Chart) -> String {
    let Some(scale) = Scale::of(chart) else {
        return "<p class=\"about\">No tick was due within the prices.</p>".to_owned();
    };
    let mut drawn = grid();
    drawn.extend(chart.band.iter().map(|band| shade(band, &scale)));
    let mut under: Vec<Spot> = Vec::new();
    for layer in &chart.layers {
        let down: Vec<Spot> = if under.is_empty() {
            layer.spots.iter().map(|(at, _)| (*at, scale.low)).collect()
        } else {
            under
        };
        let around = layer.spots.iter().copied().chain(down.into_iter().rev());
        drawn.push_str(&format!(
            "<path class=\"layer tint-{}\" d=\"{}Z\"/>",
            layer.tint,
            scale.path(around)
        ));
        under = layer.spots.clone();
    }
    for line in &chart.lines {
        drawn.push_str(&format!(
            "<path class=\"line{} tint-{}\" d=\"{}\"/>",
            if line.dashed { " dashed" } else { "" },
            line.tint,
            scale.path(line.spots.iter().copied())
        ));
    }
    format!(
        "<div class=\"names\">{}</div><div class=\"fixed\" role=\"img\" aria-label=\"{}\">\
         <svg viewBox=\"0 0 {SIDE} {SIDE}\" preserveAspectRatio=\"none\" aria-hidden=\"true\">{drawn}</svg>{}{}</div>",
        names(chart),
        escape(&chart.about),
        labels(&scale, chart.unit),
        chart
            .marks
            .iter()
            .map(|mark| place(mark, &scale))
            .collect::<String>(),
    )
}

fn shade(band: &Band, scale: &Scale) -> String {
    let edge = |value: f64| SIDE * scale.down(value);
    format!(
        "<path class=\"band\" d=\"M0 {:.1}H{SIDE}V{:.1}H0Z\"/>",
        edge(band.high),
        edge(band.low)
    )
}

fn grid() -> String {
    (0..=PARTS)
        .map(|part| {
            let y = SIDE * f64::from(part) / f64::from(PARTS);
            format!("<path class=\"grid\" d=\"M0 {y:.1}H{SIDE}\"/>")
        })
        .collect()
}

fn names(chart: &Chart) -> String {
    let all = chart.layers.iter().chain(&chart.lines);
    let named = all.filter(|line| !line.name.is_empty()).map(|line| {
        format!(
            "<span><i class=\"tint-{}\"></i>{}</span>",
            line.tint,
            escape(&line.name)
        )
    });
    let band = chart
        .band
        .iter()
        .map(|band| format!("<span><i class=\"shade\"></i>{}</span>", escape(&band.name)));
    named.chain(band).collect()
}

fn labels(scale: &Scale, unit: &str) -> String {
    let parts = || (0..=PARTS).map(|part| f64::from(part) / f64::from(PARTS));
    let values = parts().map(|part| {
        let value = scale.high - (scale.high - scale.low) * part;
        format!(
            "<span class=\"y\" style=\"top:{:.1}%\">{}{unit}</span>",
            100.0 * part,
            number(value)
        )
    });
    let span = scale.to.saturating_sub(scale.from);
    let style = if span > 3 * 86_400 {
        "%Y-%m-%d"
    } else {
        "%m-%d %H:%M"
    };
    // The same steps as the parts, for whole seconds.
    let times = (0..=2_i64).filter_map(|half| {
        let at = scale.from.checked_add(span.checked_mul(half)?.checked_div(2)?)?;
        let text = Timestamp::from_timestamp(at, 0)?.format(style);
        Some(format!(
            "<span class=\"x\" style=\"left:{:.1}%\">{text}</span>",
            100.0 * scale.across(at)
        ))
    });
    values.chain(times).collect()
}

fn number(value: f64) -> String {
    let exact = Decimal::try_from(value).unwrap_or_default();
    let short = exact.round_sf(LABEL_DIGITS).unwrap_or(exact).normalize();
    brief::grouped(&short.to_string())
}

fn place(mark: &Mark, scale: &Scale) -> String {
    let (class, sign) = if mark.sells {
        ("sells", "▼")
    } else {
        ("buys", "▲")
    };
    format!(
        "<span class=\"mark {class}\" style=\"left:{:.2}%;top:{:.2}%\" title=\"{}\">{sign}</span>",
        100.0 * scale.across(mark.spot.0),
        100.0 * scale.down(mark.spot.1),
        escape(&mark.says)
    )
}
