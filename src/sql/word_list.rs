//! Sorted word lists embedded as text, one word per line, searched without being unpacked.

/// Whether the list, which is sorted by bytes, holds the word.
pub(super) fn holds(list: &str, word: &str) -> bool {
    let mut rest = list.trim_end();
    while !rest.is_empty() {
        let middle = floor_boundary(rest, rest.len() / 2);
        let start = rest[..middle].rfind('\n').map_or(0, |newline| newline + 1);
        let end = rest[middle..].find('\n').map_or(rest.len(), |newline| middle + newline);
        match rest[start..end].cmp(word) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Greater => rest = rest[..start].trim_end(),
            std::cmp::Ordering::Less => rest = rest[end..].trim_start(),
        }
    }
    false
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_and_no_other() {
        let list = "a\nab\nb\nmm\nz\n";
        for word in ["a", "ab", "b", "mm", "z"] {
            assert!(holds(list, word), "{word}");
        }
        for word in ["", "aa", "m", "mmm", "zz", "\n", "ab\nb"] {
            assert!(!holds(list, word), "{word}");
        }
        assert!(!holds("", "a"));
    }
}
