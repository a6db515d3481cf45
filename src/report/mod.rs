//! Pictures of a synthetic set.
