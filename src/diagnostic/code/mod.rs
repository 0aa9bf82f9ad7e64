//! Every diagnostic code: its name, a title, and the long explanation that `runbook explain CODE` prints.
//!
//! One file for each area. Only words live here: which code a problem has is decided where the problem is found.

/// A documented problem.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// `runbook::<area>::<problem>`.
    pub name: &'static str,
    /// One line.
    pub title: &'static str,
    /// What it means, why it is refused, and how to put it right, with an example.
    pub explanation: &'static str,
}

macro_rules! codes {
    ($($constant:ident = $name:literal, $title:literal, $explanation:literal;)*) => {
        impl Code {
            $(
                #[doc = $title]
                pub const $constant: &'static Self =
                    &Self { name: $name, title: $title, explanation: $explanation };
            )*
        }

        /// The codes of this area, sorted by name.
        pub(super) const CODES: &[&Code] = &[$(Code::$constant),*];
    };
}

mod confirm;
mod connection;
mod exec;
mod graph;
mod head;
mod include;
mod kubectl;
mod sql;
mod step;
mod structure;
mod template;
mod test;
mod yaml;

/// The areas, sorted by name.
const AREAS: &[&[&Code]] = &[
    confirm::CODES,
    connection::CODES,
    exec::CODES,
    graph::CODES,
    head::CODES,
    include::CODES,
    kubectl::CODES,
    sql::CODES,
    step::CODES,
    structure::CODES,
    template::CODES,
    test::CODES,
    yaml::CODES,
];

const COUNT: usize = {
    let (mut count, mut area) = (0, 0);
    while area < AREAS.len() {
        count += AREAS[area].len();
        area += 1;
    }
    count
};

/// Every code, sorted by name.
pub static CODES: &[&Code] = &joined();

const fn joined() -> [&'static Code; COUNT] {
    let mut all = [AREAS[0][0]; COUNT];
    let (mut next, mut area) = (0, 0);
    while area < AREAS.len() {
        let mut code = 0;
        while code < AREAS[area].len() {
            all[next] = AREAS[area][code];
            next += 1;
            code += 1;
        }
        area += 1;
    }
    all
}

impl Code {
    /// The code of a name, with or without `runbook::` before it.
    pub fn find(name: &str) -> Option<&'static Self> {
        CODES
            .iter()
            .copied()
            .find(|code| code.name == name || code.name.strip_prefix("runbook::") == Some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_found_by_name() {
        assert!(CODES.is_sorted_by(|one, other| one.name < other.name));
        for code in CODES {
            assert_eq!(Code::find(code.name), Some(*code));
        }
        assert_eq!(Code::find("graph::cycle"), Some(Code::GRAPH_CYCLE));
        assert_eq!(Code::find("cycle"), None);
    }

    #[test]
    fn every_code_is_explained_with_an_example() {
        for Code { name, title, explanation } in CODES {
            assert!(
                title.starts_with(|c: char| !c.is_uppercase()
                    || title.starts_with("SQL")
                    || title.starts_with("COPY")),
                "{name}"
            );
            assert!(!title.ends_with('.') && title.len() < 80, "{name}");
            assert!(explanation.contains("\nWrong:\n") && explanation.contains("\nRight:\n"), "{name}");
            assert!(explanation.split("\nWrong:\n").next().is_some_and(|text| text.len() > 150), "{name}");
            assert!(explanation.lines().all(|line| line.chars().count() <= 120), "{name}");
        }
    }
}
