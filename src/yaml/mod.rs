//! The only code that sees YAML.
