//! Manifests and policies: whatever they hold, findings stand in the file that people see.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use elder::schedule::Zones;
use elder::spec::{InputFile, Options, check, team_policy};
use elder::tools::manifest;

use super::{Mutator, feed};

const MANIFESTS: [&str; 3] = [
    "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: x, namespace: y }\ndata:\n  a.yaml: |2-\n\n    jobs:\n      a: { schedule: { every: 5 }, run: x }\n  b.yaml: >-\n    jobs: { b:\n    { run: y } }\n  days.ics: |\n    BEGIN:VCALENDAR\n",
    "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"data\": {\"a.yaml\": \"jobs:\\n  \\u00e4: {}\\n\\\\ x\"}}]}",
    "kind: ConfigMap\napiVersion: v1\ndata:\n  _defaults.yaml: 'defaults: { owner: ''x'' }'\n  a.yml: \"jobs:\\n\\\n    \\  a: { shedule: x }\\n\n\n  \"\nbinaryData:\n  c.yaml: am9iczoge30K\n---\nkind: Service\napiVersion: v1\n",
];

const POLICIES: [&str; 2] = [
    "rules:\n  required: [owner, timeout]\n  labels: { team: \"*\", tier: [gold] }\n  min_interval: 1m\n  max_timeout: 6h\n  timezones: [UTC]\n  actions: [exec]\n  hosts: [\"*.example.com\"]\n  programs: [curl]\n  inline_secrets: forbid\n",
    "rules: { required: owner }\nwaivers:\n  - { job: a-*, rule: required, reason: x, until: 2027-03-31 }\n",
];

fn options() -> Options {
    Options {
        timezone: None,
        env: Arc::default(),
        env_allow: None,
        lent: None,
        allow_missing_env: true,
    }
}

fn text(input: &[u8]) -> String {
    String::from_utf8_lossy(input).into_owned()
}

#[test]
fn manifests() {
    let zones = Zones::bundled();
    let (shown, folder): (Arc<str>, Arc<Path>) = ("k8s.yaml".into(), Path::new("/srv").into());
    feed("manifests", &Mutator::of_texts(&MANIFESTS), |input| {
        let text = text(input);
        let Some(manifest) = manifest::read(&shown, &text, &folder) else {
            return;
        };
        // YAML counts a lone CR as the end of a line, too; what the end lacks is said behind it.
        let lines = text.matches(['\n', '\r']).count() + 2;
        let files = manifest.maps.into_iter().flat_map(|map| map.files);
        let files: Vec<InputFile> = files.collect();
        let checked = check(&files, None, &HashMap::new(), &options(), &zones);
        let found = checked.files.iter().flat_map(|file| &file.findings);
        for finding in found.chain(&manifest.findings) {
            let place = &finding.at.place;
            assert_eq!(place.file, shown);
            assert!(place.line as usize <= lines, "{finding:?}");
        }
    });
}

#[test]
fn policies() {
    let zones = Zones::bundled();
    feed("policies", &Mutator::of_texts(&POLICIES), |input| {
        let input = InputFile {
            root: "x".into(),
            root_folder: Path::new("/x").into(),
            path: "policy.yaml".into(),
            shown: "policy.yaml".into(),
            content: Ok(input.into()),
            hash: [0; 32],
            within: None,
        };
        let (policy, _) = team_policy(&input, &options(), &zones);
        for waiver in &policy.waivers {
            assert!(waiver.job.is(waiver.job.as_str()));
        }
    });
}
