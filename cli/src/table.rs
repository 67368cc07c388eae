//! Columns: drawn on a terminal, one row a line with tabs between elsewhere.

use std::io::{self, IsTerminal};

use comfy_table::{ContentArrangement, presets};

use crate::output::visible;

/// Rows of cells below a head.
pub(crate) struct Table {
    head: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) const fn new(head: &'static [&'static str], rows: Vec<Vec<String>>) -> Self {
        Self { head, rows }
    }

    /// Names and values of one thing.
    pub(crate) fn of_fields<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let row = |(name, value): (&str, String)| vec![name.to_owned(), value];
        Self::new(&[], fields.into_iter().map(row).collect())
    }

    /// For standard output, whatever that is.
    pub(crate) fn print(&self) -> String {
        if io::stdout().is_terminal() { self.drawn(None) } else { self.tabbed() }
    }

    /// Without the head, so that it can be cut and sorted.
    fn tabbed(&self) -> String {
        let cell = |cell: &String| visible(cell).replace(['\n', char::REPLACEMENT_CHARACTER], " ");
        let line = |row: &Vec<String>| row.iter().map(cell).collect::<Vec<_>>().join("\t");
        self.rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// As wide as the terminal, or as `width`.
    fn drawn(&self, width: Option<u16>) -> String {
        let mut table = comfy_table::Table::new();
        table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        if let Some(width) = width {
            table.set_width(width);
        }
        if !self.head.is_empty() {
            table.set_header(self.head);
        }
        for row in &self.rows {
            table.add_row(row.iter().map(|cell| visible(cell)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        table.trim_fmt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        Table::new(&["ID", "NAME"], vec![row(["0A", "ci"]), row(["0B", "a\tb\u{1b}[2J\nc"])])
    }

    #[test]
    fn a_pipe_gets_one_row_a_line() {
        assert_eq!(table().tabbed(), "0A\tci\n0B\ta b [2J c");
    }

    #[test]
    fn a_terminal_gets_columns_that_steer_nothing() {
        let drawn = table().drawn(Some(40));
        assert!(drawn.starts_with("ID  NAME"), "{drawn}");
        assert!(drawn.contains("0A  ci") && !drawn.contains('\u{1b}'), "{drawn}");
        let narrow = Table::new(&["A"], vec![vec!["word ".repeat(20)]]).drawn(Some(20));
        assert!(narrow.lines().all(|line| line.chars().count() <= 20), "{narrow}");
    }
}
