//! Places in a text.

use saphyr_parser::{Marker, Span as Marks};

/// Where something stands: line and column from 1, both in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// From 1; 0 is the whole of the text.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// In characters; 0 means up to the end of the line.
    pub length: u32,
}

/// From 1.
pub(super) fn line(marker: &Marker) -> u32 {
    u32::try_from(marker.line()).unwrap_or(u32::MAX)
}

/// From 1.
pub(super) fn column(marker: &Marker) -> u32 {
    u32::try_from(marker.col()).map_or(u32::MAX, |c| c.saturating_add(1))
}

/// Where it begins, up to the end of the line.
pub(super) fn start(marks: &Marks) -> Span {
    Span {
        line: line(&marks.start),
        column: column(&marks.start),
        length: 0,
    }
}

/// All of it, where it is on one line.
pub(super) fn whole(marks: &Marks) -> Span {
    let mut span = start(marks);
    if marks.start.line() == marks.end.line() {
        span.length = column(&marks.end).saturating_sub(span.column).max(1);
    }
    span
}
