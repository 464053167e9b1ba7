//! What a reviewer asks of manifests beyond their schema: restricted Pod Security, names and labels
//! that fit together, probes, graces, and what elder's own way with ConfigMaps asks for.

use serde_json::Value;

use super::one;

/// Everything that is wrong, in words.
pub fn complaints(documents: &[Value]) -> Vec<String> {
    let mut said = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            said.push(what.to_owned());
        }
    };
    let set = &one(documents, "StatefulSet")["spec"];
    let template = &set["template"];
    let pod = &template["spec"];
    let container = &pod["containers"][0];
    let args: Vec<&str> = strings(&container["args"]);

    pod_security(pod, container, &mut must);
    let account = one(documents, "ServiceAccount");
    must(
        account["automountServiceAccountToken"] == false
            && pod["automountServiceAccountToken"] == false
            && pod["serviceAccountName"] == account["metadata"]["name"],
        "a token of Kubernetes is mounted",
    );
    must(
        pod["enableServiceLinks"] == false,
        "services become variables ELDER_…",
    );

    must(set["replicas"] == 1, "not one replica");
    must(
        set["volumeClaimTemplates"][0]["metadata"]["labels"].is_null(),
        "labels on a claim, which cannot be changed any more",
    );
    let annotations = &template["metadata"]["annotations"];
    must(
        !annotations.to_string().contains("checksum"),
        "each edit of the jobs restarts the pod",
    );

    let grace = args
        .iter()
        .find_map(|arg| arg.strip_prefix("--shutdown-grace="));
    let grace = grace.and_then(|text| text.strip_suffix('s')?.parse::<u64>().ok());
    let given = pod["terminationGracePeriodSeconds"].as_u64();
    must(
        grace
            .zip(given)
            .is_some_and(|(grace, given)| given >= grace + 20),
        "the pod gets too little time to stop",
    );
    for (probe, path) in [
        ("startupProbe", "/-/ready"),
        ("livenessProbe", "/-/healthy"),
        ("readinessProbe", "/-/ready"),
    ] {
        let get = &container[probe]["httpGet"];
        must(get["path"] == path, &format!("{probe} does not ask {path}"));
        must(
            get["port"] == container["ports"][0]["name"],
            &format!("{probe} asks another port"),
        );
    }
    let resources = &container["resources"];
    must(
        resources["requests"]["cpu"].is_string()
            && resources["requests"]["memory"].is_string()
            && resources["limits"]["memory"].is_string(),
        "no requests, or no limit of memory",
    );

    mounts(documents, pod, container, &mut must);
    let labels = &template["metadata"]["labels"];
    let service = one(documents, "Service");
    must(
        set["serviceName"] == service["metadata"]["name"],
        "the StatefulSet names another service",
    );
    must(
        service["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"],
        "the service leads to another port",
    );
    for (what, selector, of) in [
        ("StatefulSet", &set["selector"]["matchLabels"], labels),
        ("Service", &service["spec"]["selector"], labels),
    ] {
        must(selects(selector, of), &format!("{what} selects nothing"));
    }
    for document in documents {
        let spec = &document["spec"];
        let (selector, of) = match document["kind"].as_str().unwrap() {
            "PodDisruptionBudget" => (&spec["selector"]["matchLabels"], labels),
            "NetworkPolicy" => (&spec["podSelector"]["matchLabels"], labels),
            "ServiceMonitor" => (
                &spec["selector"]["matchLabels"],
                &service["metadata"]["labels"],
            ),
            _ => continue,
        };
        let kind = document["kind"].as_str().unwrap();
        must(selects(selector, of), &format!("{kind} selects nothing"));
    }
    monitoring(documents, service, &mut must);
    for document in documents {
        if document["kind"] == "PodDisruptionBudget" {
            must(
                document["spec"]["maxUnavailable"] == 1,
                "the only pod cannot be moved",
            );
        }
        if document["kind"] == "Namespace" {
            let enforced = &document["metadata"]["labels"]["pod-security.kubernetes.io/enforce"];
            must(*enforced == "restricted", "the namespace allows more");
            continue;
        }
        for label in ["name", "instance", "component"] {
            let label = format!("app.kubernetes.io/{label}");
            must(
                document["metadata"]["labels"][&label].is_string(),
                &format!("{} has no label {label}", document["kind"]),
            );
        }
    }
    said
}

/// The profile `restricted`, and a root that cannot be written.
fn pod_security(pod: &Value, container: &Value, must: &mut impl FnMut(bool, &str)) {
    let security = &pod["securityContext"];
    must(security["runAsNonRoot"] == true, "may run as root");
    must(
        security["runAsUser"].as_u64().is_some_and(|user| user > 0),
        "the user is no number",
    );
    must(
        security["seccompProfile"]["type"] == "RuntimeDefault",
        "no seccomp profile",
    );
    for host in ["hostNetwork", "hostPID", "hostIPC"] {
        must(pod[host].is_null(), "a namespace of the host");
    }
    must(
        pod["containers"]
            .as_array()
            .is_some_and(|all| all.len() == 1)
            && pod["initContainers"].is_null(),
        "more than one container",
    );
    let security = &container["securityContext"];
    must(
        security["allowPrivilegeEscalation"] == false,
        "may gain privileges",
    );
    must(
        security["readOnlyRootFilesystem"] == true,
        "the root can be written",
    );
    must(
        strings(&security["capabilities"]["drop"]) == ["ALL"]
            && security["capabilities"]["add"].is_null(),
        "capabilities are left",
    );
    let image = container["image"].as_str().unwrap_or_default();
    let tag = image.rsplit('/').next().unwrap().split_once(':');
    must(
        tag.is_some_and(|(_, tag)| !tag.is_empty() && tag != "latest"),
        "the image has no version",
    );
}

/// Each mount has its volume, each volume its object, and the kubelet updates it.
fn mounts(documents: &[Value], pod: &Value, container: &Value, must: &mut impl FnMut(bool, &str)) {
    let volumes = pod["volumes"].as_array().unwrap();
    let claims = &one(documents, "StatefulSet")["spec"]["volumeClaimTemplates"];
    for mount in container["volumeMounts"].as_array().unwrap() {
        must(mount["subPath"].is_null(), "a subPath is never updated");
        let named = |volume: &Value| {
            volume["name"] == mount["name"] || volume["metadata"]["name"] == mount["name"]
        };
        must(
            volumes.iter().chain(claims.as_array().unwrap()).any(named),
            "a mount without a volume",
        );
        let written = ["/var/lib/elder", "/tmp"].contains(&mount["mountPath"].as_str().unwrap());
        must(
            written || mount["readOnly"] == true,
            "what is only read can be written",
        );
    }
    let has = |kind: &str, name: &Value| {
        let mut found = documents.iter();
        found.any(|one| one["kind"] == kind && one["metadata"]["name"] == *name)
    };
    for volume in volumes {
        let kinds: Vec<&str> = volume
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .filter(|key| *key != "name")
            .collect();
        match kinds[..] {
            ["configMap"] => must(
                has("ConfigMap", &volume["configMap"]["name"]),
                "the jobs are in no ConfigMap of that name",
            ),
            ["secret"] => must(
                has("Secret", &volume["secret"]["secretName"]) || volume["name"] != "tokens",
                "the tokens are in no Secret of that name",
            ),
            ["emptyDir"] => must(
                volume["emptyDir"]["sizeLimit"].is_string(),
                "scratch without a limit",
            ),
            _ => must(false, "a kind of volume that `restricted` does not have"),
        }
    }
}

/// What is scraped is called as the rules call it.
fn monitoring(documents: &[Value], service: &Value, must: &mut impl FnMut(bool, &str)) {
    for monitor in documents
        .iter()
        .filter(|one| one["kind"] == "ServiceMonitor")
    {
        let spec = &monitor["spec"];
        let label = spec["jobLabel"].as_str().unwrap_or_default();
        must(
            service["metadata"]["labels"][label] == "elder",
            "the rules ask for another `job`",
        );
        let endpoint = &spec["endpoints"][0];
        must(
            endpoint["port"] == service["spec"]["ports"][0]["name"],
            "another port is scraped",
        );
        let keys = |value: &Value| {
            value
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        must(
            keys(spec) == ["endpoints", "jobLabel", "selector"]
                && keys(endpoint) == ["interval", "path", "port"],
            "a key that no schema has looked at",
        );
    }
}

/// Whether the selector says something, and these labels have all of it.
fn selects(selector: &Value, labels: &Value) -> bool {
    let Some(wanted) = selector.as_object() else {
        return false;
    };
    !wanted.is_empty() && wanted.iter().all(|(key, value)| labels[key] == *value)
}

fn strings(list: &Value) -> Vec<&str> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).collect()
}
