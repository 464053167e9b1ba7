//! Content lines of an iCalendar file: unfolded, with the number of the line that each begins on.

use std::borrow::Cow;

/// One content line.
pub(super) struct Line<'t> {
    /// From 1; of a folded line, the first.
    pub(super) number: u32,
    /// Without folds.
    pub(super) text: Cow<'t, str>,
}

/// The content lines of a text. Lines end in CRLF, as the standard says, or in LF, as they often
/// do; one that begins with a space or a tab goes on with the line before it.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut rest = (1u32..).zip(text.split('\n')).peekable();
    std::iter::from_fn(move || {
        loop {
            let (number, first) = rest.next()?;
            let mut text = Cow::Borrowed(without_return(first));
            while let Some((_, folded)) = rest.next_if(|(_, line)| line.starts_with([' ', '\t'])) {
                text.to_mut().push_str(without_return(&folded[1..]));
            }
            if !text.trim().is_empty() {
                return Some(Line { number, text });
            }
        }
    })
}

fn without_return(line: &str) -> &str {
    line.strip_suffix('\r').unwrap_or(line)
}

/// What a content line is called, in capitals; `None` when it is none.
pub(super) fn name(line: &str) -> Option<String> {
    let end = line.find([':', ';'])?;
    let name = &line[..end];
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (!name.is_empty() && name.bytes().all(plain)).then(|| name.to_ascii_uppercase())
}
