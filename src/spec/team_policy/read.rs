//! The text of a policy to what it asks, with all findings.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil;

use super::{FORBID, Pattern, RULES, TOP, TeamPolicy, TeamRule, WAIVER, Waiver};
use crate::finding::{Code, Finding};
use crate::ids::check_name;
use crate::schedule::Zones;
use crate::spec::decode::{Decoder, Scope};
use crate::spec::fields::JOB;
use crate::spec::problem::Page;
use crate::spec::shared::Shared;
use crate::spec::tree::{self, Entry, Node, Span, Value, shorten};
use crate::spec::{InputFile, Options, bytes};

/// What a job can be.
const ACTIONS: [&str; 3] = ["run", "exec", "http"];
/// So many rows of a list, and waivers.
const MOST: usize = 1_000;

/// Reads a policy. It is worth something only when nothing is wrong with it.
#[must_use]
pub fn team_policy(
    input: &InputFile,
    options: &Options,
    zones: &Zones,
) -> (TeamPolicy, Vec<Finding>) {
    let mut policy = TeamPolicy {
        shown: input.shown.clone(),
        ..TeamPolicy::default()
    };
    let text = match bytes::text_of(input) {
        Ok(text) => text,
        Err(finding) => return (policy, vec![*finding]),
    };
    let page = Page::of(input, text);
    let shared = Shared::new(zones);
    let mut decoder = Decoder::new(&page, options, &shared);
    let tree = tree::parse(text);
    for problem in tree.problems {
        decoder.note(problem);
    }
    if !tree.complete {
        return (policy, decoder.finish());
    }
    let top = tree.root.as_ref().and_then(|root| {
        let is_anchor = |key: &str| key.starts_with("x-");
        decoder.fields_but(&TOP, root, Scope::Job, is_anchor)
    });
    let mut reader = Reader {
        page: &page,
        zones,
        decoder,
        policy: &mut policy,
    };
    for (key, entry) in top.into_iter().flatten() {
        match key {
            "rules" => reader.rules(&entry.value),
            _ => reader.waivers(&entry.value),
        }
    }
    let mut decoder = reader.decoder;
    if policy.asks_nothing() && !decoder.errors_since(0) {
        let help = "write `rules: { required: [owner] }`";
        let message = "the policy has no rule";
        decoder.report(Code::MissingKey, Span::default(), message, help);
    }
    (policy, decoder.finish())
}

struct Reader<'t, 's, 'p> {
    page: &'t Page<'t>,
    zones: &'s Zones,
    decoder: Decoder<'t, 's>,
    policy: &'p mut TeamPolicy,
}

impl<'t> Reader<'t, '_, '_> {
    fn rules(&mut self, node: &Node<'t>) {
        let fields = self.decoder.fields(&RULES, node, Scope::Job);
        for (key, entry) in fields.unwrap_or_default() {
            let node = &entry.value;
            match key {
                "required" => {
                    let known: Vec<&'static str> = JOB.known().collect();
                    self.policy.required = self.words(key, node, &known).unwrap_or_default();
                }
                "labels" => self.labels(node),
                "min_interval" => self.policy.min_interval = self.length(key, node),
                "max_timeout" => self.policy.max_timeout = self.length(key, node),
                "timezones" => self.policy.timezones = self.timezones(node),
                "actions" => self.policy.actions = self.words(key, node, &ACTIONS),
                "hosts" => self.policy.hosts = self.hosts(node),
                "programs" => self.policy.programs = self.patterns(key, node),
                _ => self.inline_secrets(node),
            }
        }
    }

    fn length(&mut self, key: &str, node: &Node<'t>) -> Option<Duration> {
        let length = self.decoder.duration(key, node)?;
        if length.is_zero() {
            let message = format!("`{key}` is no time at all");
            let help = "write a length such as 1m, or remove the rule";
            self.decoder
                .report(Code::OutOfRange, node.span, &message, help);
            return None;
        }
        Some(length)
    }

    fn inline_secrets(&mut self, node: &Node<'t>) {
        match self.decoder.text("inline_secrets", node).as_deref() {
            None => {}
            Some(FORBID) => self.policy.forbids_inline_secrets = true,
            Some(other) => {
                let message = format!("`inline_secrets` is not `{}`", shorten(other));
                let help = "write `inline_secrets: forbid`, or remove it";
                self.decoder
                    .report(Code::WrongType, node.span, &message, help);
            }
        }
    }

    /// Words of a closed list.
    fn words(
        &mut self,
        key: &str,
        node: &Node<'t>,
        known: &[&'static str],
    ) -> Option<Vec<&'static str>> {
        let mut words = Vec::new();
        for item in self.items(key, node)? {
            let Some(text) = self.decoder.text(key, item) else {
                continue;
            };
            match known.iter().find(|known| ***known == *text) {
                Some(word) => words.push(*word),
                None => {
                    let message = format!("`{key}` cannot be `{}`", shorten(&text));
                    let near = self.decoder.did_you_mean(&text, known.iter().copied());
                    let help = match near.is_empty() {
                        true if known.len() <= 5 => format!("write one of {}", known.join(", ")),
                        true => "write keys of a job".to_owned(),
                        false => near,
                    };
                    self.decoder
                        .report(Code::UnknownKey, item.span, &message, &help);
                }
            }
        }
        Some(words)
    }

    /// The items of a list that says something.
    fn items<'n>(&mut self, key: &str, node: &'n Node<'t>) -> Option<&'n [Node<'t>]> {
        let items = self.decoder.one_or_more(key, node)?;
        let message = match items.len() {
            0 => format!("`{key}` is an empty list"),
            more if more > MOST => format!("`{key}` has more than {MOST} items"),
            _ => return Some(items),
        };
        let help = "name what is meant, or remove the rule";
        self.decoder
            .report(Code::OutOfRange, node.span, &message, help);
        None
    }

    fn patterns(&mut self, key: &str, node: &Node<'t>) -> Option<Vec<Pattern>> {
        let mut patterns = Vec::new();
        for item in self.items(key, node)? {
            let text = self.decoder.text(key, item)?;
            let text = text.trim();
            if text.is_empty() {
                let message = format!("`{key}` holds empty text");
                self.decoder
                    .report(Code::WrongType, item.span, &message, "");
                return None;
            }
            patterns.push(Pattern::new(text));
        }
        Some(patterns)
    }

    fn timezones(&mut self, node: &Node<'t>) -> Option<Vec<Pattern>> {
        let patterns = self.patterns("timezones", node)?;
        for pattern in &patterns {
            let name = pattern.as_str();
            if let Err(unknown) = self.zones.get(name)
                && !name.contains('*')
            {
                let (message, help) = (unknown.to_string(), unknown.help.clone());
                self.decoder
                    .report(Code::UnknownZone, node.span, &message, &help);
            }
        }
        Some(patterns)
    }

    fn hosts(&mut self, node: &Node<'t>) -> Option<Vec<Pattern>> {
        let patterns = self.patterns("hosts", node)?;
        for pattern in &patterns {
            let text = pattern.as_str();
            let is_address = text.starts_with('[') && text.ends_with(']');
            if text.contains(['/', ' ']) || !is_address && text.contains(':') {
                let message = format!("`{}` is more than a host", shorten(text));
                let help = "write the name or address alone, without scheme, port and path";
                self.decoder
                    .report(Code::WrongType, node.span, &message, help);
            }
        }
        let lower = patterns.iter();
        let lower = lower.map(|one| Pattern::new(&one.as_str().to_ascii_lowercase()));
        Some(lower.collect())
    }

    fn labels(&mut self, node: &Node<'t>) {
        for entry in self.decoder.map("labels", node).unwrap_or_default() {
            if let Some(patterns) = self.patterns(&entry.key, &entry.value) {
                let name = Arc::from(&*entry.key);
                self.policy.labels.push((name, patterns));
            }
        }
    }

    fn waivers(&mut self, node: &Node<'t>) {
        let help = "write `[{ job: NAME, rule: RULE, reason: WHY, until: YYYY-MM-DD }]`";
        let items = match &node.value {
            Value::List(items) if items.is_empty() => return,
            _ => self.decoder.list("waivers", node, help).unwrap_or_default(),
        };
        for item in items {
            if let Some(waiver) = self.waiver(item) {
                self.policy.waivers.push(waiver);
            }
        }
    }

    fn waiver(&mut self, node: &Node<'t>) -> Option<Waiver> {
        let before = self.decoder.errors();
        let fields = self.decoder.fields(&WAIVER, node, Scope::Job)?;
        let fields: HashMap<&str, &Entry<'t>> = fields.into_iter().collect();
        let missing: Vec<String> = WAIVER
            .known()
            .filter(|key| !fields.contains_key(key))
            .map(|key| format!("`{key}`"))
            .collect();
        if !missing.is_empty() {
            if !self.decoder.errors_since(before) {
                let message = format!("the waiver has no {}", missing.join(", "));
                let help =
                    "a waiver names job, rule, reason and the last day on which it holds: until";
                self.decoder
                    .report(Code::MissingKey, node.span, &message, help);
            }
            return None;
        }
        let entry = |key: &str| fields.get(key).copied();
        let job = self.job(&entry("job")?.value);
        let rule = self.rule(&entry("rule")?.value);
        let reason = self.reason(&entry("reason")?.value);
        let until = self.day(&entry("until")?.value);
        let at = self.page.excerpt(entry("job")?.value.span, "");
        Some(Waiver {
            job: job?,
            rule: rule?,
            reason: reason?,
            until: until?,
            at,
        })
    }

    fn job(&mut self, node: &Node<'t>) -> Option<Pattern> {
        let text = self.decoder.text("job", node)?;
        let text = text.trim();
        // Where a pattern has a star, any name may go on.
        if let Err(error) = check_name(&text.replace('*', "x")) {
            let message = format!("`{}` cannot be a name: {error}", shorten(text));
            self.decoder.report(Code::BadName, node.span, &message, "");
            return None;
        }
        Some(Pattern::new(text))
    }

    fn rule(&mut self, node: &Node<'t>) -> Option<TeamRule> {
        let text = self.decoder.text("rule", node)?;
        let found = TeamRule::ALL.iter().find(|rule| rule.key() == text.trim());
        if found.is_none() {
            let message = format!("there is no rule `{}`", shorten(&text));
            let known = TeamRule::ALL.iter().map(|rule| rule.key());
            let near = self.decoder.did_you_mean(&text, known.clone());
            let help = match near.is_empty() {
                true => format!("the rules are {}", known.collect::<Vec<_>>().join(", ")),
                false => near,
            };
            self.decoder
                .report(Code::UnknownKey, node.span, &message, &help);
        }
        found.copied()
    }

    fn reason(&mut self, node: &Node<'t>) -> Option<Arc<str>> {
        let text = self.decoder.text("reason", node)?;
        if text.trim().is_empty() {
            let message = "a waiver without a reason";
            let help = "say why, for those who come after";
            self.decoder
                .report(Code::MissingKey, node.span, message, help);
            return None;
        }
        Some(Arc::from(text.trim()))
    }

    fn day(&mut self, node: &Node<'t>) -> Option<civil::Date> {
        let text = self.decoder.text("until", node)?;
        let text = text.trim();
        let is_plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let date = text.parse().ok().filter(|_| is_plain);
        if date.is_none() {
            let message = format!("`{}` is no date", shorten(text));
            let help = "write the last day on which the waiver holds: YYYY-MM-DD";
            self.decoder
                .report(Code::WrongType, node.span, &message, help);
        }
        date
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::{input, options, shown};

    fn read(text: &str) -> (TeamPolicy, Vec<Finding>) {
        let input = input("policy.yaml", text.as_bytes());
        team_policy(&input, &options(&[]), &Zones::bundled())
    }

    #[test]
    fn every_example_is_read_and_every_rule_has_its_key() {
        for rule in TeamRule::ALL {
            let field = RULES.find(rule.key()).unwrap();
            let (policy, findings) =
                read(&format!("rules: {{ {}: {} }}", field.key, field.example));
            assert!(findings.is_empty(), "{}", shown(&findings));
            assert!(!policy.asks_nothing(), "{}", field.key);
        }
        assert_eq!(RULES.fields.len(), TeamRule::ALL.len());
        let fields: Vec<String> = WAIVER
            .fields
            .iter()
            .map(|field| format!("{}: {}", field.key, field.example))
            .collect();
        let text = format!(
            "rules: {{ min_interval: 1m }}\nwaivers:\n  - {{ {} }}\n",
            fields.join(", ")
        );
        let (policy, findings) = read(&text);
        assert!(findings.is_empty(), "{}", shown(&findings));
        assert_eq!(policy.waivers[0].until, civil::date(2027, 3, 31));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, code, line, column) in [
            ("rules: { requird: [owner] }", "E002", 1, 10),
            ("rules: { required: [ownr] }", "E002", 1, 21),
            ("rules: { required: [] }", "E019", 1, 20),
            ("rules: { min_interval: 5 }", "E014", 1, 24),
            ("rules: { max_timeout: 0s }", "E019", 1, 23),
            ("rules: { timezones: [Asia/Tokio] }", "E013", 1, 21),
            ("rules: { actions: [shell] }", "E002", 1, 20),
            ("rules: { hosts: [https://a.example.com] }", "E004", 1, 17),
            ("rules: { inline_secrets: allow }", "E004", 1, 26),
            ("rules: { labels: [team] }", "E004", 1, 18),
            ("rules: {}\nwaivers: []", "E005", 0, 0),
            ("", "E005", 0, 0),
            ("jobs: {}", "E002", 1, 1),
            ("rules: [", "E001", 2, 1),
            (
                "rules: { required: owner }\nwaivers: [{ job: a, rule: required, until: 2027-01-01 }]",
                "E005",
                2,
                11,
            ),
            (
                "rules: { required: owner }\nwaivers: [{ job: a, rule: owner, reason: x, until: 2027-01-01 }]",
                "E002",
                2,
                27,
            ),
            (
                "rules: { required: owner }\nwaivers: [{ job: a, rule: required, reason: x, until: 2027-02-30 }]",
                "E004",
                2,
                55,
            ),
            (
                "rules: { required: owner }\nwaivers: [{ job: a, rule: required, reason: ' ', until: 2027-02-03 }]",
                "E005",
                2,
                45,
            ),
        ] {
            let (_, findings) = read(text);
            let [finding] = findings.as_slice() else {
                panic!("{text}: {}", shown(&findings));
            };
            let place = &finding.at.place;
            let found = (finding.code.as_str(), place.line, place.column);
            assert_eq!(found, (code, line, column), "{text}: {}", finding.message);
        }
    }
}
