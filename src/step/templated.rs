//! Text that may hold templates, as it stands in step bodies.
//!
//! Decoding a body parses every template in it, once. [`collect`] gathers what was parsed, so the list of variables a
//! step reads is derived from its types and cannot drift from what is rendered. A template that does not parse is
//! recorded as a problem and decoding goes on, so one mistake hides no other.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer};
use serde_json::Value;

use super::ahead;
use crate::diagnostic::{Code, Severity};
use crate::model::parse_duration;
use crate::sql::{Script, SqlError, SqlProblem};
use crate::template::{self, Expression, Read, SqlTemplate, Template, TemplateError};

/// One template that was decoded.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// The scalar as the author wrote it, by which it is found again in the file.
    pub source: String,
    /// The variables it reads.
    pub reads: Vec<Read>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// Whether it is SQL text, where a secret must not appear.
    pub is_sql: bool,
}

/// Something wrong inside a scalar.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Which of the documented problems it is.
    pub code: &'static Code,
    /// Whether it stops a run.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the scalar; the whole scalar when absent.
    pub range: Option<Range<usize>>,
    /// What to do.
    pub help: Option<String>,
}

thread_local! {
    static DECODED: RefCell<Vec<Decoded>> = const { RefCell::new(Vec::new()) };
}

/// Runs `decode` and returns with its result every template that was decoded meanwhile.
pub fn collect<T>(decode: impl FnOnce() -> T) -> (T, Vec<Decoded>) {
    let before = DECODED.take();
    let result = decode();
    (result, DECODED.replace(before))
}

fn record(source: &str, reads: &[Read], problems: Vec<Problem>, is_sql: bool) {
    if reads.is_empty() && problems.is_empty() && !is_sql {
        return;
    }
    let decoded = Decoded { source: source.to_owned(), reads: reads.to_vec(), problems, is_sql };
    DECODED.with_borrow_mut(|all| all.push(decoded));
}

fn template_problems(errors: Vec<TemplateError>) -> Vec<Problem> {
    errors
        .into_iter()
        .map(|error| Problem {
            code: template_code(error.problem),
            severity: Severity::Error,
            message: error.message,
            range: error.range,
            help: error.help,
        })
        .collect()
}

/// The documented code of a template problem.
pub fn template_code(problem: template::Problem) -> &'static Code {
    use template::Problem as P;
    match problem {
        P::Syntax => Code::TEMPLATE_SYNTAX,
        P::UnknownRoot => Code::TEMPLATE_UNKNOWN_ROOT,
        P::UnknownFilter => Code::TEMPLATE_UNKNOWN_FILTER,
        P::UnknownFunction => Code::TEMPLATE_UNKNOWN_FUNCTION,
        P::DynamicRoot => Code::TEMPLATE_DYNAMIC_READ,
        P::Undefined => Code::TEMPLATE_UNDEFINED,
        P::Type => Code::TEMPLATE_TYPE,
        P::Truthiness => Code::TEMPLATE_TRUTHINESS,
        P::Fuel => Code::TEMPLATE_FUEL,
        P::Filter => Code::TEMPLATE_FILTER,
        P::SqlHole => Code::SQL_HOLE_VALUE,
        P::SqlBlock => Code::SQL_BLOCK,
        P::Refused => Code::TEMPLATE_REFUSED,
    }
}

/// The documented code of a problem in SQL.
pub fn sql_code(problem: SqlProblem) -> &'static Code {
    use SqlProblem as P;
    match problem {
        P::HolePlace => Code::SQL_HOLE_PLACE,
        P::TransactionControl => Code::SQL_TRANSACTION_CONTROL,
        P::MixedTransaction => Code::SQL_MIXED_TRANSACTION,
        P::MetaCommand => Code::SQL_META_COMMAND,
        P::CopyInline => Code::SQL_COPY,
        P::Empty => Code::SQL_EMPTY,
        P::Quote => Code::SQL_HOLE_VALUE,
        P::BindChanged => Code::SQL_BIND_CHANGED,
        P::ClassRaised => Code::SQL_CLASS_RAISED,
        P::SecretLiteral => Code::SQL_SECRET,
        _ => Code::SQL_SYNTAX,
    }
}

/// Text with `{{ … }}` in it; renders to text.
#[derive(Debug, Clone)]
pub struct Text {
    /// The parsed template; when it did not parse, a problem was recorded and the runbook does not load.
    pub template: Template,
}

impl Text {
    /// Parses a scalar and records what it reads and what is wrong with it.
    pub fn parse(source: &str) -> Self {
        match Template::parse(source) {
            Ok(template) => {
                record(source, template.reads(), Vec::new(), false);
                Self { template }
            }
            Err(errors) => {
                record(source, &[], template_problems(errors), false);
                Self { template: Template::constant("") }
            }
        }
    }

    /// The text as written.
    pub fn source(&self) -> &str {
        self.template.source()
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&String::deserialize(deserializer)?))
    }
}

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "Text; `{{ … }}` is replaced when the step runs." })
    }
}

/// A bare expression, without braces.
#[derive(Debug, Clone)]
pub struct Expr {
    /// The parsed expression; when it did not parse, a problem was recorded and the runbook does not load.
    pub expression: Expression,
}

impl Expr {
    /// Parses a scalar and records what it reads and what is wrong with it.
    pub fn parse(source: &str) -> Self {
        match Expression::parse(source) {
            Ok(expression) => {
                record(source, expression.reads(), Vec::new(), false);
                Self { expression }
            }
            Err(errors) => {
                record(source, &[], template_problems(errors), false);
                Self { expression: Expression::truth() }
            }
        }
    }

    /// The expression as written.
    pub fn source(&self) -> &str {
        self.expression.source()
    }
}

impl<'de> Deserialize<'de> for Expr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Expr;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an expression")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Expr, E> {
                Ok(Expr::parse(text))
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Expr, E> {
                Ok(Expr::parse(if value { "true" } else { "false" }))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Expr {
    fn schema_name() -> Cow<'static, str> {
        "Expression".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "boolean"],
            "description": "A bare expression without braces, such as `steps.limit.value > params.max`.",
        })
    }
}

/// SQL text: statements with `{{ … }}` holes, each of which becomes one escaped token.
#[derive(Debug, Clone)]
pub struct SqlText {
    /// The parsed template.
    pub template: SqlTemplate,
    /// The checked statements.
    pub script: Script,
}

impl SqlText {
    /// Parses a scalar and records what it reads and what is wrong with it.
    pub fn parse(source: &str) -> Self {
        let (text, problems) = ahead::parsed(source).unwrap_or_else(|| Self::read(source));
        record(source, text.template.reads(), problems, true);
        text
    }

    /// Parses a scalar, and says what is wrong with it.
    pub(super) fn read(source: &str) -> (Self, Vec<Problem>) {
        let template = match SqlTemplate::parse(source) {
            Ok(template) => template,
            Err(errors) => {
                let nothing = Self { template: SqlTemplate::default(), script: Script::default() };
                return (nothing, template_problems(errors));
            }
        };
        match Script::check(template.pieces()) {
            Ok(script) => {
                let text = Self { template, script };
                let problems = text.raw_problems();
                (text, problems)
            }
            Err(errors) => (Self { template, script: Script::default() }, sql_problems(errors)),
        }
    }

    fn raw_problems(&self) -> Vec<Problem> {
        self.template
            .raw_holes()
            .into_iter()
            .map(|range| Problem {
                code: Code::SQL_RAW,
                severity: Severity::Warning,
                message: "`raw` puts text into SQL without escaping it".to_owned(),
                range: Some(range),
                help: Some(
                    "Use `ident`, `relation` or a plain `{{ … }}` where one of them can do it.".to_owned(),
                ),
            })
            .collect()
    }

    /// The text as written.
    pub fn source(&self) -> &str {
        self.template.source()
    }
}

/// Words problems in SQL as problems in a scalar.
pub fn sql_problems(errors: Vec<SqlError>) -> Vec<Problem> {
    errors
        .into_iter()
        .map(|error| Problem {
            code: sql_code(error.problem),
            severity: Severity::Error,
            message: error.message,
            range: error.range,
            help: error.help,
        })
        .collect()
}

impl<'de> Deserialize<'de> for SqlText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&String::deserialize(deserializer)?))
    }
}

impl JsonSchema for SqlText {
    fn schema_name() -> Cow<'static, str> {
        "Sql".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "One or more SQL statements. `{{ x }}` becomes one literal, `{{ x | ident }}` one identifier, \
                            `{{ x | relation }}` a table's name.",
        })
    }
}

/// Any value, with templates in its texts; a text that is exactly one `{{ … }}` keeps its type.
#[derive(Debug, Clone)]
pub enum Templated {
    /// Null, a boolean or a number.
    Plain(Value),
    /// A text.
    Text(Text),
    /// A list.
    List(Vec<Templated>),
    /// A map; its keys hold no templates.
    Map(IndexMap<String, Templated>),
}

impl Templated {
    /// Parses every text of a value.
    pub fn parse(value: Value) -> Self {
        match value {
            Value::String(text) => Self::Text(Text::parse(&text)),
            Value::Array(items) => Self::List(items.into_iter().map(Self::parse).collect()),
            Value::Object(map) => {
                Self::Map(map.into_iter().map(|(key, value)| (key, Self::parse(value))).collect())
            }
            plain => Self::Plain(plain),
        }
    }
}

impl<'de> Deserialize<'de> for Templated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(Value::deserialize(deserializer)?))
    }
}

impl JsonSchema for Templated {
    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "Any value; a text that is exactly one `{{ … }}` keeps the type of its value." })
    }
}

/// A length of time: `90s`, `5m`, `1h 30m`, a number of seconds, or a template of one.
#[derive(Debug, Clone)]
pub enum Seconds {
    /// Known from the file.
    Fixed(f64),
    /// Known when the step runs.
    Template(Text),
}

impl Seconds {
    /// The seconds, where the file alone says them.
    pub fn fixed(&self) -> Option<f64> {
        match self {
            Self::Fixed(seconds) => Some(*seconds),
            Self::Template(_) => None,
        }
    }
}

struct QuantityVisitor {
    expecting: &'static str,
    parse: fn(&str) -> Result<f64, String>,
}

enum Quantity {
    Number(f64),
    Template(Text),
}

impl de::Visitor<'_> for QuantityVisitor {
    type Value = Quantity;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
        if text.contains("{{") {
            return Ok(Quantity::Template(Text::parse(text)));
        }
        (self.parse)(text).map(Quantity::Number).map_err(E::custom)
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Quantity, E> {
        self.visit_f64(value as f64)
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Quantity, E> {
        self.visit_f64(value as f64)
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Quantity, E> {
        if value.is_finite() && value >= 0.0 {
            return Ok(Quantity::Number(value));
        }
        Err(E::custom("must not be negative"))
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor =
            QuantityVisitor { expecting: "a duration such as `5s`, `2m` or `1h 30m`", parse: parse_duration };
        Ok(match deserializer.deserialize_any(visitor)? {
            Quantity::Number(seconds) => Self::Fixed(seconds),
            Quantity::Template(text) => Self::Template(text),
        })
    }
}

impl JsonSchema for Seconds {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number"],
            "description": "A duration: `500ms`, `5s`, `2m`, `1h 30m`, or a number of seconds.",
            "examples": ["5s", "2m", "1h 30m"],
        })
    }
}
