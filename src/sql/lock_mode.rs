//! [`LockMode`]: PostgreSQL's table locks, weakest first, and which of them exclude each other.

/// A table lock's mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockMode {
    /// Taken by SELECT.
    AccessShare,
    /// Taken by SELECT FOR UPDATE.
    RowShare,
    /// Taken by INSERT, UPDATE, DELETE and MERGE.
    RowExclusive,
    /// Taken by VACUUM, ANALYZE and everything CONCURRENTLY.
    ShareUpdateExclusive,
    /// Taken by CREATE INDEX.
    Share,
    /// Taken by CREATE TRIGGER and for foreign keys.
    ShareRowExclusive,
    /// Taken by REFRESH MATERIALIZED VIEW CONCURRENTLY.
    Exclusive,
    /// Taken by most of ALTER TABLE, DROP, TRUNCATE and VACUUM FULL.
    AccessExclusive,
}

impl LockMode {
    /// The name in `pg_locks.mode`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessShare => "AccessShareLock",
            Self::RowShare => "RowShareLock",
            Self::RowExclusive => "RowExclusiveLock",
            Self::ShareUpdateExclusive => "ShareUpdateExclusiveLock",
            Self::Share => "ShareLock",
            Self::ShareRowExclusive => "ShareRowExclusiveLock",
            Self::Exclusive => "ExclusiveLock",
            Self::AccessExclusive => "AccessExclusiveLock",
        }
    }

    /// What waits while it is held, for people; empty when nothing that matters does.
    pub fn blocks(self) -> &'static str {
        match self {
            Self::AccessShare | Self::RowShare | Self::RowExclusive => "",
            Self::ShareUpdateExclusive => "maintenance and DDL",
            Self::Share | Self::ShareRowExclusive | Self::Exclusive => "writes, maintenance and DDL",
            Self::AccessExclusive => "everything, reads included",
        }
    }

    /// Whether two sessions cannot hold the two modes on one table.
    pub fn conflicts(self, other: Self) -> bool {
        let (weak, strong) = if self <= other { (self, other) } else { (other, self) };
        match weak {
            Self::AccessShare => strong == Self::AccessExclusive,
            Self::RowShare => strong >= Self::Exclusive,
            Self::RowExclusive => strong >= Self::Share,
            // SHARE is the one mode in the upper half that goes together with itself.
            Self::Share => strong > Self::Share,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LockMode::{self, *};

    #[test]
    fn conflicts_are_those_of_the_manual() {
        const ALL: [LockMode; 8] = [
            AccessShare,
            RowShare,
            RowExclusive,
            ShareUpdateExclusive,
            Share,
            ShareRowExclusive,
            Exclusive,
            AccessExclusive,
        ];
        // One row per mode, as in the manual's table of conflicting lock modes.
        let table =
            ["00000001", "00000011", "00001111", "00011111", "00110111", "00111111", "01111111", "11111111"];
        for (a, row) in ALL.iter().zip(table) {
            let found: String = ALL.iter().map(|b| if a.conflicts(*b) { '1' } else { '0' }).collect();
            assert_eq!(found, row, "{a:?}");
        }
    }
}
