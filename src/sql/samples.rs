//! [`Samples`]: what stands in the holes while a script is checked. A hole whose type is unknown is tried as a text, then
//! as a number.

use super::hole::{Assembled, HoleKind, Piece};
use super::split::split;
use super::tree::parse;

/// The choice of a stand-in for every hole.
pub(super) struct Samples<'a> {
    pieces: &'a [Piece],
    /// The candidates of each hole; never empty.
    candidates: Vec<Vec<&'a str>>,
    chosen: Vec<usize>,
}

impl<'a> Samples<'a> {
    /// The first stand-in of each hole.
    pub(super) fn new(pieces: &'a [Piece]) -> Self {
        let candidates: Vec<_> = pieces.iter().filter_map(candidates).collect();
        let chosen = vec![0; candidates.len()];
        Self { pieces, candidates, chosen }
    }

    /// Whether some hole has another stand-in.
    pub(super) fn has_choice(&self) -> bool {
        self.candidates.iter().any(|found| found.len() > 1)
    }

    /// The text with the stand-ins.
    pub(super) fn assemble(&self) -> Assembled {
        Assembled::new(
            self.pieces,
            self.candidates.iter().zip(&self.chosen).map(|(found, index)| found[*index]),
        )
    }

    /// Takes the stand-ins the grammar likes best: changes one hole after the other for as long as the first error moves
    /// back. Linear, and enough, because holes are read from the front.
    pub(super) fn improve(&mut self) {
        let mut reached = first_error(&self.assemble());
        for hole in 0..self.chosen.len() {
            for candidate in 1..self.candidates[hole].len() {
                let Some(error) = reached else { return };
                let before = std::mem::replace(&mut self.chosen[hole], candidate);
                let found = first_error(&self.assemble());
                if found.is_none_or(|found| found > error) {
                    reached = found;
                } else {
                    self.chosen[hole] = before;
                }
            }
        }
    }
}

fn candidates(piece: &Piece) -> Option<Vec<&str>> {
    let Piece::Hole { kind, sample, .. } = piece else { return None };
    if let Some(sample) = sample {
        return Some(vec![sample]);
    }
    Some(match kind {
        HoleKind::Literal => vec!["'x'", "1"],
        HoleKind::Ident | HoleKind::Relation => vec!["hole"],
        HoleKind::Raw => vec!["hole", "1"],
    })
}

/// Where in the source the grammar first complains.
fn first_error(assembled: &Assembled) -> Option<usize> {
    split(&assembled.text).into_iter().find_map(|range| {
        let errors = parse(&assembled.text[range.clone()]).errors;
        let at = range.start + usize::from(errors.first()?.range().start());
        Some(assembled.to_source(&(at..at)).start)
    })
}
