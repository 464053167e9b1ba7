//! Builds, starts, waits and stops everything.
