//! Lengths of time and sizes as a job file writes them.

use std::time::Duration;

use super::decode::Decoder;
use super::tree::{Node, Span, shorten};
use crate::duration::{self, Size};
use crate::finding::Code;

impl<'t> Decoder<'t, '_> {
    pub fn duration(&mut self, key: &str, node: &Node<'t>) -> Option<Duration> {
        let text = self.text(key, node)?;
        match duration::parse(&text) {
            Ok(length) => Some(length),
            Err(error) => {
                self.bad_duration(key, node.span, &error);
                None
            }
        }
    }

    /// A length of time, or one word beside it, which is `None`.
    #[expect(
        clippy::option_option,
        reason = "outside: was it readable; inside: a length or the word"
    )]
    pub fn duration_or(
        &mut self,
        key: &str,
        node: &Node<'t>,
        word: &str,
    ) -> Option<Option<Duration>> {
        let text = self.text(key, node)?;
        if text == word {
            return Some(None);
        }
        match duration::parse(&text) {
            Ok(length) => Some(Some(length)),
            Err(error) => {
                self.bad_duration(key, node.span, &error);
                None
            }
        }
    }

    /// A number of bytes.
    pub fn size(&mut self, key: &str, node: &Node<'t>) -> Option<Size> {
        let text = self.text(key, node)?;
        match Size::parse(&text) {
            Ok(size) => Some(size),
            Err(error) => {
                self.bad_duration(key, node.span, &error);
                None
            }
        }
    }

    fn bad_duration(&mut self, key: &str, span: Span, error: &duration::BadQuantity) {
        use duration::BadQuantity::{NoUnit, NotADuration, NotASize, TooLarge};
        let (message, help) = match error {
            NoUnit(suggestion) => (
                format!("`{key}` needs a unit"),
                format!("write {suggestion}"),
            ),
            NotASize(text) => (
                format!("`{}` is no size", shorten(text)),
                "write 512B, 64KiB, 1MB or 2GiB".to_owned(),
            ),
            NotADuration(text) => (
                format!("`{}` is no length of time", shorten(text)),
                "write 500ms, 90s, 1h30m, 6h, 2d or 1w".to_owned(),
            ),
            TooLarge(text) => (
                format!("`{}` is too long", shorten(text)),
                format!("at most {}", duration::print(duration::MAX)),
            ),
        };
        self.report(Code::BadDuration, span, &message, &help);
    }
}
