//! Job files within Kubernetes manifests: the keys of ConfigMaps, as a volume would make files of
//! them.
//!
//! Each ConfigMap is a folder of its own. Other kinds beside it, as `kubectl kustomize` and
//! `helm template` write them, are passed over. Nothing is applied and no cluster is asked.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::page::{SourceFile, Spot, Trouble};
use super::yaml::{self, Node};
use crate::finding::{Code, Finding};
use crate::source::{is_job_file, is_test_file};
use crate::spec::{Around, InputFile, Span, Within};

/// As Kubernetes counts them.
const LONGEST_KEY: usize = 253;

/// What a stream of manifests holds for elder.
#[derive(Debug, Default)]
pub struct Manifest {
    /// Its ConfigMaps with job files, in order.
    pub maps: Vec<ConfigMap>,
    /// What is wrong with the stream itself.
    pub findings: Vec<Finding>,
}

/// The files that a ConfigMap comes to, where a volume mounts it.
#[derive(Debug)]
pub struct ConfigMap {
    /// `metadata.namespace`; empty where it names none.
    pub namespace: Arc<str>,
    /// `metadata.name`; empty where it has none.
    pub name: String,
    /// Its files' PATH: no folder has such a name.
    pub root: Arc<str>,
    /// Job files, defaults and calendars, ascending by path.
    pub files: Vec<InputFile>,
    /// `*.test.yaml`, ascending by path.
    pub tests: Vec<InputFile>,
}

/// Reads a file of manifests; `None` when it is something else. `folder` is where its files lie as
/// far as their relative paths are concerned.
#[must_use]
pub fn read(shown: &Arc<str>, text: &str, folder: &Arc<Path>) -> Option<Manifest> {
    if !text.contains("apiVersion") || !text.contains("kind") {
        return None;
    }
    let mut reader = Reader {
        shown,
        folder,
        around: Arc::new(Around::new(text)),
        maps: Vec::new(),
        troubles: Vec::new(),
    };
    match yaml::read(text, "Kubernetes manifest") {
        Ok(documents) => {
            if !documents.iter().any(is_object) {
                return None;
            }
            for document in &documents {
                reader.object(document);
            }
        }
        Err(trouble) => {
            // What cannot be read is a manifest if it begins its lines like one.
            let begins = |word: &str| text.lines().any(|line| line.starts_with(word));
            if !begins("apiVersion:") || !begins("kind:") {
                return None;
            }
            reader.troubles.push(trouble);
        }
    }
    let file = SourceFile {
        name: shown.clone(),
        text: String::new(),
    };
    let lines: Vec<&str> = match reader.troubles.is_empty() {
        true => Vec::new(),
        false => text.lines().collect(),
    };
    let troubles = reader.troubles.into_iter();
    Some(Manifest {
        maps: reader.maps,
        findings: troubles.map(|one| file.finding(one, &lines)).collect(),
    })
}

fn is_object(node: &Node) -> bool {
    let has = |key| node.get(key).and_then(Node::text).is_some();
    has("apiVersion") && has("kind")
}

struct Reader<'a> {
    shown: &'a Arc<str>,
    folder: &'a Arc<Path>,
    around: Arc<Around>,
    maps: Vec<ConfigMap>,
    troubles: Vec<Trouble>,
}

impl Reader<'_> {
    fn object(&mut self, node: &Node) {
        let kind = node.get("kind").and_then(Node::text).unwrap_or_default();
        if let Some(items) = node.get("items").filter(|_| kind.ends_with("List")) {
            for item in items.items() {
                self.object(item);
            }
        } else if kind == "ConfigMap" {
            self.config_map(node);
        }
    }

    fn config_map(&mut self, node: &Node) {
        let meta = |key| node.path(&["metadata", key]).and_then(Node::text);
        let namespace = meta("namespace").unwrap_or_default();
        let name = meta("name").unwrap_or_default();
        // Of two with one name the cluster keeps the last; here each is looked at.
        let same = |map: &&ConfigMap| map.namespace.as_ref() == namespace && map.name == name;
        let number = match self.maps.iter().filter(same).count() {
            0 => String::new(),
            before => format!("#{}", before + 1),
        };
        let mut map = ConfigMap {
            namespace: Arc::from(namespace),
            name: name.to_owned(),
            root: Arc::from(format!("configmap:{namespace}/{name}{number}")),
            files: Vec::new(),
            tests: Vec::new(),
        };
        for section in ["data", "binaryData"] {
            for (key, value) in node.get(section).map_or(&[][..], Node::entries) {
                self.key(&mut map, section, key, value);
            }
        }
        map.files.sort_by(|a, b| a.path.cmp(&b.path));
        map.tests.sort_by(|a, b| a.path.cmp(&b.path));
        if !map.files.is_empty() || !map.tests.is_empty() {
            self.maps.push(map);
        }
    }

    fn key(&mut self, map: &mut ConfigMap, section: &str, key: &Node, value: &Node) {
        let name = key.text().unwrap_or_default();
        if let Some(why) = no_key(name) {
            let message = format!("`{name}` is no key for a ConfigMap: {why}");
            let help =
                "a key is a file's name of letters, digits, `-`, `_` and `.`, without a folder";
            let trouble = Trouble::new(Code::BadName, key.at, message, help);
            return self.troubles.push(trouble);
        }
        let files = match name {
            name if is_job_file(name) => &mut map.files,
            name if is_test_file(name) => &mut map.tests,
            _ => return,
        };
        if files.iter().any(|file| *file.path == *name) {
            let message = format!("the key `{name}` is given twice in this ConfigMap");
            let help = "take one of the two out";
            let trouble = Trouble::new(Code::DuplicateKey, key.at, message, help);
            return self.troubles.push(trouble);
        }
        let Some(text) = value.text() else {
            let message = format!("`{name}` is text in a ConfigMap, not a list or a mapping");
            let help = format!("write `{name}: |`, and the job file below it, indented");
            let trouble = Trouble::new(Code::WrongType, key.at, message, help);
            return self.troubles.push(trouble);
        };
        let bytes = if section == "data" {
            text.as_bytes().to_vec()
        } else {
            let digits: String = text.split_whitespace().collect();
            match STANDARD.decode(digits) {
                Ok(bytes) => bytes,
                Err(error) => {
                    let message = format!("`{name}` in binaryData is no base64: {error}");
                    let help = format!("move it to data: `{name}: |`");
                    let trouble = Trouble::new(Code::Unreadable, key.at, message, help);
                    return self.troubles.push(trouble);
                }
            }
        };
        let name: Arc<str> = Arc::from(name);
        // Of bytes no place is known beside the key's.
        let place = if section == "data" { value } else { key };
        let within = Within::new(&self.around, &name, span(key.at), span(place.at), text);
        files.push(InputFile {
            root: map.root.clone(),
            root_folder: self.folder.clone(),
            path: name,
            shown: self.shown.clone(),
            hash: Sha256::digest(&bytes).into(),
            content: Ok(Arc::from(bytes)),
            within: Some(Arc::new(within)),
        });
    }
}

/// Why a cluster would refuse the whole ConfigMap for this key, if it would.
fn no_key(name: &str) -> Option<&'static str> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() {
        Some("it is empty")
    } else if name.contains('/') {
        Some("it names a folder")
    } else if !name.chars().all(is_allowed) {
        Some("it holds a character that no key may hold")
    } else if name == "." || name.starts_with("..") {
        Some("it begins like the folder above")
    } else if name.len() > LONGEST_KEY {
        Some("it is longer than 253 characters")
    } else {
        None
    }
}

fn span(spot: Spot) -> Span {
    Span {
        line: spot.line,
        column: spot.column,
        length: spot.length,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::schedule::Zones;
    use crate::spec;

    fn manifest(text: &str) -> Option<Manifest> {
        read(&Arc::from("k8s.yaml"), text, &Arc::from(Path::new("/srv")))
    }

    fn names(manifest: &Manifest) -> Vec<String> {
        let files = manifest.maps.iter().flat_map(|map| &map.files);
        files
            .map(|file| format!("{} {}", file.root, file.path))
            .collect()
    }

    #[test]
    fn config_maps_are_found_among_other_kinds_in_lists_and_in_json() {
        let text = "\
apiVersion: apps/v1
kind: Deployment
spec: { template: !custom { a: 1 } }
---
# Source: chart/templates/jobs.yaml
apiVersion: v1
kind: ConfigMap
metadata: { name: shop, namespace: prod }
data:
  b.yaml: 'jobs: {}'
  _defaults.yaml: 'defaults: {}'
  days.ics: x
  a.test.yaml: 'tests: {}'
  notes.txt: x
  .hidden.yaml: x
  kustomization.yaml: x
---
{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [
  {\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"more\"},
   \"data\": {\"c.yml\": \"jobs: {}\"}},
  {\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"none\"}, \"data\": {}}
]}
";
        let manifest = manifest(text).unwrap();
        assert_eq!(manifest.findings, []);
        assert_eq!(
            names(&manifest),
            [
                "configmap:prod/shop _defaults.yaml",
                "configmap:prod/shop b.yaml",
                "configmap:prod/shop days.ics",
                "configmap:/more c.yml"
            ]
        );
        assert_eq!(manifest.maps[0].tests.len(), 1);
        assert_eq!(&*manifest.maps[0].namespace, "prod");
    }

    #[test]
    fn a_job_file_is_no_manifest_whatever_its_jobs_print() {
        let text = "jobs:\n  a:\n    schedule: manual\n    run: |\n      echo 'apiVersion: v1'\n      echo 'kind: ConfigMap'\n";
        assert!(manifest(text).is_none());
        assert!(manifest("jobs: {}\n").is_none());
        assert!(manifest("apiVersion: v1\nkind: [\n  a: b: c\n").is_some());
        assert!(manifest("jobs: { apiVersion: kind\n  a: b: c\n").is_none());
    }

    #[test]
    fn a_key_that_no_cluster_takes_is_said_with_its_place() {
        for (key, want) in [
            ("a.yaml", None),
            ("_a-1.test.yaml", None),
            (".hidden", None),
            ("../up.yaml", Some("folder")),
            ("sub/x.yaml", Some("folder")),
            ("a b.yaml", Some("character")),
            ("büro.yaml", Some("character")),
            ("..a.yaml", Some("folder above")),
            ("..", Some("folder above")),
            ("", Some("empty")),
        ] {
            let text = format!("apiVersion: v1\nkind: ConfigMap\ndata:\n  '{key}': x\n");
            let manifest = manifest(&text).unwrap();
            let found = manifest.findings.first();
            let said = found.map(|one| (one.code.as_str(), one.at.place.line, &*one.message));
            assert_eq!(said.is_some(), want.is_some(), "{key}: {said:?}");
            if let (Some((code, line, message)), Some(want)) = (said, want) {
                assert_eq!((code, line), ("E010", 4), "{key}");
                assert!(message.contains(want), "{message}");
                assert!(manifest.maps.is_empty(), "{key}");
            }
        }
    }

    #[test]
    fn what_is_no_text_and_what_stands_twice_is_said_with_its_place() {
        let text = "apiVersion: v1\nkind: ConfigMap\ndata:\n  a.yaml: { jobs: {} }\n  b.yaml: x\n  b.yaml: y\nbinaryData:\n  c.yaml: '%'\n  d.yaml: am9iczoge30K\n";
        let manifest = manifest(text).unwrap();
        let found = manifest.findings.iter();
        let found = found.map(|one| (one.code.as_str(), one.at.place.line, one.at.place.column));
        assert_eq!(
            found.collect::<Vec<_>>(),
            [("E004", 4, 3), ("E003", 6, 3), ("E023", 8, 3)]
        );
        let files = &manifest.maps[0].files;
        let last = files.last().unwrap();
        assert_eq!(
            (&*last.path, last.content.as_deref()),
            ("d.yaml", Ok(&b"jobs: {}\n"[..]))
        );
    }

    /// Read once for all cases.
    static ZONES: LazyLock<Zones> = LazyLock::new(Zones::bundled);

    /// How a job file may stand in a manifest.
    #[derive(Clone, Copy, Debug)]
    enum Style {
        Block { deeper: usize, indicator: bool },
        Quoted { escapes_all: bool, many_lines: bool },
        Json,
    }

    fn styles() -> impl Strategy<Value = Style> {
        prop_oneof![
            (1usize..6, any::<bool>())
                .prop_map(|(deeper, indicator)| Style::Block { deeper, indicator }),
            (any::<bool>(), any::<bool>()).prop_map(|(escapes_all, many_lines)| Style::Quoted {
                escapes_all,
                many_lines
            }),
            Just(Style::Json),
        ]
    }

    fn escaped(text: &str, escapes_all: bool, line_end: &str) -> String {
        let mut out = String::new();
        for c in text.chars() {
            match c {
                '\n' => out.push_str(line_end),
                '"' | '\\' => out.extend(['\\', c]),
                c if escapes_all && !c.is_ascii() => out.push_str(&format!("\\U{:08x}", c as u32)),
                c => out.push(c),
            }
        }
        out
    }

    /// A manifest whose one key holds the text, in that style.
    fn holding(text: &str, style: Style) -> String {
        let head = "# Source: chart/täglich.yaml\napiVersion: v1\nkind: ConfigMap\ndata:\n";
        match style {
            Style::Block { deeper, indicator } => {
                let digit = if indicator {
                    deeper.to_string()
                } else {
                    String::new()
                };
                let indent = " ".repeat(2 + deeper);
                let lines = text.lines().map(|line| match line {
                    "" => "\n".to_owned(),
                    line => format!("{indent}{line}\n"),
                });
                format!("{head}  a.yaml: |{digit}\n{}", lines.collect::<String>())
            }
            Style::Quoted {
                escapes_all,
                many_lines,
            } => {
                // A blank that begins a line is no text, unless it is escaped: so each line has one.
                let (text, line_end) = match many_lines {
                    true => (
                        format!(" {}", text.trim_end().replace('\n', "\n ")),
                        "\\n\\\n    \\",
                    ),
                    false => (text.to_owned(), "\\n"),
                };
                let text = escaped(&text, escapes_all, line_end);
                format!("{head}  a.yaml: \"{text}\"\n")
            }
            Style::Json => format!(
                "{{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [\n  {{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {{\"name\": \"ü\"}}, \"data\": {{\"a.yaml\": \"{}\"}}}}]}}\n",
                escaped(text, false, "\\n")
            ),
        }
    }

    proptest! {
        /// A mistake is shown where it stands in the manifest, to the column, however that is written.
        #[test]
        fn a_mistake_is_found_where_it_stands(
            notes in prop::collection::vec("[a-zäß日😀:'\"\\\\#{}|>-]{0,12}", 0..4),
            place in 0usize..3,
            step in 1usize..5,
            style in styles(),
            returns in any::<bool>(),
        ) {
            let step = " ".repeat(step);
            let mut lines: Vec<String> = notes.iter().map(|note| format!("# {note}")).collect();
            lines.push("jobs:".to_owned());
            lines.push(format!("{step}a:"));
            let keys = [r#"description: "größer \"als\" 😀""#, "schedule: manual", "run: echo ünfug"];
            lines.extend(keys.iter().map(|key| format!("{step}{step}{key}")));
            let at = lines.len() - place;
            lines.insert(at, format!("{step}{step}planted: 1"));
            let text = lines.join("\n") + "\n";
            let mut around = holding(&text, style);
            if returns {
                around = around.replace('\n', "\r\n");
            }
            let line = around.lines().position(|line| line.contains("planted")).unwrap();
            let before = around.lines().nth(line).unwrap().split("planted").next().unwrap();
            let want = (line + 1, before.chars().count() + 1, "planted".len());

            let manifest = manifest(&around).unwrap();
            prop_assert_eq!(&manifest.findings, &[]);
            let files = &manifest.maps[0].files;
            let options = spec::Options::default();
            let checked = spec::check(files, None, &HashMap::new(), &options, &ZONES);
            let errors = checked.files[0].findings.iter();
            let errors: Vec<_> = errors.filter(|one| one.code == Code::UnknownKey).collect();
            prop_assert_eq!(errors.len(), 1, "{:?} in\n{}", checked.files[0].findings, around);
            let found = &errors[0].at.place;
            let place = (found.line as usize, found.column as usize, found.length as usize);
            prop_assert_eq!(place, want, "{:?} in\n{}", style, around);
        }
    }
}
