//! Figures, printed as a table and written as JSON.

use std::{fmt::Write as _, path::Path};

use serde::Serialize;

/// One measured figure.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// Part of the benchmark, such as `ticks`.
    pub section: &'static str,
    /// Name of the figure.
    pub name: String,
    /// Measured value, in `unit`.
    pub value: f64,
    /// Unit of the value.
    pub unit: &'static str,
    /// Its lowest and highest value over the rounds, if there were several.
    pub range: Option<(f64, f64)>,
}

/// A goal and its measured value.
#[derive(Debug, Clone, Serialize)]
pub struct Goal {
    /// Description of the goal.
    pub goal: &'static str,
    /// What was measured; `None` if that part did not run.
    pub measured: Option<f64>,
    /// Comparison: `>=` or `<=`.
    pub comparison: &'static str,
    /// Value that the measured one is compared with.
    pub bound: f64,
}

impl Goal {
    fn met(&self) -> Option<bool> {
        let measured = self.measured?;
        Some(match self.comparison {
            ">=" => measured >= self.bound,
            _ => measured <= self.bound,
        })
    }
}

/// All figures of a run.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Machine and versions.
    pub setting: Vec<(String, String)>,
    /// In the order they were measured.
    pub figures: Vec<Figure>,
    /// Goals, evaluated at the end.
    pub goals: Vec<Goal>,
}

impl Report {
    /// Records a figure and prints it, so that a long run shows its progress.
    pub fn figure(&mut self, section: &'static str, name: impl Into<String>, value: f64, unit: &'static str) {
        self.push(Figure {
            section,
            name: name.into(),
            value,
            unit,
            range: None,
        });
    }

    /// Records the median of several values, with the lowest and the highest.
    pub fn median(
        &mut self,
        section: &'static str,
        name: impl Into<String>,
        mut values: Vec<f64>,
        unit: &'static str,
    ) {
        values.sort_by(f64::total_cmp);
        let (Some(low), Some(high)) = (values.first().copied(), values.last().copied()) else {
            return;
        };
        self.push(Figure {
            section,
            name: name.into(),
            value: values[values.len() / 2],
            unit,
            range: Some((low, high)),
        });
    }

    fn push(&mut self, figure: Figure) {
        eprintln!("    {}", line(&figure));
        self.figures.push(figure);
    }

    /// A figure by section and name.
    pub fn value(&self, section: &str, name: &str) -> Option<f64> {
        let mut figures = self.figures.iter();
        let found = figures.find(|figure| figure.section == section && figure.name == name);
        found.map(|figure| figure.value)
    }

    /// The first figure of a section whose name holds one text and ends with another.
    pub fn first(&self, section: &str, holds: &str, ends: &str) -> Option<f64> {
        let mut figures = self.figures.iter();
        let found = figures.find(|figure| {
            figure.section == section && figure.name.contains(holds) && figure.name.ends_with(ends)
        });
        found.map(|figure| figure.value)
    }

    /// The highest figure of a section whose name has this prefix.
    pub fn best(&self, section: &str, begins: &str) -> Option<f64> {
        let figures = self.figures.iter();
        let values = figures
            .filter(|figure| figure.section == section && figure.name.starts_with(begins))
            .map(|figure| figure.value);
        values.reduce(f64::max)
    }

    /// The report as a table.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.setting {
            let _ = writeln!(text, "{name}: {value}");
        }
        let mut section = "";
        for figure in &self.figures {
            if figure.section != section {
                section = figure.section;
                let _ = writeln!(text, "\n{section}");
            }
            let _ = writeln!(text, "  {}", line(figure));
        }
        let _ = writeln!(text, "\ngoals");
        for goal in &self.goals {
            let judged = match goal.met() {
                Some(true) => "met    ",
                Some(false) => "NOT MET",
                None => "not run",
            };
            let measured = goal.measured.map_or_else(|| "-".to_owned(), number);
            let bound = number(goal.bound);
            let _ = writeln!(
                text,
                "  {judged} {:<72} {measured:>10} ({} {bound})",
                goal.goal, goal.comparison
            );
        }
        text
    }

    /// The report as JSON.
    pub fn write(&self, path: &Path) {
        let json = serde_json::to_string_pretty(self).expect("figures are JSON");
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).expect("a directory");
        }
        std::fs::write(path, json).expect("the JSON file");
    }
}

fn line(figure: &Figure) -> String {
    let range = figure
        .range
        .map(|(low, high)| format!("  ({} to {})", number(low), number(high)))
        .unwrap_or_default();
    format!(
        "{:<64} {:>10} {}{range}",
        figure.name,
        number(figure.value),
        figure.unit
    )
}

fn number(value: f64) -> String {
    match value {
        value if value.abs() >= 100.0 => format!("{value:.0}"),
        value if value.abs() >= 1.0 => format!("{value:.1}"),
        value => format!("{value:.3}"),
    }
}
