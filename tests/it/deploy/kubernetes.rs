//! The kustomize base, its components and the overlay.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::rules::complaints;
use super::{NEWEST, checked, each_checked, one, program, run, said, shipped, text};
use crate::prometheus::promtool;
use crate::support::{Daemon, Folder, StandIn, elder};

/// What `kubectl kustomize` makes of a folder.
pub fn kustomized(folder: &std::path::Path) -> Option<String> {
    let kubectl = program("bin/kubectl")?;
    let words = ["kustomize", folder.to_str().unwrap()];
    Some(said(run(&kubectl, &words, "")))
}

/// A folder with the job files of the ConfigMap and the tokens of the Secret.
fn mounted(documents: &[Value]) -> Folder {
    let folder = Folder::new();
    for (name, text) in one(documents, "ConfigMap")["data"].as_object().unwrap() {
        folder.write(&format!("jobs.d/{name}"), text.as_str().unwrap());
    }
    let tokens = one(documents, "Secret")["data"]["tokens"].as_str().unwrap();
    let tokens = tokens.split_whitespace().collect::<String>();
    let tokens = String::from_utf8(STANDARD.decode(tokens).unwrap()).unwrap();
    folder.write("tokens", &tokens);
    folder
}

#[test]
fn base_and_overlay_are_what_kubernetes_takes_and_a_reviewer_asks_for() {
    for part in ["base", "overlay"] {
        let Some(manifests) = kustomized(&shipped("kubernetes").join(part)) else {
            return;
        };
        let Some((documents, errors)) = checked(&manifests) else {
            return;
        };
        assert_eq!(errors, [""; 0], "{part}");
        assert_eq!(complaints(&documents), [""; 0], "{part}");
        let folder = mounted(&documents);
        let finished = elder("validate --strict jobs.d")
            .within(folder.path())
            .run();
        assert_eq!(finished.code, Some(0), "{part}: {finished}");
        let finished = elder("validate --strict -").input(&manifests).run();
        assert_eq!(finished.code, Some(0), "{part}: {finished}");
        let broken = manifests.replace("every: ", "evry: ");
        let finished = elder("validate --strict -").input(&broken).run();
        assert_eq!(finished.code, Some(1), "{part}: {finished}");
        let size = one(&documents, "ConfigMap")["data"].to_string().len();
        assert!(size < 1 << 20, "{part}: {size}");
    }
}

#[test]
fn each_check_of_the_manifests_can_fail() {
    let Some(manifests) = kustomized(&shipped("kubernetes/overlay")) else {
        return;
    };
    let breaks = [
        (
            "runAsNonRoot: true",
            "runAsNonRoot: false",
            "may run as root",
        ),
        ("runAsUser: 10001", "runAsUser: 0", "the user is no number"),
        (
            "type: RuntimeDefault",
            "type: Unconfined",
            "no seccomp profile",
        ),
        (
            "allowPrivilegeEscalation: false",
            "allowPrivilegeEscalation: true",
            "may gain privileges",
        ),
        (
            "readOnlyRootFilesystem: true",
            "readOnlyRootFilesystem: false",
            "the root can be written",
        ),
        (
            "            - ALL",
            "            - NET_RAW",
            "capabilities are left",
        ),
        (
            "automountServiceAccountToken: false",
            "automountServiceAccountToken: true",
            "a token of Kubernetes is mounted",
        ),
        (
            "enableServiceLinks: false",
            "enableServiceLinks: true",
            "services become variables ELDER_…",
        ),
        ("replicas: 1", "replicas: 2", "not one replica"),
        (
            "terminationGracePeriodSeconds: 50",
            "terminationGracePeriodSeconds: 30",
            "the pod gets too little time to stop",
        ),
        (
            "path: /-/healthy",
            "path: /-/ready",
            "livenessProbe does not ask /-/healthy",
        ),
        (
            "memory: 512Mi",
            "ephemeral-storage: 512Mi",
            "no requests, or no limit of memory",
        ),
        (
            "mountPath: /etc/elder/jobs.d\n",
            "mountPath: /etc/elder/jobs.d\n          subPath: a.yaml\n",
            "a subPath is never updated",
        ),
        (
            "name: elder-jobs\n        name: jobs",
            "name: elder-jobs-5h2k\n        name: jobs",
            "the jobs are in no ConfigMap of that name",
        ),
        (
            "sizeLimit: 1Gi",
            "medium: Memory",
            "scratch without a limit",
        ),
        (
            "emptyDir:\n          sizeLimit: 1Gi",
            "hostPath:\n          path: /tmp",
            "a kind of volume that `restricted` does not have",
        ),
        (
            "maxUnavailable: 1",
            "minAvailable: 1",
            "the only pod cannot be moved",
        ),
        (
            "enforce: restricted",
            "enforce: baseline",
            "the namespace allows more",
        ),
        (
            "shop/elder:0.1.0",
            "shop/elder:latest",
            "the image has no version",
        ),
        (
            "jobLabel: app.kubernetes.io/part-of",
            "jobLabel: app.kubernetes.io/instances",
            "the rules ask for another `job`",
        ),
        (
            "  - interval: 30s",
            "  - intervall: 30s",
            "a key that no schema has looked at",
        ),
        (
            "  serviceName: elder",
            "  serviceName: elders",
            "the StatefulSet names another service",
        ),
    ];
    let broken = breaks.map(|(from, to, _)| {
        assert!(manifests.contains(from), "{from}");
        manifests.replace(from, to)
    });
    let Some(broken) = each_checked(&broken, &NEWEST) else {
        return;
    };
    for ((_, to, want), (documents, _)) in breaks.iter().zip(broken) {
        let said = complaints(&documents);
        assert!(said.iter().any(|one| one == want), "{to}: {said:?}");
    }
    let breaks = [
        (
            "readOnlyRootFilesystem",
            "readOnlyRootFileSystem",
            "'readOnlyRootFileSystem' was unexpected",
        ),
        (
            "containerPort: 8000",
            "containerPort: http",
            "is not of type 'integer'",
        ),
        (
            "kind: PodDisruptionBudget",
            "kind: PodDisruptionBudget\nkind: Service",
            "kind is there twice",
        ),
    ];
    let broken = breaks.map(|(from, to, _)| manifests.replacen(from, to, 1));
    for ((_, to, want), (_, errors)) in breaks.iter().zip(each_checked(&broken, &NEWEST).unwrap()) {
        assert!(
            errors.iter().any(|one| one.contains(want)),
            "{to}: {errors:?}"
        );
    }
}

#[test]
fn the_rights_of_the_rollout_example_are_what_kubernetes_takes() {
    let page = shipped("../examples/rollout-restart/README.md");
    let page = std::fs::read_to_string(page).unwrap();
    let block = page.split("```yaml\n").nth(1).unwrap();
    let Some((documents, errors)) = checked(block.split("```").next().unwrap()) else {
        return;
    };
    assert_eq!(errors, [""; 0]);
    let role = one(&documents, "Role");
    assert_eq!(
        role["rules"][0]["verbs"],
        json!(["patch"]),
        "no more than that"
    );
    assert_eq!(
        one(&documents, "RoleBinding")["roleRef"]["name"],
        role["metadata"]["name"]
    );
}

#[test]
fn the_documents_command_makes_the_configmap_of_a_folder() {
    let Some(kubectl) = program("bin/kubectl") else {
        return;
    };
    let document = std::fs::read_to_string(shipped("../docs/gitops-kubernetes.md")).unwrap();
    let begins = "kubectl create configmap ";
    let line = document.lines().find(|line| line.starts_with(begins));
    let folder = Folder::with(&[
        (
            "jobs.d/a.yaml",
            "jobs:\n  a: { schedule: manual, run: x }\n",
        ),
        ("jobs.d/_defaults.yaml", "defaults: { timezone: UTC }\n"),
        ("jobs.d/below/b.yaml", "jobs: {}\n"),
    ]);
    let done = std::process::Command::new("sh")
        .args(["-ec", line.unwrap()])
        .current_dir(folder.path())
        .env_clear()
        .env(
            "PATH",
            format!("{}:/usr/bin:/bin", kubectl.parent().unwrap().display()),
        )
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    let Some((documents, errors)) = checked(&folder.read("elder-jobs.yaml")) else {
        return;
    };
    assert_eq!(errors, [""; 0]);
    let data = one(&documents, "ConfigMap")["data"].as_object().unwrap();
    let names: Vec<_> = data.keys().map(String::as_str).collect();
    assert_eq!(names, ["_defaults.yaml", "a.yaml"]);
    assert_eq!(data["a.yaml"], folder.read("jobs.d/a.yaml"));
}

#[test]
fn kubectl_would_apply_each_object() {
    let Some(manifests) = kustomized(&shipped("kubernetes/overlay")) else {
        return;
    };
    let Some((documents, _)) = checked(&manifests) else {
        return;
    };
    // kubectl asks a server for the kinds, even for a dry run; nothing else is asked of this one.
    let mut kinds: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for document in &documents {
        let kind = document["kind"].as_str().unwrap();
        let lower = kind.to_lowercase();
        let plural = match lower.strip_suffix('y') {
            Some(stem) => format!("{stem}ies"),
            None => format!("{lower}s"),
        };
        let resource = json!({
            "name": plural, "singularName": lower, "kind": kind, "namespaced": kind != "Namespace",
            "verbs": ["get", "create", "patch"],
        });
        let version = document["apiVersion"].as_str().unwrap().to_owned();
        kinds.entry(version).or_default().push(resource);
    }
    let server = StandIn::start(move |request| {
        let path = request.line.strip_prefix("GET ").unwrap();
        let path = path.split('?').next().unwrap();
        if path == "/api" {
            return (
                200,
                json!({ "kind": "APIVersions", "versions": ["v1"] }).to_string(),
            );
        }
        if path == "/apis" {
            let groups: Vec<_> = kinds
                .keys()
                .filter_map(|version| {
                    let (group, number) = version.split_once('/')?;
                    let one = json!({ "groupVersion": version, "version": number });
                    Some(json!({ "name": group, "versions": [one], "preferredVersion": one }))
                })
                .collect();
            let list = json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups });
            return (200, list.to_string());
        }
        let version = path
            .strip_prefix("/apis/")
            .or_else(|| path.strip_prefix("/api/"));
        match version.and_then(|version| Some((version, kinds.get(version)?))) {
            Some((version, resources)) => {
                let list = json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources });
                (200, list.to_string())
            }
            None => {
                let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404 });
                (404, status.to_string())
            }
        }
    });
    let kubectl = program("bin/kubectl").unwrap();
    let folder = Folder::new();
    let cache = folder.join("cache").display().to_string();
    let apply = |manifests: &str| {
        let url = server.url();
        let words = [
            "--server",
            &url,
            "--cache-dir",
            &cache,
            "--kubeconfig",
            "/dev/null",
            "apply",
            "--dry-run=client",
            "--validate=false",
            "-f",
            "-",
        ];
        run(&kubectl, &words, manifests)
    };
    let answer = said(apply(&manifests));
    let applied = answer
        .lines()
        .filter(|line| line.ends_with("created (dry run)"));
    assert_eq!(applied.count(), documents.len(), "{answer}");
    let broken = apply(&manifests.replace("kind: StatefulSet", "kind: StatefullSet"));
    assert!(!broken.status.success(), "{broken:?}");
}

#[test]
fn elder_starts_with_the_arguments_and_files_of_the_pod_and_answers_its_probes() {
    let Some(manifests) = kustomized(&shipped("kubernetes/base")) else {
        return;
    };
    let Some((documents, _)) = checked(&manifests) else {
        return;
    };
    let pod = &one(&documents, "StatefulSet")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let args = container["args"].as_array().unwrap().iter();
    let args: Vec<&str> = args.map(|arg| arg.as_str().unwrap()).collect();
    assert_eq!(args[..2], ["run", "/etc/elder/jobs.d"]);
    // In an image of somebody's own, too, `kubectl exec` has to find the token.
    let state = args.iter().find_map(|arg| arg.strip_prefix("--state="));
    let env = container["env"].as_array().into_iter().flatten();
    let mut told = env.filter(|one| one["name"] == "ELDER_STATE");
    assert_eq!(told.next().and_then(|one| one["value"].as_str()), state);
    let folder = mounted(&documents);
    let tokens = folder.join("tokens").display().to_string();
    let daemon = Daemon::start_with(&folder, |mut program| {
        for arg in &args[2..] {
            // These the harness gives itself.
            if !["--state=", "--listen=", "--log-format="]
                .iter()
                .any(|own| arg.starts_with(own))
            {
                program = program.arg(arg.replace("/etc/elder/tokens/tokens", &tokens));
            }
        }
        program
    });
    daemon.wait_until_ready();
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let path = container[probe]["httpGet"]["path"].as_str().unwrap();
        assert_eq!(daemon.get(path).status, 200, "{probe}");
    }
}

#[test]
fn the_rules_are_those_that_elder_makes() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.join("jobs.d")).unwrap();
    let general = elder("rules jobs.d --format prometheusrule")
        .within(folder.path())
        .run();
    assert_eq!(general.code, Some(0), "{general}");
    for file in [
        "kubernetes/monitoring/prometheusrule.yaml",
        "helm/elder/files/prometheusrule.yaml",
    ] {
        assert!(
            text(file) == general.stdout,
            "{file} is not what elder makes: `make generated`"
        );
    }
    let own = elder("rules jobs --format prometheusrule")
        .within(&shipped("kubernetes/overlay"))
        .run();
    assert!(
        text("kubernetes/overlay/prometheusrule.yaml") == own.stdout,
        "deploy/kubernetes/overlay/prometheusrule.yaml is not what elder makes: `make generated`"
    );

    let Some(manifests) = kustomized(&shipped("kubernetes/overlay")) else {
        return;
    };
    let Some((documents, _)) = checked(&manifests) else {
        return;
    };
    let spec = one(&documents, "PrometheusRule")["spec"].to_string();
    assert!(spec.contains("shop-is-up has not succeeded"), "{spec}");
    // JSON is YAML.
    folder.write("rules.yml", &spec);
    let output = promtool(folder.path(), &["check", "rules", "rules.yml"]);
    assert!(output.status.success(), "{output:?}");
    folder.write("rules.yml", &spec.replace("time() -", "time() --)"));
    let output = promtool(folder.path(), &["check", "rules", "rules.yml"]);
    assert!(!output.status.success(), "{output:?}");
}
