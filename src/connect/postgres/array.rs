//! [`parse_array`]: PostgreSQL's text form of an array, to a list.

use std::iter::Peekable;
use std::str::Chars;

use serde_json::Value;

use super::value::{Shape, decode};

/// Reads an array; nothing if the text is not one.
pub(super) fn parse_array(text: &str, element: &Shape, delimiter: char) -> Option<Value> {
    let mut reader = Reader { characters: without_bounds(text)?.chars().peekable(), element, delimiter };
    let list = reader.list(0)?;
    reader.characters.next().is_none().then_some(list)
}

/// PostgreSQL has at most six dimensions; the bound also keeps hostile text from using up the stack.
const DEEPEST: usize = 6;

/// Lower bounds other than one precede the array: `[0:2]={1,2,3}`.
fn without_bounds(text: &str) -> Option<&str> {
    if text.starts_with('[') { text.split_once('=').map(|(_, array)| array) } else { Some(text) }
}

struct Reader<'a> {
    characters: Peekable<Chars<'a>>,
    element: &'a Shape,
    delimiter: char,
}

impl Reader<'_> {
    fn list(&mut self, depth: usize) -> Option<Value> {
        if self.characters.next()? != '{' || depth == DEEPEST {
            return None;
        }
        let mut items = Vec::new();
        if self.characters.next_if_eq(&'}').is_some() {
            return Some(Value::Array(items));
        }
        loop {
            items.push(match self.characters.peek()? {
                '{' => self.list(depth + 1)?,
                '"' => self.quoted()?,
                _ => self.bare()?,
            });
            match self.characters.next()? {
                '}' => return Some(Value::Array(items)),
                next if next == self.delimiter => {}
                _ => return None,
            }
        }
    }

    fn quoted(&mut self) -> Option<Value> {
        self.characters.next();
        let mut text = String::new();
        loop {
            match self.characters.next()? {
                '"' => return Some(decode(Some(text), self.element)),
                '\\' => text.push(self.characters.next()?),
                plain => text.push(plain),
            }
        }
    }

    fn bare(&mut self) -> Option<Value> {
        let mut text = String::new();
        let delimiter = self.delimiter;
        while let Some(next) = self.characters.next_if(|next| *next != delimiter && *next != '}') {
            text.push(if next == '\\' { self.characters.next()? } else { next });
        }
        // Only the bare word is NULL; the text "NULL" comes quoted.
        Some(if text == "NULL" { Value::Null } else { decode(Some(text), self.element) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arrays() {
        let check = |text: &str, expected: Value| {
            assert_eq!(parse_array(text, &Shape::Text, ','), Some(expected), "{text}");
        };
        check("{}", json!([]));
        check("{a,b c,\"d,e\"}", json!(["a", "b c", "d,e"]));
        check(r#"{"a\"b","c\\d","","NULL",NULL}"#, json!(["a\"b", "c\\d", "", "NULL", null]));
        check("{{a,b},{c,NULL}}", json!([["a", "b"], ["c", null]]));
        check("[0:1]={x,y}", json!(["x", "y"]));
        check("[1:1][-2:-1]={{x,y}}", json!([["x", "y"]]));
        check("{\"{}\",é}", json!(["{}", "é"]));
    }

    #[test]
    fn not_arrays() {
        for text in ["", "{", "{a", "{a,", "a}", "{\"a}", "{a}b", "{\\", "[0:1]", "{{{{{{{1}}}}}}}"] {
            assert_eq!(parse_array(text, &Shape::Text, ','), None, "{text}");
        }
    }
}
