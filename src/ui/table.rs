//! Tables for people: no lines, two blanks between columns. On a terminal they fit its width; elsewhere each row is one line, which
//! other programs can take apart.

use comfy_table::{ContentArrangement, Table, presets};
use console::Term;

/// The narrowest terminal that a table is fitted to.
const NARROWEST: u16 = 40;

/// A table with this head. Cells are one paragraph each, and already plain.
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let term = Term::stdout();
    let width = term.is_term().then(|| term.size().1.max(NARROWEST));
    fitted(head, rows, width)
}

fn fitted<const N: usize>(head: [&str; N], rows: &[[String; N]], width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(head);
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    match width {
        Some(width) => table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table.trim_fmt()
}
