//! Columns: drawn on a terminal, one row a line with tabs between elsewhere.

use std::io::{self, IsTerminal};

use comfy_table::{ContentArrangement, presets};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::output::visible;

/// Rows of cells below a head. Cells are whole, but in columns that give way where a terminal is too narrow.
pub(crate) struct Table {
    head: &'static [&'static str],
    rows: Vec<Vec<String>>,
    /// Columns whose cells are cut, the first of them first.
    cut: &'static [usize],
    /// A column whose cells go on in the next line, between words.
    wrapped: Option<usize>,
}

impl Table {
    pub(crate) const fn new(head: &'static [&'static str], rows: Vec<Vec<String>>) -> Self {
        Self { head, rows, cut: &[], wrapped: None }
    }

    /// Names and values of one thing.
    pub(crate) fn of_fields<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let row = |(name, value): (&str, String)| vec![name.to_owned(), value];
        Self::new(&[], fields.into_iter().map(row).collect()).wrapped(1)
    }

    /// Says which columns may be cut, the first of them first.
    pub(crate) fn cut(self, columns: &'static [usize]) -> Self {
        Self { cut: columns, ..self }
    }

    /// Says which column may go on in the next line.
    pub(crate) fn wrapped(self, column: usize) -> Self {
        Self { wrapped: Some(column), ..self }
    }

    /// For standard output, whatever that is.
    pub(crate) fn print(&self) -> String {
        if !io::stdout().is_terminal() {
            return self.tabbed();
        }
        self.drawn(comfy_table::Table::new().width().map_or(usize::MAX, usize::from))
    }

    /// Without the head, so that it can be cut and sorted.
    fn tabbed(&self) -> String {
        let cell = |cell: &String| visible(cell).replace(['\n', char::REPLACEMENT_CHARACTER], " ");
        let line = |row: &Vec<String>| row.iter().map(cell).collect::<Vec<_>>().join("\t");
        self.rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// As wide as `width`, if it can be.
    fn drawn(&self, width: usize) -> String {
        let widths = self.widths(width);
        let mut table = comfy_table::Table::new();
        table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        if !self.head.is_empty() {
            table.set_header(self.head);
        }
        for row in &self.rows {
            let cells = row.iter().enumerate().map(|(column, cell)| {
                let width = widths.get(column).copied().unwrap_or(usize::MAX);
                let cell = visible(cell);
                if self.wrapped == Some(column) { wrapped(&cell, width) } else { cut(&cell, width) }
            });
            table.add_row(cells);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, GAP));
        }
        table.trim_fmt()
    }

    /// How wide each column is to be.
    fn widths(&self, width: usize) -> Vec<usize> {
        let heads = self.head.iter().map(|head| head.width());
        let mut widths: Vec<usize> = heads.collect();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (own, cell) in widths.iter_mut().zip(row) {
                *own = cell.lines().map(UnicodeWidthStr::width).max().unwrap_or(0).max(*own);
            }
        }
        let gaps = widths.len().saturating_sub(1).saturating_mul(GAP.into());
        let whole = widths.iter().fold(gaps, |sum, own| sum.saturating_add(*own));
        let mut excess = whole.saturating_sub(width);
        for column in self.cut.iter().chain(&self.wrapped) {
            let Some(own) = widths.get_mut(*column) else { continue };
            let less = excess.min(own.saturating_sub(LEAST));
            *own = own.saturating_sub(less);
            excess = excess.saturating_sub(less);
        }
        widths
    }
}

/// The beginning of a cell that is too wide.
fn cut(cell: &str, width: usize) -> String {
    if cell.lines().all(|line| line.width() <= width) {
        return cell.to_owned();
    }
    let mut rest = width.saturating_sub(1);
    let fits = |c: &char| {
        let left = rest.checked_sub(c.width().unwrap_or(0));
        rest = left.unwrap_or(rest);
        left.is_some()
    };
    let mut text: String = cell.replace('\n', " ").chars().take_while(fits).collect();
    text.push('…');
    text
}

/// A cell in lines that are no wider, unless a word is.
fn wrapped(cell: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in cell.lines() {
        let mut own = String::new();
        for word in line.split(' ') {
            let wide = own.width().saturating_add(word.width()).saturating_add(1);
            if !own.is_empty() && wide > width {
                lines.push(std::mem::take(&mut own));
            } else if !own.is_empty() {
                own.push(' ');
            }
            own.push_str(word);
        }
        lines.push(own);
    }
    lines.join("\n")
}

/// Columns between two cells.
const GAP: u16 = 2;
/// Narrower no column gets.
const LEAST: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[[&str; 2]]) -> Table {
        let row = |cells: &[&str; 2]| cells.map(str::to_owned).to_vec();
        Table::new(&["ID", "NAME"], rows.iter().map(row).collect())
    }

    #[test]
    fn a_pipe_gets_one_row_a_line() {
        let table = table(&[["0A", "ci"], ["0B", "a\tb\u{1b}[2J\nc"]]);
        assert_eq!(table.tabbed(), "0A\tci\n0B\ta b [2J c");
    }

    #[test]
    fn a_terminal_gets_columns_that_steer_nothing() {
        let drawn = table(&[["0A", "ci"], ["0B", "a\tb\u{1b}[2J\nc"]]).drawn(40);
        assert!(drawn.starts_with("ID  NAME"), "{drawn}");
        assert!(drawn.contains("0A  ci") && !drawn.contains('\u{1b}'), "{drawn}");
    }

    #[test]
    fn names_are_cut_and_identifiers_never() {
        let kid = "0DEM0WSJRREHMXHH5B4S";
        let own = table(&[[kid, "a name that is long"], [kid, "四四四四四四四四四四"]]).cut(&[1]);
        assert_eq!(
            own.drawn(34).lines().skip(1).collect::<Vec<_>>(),
            [format!("{kid}  a name that…"), format!("{kid}  四四四四四…")]
        );
        assert!(own.drawn(10).contains(kid), "whatever the width");
        let fields = Table::of_fields([("secrets", format!("{kid} {kid} ").repeat(3))]);
        let drawn = fields.drawn(60);
        assert_eq!(drawn.matches(kid).count(), 6, "{drawn}");
        assert!(drawn.lines().all(|line| line.chars().count() <= 60), "{drawn}");
        assert_eq!(fields.drawn(usize::MAX).lines().count(), 1);
    }
}
