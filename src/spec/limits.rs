//! How much a job file may ask for. Every message over a limit names it.

/// The largest file, in bytes.
pub(super) const FILE_BYTES: usize = 16 << 20;
/// The deepest nesting, with aliases expanded.
pub(super) const DEPTH: usize = 64;
/// Aliases, those inside of what is expanded counted each time.
pub(super) const ALIASES: usize = 10_000;
/// What aliases may add to the text, roughly.
pub(super) const EXPANDED_BYTES: usize = 16 << 20;
/// Jobs of all files together.
pub(super) const JOBS: usize = 2_000_000;
/// Findings of one file; the rest is only counted.
pub(super) const FINDINGS: usize = 1_000;
/// Characters of a line beside a finding.
pub(super) const LINE: usize = 200;
/// The longest label, in bytes.
pub(super) const LABEL: usize = 1_024;
/// The longest `description`, in bytes.
pub(super) const DESCRIPTION: usize = 10_000;
