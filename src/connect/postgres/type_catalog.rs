//! [`TypeCatalog`]: the types a session has met; built-in ones are known, others are asked for once.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;

use super::value::Shape;

/// The types that are not built in and were looked up.
#[derive(Debug, Default)]
pub(super) struct TypeCatalog {
    learned: BTreeMap<u32, (String, Shape)>,
}

impl TypeCatalog {
    /// The name of a type.
    pub(super) fn name(&self, oid: u32) -> String {
        let learned = || self.learned.get(&oid).map(|(name, _)| name.clone());
        Type::from_oid(oid)
            .map(|found| found.name().to_owned())
            .or_else(learned)
            .unwrap_or_else(|| oid.to_string())
    }

    /// How values of a type are read.
    pub(super) fn shape(&self, oid: u32) -> Shape {
        let learned = || self.learned.get(&oid).map(|(_, shape)| shape.clone());
        Shape::built_in(oid).or_else(learned).unwrap_or(Shape::Text)
    }

    /// The query that finds out about the unknown types among these, if there are any.
    pub(super) fn question(&self, oids: &[u32]) -> Option<String> {
        let unknown = |oid: &&u32| Type::from_oid(**oid).is_none() && !self.learned.contains_key(oid);
        let unknown: Vec<String> = oids.iter().filter(unknown).map(ToString::to_string).collect();
        if unknown.is_empty() {
            return None;
        }
        // An array's elements may be of a domain; their notation is that of its base type.
        Some(format!(
            "SELECT t.oid, t.typname, e.typdelim, coalesce(nullif(e.typbasetype, 0), e.oid) \
             FROM pg_catalog.pg_type t \
             LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A' \
             WHERE t.oid IN ({})",
            unknown.join(", ")
        ))
    }

    /// Remembers the answer.
    pub(super) fn learn(&mut self, rows: Vec<Vec<Option<String>>>) {
        for row in rows {
            let [Some(oid), Some(name), delimiter, element] = &row[..] else { continue };
            let Ok(oid) = oid.parse() else { continue };
            let element = element.as_ref().and_then(|element| element.parse().ok());
            let delimiter = delimiter.as_ref().and_then(|delimiter| delimiter.chars().next());
            let shape = match (element, delimiter) {
                (Some(element), Some(delimiter)) => {
                    Shape::Array(Box::new(Shape::built_in(element).unwrap_or(Shape::Text)), delimiter)
                }
                _ => Shape::Text,
            };
            self.learned.insert(oid, (name.clone(), shape));
        }
    }
}
