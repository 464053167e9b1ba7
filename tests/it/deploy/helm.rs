//! The chart: the same objects as the base, by another way.

use serde_json::{Value, json};

use super::kubernetes::kustomized;
use super::rules::complaints;
use super::{NEWEST, checked, each_checked, one, program, run, said, shipped};
use crate::support::{Folder, elder};

const EVERYTHING: [&str; 2] = [
    "--set",
    "serviceMonitor.enabled=true,prometheusRule.enabled=true,networkPolicy.enabled=true",
];

/// What the chart makes of these words, as text.
fn rendered(words: &[&str]) -> Option<String> {
    let helm = program("bin/helm")?;
    let chart = shipped("helm/elder");
    let mut all = vec!["template", "elder", chart.to_str().unwrap()];
    all.extend(words);
    Some(said(run(&helm, &all, "")))
}

/// The objects in order, without what only one of the two ways writes.
fn plain(mut documents: Vec<Value>) -> Vec<Value> {
    for document in &mut documents {
        // kustomize breaks the lines of base64.
        if let Some(Value::String(tokens)) = document.pointer_mut("/data/tokens") {
            *tokens = tokens.split_whitespace().collect();
        }
        let metadata = document["metadata"].as_object_mut().unwrap();
        metadata.remove("namespace");
        if let Some(labels) = metadata["labels"].as_object_mut() {
            labels.retain(|label, _| {
                ["name", "instance", "component"]
                    .iter()
                    .any(|kept| label.strip_prefix("app.kubernetes.io/") == Some(*kept))
            });
        }
    }
    documents.sort_by_key(|document| document["kind"].to_string());
    documents
}

#[test]
fn the_chart_gives_what_the_base_and_its_components_give() {
    let folder = Folder::new();
    for part in ["base", "monitoring", "network"] {
        copy(&shipped("kubernetes").join(part), &folder.join(part));
    }
    folder.write(
        "all/kustomization.yaml",
        "resources: [../base]\ncomponents: [../monitoring, ../network]\n",
    );
    for (words, base) in [
        (&[][..], shipped("kubernetes/base")),
        (&EVERYTHING[..], folder.join("all")),
    ] {
        let (Some(chart), Some(base)) = (rendered(words), kustomized(&base)) else {
            return;
        };
        let Some((chart, errors)) = checked(&chart) else {
            return;
        };
        assert_eq!(errors, [""; 0]);
        assert_eq!(complaints(&chart), [""; 0]);
        let (chart, base) = (plain(chart), plain(checked(&base).unwrap().0));
        assert_eq!(chart.len(), base.len());
        for (chart, base) in chart.iter().zip(&base) {
            assert_eq!(chart, base);
        }
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[test]
fn helm_finds_nothing_to_mend_in_the_chart() {
    let Some(helm) = program("bin/helm") else {
        return;
    };
    let chart = shipped("helm/elder");
    let mut words = vec!["lint", "--strict", chart.to_str().unwrap()];
    let plain = said(run(&helm, &words, ""));
    assert!(plain.contains("0 chart(s) failed"), "{plain}");
    words.extend(EVERYTHING);
    said(run(&helm, &words, ""));
    words.extend(["--set", "image.repository="]);
    assert!(!run(&helm, &words, "").status.success());
}

#[test]
fn values_come_where_they_belong() {
    let pod = "/spec/template/spec";
    let container = format!("{pod}/containers/0");
    let values = [
        (
            "image.tag=2.0.0",
            "StatefulSet",
            format!("{container}/image"),
            json!("elder:2.0.0"),
        ),
        (
            "shutdownGraceSeconds=300",
            "StatefulSet",
            format!("{pod}/terminationGracePeriodSeconds"),
            json!(320),
        ),
        (
            "shutdownGraceSeconds=300",
            "StatefulSet",
            format!("{container}/args/6"),
            json!("--shutdown-grace=300s"),
        ),
        (
            "timezone=Asia/Tokyo",
            "StatefulSet",
            format!("{container}/args/8"),
            json!("--timezone=Asia/Tokyo"),
        ),
        (
            "extraArgs={--egress=deny:private}",
            "StatefulSet",
            format!("{container}/args/8"),
            json!("--egress=deny:private"),
        ),
        (
            "env[0].name=REGION,env[0].value=eu",
            "StatefulSet",
            format!("{container}/env/1/value"),
            json!("eu"),
        ),
        (
            "secretMounts[0].name=db,secretMounts[0].secretName=s,secretMounts[0].mountPath=/etc/elder/secrets/db",
            "StatefulSet",
            format!("{container}/volumeMounts/4"),
            json!({ "name": "db", "mountPath": "/etc/elder/secrets/db", "readOnly": true }),
        ),
        (
            "jobs.existingConfigMap=mine",
            "StatefulSet",
            format!("{pod}/volumes/0/configMap/name"),
            json!("mine"),
        ),
        (
            "tokens.existingSecret=mine",
            "StatefulSet",
            format!("{pod}/volumes/1/secret/secretName"),
            json!("mine"),
        ),
        (
            "jobs.files.elder\\.yaml=null",
            "ConfigMap",
            "/data".to_owned(),
            json!({}),
        ),
        (
            "persistence.storageClassName=fast",
            "StatefulSet",
            "/spec/volumeClaimTemplates/0/spec/storageClassName".to_owned(),
            json!("fast"),
        ),
        (
            "nodeSelector.disk=ssd",
            "StatefulSet",
            format!("{pod}/nodeSelector"),
            json!({ "disk": "ssd" }),
        ),
        (
            "fullnameOverride=clock",
            "StatefulSet",
            "/metadata/name".to_owned(),
            json!("clock"),
        ),
        (
            "service.port=80",
            "Service",
            "/spec/ports/0/port".to_owned(),
            json!(80),
        ),
    ];
    let texts = values.iter().map(|(set, ..)| rendered(&["--set", set]));
    let Some(all) = texts
        .collect::<Option<Vec<_>>>()
        .and_then(|texts| each_checked(&texts, &NEWEST))
    else {
        return;
    };
    for ((set, kind, pointer, want), (documents, errors)) in values.iter().zip(all) {
        assert_eq!(errors, [""; 0], "{set}");
        assert_eq!(one(&documents, kind).pointer(pointer), Some(want), "{set}");
    }
    let without = rendered(&["--set", "podDisruptionBudget.enabled=false"]).unwrap();
    assert!(!without.contains("PodDisruptionBudget"));
    let named = rendered(&["--set", "nameOverride=clock", "--namespace", "ops"]).unwrap();
    assert!(
        named.contains("name: elder-clock\n  namespace: ops"),
        "{named}"
    );
}

#[test]
fn files_are_taken_as_they_are() {
    let folder = Folder::with(&[(
        "jobs.d/greet.yaml",
        "jobs:\n  greet:\n    schedule: { every: 1h }\n    run: echo \"{{ not a template }}\" '$HOME'\n",
    )]);
    let rules = elder("rules --format prometheusrule")
        .within(folder.path())
        .run();
    folder.write("rules.yaml", &rules.stdout);
    let (jobs, rules) = (folder.join("jobs.d/greet.yaml"), folder.join("rules.yaml"));
    let Some(manifests) = rendered(&[
        "--set-file",
        &format!("jobs.files.greet\\.yaml={}", jobs.display()),
        "--set-file",
        &format!("prometheusRule.text={}", rules.display()),
        "--set",
        "prometheusRule.enabled=true",
    ]) else {
        return;
    };
    let Some((documents, _)) = checked(&manifests) else {
        return;
    };
    let data = &one(&documents, "ConfigMap")["data"];
    assert_eq!(data["greet.yaml"], folder.read("jobs.d/greet.yaml"));
    assert!(data["elder.yaml"].is_string(), "{data}");
    let finished = elder("validate --strict -").input(&manifests).run();
    assert_eq!(finished.code, Some(0), "{finished}");
    let rule = one(&documents, "PrometheusRule").to_string();
    assert!(rule.contains("greet has not succeeded"), "{rule}");
}

#[test]
fn a_value_that_there_is_not_is_refused() {
    let Some(helm) = program("bin/helm") else {
        return;
    };
    let chart = shipped("helm/elder");
    for (set, want) in [
        ("replicas=2", "additional properties 'replicas' not allowed"),
        ("image.repo=x", "additional properties 'repo' not allowed"),
        ("shutdownGraceSeconds=30s", "want integer"),
        ("image.pullPolicy=Sometimes", "value must be one of"),
        ("persistence.size=big", "does not match pattern"),
        (
            "jobs.files.notes\\.txt=x",
            "'notes.txt' does not match pattern",
        ),
        ("extraArgs={egress}", "does not match pattern"),
        ("secretMounts[0].name=db", "missing properties"),
        (
            "prometheusRule.enabled=true,prometheusRule.text=groups: []",
            "is not what `elder rules jobs.d --format prometheusrule` prints",
        ),
    ] {
        let words = ["template", "elder", chart.to_str().unwrap(), "--set", set];
        let output = run(&helm, &words, "");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains(want),
            "{set}: {said}"
        );
    }
}

#[test]
fn what_helm_says_at_the_end_names_commands_that_there_are() {
    let Some(helm) = program("bin/helm") else {
        return;
    };
    let chart = shipped("helm/elder");
    let words = [
        "install",
        "elder",
        chart.to_str().unwrap(),
        "--dry-run=client",
        "--namespace",
        "ops",
    ];
    let notes = said(run(&helm, &words, ""));
    let (_, notes) = notes.split_once("NOTES:").unwrap();
    assert!(
        notes.contains("kubectl -n ops exec elder-0 -- elder status"),
        "{notes}"
    );
    for command in ["status", "list", "trigger", "validate"] {
        assert!(notes.contains(&format!("elder {command}")), "{notes}");
        assert_eq!(
            elder(command).arg("--help").run().code,
            Some(0),
            "{command}"
        );
    }
}
