//! Tables. For people: aligned columns without rules, those that do not fit left out in a stated order. For other
//! programs: columns separated by tabs, each row one line.

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, Width, presets,
};

use super::{
    look::{Hue, Look},
    wrap::{GLUE, with_whole_times},
};
use crate::domain::foreign::printable;

/// Blanks between two columns.
const GAP: u16 = 2;

/// A ticker is not cut below this, columns.
const TICKER_MIN: usize = 8;

/// The column whose cells are cut where nothing else is left to omit.
const TICKER: &str = "token";

/// A table.
#[derive(Debug, Default)]
pub struct Sheet<'a> {
    pub header: &'a [&'a str],
    pub rows: Vec<Vec<String>>,
    /// Columns that a narrow terminal omits, least important first.
    pub spare: &'a [&'a str],
    /// Columns that people see only with `-o wide`.
    pub wide: &'a [&'a str],
    /// Rows below the others; other programs do not get them.
    pub totals: Vec<Vec<String>>,
}

/// A table whose columns all stay.
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let rows = rows.into_iter().collect();
    let sheet = Sheet {
        header,
        rows,
        ..Sheet::default()
    };
    sheet.print(Look::current())
}

impl Sheet<'_> {
    /// The table, and which columns did not fit.
    pub fn print(mut self, look: Look) -> String {
        for cell in self.rows.iter_mut().chain(&mut self.totals).flatten() {
            *cell = printable(cell).into_owned();
        }
        if look.plain {
            return self.plain();
        }
        for cell in self.rows.iter_mut().chain(&mut self.totals).flatten() {
            *cell = with_whole_times(cell);
        }
        let printed = self.aligned(look, look.width());
        printed.replace(GLUE, " ")
    }

    fn plain(&self) -> String {
        let columns: Vec<usize> = self.columns(true).collect();
        let line = |cells: Vec<&str>| {
            let one_line: Vec<String> = cells.iter().map(|cell| cell.replace(['\n', '\t'], " ")).collect();
            one_line.join("\t")
        };
        let header = columns
            .iter()
            .filter_map(|column| self.header.get(*column).copied());
        let mut lines = vec![line(header.collect())];
        lines.extend(self.rows.iter().map(|row| {
            let cells = columns
                .iter()
                .map(|column| row.get(*column).map_or("", String::as_str));
            line(cells.collect())
        }));
        lines.join("\n")
    }

    fn aligned(&mut self, look: Look, width: usize) -> String {
        let mut kept: Vec<usize> = self.columns(look.wide).collect();
        let mut hidden = Vec::new();
        if !look.wide {
            let widths = self
                .table(&(0..self.header.len()).collect::<Vec<_>>(), look)
                .column_max_content_widths();
            let needs = |kept: &[usize]| {
                let gaps = usize::from(GAP).saturating_mul(kept.len().saturating_sub(1));
                let cells = kept.iter().filter_map(|column| widths.get(*column));
                cells
                    .map(|width| usize::from(*width))
                    .sum::<usize>()
                    .saturating_add(gaps)
            };
            for name in self.spare {
                if needs(&kept) <= width {
                    break;
                }
                kept.retain(|column| self.header.get(*column) != Some(name));
                hidden.push(*name);
            }
            let excess = needs(&kept).saturating_sub(width);
            self.cut_tickers(excess);
        }
        let mut table = self.table(&kept, look);
        if !look.wide {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        }
        let mut printed = table.trim_fmt();
        if !hidden.is_empty() {
            let note = format!("not shown here: {}; -o wide shows all", hidden.join(", "));
            let note = look.wrapped(&note, 0);
            printed.push('\n');
            printed.push_str(&look.paint(&note, Hue::Faint));
        }
        printed
    }

    /// Anybody names a token as they like: a ticker of 32 letters costs no other column its place.
    fn cut_tickers(&mut self, excess: usize) {
        let Some(column) = self.header.iter().position(|name| *name == TICKER) else {
            return;
        };
        let cells = self
            .rows
            .iter_mut()
            .chain(&mut self.totals)
            .filter_map(|row| row.get_mut(column));
        let mut cells: Vec<&mut String> = cells.collect();
        let longest = cells.iter().map(|cell| cell.chars().count()).max();
        let room = longest.unwrap_or_default().saturating_sub(excess).max(TICKER_MIN);
        for cell in &mut cells {
            if cell.chars().count() > room {
                let kept: String = cell.chars().take(room.saturating_sub(2)).collect();
                **cell = format!("{kept}..");
            }
        }
    }

    /// Columns, in order.
    fn columns(&self, wide: bool) -> impl Iterator<Item = usize> {
        let shown = move |name: &str| wide || !self.wide.contains(&name);
        let columns = self.header.iter().enumerate();
        columns
            .filter(move |(_, name)| shown(name))
            .map(|(column, _)| column)
    }

    fn table(&self, kept: &[usize], look: Look) -> Table {
        let mut table = Table::new();
        table
            .load_preset(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled);
        if look.color {
            table.enforce_styling();
        }
        let names = kept.iter().filter_map(|column| self.header.get(*column));
        table.set_header(names.map(|name| styled(Cell::new(name), Some(Hue::Faint), look)));
        for (rows, total) in [(&self.rows, false), (&self.totals, true)] {
            table.add_rows(rows.iter().map(|row| {
                kept.iter().map(move |column| {
                    let text = row.get(*column).map_or("", String::as_str);
                    let name = self.header.get(*column).copied().unwrap_or_default();
                    let meant = hue(name, text).or(total.then_some(Hue::Strong));
                    styled(Cell::new(text), meant, look)
                })
            }));
        }
        let last = kept.len().saturating_sub(1);
        for (index, source) in kept.iter().enumerate() {
            let Some(column) = table.column_mut(index) else {
                continue;
            };
            let gap = if index == last { 0 } else { GAP };
            column.set_padding((0, gap));
            let cells = self
                .rows
                .iter()
                .chain(&self.totals)
                .filter_map(|row| row.get(*source));
            if cells.clone().any(|cell| is_figure(cell)) && cells.clone().all(|cell| is_figure_or_none(cell))
            {
                column.set_cell_alignment(CellAlignment::Right);
            }
            let longest = cells.map(String::as_str).chain(self.header.get(*source).copied());
            let longest = longest
                .flat_map(|cell| cell.split([' ', '\n']))
                .map(|word| word.chars().count())
                .max();
            // Only between words: half an address or path is of no use.
            let longest = u16::try_from(longest.unwrap_or_default()).unwrap_or(u16::MAX);
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(
                longest.saturating_add(gap),
            )));
        }
        table
    }
}

fn styled(cell: Cell, hue: Option<Hue>, look: Look) -> Cell {
    let Some(hue) = hue.filter(|_| look.color) else {
        return cell;
    };
    match hue {
        Hue::Good => cell.fg(Color::DarkGreen),
        Hue::Warning => cell.fg(Color::DarkYellow),
        Hue::Bad => cell.fg(Color::DarkRed),
        Hue::Strong => cell.add_attribute(Attribute::Bold),
        Hue::Faint => cell.add_attribute(Attribute::Dim),
    }
}

/// What a cell means, by its column.
fn hue(column: &str, cell: &str) -> Option<Hue> {
    match (column, cell) {
        ("status" | "", "RUNNING" | "EXECUTED" | "OK") => Some(Hue::Good),
        ("status" | "", "PAUSED" | "LIQUIDATING" | "PENDING" | "SUBMITTED" | "WARN") => Some(Hue::Warning),
        ("status" | "", "ERROR" | "FAILED" | "REVERTED" | "FAIL" | "halted") => Some(Hue::Bad),
        ("realm", "LIVE") => Some(Hue::Strong),
        ("net" | "realised" | "unrealised", figure) if is_figure(figure) => {
            let nothing = figure.chars().all(|digit| matches!(digit, '0' | '.' | '-'));
            (!nothing).then_some(if figure.starts_with('-') {
                Hue::Bad
            } else {
                Hue::Good
            })
        }
        _ => None,
    }
}

/// A number, with its unit or without.
fn is_figure(cell: &str) -> bool {
    let number = cell.trim_end_matches(" %").trim_start_matches(['-', '+']);
    number.starts_with(|first: char| first.is_ascii_digit())
        && number.chars().all(|digit| digit.is_ascii_digit() || matches!(digit, '.' | ',' | 'e' | '-'))
        // Not a date.
        && number.matches('-').count() <= number.matches('e').count()
}

fn is_figure_or_none(cell: &str) -> bool {
    is_figure(cell) || matches!(cell, "" | "-" | "?")
}
