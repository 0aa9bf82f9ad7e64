//! [`table`]: rows as a plain table that fits a width.

use comfy_table::{
    Cell, CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Row, Table, TableStyle,
};
use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use super::words::{clip, plain};

/// A cell takes at most this many lines.
const LINES: usize = 3;
/// Blanks between columns.
const GAP: usize = 2;
/// A column narrower than this is no use, unless its content is.
const NARROW: usize = 8;

/// Draws rows as a table at most `width` wide: numbers to the right, long text wrapped and then cut with `…`.
///
/// With more columns than fit side by side each row becomes a block of `column  value` lines. After `max_rows` rows
/// it says how many more there are. Lines end in no blanks, the text in no line break.
pub fn table(columns: &[String], rows: &[Vec<Value>], width: usize, max_rows: usize) -> String {
    let width = width.max(NARROW);
    let texts: Vec<Vec<String>> =
        rows.iter().take(max_rows).map(|row| cells(row, columns.len(), width)).collect();
    let headers: Vec<String> = columns.iter().map(|column| plain(column)).collect();
    let mut lines = if columns.is_empty() {
        Vec::new()
    } else if side_by_side(&headers, &texts, width) {
        grid(&headers, &texts, &numeric(rows, columns.len()), width)
    } else {
        records(&headers, &texts, width)
    };
    lines.extend(remark(rows.len(), max_rows).map(|remark| clip(&remark, width)));
    lines.join("\n")
}

fn remark(rows: usize, max_rows: usize) -> Option<String> {
    match rows.checked_sub(max_rows) {
        _ if rows == 0 => Some("no rows".to_owned()),
        None | Some(0) => None,
        Some(1) => Some("… and 1 more row".to_owned()),
        Some(more) => Some(format!("… and {more} more rows")),
    }
}

/// A value as the text of a cell.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        other => other.to_string(),
    }
}

/// The texts of a row, as many as there are columns, none longer than a cell can show.
fn cells(row: &[Value], columns: usize, width: usize) -> Vec<String> {
    (0..columns)
        .map(|index| row.get(index).map_or_else(String::new, |value| clip(&cell(value), LINES * width)))
        .collect()
}

/// Which columns hold numbers and nothing else; a `numeric` arrives as text, to keep every digit.
fn numeric(rows: &[Vec<Value>], columns: usize) -> Vec<bool> {
    let is_number = |value: &Value| match value {
        Value::Number(_) => true,
        Value::String(text) => text.len() < 40 && text.parse::<f64>().is_ok_and(f64::is_finite),
        _ => false,
    };
    (0..columns)
        .map(|index| {
            let mut values =
                rows.iter().filter_map(|row| row.get(index)).filter(|value| !value.is_null()).peekable();
            values.peek().is_some() && values.all(is_number)
        })
        .collect()
}

fn side_by_side(headers: &[String], texts: &[Vec<String>], width: usize) -> bool {
    let least = |index: usize| natural(index, headers, texts).min(NARROW) + GAP;
    (0..headers.len()).map(least).sum::<usize>() <= width + GAP
}

fn natural(index: usize, headers: &[String], texts: &[Vec<String>]) -> usize {
    texts.iter().map(|row| row[index].width()).chain([headers[index].width()]).max().unwrap_or(0)
}

fn grid(headers: &[String], texts: &[Vec<String>], numeric: &[bool], width: usize) -> Vec<String> {
    let mut table = Table::new();
    table
        .load_style(TableStyle::new().header_separator(LineStyle::none().fill('─')))
        .set_content_arrangement(ContentArrangement::Dynamic)
        // The last column's gap is cut off again.
        .set_width(u16::try_from(width + GAP).unwrap_or(u16::MAX))
        .set_header(row(headers, numeric));
    for texts in texts {
        table.add_row(row(texts, numeric));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if numeric[index] && natural(index, headers, texts) * headers.len() <= width {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let lines = underlined(table.lines().map(|line| line.trim_end().to_owned()).collect());
    lines.iter().map(|line| clip(line, width)).collect()
}

/// Cuts the line under the header to what is above and below it; as drawn it runs on into the last gap.
fn underlined(mut lines: Vec<String>) -> Vec<String> {
    let is_rule = |line: &String| line.chars().all(|character| character == '─') && !line.is_empty();
    let widest = lines.iter().filter(|line| !is_rule(line)).map(|line| line.width()).max().unwrap_or(0);
    if let Some(rule) = lines.iter_mut().find(|line| is_rule(line)) {
        *rule = "─".repeat(widest);
    }
    lines
}

fn row(texts: &[String], numeric: &[bool]) -> Row {
    let side = |right: bool| if right { CellAlignment::Right } else { CellAlignment::Left };
    let mut row =
        Row::from(texts.iter().zip(numeric).map(|(text, &right)| Cell::new(text).set_alignment(side(right))));
    row.max_height(LINES);
    row
}

fn records(headers: &[String], texts: &[Vec<String>], width: usize) -> Vec<String> {
    let widest = headers.iter().map(|header| header.width()).max().unwrap_or(0).min(width / 2);
    let mut lines = Vec::new();
    for (index, row) in texts.iter().enumerate() {
        lines.push(clip(&format!("─ row {} {}", index + 1, "─".repeat(width)), width).replace('…', "─"));
        for (header, text) in headers.iter().zip(row) {
            let header = clip(header, widest);
            let gap = " ".repeat(widest - header.width() + GAP);
            lines.push(clip(format!("{header}{gap}{text}").trim_end(), width));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn draw(columns: &[&str], rows: &Value, width: usize, max_rows: usize) -> String {
        let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
        let rows: Vec<Vec<Value>> = serde_json::from_value(rows.clone()).unwrap();
        table(&columns, &rows, width, max_rows)
    }

    #[test]
    fn numbers_stand_right_and_nulls_are_said() {
        let rows = json!([["orders", 81_920, "12.50", true], ["ü", 7, null, null]]);
        insta::assert_snapshot!(draw(&["table", "bytes", "percent", "ok"], &rows, 80, 10), @r#"
        table   bytes  percent  ok
        ────────────────────────────
        orders  81920    12.50  true
        ü           7     null  null
        "#);
    }

    #[test]
    fn long_text_is_wrapped_then_cut() {
        let rows = json!([[
            4711,
            "UPDATE orders SET state = 'done' WHERE id IN (SELECT id FROM queue WHERE batch = 12 ORDER BY id)\nRETURNING *"
        ]]);
        insta::assert_snapshot!(draw(&["pid", "query"], &rows, 40, 10), @r#"
         pid  query
        ───────────────────────────────────────
        4711  UPDATE orders SET state = 'done'
              WHERE id IN (SELECT id FROM queue
              WHERE batch = 12 ORDER BY id)…
        "#);
    }

    #[test]
    fn too_many_columns_become_blocks() {
        let columns = ["datname", "pid", "usename", "application_name", "state", "query"];
        let rows = json!([
            ["wms", 1, "batch", "wms-batch", "active", "SELECT 1"],
            ["wms", 2, "web", null, "idle", ""]
        ]);
        insta::assert_snapshot!(draw(&columns, &rows, 40, 10), @r#"
        ─ row 1 ────────────────────────────────
        datname           wms
        pid               1
        usename           batch
        application_name  wms-batch
        state             active
        query             SELECT 1
        ─ row 2 ────────────────────────────────
        datname           wms
        pid               2
        usename           web
        application_name  null
        state             idle
        query
        "#);
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let check = |rows: Value, max_rows: usize, expected: &str| {
            assert_eq!(draw(&["a"], &rows, 20, max_rows), expected);
        };
        check(json!([]), 5, "a\n─\nno rows");
        check(json!([[1], [2]]), 2, "a\n─\n1\n2");
        check(json!([[1], [2]]), 1, "a\n─\n1\n… and 1 more row");
        check(json!([[1], [2], [3]]), 1, "a\n─\n1\n… and 2 more rows");
        check(json!([["\u{1b}[31mred"]]), 1, "a\n─────────────\n\\u{1b}[31mred");
        assert_eq!(draw(&[], &json!([[]]), 20, 5), "");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_line_is_wider_than_asked(
            columns in prop::collection::vec("\\PC{0,30}", 1..9),
            texts in prop::collection::vec("\\PC{0,200}", 0..30),
            width in 8..160_usize,
        ) {
            let rows: Vec<Vec<Value>> =
                texts.chunks(columns.len()).map(|row| row.iter().map(|text| json!(text)).collect()).collect();
            for line in table(&columns, &rows, width, 3).lines() {
                prop_assert!(line.width() <= width, "{line:?}");
            }
        }
    }
}
