//! Thins a stream of points for drawing: memory is bounded for any length, and extremes are kept.

use super::result::Point;

/// How a series is thinned, for the reader of a report.
pub const RULE: &str = "Long series are thinned for drawing: neighbouring ticks share a bucket, and of each bucket the \
first, the last, the lowest and the highest price, the lowest net and the deepest drawdown are drawn. Figures and \
tables count every tick.";

/// Maximum points of one bucket: first, last, lowest and highest price, lowest net, deepest drawdown.
const KEPT_PER_BUCKET: usize = 6;

/// Neighbouring ticks.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    ticks: usize,
    first: Point,
    last: Point,
    price_low: Point,
    price_high: Point,
    net_low: Point,
    drawdown: Point,
}

impl Bucket {
    const fn of(point: Point) -> Self {
        Self {
            ticks: 1,
            first: point,
            last: point,
            price_low: point,
            price_high: point,
            net_low: point,
            drawdown: point,
        }
    }

    /// Merges the bucket right after this one.
    fn join(&mut self, later: &Self) {
        self.ticks = self.ticks.saturating_add(later.ticks);
        self.last = later.last;
        if later.price_low.price < self.price_low.price {
            self.price_low = later.price_low;
        }
        if later.price_high.price > self.price_high.price {
            self.price_high = later.price_high;
        }
        if later.net_low.net_usd < self.net_low.net_usd {
            self.net_low = later.net_low;
        }
        if later.drawdown.drawdown_pct > self.drawdown.drawdown_pct {
            self.drawdown = later.drawdown;
        }
    }

    fn points(&self) -> Vec<Point> {
        let mut points = vec![
            self.first,
            self.price_low,
            self.price_high,
            self.net_low,
            self.drawdown,
            self.last,
        ];
        points.sort_by_key(|point| point.at);
        points.dedup_by_key(|point| point.at);
        points
    }
}

/// A series with a bounded number of points.
#[derive(Debug, Clone)]
pub struct Thinned {
    buckets_max: usize,
    /// Number of ticks in a full bucket.
    width: usize,
    buckets: Vec<Bucket>,
}

impl Thinned {
    /// Keeps at most `points_max` points, but at least enough for two buckets.
    #[must_use]
    pub fn new(points_max: usize) -> Self {
        Self {
            // An even number, so that halving pairs all buckets.
            buckets_max: (points_max / KEPT_PER_BUCKET / 2).max(1).saturating_mul(2),
            width: 1,
            buckets: Vec::new(),
        }
    }

    /// Adds the next tick; ticks arrive in slot order.
    pub fn push(&mut self, point: Point) {
        match self.buckets.last_mut() {
            Some(last) if last.ticks < self.width => last.join(&Bucket::of(point)),
            _ => {
                if self.buckets.len() == self.buckets_max {
                    self.halve();
                }
                self.buckets.push(Bucket::of(point));
            }
        }
    }

    /// Joins each bucket with its right neighbour.
    fn halve(&mut self) {
        self.width = self.width.saturating_mul(2);
        self.buckets = self
            .buckets
            .chunks(2)
            .filter_map(|pair| {
                let (first, rest) = pair.split_first()?;
                let mut joined = *first;
                rest.iter().for_each(|later| joined.join(later));
                Some(joined)
            })
            .collect();
    }

    /// The points to draw, oldest first, without duplicate instants.
    #[must_use]
    pub fn points(&self) -> Vec<Point> {
        self.buckets.iter().flat_map(Bucket::points).collect()
    }
}
