//! [`table`]: rows as a plain text table that fits a width. It must not colour anything or write anywhere.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::Value;

/// Draws rows under their column names, at most `max_rows` of them, not wider than `width`.
///
/// Numbers stand at the right; a last line says how many rows are not shown.
pub fn table(columns: &[String], rows: &[Vec<Value>], width: usize, max_rows: usize) -> String {
    let mut drawn = Table::new();
    drawn.load_style(presets::UTF8_HORIZONTAL_ONLY);
    drawn.set_content_arrangement(ContentArrangement::Dynamic);
    drawn.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    drawn.set_header(columns);
    for row in rows.iter().take(max_rows) {
        drawn.add_row(row.iter().map(text));
    }
    for (index, column) in drawn.column_iter_mut().enumerate() {
        let numeric =
            rows.iter().filter_map(|row| row.get(index)).all(|cell| cell.is_number() || cell.is_null());
        if numeric && !rows.is_empty() {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let hidden = rows.len().saturating_sub(max_rows);
    let more = if hidden == 0 { String::new() } else { format!("\n({hidden} more)") };
    format!("{drawn}{more}")
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => {
            text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
        }
        other => other.to_string(),
    }
}
