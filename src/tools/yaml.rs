//! YAML of other programs to trees whose nodes know their places.
//!
//! Several documents, any tags, anchors with a bound. JSON is YAML too. This is not the reader
//! of job files: those have rules of their own (`spec`).

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span as Marks};

use super::page::{Spot, Trouble};
use crate::finding::Code;

/// Nesting, and values with their aliases expanded.
const DEPTH: usize = 64;
const NODES: usize = 1_000_000;

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub at: Spot,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// With whether it was written without quotes.
    Scalar(Rc<str>, bool),
    List(Rc<Vec<Node>>),
    Map(Rc<Vec<(Node, Node)>>),
}

impl Node {
    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let mut entries = self.entries().iter();
        let found = entries.find(|(name, _)| name.text() == Some(key));
        found
            .map(|(_, value)| value)
            .filter(|value| !value.is_null())
    }

    /// The value at the end of a path of keys.
    pub fn path(&self, keys: &[&str]) -> Option<&Node> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    pub fn entries(&self) -> &[(Node, Node)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    pub fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    pub fn is_list(&self) -> bool {
        matches!(self.kind, Kind::List(_))
    }

    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// Its texts: of a list each, of a scalar the one.
    pub fn texts(&self) -> Vec<String> {
        let one = |node: &Node| node.text().map(str::to_owned);
        match &self.kind {
            Kind::List(items) => items.iter().filter_map(one).collect(),
            _ => one(self).into_iter().collect(),
        }
    }

    pub fn number(&self) -> Option<f64> {
        self.text()?.trim().parse().ok()
    }

    pub fn flag(&self) -> Option<bool> {
        match self.text()?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(text, true) if matches!(&**text, "" | "~" | "null" | "Null" | "NULL"))
    }

    fn is_plain_number(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(text, true) if text.parse::<f64>().is_ok())
    }

    /// The value as JSON on one line, as Python and shells can read it.
    pub fn json(&self) -> String {
        match &self.kind {
            Kind::List(items) => {
                let items: Vec<_> = items.iter().map(Node::json).collect();
                format!("[{}]", items.join(", "))
            }
            Kind::Map(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(key, value)| format!("{}: {}", key.json(), value.json()))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
            Kind::Scalar(text, plain) => {
                let word = *plain && matches!(&**text, "true" | "false" | "null");
                if word || self.is_plain_number() {
                    return text.to_string();
                }
                serde_json::Value::from(&**text).to_string()
            }
        }
    }
}

/// Reads all documents of a text.
pub(super) fn read(text: &str, what: &str) -> Result<Vec<Node>, Trouble> {
    let mut reader = Reader::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, marks)) => reader.event(event, &marks)?,
            Err(error) => {
                let at = Spot {
                    line: to_u32(error.marker().line()).max(1),
                    column: to_u32(error.marker().col()) + 1,
                    length: 1,
                };
                let message = format!("this is no {what}: {}", error.info());
                return Err(Trouble::new(Code::Syntax, at, message, ""));
            }
        }
    }
    Ok(reader.documents)
}

#[derive(Default)]
struct Reader {
    documents: Vec<Node>,
    frames: Vec<Frame>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

struct Frame {
    at: Spot,
    anchor: usize,
    items: Items,
    nodes: usize,
}

enum Items {
    List(Vec<Node>),
    Map(Vec<(Node, Node)>, Option<Node>),
}

impl Reader {
    fn event(&mut self, event: Event<'_>, marks: &Marks) -> Result<(), Trouble> {
        let at = spot(marks);
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                let kind = Kind::Scalar(Rc::from(&*text), plain);
                self.put(Node { at, kind }, anchor, 1)
            }
            Event::SequenceStart(anchor, _) => self.open(at, anchor, Items::List(Vec::new())),
            Event::MappingStart(anchor, _) => self.open(at, anchor, Items::Map(Vec::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = self.frames.pop() else {
                    return Ok(());
                };
                let kind = match frame.items {
                    Items::List(items) => Kind::List(Rc::new(items)),
                    Items::Map(entries, _) => Kind::Map(Rc::new(merged(entries))),
                };
                let node = Node { at: frame.at, kind };
                self.put(node, frame.anchor, frame.nodes + 1)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some((node, nodes)) => {
                    let (node, nodes) = (node.clone(), *nodes);
                    self.put(Node { at, ..node }, 0, nodes)
                }
                None => Err(Trouble::new(
                    Code::Syntax,
                    at,
                    "an alias inside of its own anchor",
                    "",
                )),
            },
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn open(&mut self, at: Spot, anchor: usize, items: Items) -> Result<(), Trouble> {
        if self.frames.len() >= DEPTH {
            let message = format!("more than {DEPTH} levels deep");
            return Err(Trouble::new(Code::Limit, at, message, ""));
        }
        self.frames.push(Frame {
            at,
            anchor,
            items,
            nodes: 0,
        });
        Ok(())
    }

    fn put(&mut self, node: Node, anchor: usize, nodes: usize) -> Result<(), Trouble> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > NODES {
            let message = format!("more than {NODES} values with aliases expanded");
            return Err(Trouble::new(Code::Limit, node.at, message, ""));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), nodes));
        }
        let Some(frame) = self.frames.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        frame.nodes = frame.nodes.saturating_add(nodes);
        match &mut frame.items {
            Items::List(items) => items.push(node),
            Items::Map(entries, key) => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push((key, node)),
            },
        }
        Ok(())
    }
}

/// The entries with those of `<<` behind them, so that the own ones are found first.
fn merged(entries: Vec<(Node, Node)>) -> Vec<(Node, Node)> {
    let is_merge = |key: &Node| matches!(&key.kind, Kind::Scalar(text, true) if &**text == "<<");
    if !entries.iter().any(|(key, _)| is_merge(key)) {
        return entries;
    }
    let (merges, mut own): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|(key, _)| is_merge(key));
    for (_, value) in &merges {
        let maps = std::slice::from_ref(value).iter().chain(value.items());
        for (key, value) in maps.flat_map(|map| map.entries()) {
            let known = own.iter().any(|(name, _)| name.text() == key.text());
            if !known {
                own.push((key.clone(), value.clone()));
            }
        }
    }
    own
}

fn spot(marks: &Marks) -> Spot {
    let same_line = marks.start.line() == marks.end.line();
    let length = marks.end.col().saturating_sub(marks.start.col());
    Spot {
        line: to_u32(marks.start.line()).max(1),
        column: to_u32(marks.start.col()) + 1,
        length: if same_line { to_u32(length).max(1) } else { 0 },
    }
}

fn to_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_documents_anchors_and_merges_are_read_with_their_places() {
        let text = "a: &x { b: 1 }\nc:\n  <<: *x\n  d: [2, 'three']\n---\nkind: List\n";
        let documents = read(text, "YAML").unwrap();
        assert_eq!(documents.len(), 2);
        assert_eq!(documents[0].path(&["c", "b"]).unwrap().text(), Some("1"));
        let list = documents[0].path(&["c", "d"]).unwrap();
        assert_eq!(list.json(), "[2, \"three\"]");
        assert_eq!((list.at.line, list.at.column), (4, 6));
        assert_eq!(documents[1].get("kind").unwrap().text(), Some("List"));
    }

    #[test]
    fn what_would_never_end_is_refused() {
        let mut bomb = String::from("a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]\n");
        for level in 1..12 {
            let one = format!("*a{}, ", level - 1).repeat(9);
            bomb.push_str(&format!("a{level}: &a{level} [{one}]\n"));
        }
        assert_eq!(read(&bomb, "YAML").unwrap_err().code, Code::Limit);
        assert_eq!(
            read(&"[".repeat(100), "YAML").unwrap_err().code,
            Code::Limit
        );
        assert!(read(&"[".repeat(100_000), "YAML").is_err());
        let trouble = read("a: [1, 2\nb: 3\n", "YAML").unwrap_err();
        assert_eq!(trouble.code, Code::Syntax);
    }
}
