//! The examples that stand for one need each: what they would ask of the world is here a file, a
//! program or a server on loopback.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::{ask, copied, last_run};
use crate::support::{Daemon, Folder, StandIn, elder, not_tested};

/// Runs a job to its end and says what it said.
#[track_caller]
fn done(daemon: &Daemon, folder: &Folder, job: &str, status: i32) -> String {
    let finished = ask(daemon, folder, &format!("trigger {job} --wait"));
    let run = last_run(daemon, job);
    assert_eq!(finished.code, Some(status), "{finished}{run}");
    run["output"].as_str().unwrap().to_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn program(folder: &Folder, name: &str, text: &str) -> PathBuf {
    let path = folder.write(name, text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_database_backup_is_whole_or_not_there_and_its_absence_is_told() {
    let folder = copied("examples/database-backup");
    let jobs = folder.read("jobs.d/jobs.yaml");
    folder.write(
        "jobs.d/jobs.yaml",
        &jobs.replace("{ max: 2, backoff: 10m }", "0"),
    );
    let sink = StandIn::start(|_| (200, String::new()));
    let dumps = folder.join("dumps");
    let daemon = Daemon::start_with(&folder, |program| {
        program
            .env("DUMPS", &dumps.display().to_string())
            .env("DUMP_COMMAND", "cat source")
            .env("SHOP_DB_PASSWORD", "hunter2-is-long")
            .env("ONCALL_URL", &sink.url())
    });
    daemon.wait_until_ready();
    let said = done(&daemon, &folder, "shop-dump-is-readable", 1);
    assert!(said.contains("no dump of the last 26 hours"), "{said}");

    folder.write("jobs.d/source", "create table t();");
    let said = done(&daemon, &folder, "shop-dump", 0);
    assert!(said.contains(" bytes in "), "{said}");
    let first = names(&dumps);
    assert!(first.len() == 1 && first[0].ends_with(".gz"), "{first:?}");
    let said = done(&daemon, &folder, "shop-dump-is-readable", 0);
    assert!(said.ends_with("17 bytes of it\n"), "{said}");

    folder.remove("jobs.d/source");
    let said = done(&daemon, &folder, "shop-dump", 1);
    assert!(said.contains("the dump ended with 1"), "{said}");
    assert_eq!(
        names(&dumps),
        first,
        "nothing half-made, and the good one stays"
    );
    let job = daemon.get("/api/v1/jobs/shop-dump").json();
    assert!(job["success_deadline"].is_string(), "{job}");
    crate::support::until("the sage heard of both failures", || {
        let seen = sink.seen();
        let of = |job: &str| seen.iter().any(|one| one.body.contains(job));
        (of("\"shop-dump-is-readable\"") && of("\"shop-dump\"")).then_some(())
    });
}

#[test]
fn certificates_that_end_or_cannot_be_had_are_named() {
    if !Command::new("openssl")
        .arg("version")
        .output()
        .is_ok_and(|out| out.status.success())
    {
        not_tested("openssl is not to be had");
        return;
    }
    let folder = copied("examples/certificates");
    let jobs = folder.read("jobs.d/jobs.yaml");
    folder.write(
        "jobs.d/jobs.yaml",
        &jobs.replace("{ max: 2, backoff: 5m }", "0"),
    );
    let until = |year| {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().pem()
    };
    let good = folder.write("good.pem", &until(2099)).display().to_string();
    let past = folder.write("past.pem", &until(2020)).display().to_string();
    folder.write("jobs.d/targets", &format!("# one\n{good}\n"));
    let daemon = Daemon::start(&folder);
    let said = done(&daemon, &folder, "certificates", 0);
    assert!(
        said.starts_with(&format!("{good}: fine until Jan  1")),
        "{said}"
    );
    folder.write(
        "jobs.d/targets",
        &format!("127.0.0.1:1\n{past}\n\n{good}\n"),
    );
    let said = done(&daemon, &folder, "certificates", 1);
    assert!(said.contains("127.0.0.1:1: no certificate: "), "{said}");
    assert!(
        said.contains(&format!("{past}: ends Jan  1 00:00:00 2020")),
        "{said}"
    );
    assert!(
        said.contains(&format!("{good}: fine")),
        "all are looked at: {said}"
    );
}

#[test]
fn a_rollout_is_asked_for_once_however_often_it_is_tried() {
    let folder = copied("examples/rollout-restart");
    // The stand-in has no TLS.
    let jobs = folder.read("jobs.d/jobs.yaml");
    let line = "      tls: { ca: /var/run/secrets/elder/ca.crt }\n";
    assert!(jobs.contains(line));
    folder.write("jobs.d/jobs.yaml", &jobs.replace(line, ""));
    let token = folder
        .write("token", "ey.some.token\n")
        .display()
        .to_string();
    let asked = AtomicUsize::new(0);
    let kubernetes = StandIn::start(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => (503, "{}".to_owned()),
        _ => (200, "{\"kind\": \"Deployment\"}".to_owned()),
    });
    let daemon = Daemon::start_with(&folder, |program| {
        program
            .env("KUBERNETES_API", &kubernetes.url())
            .env("KUBERNETES_CREDENTIAL", &token)
    });
    daemon.wait_until_ready();
    done(&daemon, &folder, "restart-web", 0);
    let seen = kubernetes.seen();
    assert_eq!(seen.len(), 2, "{seen:?}");
    let path = "/apis/apps/v1/namespaces/shop/deployments/web?fieldManager=elder";
    for request in &seen {
        assert_eq!(request.line, format!("PATCH {path}"));
        assert_eq!(
            request.header("Authorization"),
            Some("Bearer ey.some.token")
        );
        let kind = request.header("Content-Type");
        assert_eq!(kind, Some("application/strategic-merge-patch+json"));
    }
    assert_eq!(seen[0].body, seen[1].body);
    let body: Value = serde_json::from_str(&seen[0].body).unwrap();
    let annotations = &body["spec"]["template"]["metadata"]["annotations"];
    let at = last_run(&daemon, "restart-web")["scheduled_at"].clone();
    assert_eq!(annotations["kubectl.kubernetes.io/restartedAt"], at);
}

#[test]
fn invoices_are_about_the_day_of_their_fire() {
    let next = elder("next monthly-invoices -n 2 --from 2027-01-01T00:00:00Z")
        .arg(super::shipped("examples/invoices").display().to_string())
        .run();
    for time in ["2027-01-29T18:00:00+01:00", "2027-02-26T18:00:00+01:00"] {
        assert!(next.stdout.contains(time), "{next}");
    }
    let folder = copied("examples/invoices");
    let daemon = Daemon::start(&folder);
    for (job, what) in [
        ("monthly-invoices", "invoices"),
        ("payment-reminders", "reminders"),
        ("annual-statement", "statement"),
    ] {
        let said = done(&daemon, &folder, job, 0);
        let at = last_run(&daemon, job)["scheduled_at"].as_str().unwrap()[..10].to_owned();
        assert_eq!(said, format!("{what} for {at}\n"));
    }
}

#[test]
fn logs_are_renamed_compressed_and_their_writer_is_told() {
    let folder = copied("examples/log-rotation");
    folder.write("logs/big.log", &"x".repeat(2000));
    folder.write("logs/small.log", "x");
    let mut writer = Command::new("sleep").arg("60").spawn().unwrap();
    folder.write("logs/big.pid", &format!("{}\n", writer.id()));
    let logs = folder.join("logs");
    let daemon = Daemon::start_with(&folder, |program| {
        program
            .env("LOGS", &logs.display().to_string())
            .env("LOG_BYTES", "1000")
    });
    daemon.wait_until_ready();
    let said = done(&daemon, &folder, "rotate-logs", 0);
    assert!(said.starts_with("./big.log is ./big.log.2"), "{said}");
    assert_eq!(writer.wait().unwrap().signal(), Some(1), "told by HUP");
    let now = names(&logs);
    assert!(
        now.len() == 3 && now[0].starts_with("big.log.2") && !now[0].ends_with(".gz"),
        "{now:?}"
    );
    // The writer is gone now; that is said, and is no reason to stop.
    folder.write("logs/big.log", &"y".repeat(2000));
    let said = done(&daemon, &folder, "rotate-logs", 0);
    assert!(said.contains("nobody to tell: ./big.pid is old"), "{said}");
    let now = names(&logs);
    assert_eq!(
        now.iter().filter(|name| name.ends_with(".gz")).count(),
        1,
        "{now:?}"
    );
}

#[test]
fn caches_are_warmed_within_one_pool() {
    let folder = copied("examples/warm-caches");
    let shop = StandIn::start(|request| (200, format!("a price, at {}", request.line)));
    let daemon = Daemon::start_with(&folder, |program| program.env("SHOP_URL", &shop.url()));
    daemon.wait_until_ready();
    for (job, path) in [
        ("warm-front", "/"),
        ("warm-catalogue", "/catalogue?page=1"),
        ("warm-search", "/search?q=sale"),
        ("warm-prices", "/prices"),
    ] {
        done(&daemon, &folder, job, 0);
        let line = format!("GET {path}");
        assert!(shop.seen().iter().any(|one| one.line == line), "{line}");
        let definition = daemon.get(&format!("/api/v1/jobs/{job}")).json();
        assert_eq!(definition["pool"], "shop-caches", "{definition}");
    }
}

#[test]
fn a_task_is_put_on_the_queue_and_knows_its_run() {
    let folder = copied("examples/celery");
    program(
        &folder,
        "bin/celery",
        "#!/bin/sh\nprintf '%s\\n' \"$@\" \"$CELERY_BROKER_URL\"\n",
    );
    let path = format!("{}:/usr/bin:/bin", folder.join("bin").display());
    let daemon = Daemon::start_with(&folder, |program| {
        program
            .env("PATH", &path)
            .env("CELERY_BROKER_URL", "redis://127.0.0.1/0")
    });
    daemon.wait_until_ready();
    let said = done(&daemon, &folder, "queue-export", 0);
    let id = last_run(&daemon, "queue-export")["run_id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "--app=shop",
            "call",
            "shop.tasks.export",
            "--args=[\"out\"]",
            &format!("--kwargs={{\"full\": true, \"run\": \"{id}\"}}"),
            "--queue=slow",
            "redis://127.0.0.1/0",
        ]
    );
    let said = done(&daemon, &folder, "queue-probe", 0);
    assert!(said.contains("--expires=30\n"), "{said}");
}
