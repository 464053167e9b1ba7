//! Colours, and text as it may stand in XML.

/// How many shades there are.
const LEVELS: u32 = 8;

/// The style sheet: one for light, and what differs on dark.
pub(super) const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#1b1f24}\
.big{font-size:17px;font-weight:600}.dim{fill:#59636e}.list{font:12px ui-monospace,monospace}\
.bg{fill:#ffffff}.row{fill:#f0f2f5}.grid{stroke:#c3c9d0;stroke-width:1}\
.h1{fill:#d6e6f4}.h2{fill:#b9d5ea}.h3{fill:#93c3df}.h4{fill:#65abd2}.h5{fill:#3f8fc4}.h6{fill:#2272b3}.h7{fill:#0b559b}.h8{fill:#08306b}\
.hot{fill:#c4260b}.clock{stroke:#7a1fa2;stroke-width:2;stroke-dasharray:4 2}.clockt{fill:#7a1fa2}\
.bad{fill:#c4260b}.bad,.clockt{font-weight:600;paint-order:stroke;stroke:#ffffff;stroke-width:3px}\
@media(prefers-color-scheme:dark){text{fill:#e6e9ec}.dim{fill:#a3adb8}.bg{fill:#14181d}.row{fill:#1f252c}.grid{stroke:#3d4650}\
.h1{fill:#17344f}.h2{fill:#1b4569}.h3{fill:#1f5985}.h4{fill:#2a70a3}.h5{fill:#3f8bc0}.h6{fill:#64a8d6}.h7{fill:#97c8e8}.h8{fill:#d3ebfa}\
.hot,.bad{fill:#ff7b5c}.bad,.clockt{stroke:#14181d}.clock{stroke:#d59cf0}.clockt{fill:#d59cf0}}";

/// What the shades of a strip stand for: the least that is not nothing, and the most.
#[derive(Clone, Copy)]
pub(super) struct Range {
    pub(super) least: u64,
    pub(super) most: u64,
}

impl Range {
    pub(super) fn of(counts: impl Iterator<Item = u64>) -> Self {
        let mut range = Self {
            least: u64::MAX,
            most: 0,
        };
        for count in counts.filter(|count| *count > 0) {
            range.least = range.least.min(count);
            range.most = range.most.max(count);
        }
        range
    }

    /// From 0 for nothing over 1 for the least to [`LEVELS`] for the most. By the root, so that one
    /// hot cell does not make all others look alike.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a shade of blue"
    )]
    pub(super) fn level(self, fires: u64) -> u32 {
        if fires == 0 {
            return 0;
        }
        let width = self.most.saturating_sub(self.least);
        if width == 0 {
            return LEVELS / 2;
        }
        let share = fires.saturating_sub(self.least) as f64 / width as f64;
        let above = share.sqrt() * f64::from(LEVELS - 1);
        (1 + above.round() as u32).min(LEVELS)
    }
}

/// Text that cannot leave its place.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // XML 1.0 has no place for them, not even escaped.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_leave_its_place() {
        assert_eq!(
            escaped("a<b>&\"c'\u{1b}[2J"),
            "a&lt;b&gt;&amp;&quot;c&#39;\u{fffd}[2J"
        );
    }

    #[test]
    fn shades_go_from_the_least_to_the_most_and_nothing_has_none() {
        let range = Range::of([0, 10, 1_000, 500].into_iter());
        assert_eq!(
            (range.level(0), range.level(10), range.level(1_000)),
            (0, 1, LEVELS)
        );
        assert!(range.level(500) > 1 && range.level(500) < LEVELS);
        assert_eq!(Range::of([0, 7].into_iter()).level(7), LEVELS / 2);
        assert_eq!(Range::of(std::iter::empty()).level(0), 0);
    }
}
