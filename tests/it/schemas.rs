//! The JSON Schemas accept what the loader accepts, and the files in `schemas/` are up to date.
