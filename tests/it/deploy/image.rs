//! The Dockerfile, and what it lays out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::kubernetes::kustomized;
use super::{checked, one, program, run, shipped, text};
use crate::support::{Daemon, Folder, not_tested, until};

/// The image's user.
const USER: u32 = 10_001;
/// Makes the root read-only, gives it a volume for the state, and starts elder in it.
const ENTER: &str = "
    mount --bind root root && mount -o remount,bind,ro root
    mount --bind /proc root/proc && mount --bind /dev root/dev && mount --bind volume root/var/lib/elder
    exec env -i PATH=/usr/sbin:/usr/bin:/bin chroot --userspec=10001:10001 root \\
        /usr/local/bin/elder run /etc/elder/jobs.d --state /var/lib/elder \\
        --listen 127.0.0.1:0 --log-format json";

#[test]
fn hadolint_finds_nothing_in_the_dockerfile() {
    let Some(hadolint) = program("bin/hadolint") else {
        return;
    };
    let dockerfile = text("Dockerfile");
    let output = run(&hadolint, &["-"], &dockerfile);
    assert!(output.status.success(), "{output:?}");
    for (from, to, code) in [
        ("COPY . .", "ADD . .", "DL3020"),
        ("WORKDIR /src", "WORKDIR src", "DL3000"),
        ("# hadolint ignore=DL3008\n", "", "DL3008"),
    ] {
        let output = run(&hadolint, &["-"], &dockerfile.replace(from, to));
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            !output.status.success() && said.contains(code),
            "{to}: {said}"
        );
    }
}

#[test]
fn what_is_compiled_in_reaches_the_build() {
    let ignored = text("Dockerfile.dockerignore");
    let let_through: BTreeSet<PathBuf> = ignored
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .map(PathBuf::from)
        .collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wanted: BTreeSet<PathBuf> = [
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "tests",
        "benches",
        "deploy/image",
    ]
    .map(PathBuf::from)
    .into();
    for file in sources(&root.join("src")) {
        let code = std::fs::read_to_string(&file).unwrap();
        for rest in code.split("include_str!(\"").skip(1) {
            let named = rest.split('"').next().unwrap();
            let path = file.parent().unwrap().join(named).canonicalize().unwrap();
            wanted.insert(path.strip_prefix(root).unwrap().to_owned());
        }
    }
    for path in &wanted {
        assert!(
            path.ancestors().any(|one| let_through.contains(one)),
            "deploy/Dockerfile.dockerignore holds {} back",
            path.display()
        );
    }
    for path in &let_through {
        assert!(root.join(path).exists(), "{}", path.display());
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(sources(&path)),
            false if path.extension().is_some_and(|end| end == "rs") => found.push(path),
            false => {}
        }
    }
    found
}

#[test]
fn the_image_and_the_pod_mean_the_same_user_and_places() {
    let dockerfile = text("Dockerfile");
    let Some(manifests) = kustomized(&shipped("kubernetes/base")) else {
        return;
    };
    let Some((documents, _)) = checked(&manifests) else {
        return;
    };
    let pod = &one(&documents, "StatefulSet")["spec"]["template"]["spec"];
    let number = |key: &str| pod["securityContext"][key].as_u64().unwrap();
    let user = format!("\nUSER {}:{}\n", number("runAsUser"), number("runAsGroup"));
    let port = &pod["containers"][0]["ports"][0]["containerPort"];
    for line in [
        user.as_str(),
        &format!("\nEXPOSE {port}\n"),
        "\nFROM scratch\n",
    ] {
        assert!(dockerfile.contains(line), "{line}");
    }
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
    let state = mounts.iter().find(|mount| mount["name"] == "state");
    let place = state.and_then(|mount| mount["mountPath"].as_str()).unwrap();
    assert!(
        dockerfile.contains(&format!("ELDER_STATE={place} ")),
        "{place}"
    );
    // The version is the same everywhere.
    let image = pod["containers"][0]["image"].as_str().unwrap();
    assert_eq!(image, concat!("elder:", env!("CARGO_PKG_VERSION")));
    assert_eq!(
        one(&documents, "Service")["metadata"]["labels"]["app.kubernetes.io/version"],
        env!("CARGO_PKG_VERSION")
    );
    assert!(text("helm/elder/Chart.yaml").contains(concat!(
        "appVersion: ",
        env!("CARGO_PKG_VERSION"),
        "\n"
    )));
}

#[test]
fn elder_runs_a_shell_job_in_the_images_root_as_its_user() {
    let Some(busybox) = program("busybox/bin/busybox") else {
        return;
    };
    let certificates = Path::new("/etc/ssl/certs/ca-certificates.crt");
    let may = Command::new("unshare").args(["-m", "true"]).output();
    if !certificates.exists() || !may.is_ok_and(|out| out.status.success()) {
        not_tested("no certificates here, or no mount namespace to be had");
        return;
    }
    let folder = Folder::new();
    let root = folder.join("root");
    let own = env!("CARGO_BIN_EXE_elder");
    let done = Command::new(shipped("image/rootfs"))
        .arg(&root)
        .args([own.as_ref(), busybox.as_os_str(), certificates.as_os_str()])
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    // The image's elder needs none of these; the one that is tested here does.
    let libraries = Command::new("ldd").arg(own).output().unwrap();
    for word in String::from_utf8_lossy(&libraries.stdout).split_whitespace() {
        if let Some(below) = word.strip_prefix('/') {
            let target = root.join(below);
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            std::fs::copy(word, target).unwrap();
        }
    }
    let job = "    schedule: startup\n    run: id -u; touch /etc/x || echo kept; touch /var/lib/elder/x && pwd\n";
    folder.write(
        "root/etc/elder/jobs.d/who.yaml",
        &format!("jobs:\n  who:\n{job}"),
    );
    // What the pod has as a volume; the rest is not to be written.
    std::fs::create_dir(folder.join("volume")).unwrap();
    std::os::unix::fs::chown(folder.join("volume"), Some(USER), Some(USER)).unwrap();
    let daemon = Daemon::start_by(&folder, &["unshare", "-m", "sh", "-ec", ENTER]);
    daemon.wait_until_ready();
    let done = until("the job has run", || {
        let job: Value = daemon.get("/api/v1/jobs/who").json();
        let run = daemon
            .get(&format!(
                "/api/v1/runs/{}",
                job["last_run"]["run_id"].as_str()?
            ))
            .json();
        (run["state"] == "done").then_some(run)
    });
    assert_eq!(done["outcome"], "success", "{done}");
    let said = done["output"].as_str().unwrap();
    assert!(
        said.starts_with(&format!("{USER}\n")) && said.contains("\nkept\n"),
        "{done}"
    );
    assert!(said.ends_with("/etc/elder/jobs.d\n"), "{done}");
}
