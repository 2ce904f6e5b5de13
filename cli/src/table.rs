//! Columns of text, as wide as they need to be.

use unicode_width::UnicodeWidthStr as _;

/// Lines with `rows` in columns two spaces apart; the last column is not filled up.
#[must_use]
pub fn aligned<const N: usize>(rows: impl IntoIterator<Item = [String; N]>) -> String {
    let rows: Vec<_> = rows.into_iter().collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| {
            let filling = width.saturating_sub(cell.width());
            format!("{cell}{:filling$}", "")
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a", "b", "c"], ["äöü", "", "d"]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(rows), "a    b  c\näöü     d");
        let rows = [["🔑 Work", "b"], ["Spare", "c"]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(rows), "🔑 Work  b\nSpare    c", "an emoji is two columns wide");
    }
}
