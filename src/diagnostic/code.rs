//! Every diagnostic code: its name, a title, and the long explanation that `runbook explain CODE` prints.

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
    ($($(#[$doc:meta])* $constant:ident = $name:literal, $title:literal, $explanation:literal;)*) => {
        impl Code {
            $(
                #[doc = $title]
                pub const $constant: &'static Code =
                    &Code { name: $name, title: $title, explanation: $explanation };
            )*
        }

        /// Every code, sorted by name.
        pub static CODES: &[&Code] = &[$(Code::$constant),*];
    };
}

codes! {
    YAML_SYNTAX = "runbook::yaml::syntax", "the file is not valid YAML", "";
}
