//! The filters, tests and functions of the language.
//!
//! One file for each group of filters that are ours; [`FILTERS`] documents them, and a test keeps it complete. Of
//! minijinja's, only those are taken over that keep our rules about types; the others are wrapped or left out.

mod aggregate;
mod compare;
mod encode;
mod quantity;
mod quote;
mod sequence;
mod table;
pub(super) mod time;

use minijinja::{Environment, filters, functions, tests};

pub(super) use aggregate::aggregates;
pub(super) use quote::{is_quoting, quoted};

/// What a filter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterDoc {
    /// Its name.
    pub name: &'static str,
    /// How it is written, with its arguments and their defaults.
    pub signature: &'static str,
    /// What it does: a sentence.
    pub about: &'static str,
    /// An expression, ` → ` and its value.
    pub example: &'static str,
}

macro_rules! docs {
    ($($name:literal, $signature:literal, $about:literal, $example:literal;)*) => {
        &[$(FilterDoc { name: $name, signature: $signature, about: $about, example: $example }),*]
    };
}

/// Every filter that is ours, sorted by name.
pub const FILTERS: &[FilterDoc] = docs! {
    "b64decode", "b64decode", "Decodes base64 to text.", "'aGk=' | b64decode → \"hi\"";
    "b64encode", "b64encode", "Encodes text as base64.", "'hi' | b64encode → \"aGk=\"";
    "bytes", "bytes", "Reads a size such as `10GB` as a number of bytes; a number stays as it is.",
        "'2 kB' | bytes → 2048";
    "compare", "compare(other, key='name')",
        "Compares two lists of rows by a key, from the first to the other: what was added, removed and changed.",
        "[{'name': 'a', 'n': 1}] | compare([{'name': 'a', 'n': 1}]) → {\"added\":[],\"removed\":[],\"changed\":[],\"same\":1}";
    "date", "date(format='%Y-%m-%d', tz='UTC')", "Writes an RFC 3339 text or seconds since 1970 as a date.",
        "'2026-03-01T23:30:00Z' | date(tz='Europe/Paris') → \"2026-03-02\"";
    "duration", "duration", "Writes a number of seconds for people.", "3723 | duration → \"1h 2m 3s\"";
    "epoch", "epoch", "Gives the seconds since 1970 of an RFC 3339 text.",
        "'1970-01-01T00:01:00Z' | epoch → 60";
    "first", "first(default)", "Gives the first item of a list.", "[3, 1] | first → 3";
    "from_json", "from_json", "Reads JSON text.", "'[1, 2]' | from_json → [1,2]";
    "ident", "ident", "Quotes one SQL identifier; a list gives a qualified one.",
        "['public', 'Order'] | ident | length > 0 → true";
    "last", "last(default)", "Gives the last item of a list.", "[3, 1] | last → 1";
    "literal", "literal", "Writes a value as an SQL literal, which is also what a plain hole does.",
        "\"it's\" | literal → \"'it''s'\"";
    "max", "max(attribute, default)", "Gives the largest of numbers or of texts.", "[3, 1] | max → 3";
    "min", "min(attribute, default)", "Gives the smallest of numbers or of texts.", "[3, 1] | min → 1";
    "raw", "raw", "Puts text into SQL as it is; reported by `check` and shown in the plan.", "'DESC' | raw → \"DESC\"";
    "relation", "relation", "Reads a relation as PostgreSQL spells it, and quotes it again.",
        "'public.orders' | relation | length > 0 → true";
    "scram_verifier", "scram_verifier",
        "Makes the verifier that PostgreSQL stores for a password, so that the password itself is never sent.",
        "('secret' | scram_verifier)[:13] → \"SCRAM-SHA-256\"";
    "seconds", "seconds", "Reads a duration such as `1h30m` as a number of seconds; a number stays as it is.",
        "'5m' | seconds → 300";
    "sha256", "sha256", "Gives the SHA-256 of text in hexadecimal.", "('' | sha256)[:8] → \"e3b0c442\"";
    "shift", "shift(seconds)", "Moves an RFC 3339 text by a number of seconds or a duration.",
        "'2026-01-01T00:00:00Z' | shift(-1) → \"2025-12-31T23:59:59.000000Z\"";
    "size", "size", "Writes a number of bytes for people, in powers of 1024.", "1610612736 | size → \"1.5 GB\"";
    "sum", "sum(attribute, default)", "Adds numbers.", "[{'n': 1}, {'n': 2}] | sum(attribute='n') → 3";
    "table", "table(columns, bytes=[])", "Lays out rows as an aligned text table; `bytes` names columns of sizes.",
        "[{'a': 1}] | table → \"a\\n1\"";
    "to_json", "to_json(indent)", "Writes a value as JSON text.", "[1, 'a'] | to_json → \"[1,\\\"a\\\"]\"";
};

/// minijinja's filters that are part of the language, some of them with tighter types.
const NATIVE: &[&str] = &[
    "abs",
    "batch",
    "capitalize",
    "count",
    "d",
    "default",
    "dictsort",
    "float",
    "groupby",
    "int",
    "items",
    "join",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "sort",
    "split",
    "string",
    "title",
    "trim",
    "unique",
    "upper",
];

/// The tests of the language.
pub(super) const TESTS: &[&str] = &[
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "even",
    "false",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sequence",
    "startingwith",
    "string",
    "true",
    "undefined",
    "upper",
];

/// The names of all filters that an author may write.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FILTERS.iter().map(|filter| filter.name).chain(NATIVE.iter().copied())
}

/// Adds all filters, tests and functions.
pub(super) fn register(environment: &mut Environment<'static>) {
    aggregate::register(environment);
    compare::register(environment);
    encode::register(environment);
    quantity::register(environment);
    quote::register(environment);
    sequence::register(environment);
    table::register(environment);
    time::register(environment);
    native_filters(environment);
    native_tests(environment);
    environment.add_function("range", functions::range);
}

fn native_filters(environment: &mut Environment<'static>) {
    environment.add_filter("abs", filters::abs);
    environment.add_filter("capitalize", filters::capitalize);
    environment.add_filter("count", filters::length);
    environment.add_filter("d", filters::default);
    environment.add_filter("default", filters::default);
    environment.add_filter("dictsort", filters::dictsort);
    environment.add_filter("groupby", filters::groupby);
    environment.add_filter("items", filters::items);
    environment.add_filter("join", filters::join);
    environment.add_filter("length", filters::length);
    environment.add_filter("lines", filters::lines);
    environment.add_filter("list", filters::list);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("map", filters::map);
    environment.add_filter("reverse", filters::reverse);
    environment.add_filter("sort", filters::sort);
    environment.add_filter("split", filters::split);
    environment.add_filter("title", filters::title);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("unique", filters::unique);
    environment.add_filter("upper", filters::upper);
}

fn native_tests(environment: &mut Environment<'static>) {
    environment.add_test("boolean", tests::is_boolean);
    environment.add_test("defined", tests::is_defined);
    environment.add_test("endingwith", tests::is_endingwith);
    environment.add_test("even", tests::is_even);
    environment.add_test("false", tests::is_false);
    environment.add_test("float", tests::is_float);
    environment.add_test("integer", tests::is_integer);
    environment.add_test("iterable", tests::is_iterable);
    environment.add_test("lower", tests::is_lower);
    environment.add_test("mapping", tests::is_mapping);
    environment.add_test("none", tests::is_none);
    environment.add_test("odd", tests::is_odd);
    environment.add_test("sequence", tests::is_sequence);
    environment.add_test("startingwith", tests::is_startingwith);
    environment.add_test("string", tests::is_string);
    environment.add_test("true", tests::is_true);
    environment.add_test("undefined", tests::is_undefined);
    environment.add_test("upper", tests::is_upper);
}

#[cfg(test)]
mod documentation {
    use super::*;
    use crate::template::{Expression, Scope};

    #[test]
    fn every_example_is_true() {
        for filter in FILTERS {
            let (expression, expected) = filter.example.rsplit_once(" → ").unwrap();
            let value = Expression::parse(expression).unwrap().eval(&Scope::new()).unwrap();
            assert_eq!(value.to_string(), expected, "{}", filter.example);
            assert!(filter.signature.starts_with(filter.name), "{}", filter.name);
        }
        assert!(FILTERS.is_sorted_by_key(|filter| filter.name));
    }

    #[test]
    fn every_name_is_registered() {
        let listing = format!("{:?}", *crate::template::environment::ENVIRONMENT);
        for name in names().chain(TESTS.iter().copied()) {
            assert!(listing.contains(&format!("\"{name}\"")), "{name}");
        }
    }
}
