//! `table`: rows as aligned text, for messages.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, Value};
use unicode_width::UnicodeWidthStr as _;

use super::quantity::size;
use crate::template::error::{Fault, Problem};
use crate::template::value::{items, kind_name, to_text};

pub(super) fn register(environment: &mut Environment<'static>) {
    environment.add_filter("table", table);
}

/// One column: its cells from the header down, and whether they are numbers.
struct Column {
    cells: Vec<String>,
    numeric: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of a filter")]
fn table(rows: &Value, columns: Option<Vec<String>>, options: Kwargs) -> Result<String, Error> {
    let by_name: Option<Vec<String>> = options.get("columns")?;
    let sizes: Option<Vec<String>> = options.get("bytes")?;
    options.assert_all_used()?;
    let rows = items(rows)?;
    let names = match columns.or(by_name) {
        Some(given) => given,
        None => names_of(&rows)?,
    };
    let sizes = sizes.unwrap_or_default();
    let columns = names.iter().map(|name| column(&rows, name, sizes.contains(name)));
    let columns = columns.collect::<Result<Vec<_>, Fault>>()?;
    Ok(layout(&columns, rows.len() + 1))
}

/// Every name that occurs, in the order of first appearance.
fn names_of(rows: &[Value]) -> Result<Vec<String>, Fault> {
    let mut names: Vec<String> = Vec::new();
    for row in rows {
        if row.kind() != ValueKind::Map {
            return Err(Fault::new(
                Problem::Type,
                format!("a row of a table is a map, not {}", kind_name(row)),
            ));
        }
        for key in row.try_iter().into_iter().flatten() {
            if let Some(name) = key.as_str().filter(|name| !names.iter().any(|known| known == name)) {
                names.push(name.to_owned());
            }
        }
    }
    Ok(names)
}

fn column(rows: &[Value], name: &str, is_size: bool) -> Result<Column, Fault> {
    let mut column = Column { cells: vec![name.to_owned()], numeric: !rows.is_empty() };
    for row in rows {
        let value = row.get_attr(name).unwrap_or(Value::UNDEFINED);
        let empty = value.is_undefined() || value.is_none();
        column.numeric &= empty || value.kind() == ValueKind::Number;
        column.cells.push(match (empty, is_size) {
            (true, _) => String::new(),
            (false, true) => size(&value)?,
            (false, false) => to_text(&value)?.replace('\n', "⏎"),
        });
    }
    Ok(column)
}

fn layout(columns: &[Column], height: usize) -> String {
    let widths: Vec<usize> = columns
        .iter()
        .map(|column| column.cells.iter().map(|cell| cell.width()).max().unwrap_or(0))
        .collect();
    let line = |row: usize| {
        let mut line = String::new();
        for (column, width) in columns.iter().zip(&widths) {
            let cell = &column.cells[row];
            let gap = " ".repeat(width - cell.width());
            let padded = if column.numeric { format!("{gap}{cell}  ") } else { format!("{cell}{gap}  ") };
            line.push_str(&padded);
        }
        line.trim_end().to_owned()
    };
    (0..height).map(line).collect::<Vec<_>>().join("\n")
}
