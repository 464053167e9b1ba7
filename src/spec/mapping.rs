//! Reads mappings with known keys: what belongs elsewhere, is misspelt or is not in this build; and lists within their bound.

use super::decode::{Decoder, Scope};
use super::fields::{LEVELS, Level, State};
use super::limits;
use super::tree::{Entry, Node, Value, shorten};
use crate::finding::Code;

impl<'t> Decoder<'t, '_> {
    /// The items, if there are not too many of them.
    pub(super) fn bounded_list<'n>(
        &mut self,
        key: &str,
        node: &Node<'t>,
        items: &'n [Node<'t>],
    ) -> Option<&'n [Node<'t>]> {
        if items.len() <= limits::LIST {
            return Some(items);
        }
        let message = format!("`{key}` has more than {} items", limits::LIST);
        self.report(Code::Limit, node.span, &message, "");
        None
    }

    /// The entries of a mapping with known keys; what cannot stand here is noted and left out.
    pub fn fields<'n>(
        &mut self,
        level: &'static Level,
        node: &'n Node<'t>,
        scope: Scope,
    ) -> Option<Vec<(&'static str, &'n Entry<'t>)>> {
        self.fields_but(level, node, scope, |_| false)
    }

    /// The same, where some keys are nobody's business.
    pub fn fields_but<'n>(
        &mut self,
        level: &'static Level,
        node: &'n Node<'t>,
        scope: Scope,
        ignored: impl Fn(&str) -> bool,
    ) -> Option<Vec<(&'static str, &'n Entry<'t>)>> {
        let Value::Map(entries) = &node.value else {
            let message = format!("{} is a mapping of keys, not {}", level.what, node.kind());
            let help = format!("its keys: {}", level.known().collect::<Vec<_>>().join(", "));
            self.report(Code::WrongType, node.span, &message, &help);
            return None;
        };
        let mut known = Vec::with_capacity(entries.len());
        for entry in entries.iter() {
            if self.is_full() {
                break;
            }
            let Some(field) = level.find(&entry.key) else {
                if !ignored(&entry.key) {
                    self.unknown_key(level, entry);
                }
                continue;
            };
            match field.state {
                State::Later => self.report(
                    Code::NotInThisBuild,
                    entry.key_span,
                    &format!("`{}` is known, but not in this build", field.key),
                    "remove it: nothing would come of it",
                ),
                State::JobOnly if scope == Scope::Defaults => self.report(
                    Code::UnknownKey,
                    entry.key_span,
                    &format!("`{}` cannot have a default", field.key),
                    "write it in the job",
                ),
                _ if entry.value.is_empty() => {
                    self.no_value(field.key, entry.value.span, field.kind);
                }
                _ => known.push((field.key, entry)),
            }
        }
        Some(known)
    }

    fn unknown_key(&mut self, level: &Level, entry: &Entry<'t>) {
        let key = &*entry.key;
        let help = if let Some(near) = self.nearest(key, level.known()) {
            self.suggest(near);
            format!("did you mean `{near}`?")
        } else if let Some(meant) = synonym(key) {
            format!("write {meant}")
        } else if let Some(place) = elsewhere(level, key) {
            format!("`{key}` belongs under {place}")
        } else if key.starts_with("x-") {
            "keys that begin with `x-` stand at the top level of the file".to_owned()
        } else {
            let known: Vec<_> = level.known().collect();
            if known.len() <= 10 {
                format!("the keys here are {}", known.join(", "))
            } else {
                String::new()
            }
        };
        let message = format!("{} has no key `{}`", level.what, shorten(key));
        self.report(Code::UnknownKey, entry.key_span, &message, &help);
    }
}

fn elsewhere(level: &Level, key: &str) -> Option<&'static str> {
    LEVELS
        .iter()
        .find(|other| other.what != level.what && other.find(key).is_some())
        .map(|other| other.place)
}

/// What other schedulers call it.
fn synonym(key: &str) -> Option<&'static str> {
    Some(match key {
        "command" | "cmd" | "script" | "shell_command" => "`run: …`",
        "args" | "argv" | "program" => "`exec: [program, argument]`",
        "interval" => "`schedule: { every: 5m }`",
        "tz" | "time_zone" | "utc" => "`timezone: …`",
        "environment" | "env_vars" | "vars" => "`env: { NAME: value }`",
        "retries" | "max_retries" | "attempts" => "`retry: { max: 2 }`",
        "workdir" | "working_directory" | "working_dir" | "chdir" => "`cwd: …`",
        "disabled" | "suspend" | "paused" => "`enabled: false`",
        "concurrency" | "concurrencyPolicy" => "`max_instances` and `overlap`",
        "startingDeadlineSeconds" => "`misfire_grace_time: …`",
        "tags" => "`labels: { name: value }`",
        "job" => "`jobs:`",
        "startup" | "manual" => "`schedule: startup` or `schedule: manual`, as one word",
        _ => return None,
    })
}
