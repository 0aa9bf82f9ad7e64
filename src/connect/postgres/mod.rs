//! PostgreSQL sessions with the conventions of libpq.
