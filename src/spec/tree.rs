//! YAML text to a tree whose nodes know their places.
//!
//! Anchors, aliases and merge keys are resolved here, within budgets; what the
//! scalars mean is decided by whoever reads them, because only that reader
//! knows whether text, a number or a switch is meant.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span as Marks, StrInput, Tag};

use super::limits;
use super::merge::{self, Names};
use super::problem::{Problem, Problems};
use super::span::{column, line, start, whole};
use super::syntax;
use crate::finding::Code;

pub(super) use super::span::Span;

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node<'t> {
    pub span: Span,
    pub value: Value<'t>,
}

/// What stands there. Collections are shared, so that an alias costs nothing.
#[derive(Clone, Debug)]
pub(super) enum Value<'t> {
    Scalar(Scalar<'t>),
    List(Rc<Vec<Node<'t>>>),
    Map(Rc<Vec<Entry<'t>>>),
}

/// A scalar as it was written, without its quotes.
#[derive(Clone, Debug)]
pub(super) struct Scalar<'t> {
    pub text: Cow<'t, str>,
    pub style: Style,
}

/// Whether a scalar was quoted; only a plain one can be `null`, `true` or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Quoted,
}

/// One key of a mapping.
#[derive(Clone, Debug)]
pub(super) struct Entry<'t> {
    pub key: Cow<'t, str>,
    pub key_span: Span,
    pub value: Node<'t>,
}

impl<'t> Node<'t> {
    /// A node that was not written anywhere.
    pub fn text(text: Cow<'t, str>, style: Style) -> Self {
        Self {
            span: Span::default(),
            value: Value::Scalar(Scalar { text, style }),
        }
    }

    pub fn scalar(&self) -> Option<&Scalar<'t>> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// A plain `null`, which returns to the built-in.
    pub fn is_null(&self) -> bool {
        self.scalar()
            .is_some_and(|s| s.style == Style::Plain && s.text == "null")
    }

    /// Nothing at all or `~`: most often a value that somebody forgot.
    pub fn is_empty(&self) -> bool {
        self.scalar()
            .is_some_and(|s| s.style == Style::Plain && matches!(&*s.text, "" | "~"))
    }

    /// In words, for "found …".
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar(_) if self.is_empty() => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// What came of a text.
pub(super) struct Tree<'t> {
    /// The document; `None` when it is empty. After a fatal problem it holds what was read before it.
    pub root: Option<Node<'t>>,
    /// What is wrong with the text as YAML.
    pub problems: Vec<Problem>,
    /// Whether the text was read to its end.
    pub complete: bool,
}

/// Reads one document.
pub(super) fn parse(text: &str) -> Tree<'_> {
    let mut builder = Builder::default();
    let complete = match syntax::tag_directive(text) {
        None => builder.run(&mut Parser::new_from_str(text), text),
        Some(problem) => {
            builder.problems.add(problem);
            false
        }
    };
    builder.finish(complete)
}

#[derive(Default)]
struct Builder<'t> {
    root: Option<Node<'t>>,
    frames: Vec<Frame<'t>>,
    anchors: HashMap<usize, Anchored<'t>>,
    problems: Problems,
    expanded: Cost,
    nodes: usize,
}

struct Frame<'t> {
    span: Span,
    anchor: usize,
    items: Items<'t>,
    cost: Cost,
    height: usize,
}

enum Items<'t> {
    List(Vec<Node<'t>>),
    Map {
        entries: Vec<Entry<'t>>,
        key: Option<(Cow<'t, str>, Span, Style)>,
        merges: Vec<(Span, Node<'t>)>,
    },
}

struct Anchored<'t> {
    node: Node<'t>,
    cost: Cost,
    height: usize,
}

/// What a node costs whoever walks it.
#[derive(Clone, Copy, Default)]
struct Cost {
    aliases: usize,
    bytes: usize,
}

impl Cost {
    const NODE: usize = 64;

    fn add(&mut self, other: Cost) {
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// Reading has ended before the text has; the problem is already noted.
struct Stop;

impl<'t> Builder<'t> {
    fn run(&mut self, parser: &mut Parser<'t, StrInput<'t>>, text: &'t str) -> bool {
        let mut documents = 0;
        while let Some(event) = parser.next_event() {
            let (event, marks) = match event {
                Ok(event) => event,
                Err(error) => {
                    self.problems.add(syntax::explain(&error, text));
                    return false;
                }
            };
            let step = match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        self.problems.add(syntax::second_document(start(&marks)));
                        return false;
                    }
                    Ok(())
                }
                Event::Scalar(text, style, anchor, tag) => {
                    self.scalar(text, style, anchor, tag.as_deref(), &marks)
                }
                Event::SequenceStart(anchor, tag) => {
                    self.open(Items::List(Vec::new()), anchor, tag.as_deref(), &marks)
                }
                Event::MappingStart(anchor, tag) => {
                    let items = Items::Map {
                        entries: Vec::new(),
                        key: None,
                        merges: Vec::new(),
                    };
                    self.open(items, anchor, tag.as_deref(), &marks)
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(Some(&marks)),
                Event::Alias(anchor) => self.alias(anchor, &marks),
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {
                    Ok(())
                }
            };
            if step.is_err() {
                return false;
            }
        }
        true
    }

    /// Closes what is still open, so that what was read so far can be looked at.
    fn finish(mut self, complete: bool) -> Tree<'t> {
        // What is closed here was within the bound when it was opened.
        self.nodes = 0;
        while !self.frames.is_empty() {
            if self.close(None).is_err() {
                break;
            }
        }
        let root = self.root.filter(|node| {
            // `---` alone, or comments: a document with nothing in it.
            node.scalar()
                .is_none_or(|s| s.style == Style::Quoted || !s.text.is_empty())
        });
        Tree {
            root,
            problems: self.problems.into_list(),
            complete,
        }
    }

    fn stop(&mut self, code: Code, span: Span, message: &str, help: &str) -> Result<(), Stop> {
        self.problems.add(Problem::new(code, span, message, help));
        Err(Stop)
    }

    fn scalar(
        &mut self,
        text: Cow<'t, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        marks: &Marks,
    ) -> Result<(), Stop> {
        let mut span = whole(marks);
        let mut style = match style {
            ScalarStyle::Plain => Style::Plain,
            _ => Style::Quoted,
        };
        if style == Style::Plain && text.is_empty() {
            // The parser's mark is at whatever follows; the key is what a person looks for.
            if let Some(Frame {
                items: Items::Map { key: Some(key), .. },
                ..
            }) = self.frames.last()
            {
                span = key.1;
            }
        }
        match tag {
            Some(tag) if is_core(tag, "str") => style = Style::Quoted,
            Some(tag) => self.problems.add(syntax::tag(tag, span)),
            None => {}
        }
        let cost = Cost {
            aliases: 0,
            bytes: text.len() + Cost::NODE,
        };
        let node = Node {
            span,
            value: Value::Scalar(Scalar { text, style }),
        };
        self.put(node, anchor, cost, 0)
    }

    fn open(
        &mut self,
        items: Items<'t>,
        anchor: usize,
        tag: Option<&Tag>,
        marks: &Marks,
    ) -> Result<(), Stop> {
        let span = start(marks);
        if let Some(tag) = tag
            && !(is_core(tag, "map") || is_core(tag, "seq"))
        {
            self.problems.add(syntax::tag(tag, span));
        }
        if self.frames.len() >= limits::DEPTH {
            let message = format!("more than {} levels deep", limits::DEPTH);
            return self.stop(Code::Limit, span, &message, "");
        }
        if let Some(frame) = self.frames.last()
            && let Items::Map { key: None, .. } = frame.items
        {
            return self.stop(
                Code::Syntax,
                span,
                "a key must be text, not a list or a mapping",
                "quote it when it is text that begins with `{` or `[`",
            );
        }
        self.frames.push(Frame {
            span,
            anchor,
            items,
            cost: Cost {
                aliases: 0,
                bytes: Cost::NODE,
            },
            height: 0,
        });
        Ok(())
    }

    fn close(&mut self, marks: Option<&Marks>) -> Result<(), Stop> {
        let Some(mut frame) = self.frames.pop() else {
            return Ok(());
        };
        if let Some(marks) = marks
            && line(&marks.end) == frame.span.line
        {
            frame.span.length = column(&marks.end).saturating_sub(frame.span.column);
        }
        let value = match frame.items {
            Items::List(items) => Value::List(Rc::new(items)),
            Items::Map {
                mut entries,
                merges,
                key,
            } => {
                if let Some((key, key_span, _)) = key {
                    // Only after a fatal problem: the key is known, its value is not.
                    let mut value = Node::text(Cow::Borrowed(""), Style::Plain);
                    value.span = key_span;
                    entries.push(Entry {
                        key,
                        key_span,
                        value,
                    });
                }
                let names = self.names();
                let mut entries = merge::drop_duplicates(entries, names, &mut self.problems);
                merge::merge(&mut entries, merges, &mut self.problems);
                Value::Map(Rc::new(entries))
            }
        };
        let node = Node {
            span: frame.span,
            value,
        };
        self.put(node, frame.anchor, frame.cost, frame.height + 1)
    }

    /// What the mapping names that was just closed.
    fn names(&self) -> Names {
        match self.frames.as_slice() {
            [
                Frame {
                    items: Items::Map { key: Some(key), .. },
                    ..
                },
            ] if key.0 == "jobs" => Names::Jobs,
            _ => Names::Keys,
        }
    }

    fn alias(&mut self, anchor: usize, marks: &Marks) -> Result<(), Stop> {
        let span = whole(marks);
        let Some(anchored) = self.anchors.get(&anchor) else {
            return self.stop(
                Code::Limit,
                span,
                "this alias stands inside its own anchor: it would never end",
                "",
            );
        };
        let node = anchored.node.clone();
        let height = anchored.height;
        let mut cost = anchored.cost;
        cost.aliases = cost.aliases.saturating_add(1);
        self.expanded.add(cost);
        if self.expanded.aliases > limits::ALIASES {
            let message = format!("more than {} expanded aliases", limits::ALIASES);
            return self.stop(
                Code::Limit,
                span,
                &message,
                "write `_defaults.yaml` or `defaults:` for what all jobs share",
            );
        }
        if self.expanded.bytes > limits::EXPANDED_BYTES {
            let message = format!(
                "the aliases up to here expand to more than {} MiB",
                limits::EXPANDED_BYTES >> 20
            );
            return self.stop(Code::Limit, span, &message, "");
        }
        if self.frames.len() + height > limits::DEPTH {
            let message = format!(
                "more than {} levels deep with its aliases expanded",
                limits::DEPTH
            );
            return self.stop(Code::Limit, span, &message, "");
        }
        self.put(node, 0, cost, height)
    }

    fn put(
        &mut self,
        node: Node<'t>,
        anchor: usize,
        cost: Cost,
        height: usize,
    ) -> Result<(), Stop> {
        self.nodes += 1;
        if self.nodes > limits::NODES {
            let message = format!("more than {} values in one file", limits::NODES);
            return self.stop(Code::Limit, node.span, &message, "make several files of it");
        }
        if anchor > 0 {
            let node = node.clone();
            self.anchors.insert(anchor, Anchored { node, cost, height });
        }
        let Some(frame) = self.frames.last_mut() else {
            self.root.get_or_insert(node);
            return Ok(());
        };
        frame.cost.add(cost);
        frame.height = frame.height.max(height);
        match &mut frame.items {
            Items::List(items) => items.push(node),
            Items::Map {
                entries,
                key,
                merges,
            } => match key.take() {
                None => match node.value {
                    Value::Scalar(scalar) => *key = Some((scalar.text, node.span, scalar.style)),
                    _ => {
                        return self.stop(
                            Code::Syntax,
                            node.span,
                            "a key must be text, not a list or a mapping",
                            "",
                        );
                    }
                },
                Some((text, span, Style::Plain)) if text == "<<" => merges.push((span, node)),
                Some((key, key_span, _)) => entries.push(Entry {
                    key,
                    key_span,
                    value: node,
                }),
            },
        }
        Ok(())
    }
}

fn is_core(tag: &Tag, suffix: &str) -> bool {
    tag.is_yaml_core_schema() && tag.suffix == suffix
}

/// A text of a file, short enough for a message.
pub(super) fn shorten(text: &str) -> Cow<'_, str> {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}
