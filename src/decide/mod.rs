//! Decisions as plain functions: merge, diff, due, admit, retry, recover.
