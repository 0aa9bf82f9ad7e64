//! [`Limits`]: how large, deep and repetitive a document may be. Checked before anything is expanded.

/// Budgets for one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of text.
    pub bytes: usize,
    /// Maps and lists inside each other, counted after aliases are followed.
    pub depth: usize,
    /// Values, counted after aliases are followed.
    pub nodes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 8 << 20, depth: 64, nodes: 1_000_000 }
    }
}

impl Limits {
    /// Small budgets, so that a test can exceed them with a few lines.
    #[cfg(test)]
    pub(crate) fn small() -> Self {
        Self { bytes: 4096, depth: 8, nodes: 64 }
    }
}
