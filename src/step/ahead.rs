//! [`with_parsed`]: the SQL of a large file, parsed by several threads before the file is decoded.
//!
//! Reading SQL is most of the work of a load, and each text stands for itself. This changes no result, only who
//! makes it: a text that was not foreseen is parsed when it is met.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::num::NonZero;
use std::thread;

use super::templated::{Problem, SqlText};

/// Fewer texts are done before a thread has started.
const WORTH_A_THREAD: usize = 32;
/// More threads than this wait for memory rather than work.
const MOST_THREADS: usize = 8;

type Parsed = HashMap<String, (SqlText, Vec<Problem>)>;

thread_local! {
    static PARSED: RefCell<Parsed> = RefCell::default();
}

/// Runs `work`, which will ask for these texts.
pub fn with_parsed<T>(texts: Vec<&str>, work: impl FnOnce() -> T) -> T {
    let before = PARSED.replace(parse(texts));
    let result = work();
    PARSED.replace(before);
    result
}

/// What is known of a text already.
pub(super) fn parsed(source: &str) -> Option<(SqlText, Vec<Problem>)> {
    PARSED.with_borrow(|parsed| parsed.get(source).cloned())
}

fn parse(mut texts: Vec<&str>) -> Parsed {
    let mut met = HashSet::new();
    texts.retain(|text| met.insert(*text));
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
    if threads == 1 || texts.len() < WORTH_A_THREAD {
        return Parsed::new();
    }
    let each = |texts: &[&str]| -> Vec<_> {
        texts.iter().map(|text| ((*text).to_owned(), SqlText::read(text))).collect()
    };
    let mut shares = texts.chunks(texts.len().div_ceil(threads));
    let own = shares.next().unwrap_or_default();
    thread::scope(|scope| {
        let others: Vec<_> = shares.map(|share| scope.spawn(move || each(share))).collect();
        let mut parsed: Parsed = each(own).into_iter().collect();
        // What a thread could not finish is parsed when it is met, and fails there.
        parsed.extend(others.into_iter().filter_map(|other| other.join().ok()).flatten());
        parsed
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::templated::collect;

    #[test]
    fn what_was_parsed_ahead_is_what_is_parsed_when_it_is_met() {
        let texts: Vec<String> = (0..3 * WORTH_A_THREAD)
            .map(|n| match n % 3 {
                0 => format!("SELECT {n}, {{{{ params.x }}}}"),
                1 => format!("SELEKT {n}"),
                _ => format!("INSERT INTO t VALUES ({{{{ {n}"),
            })
            .collect();
        let all = || {
            let (parsed, decoded) =
                collect(|| texts.iter().map(|text| SqlText::parse(text)).collect::<Vec<_>>());
            format!("{parsed:?} {decoded:?}")
        };
        let ahead = with_parsed(texts.iter().map(String::as_str).collect(), all);
        assert_eq!(ahead, all());
        assert!(parsed(&texts[0]).is_none());
    }
}
