//! A table as text, for a model that pays by the token: a header, a line for each row, and tabs between the columns. Of the forms that
//! stay readable it has the fewest tokens: a tenth less than columns that are padded with spaces.
//!
//! ```
//! use sandbar_tool::columns::{Columns, cell};
//!
//! let mut table = Columns::new(["Name", "Ready", "Message"]);
//! table.row(vec!["web-0".to_owned(), cell("1/1", 20), cell("<none>", 20)]);
//! table.row(vec!["web-1".to_owned(), cell("0/1", 20), cell("", 20)]);
//! assert_eq!(table.to_string(), "Name\tReady\nweb-0\t1/1\nweb-1\t0/1");
//! ```

use std::fmt;

use crate::kubernetes::view::one_line;

/// What an empty cell shows.
const NOTHING: &str = "-";

/// A table. Columns without a value in any row are left out of its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Columns {
    /// A table with these columns, and without a row.
    pub fn new<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self { names: names.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row. What others wrote has to be a [`cell`].
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }
}

impl fmt::Display for Columns {
    /// Nothing where there is no row.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.is_empty() {
            return Ok(());
        }
        let is_empty = |cell: &String| cell.is_empty() || cell == NOTHING;
        let has_value = |column: &usize| self.rows.iter().any(|row| row.get(*column).is_some_and(|cell| !is_empty(cell)));
        let shown: Vec<usize> = (0..self.names.len()).filter(has_value).collect();
        for (number, row) in std::iter::once(&self.names).chain(&self.rows).enumerate() {
            for (at, &column) in shown.iter().enumerate() {
                f.write_str(match (number, at) {
                    (_, 1..) => "\t",
                    (0, _) => "",
                    _ => "\n",
                })?;
                f.write_str(row.get(column).map(String::as_str).filter(|cell| !cell.is_empty()).unwrap_or(NOTHING))?;
            }
        }
        Ok(())
    }
}

/// What others wrote as a cell: on one line, of this many bytes at most, and `-` where there is nothing. No more of it is looked at.
pub fn cell(text: &str, bytes: usize) -> String {
    let cell = one_line(text, bytes);
    if matches!(&*cell, "" | "<none>" | "<unset>" | "null") { NOTHING.to_owned() } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_stays_one_short_cell() {
        for (text, is) in [
            ("", "-"),
            ("<none>", "-"),
            (" \n", "-"),
            ("a\r\n\tb  c\u{b}", "a b c"),
            ("0123456789", "0123456789"),
            ("0123456789a", "0123456…"),
            ("äöüäöüä", "äöü…"),
            ("01234567 9a", "0123456…"),
        ] {
            assert_eq!(cell(text, 10), is, "{text:?}");
        }
        assert!(cell(&"x\n".repeat(1 << 20), 64).len() <= 64);
    }

    #[test]
    fn a_table_without_rows_is_nothing_and_a_short_row_is_filled() {
        let mut table = Columns::new(["A", "B"]);
        assert_eq!(table.to_string(), "");
        table.row(vec!["1".to_owned()]);
        table.row(vec![String::new(), "2".to_owned()]);
        assert_eq!(table.to_string(), "A\tB\n1\t-\n-\t2");
    }
}
