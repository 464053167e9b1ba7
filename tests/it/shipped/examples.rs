//! Each example is run, on loopback alone.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{ask, copied, last_run, shipped, text};
use crate::support::{Daemon, Folder, StandIn, elder, until};

#[test]
fn all_shipped_job_files_validate_without_a_warning() {
    for path in ["jobs.d", "examples"] {
        let finished = elder("validate --strict")
            .arg(path)
            .within(&shipped(""))
            .run();
        assert_eq!(finished.code, Some(0), "{path}: {finished}");
    }
    let folders: BTreeSet<_> = std::fs::read_dir(shipped("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let want = [
        "calendars",
        "celery",
        "certificates",
        "configmap",
        "database-backup",
        "gitops",
        "http-retry",
        "invoices",
        "log-rotation",
        "overlap",
        "policy",
        "pools",
        "rollout-restart",
        "sages",
        "secrets",
        "several-times-a-day",
        "signed-webhook",
        "users-and-limits",
        "warm-caches",
    ];
    assert_eq!(
        folders,
        want.map(str::to_owned).into(),
        "each needs a test here"
    );
    let readme = text("README.md");
    for folder in &folders {
        let link = format!("](examples/{folder})");
        assert!(
            readme.contains(&link),
            "README.md does not lead to examples/{folder}"
        );
    }
}

#[test]
fn all_shipped_schedule_tests_hold() {
    for path in [
        "jobs.d",
        "examples/calendars",
        "examples/invoices",
        "examples/several-times-a-day",
    ] {
        let finished = elder("test --coverage --format json")
            .arg(path)
            .within(&shipped(""))
            .run();
        assert_eq!(finished.code, Some(0), "{path}: {finished}");
        let answer = finished.json();
        assert_eq!(answer["untested"], serde_json::json!([]), "{finished}");
        assert!(answer["tests"].as_array().unwrap().len() >= 5, "{finished}");
    }
}

#[test]
fn jobs_of_another_user_and_with_limits_have_no_more_than_that() {
    let folder = copied("examples/users-and-limits");
    let daemon = Daemon::start(&folder);
    let burns = ask(&daemon, &folder, "trigger burns --wait");
    assert_eq!(burns.code, Some(1), "{burns}");
    assert!(burns.stdout.contains("failed (limit)"), "{burns}");
    let finished = ask(&daemon, &folder, "trigger as-nobody --wait");
    if rustix::process::geteuid().is_root() {
        assert_eq!(finished.code, Some(0), "{finished}");
        assert!(finished.stdout.contains("(nobody)"), "{finished}");
    } else {
        assert!(finished.stdout.contains("failed (setup)"), "{finished}");
    }
}

#[test]
fn http_retry_asks_again_until_the_target_recovers() {
    let folder = copied("examples/http-retry");
    let asked = AtomicUsize::new(0);
    let target = StandIn::start(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => (503, "{}".to_owned()),
        _ => (202, "{}".to_owned()),
    });
    // The probe of the same file, due every minute, would be counted too.
    let jobs = folder.read("jobs.d/jobs.yaml");
    folder.write("jobs.d/jobs.yaml", &jobs.replace("{ every: 1m }", "manual"));
    let daemon = Daemon::start_with(&folder, |program| program.env("TARGET_URL", &target.url()));
    daemon.wait_until_ready();
    let finished = ask(&daemon, &folder, "trigger export-orders --wait");
    assert_eq!(finished.code, Some(0), "{finished}");
    let seen = target.seen();
    assert_eq!(seen.len(), 3, "{seen:?}");
    let keys: BTreeSet<_> = seen
        .iter()
        .map(|request| {
            let key = request
                .head
                .lines()
                .find(|line| line.starts_with("idempotency-key:"));
            key.unwrap_or_else(|| panic!("no key: {request:?}"))
        })
        .collect();
    assert_eq!(keys.len(), 1, "attempts of one run have one key: {keys:?}");
    assert!(
        seen[0].body.contains("\"job\":\"export-orders\""),
        "{seen:?}"
    );
    assert_eq!(last_run(&daemon, "export-orders")["attempt"], 3);
    let retries = daemon
        .metrics()
        .get("elder_retries_total", &[("job_name", "export-orders")]);
    assert_eq!(retries, Some(2.0));
}

#[test]
fn several_times_a_day_fires_at_the_times_that_it_says_and_each_job_runs() {
    let next = elder("next menu")
        .arg(
            shipped("examples/several-times-a-day")
                .display()
                .to_string(),
        )
        .arg("-n")
        .arg("3")
        .arg("--from")
        .arg("2027-07-01T00:00:00Z")
        .run();
    for time in [
        "2027-07-01T10:00:00+02:00",
        "2027-07-01T15:00:00+02:00",
        "2027-07-01T20:00:00+02:00",
    ] {
        assert!(next.stdout.contains(time), "{next}");
    }
    let folder = copied("examples/several-times-a-day");
    let daemon = Daemon::start(&folder);
    for job in ["menu", "office-pulse", "market-report", "tokyo-close"] {
        let finished = ask(&daemon, &folder, &format!("trigger {job} --wait"));
        assert_eq!(finished.code, Some(0), "{job}: {finished}");
    }
    let output = last_run(&daemon, "menu")["output"].to_string();
    assert!(output.contains("the menu of 20"), "{output}");
}

#[test]
fn calendars_move_and_leave_out_fires_and_follow_their_ics_file() {
    for (job, want) in [
        (
            "settlement",
            [
                "2027-05-06T10:00:00+09:00  Thu",
                "2027-06-07T10:00:00+09:00  Mon",
            ],
        ),
        (
            "payroll",
            [
                "2027-04-23T09:00:00+09:00  Fri",
                "2027-05-25T09:00:00+09:00  Tue",
            ],
        ),
        (
            "rollout",
            [
                "2027-04-20T09:30:00+09:00  Tue",
                "2027-04-20T10:00:00+09:00  Tue",
            ],
        ),
        (
            "holiday-watch",
            [
                "2027-04-24T01:00:00+09:00  Sat",
                "2027-04-24T03:00:00+09:00  Sat",
            ],
        ),
    ] {
        let next = elder(&format!("next {job} -n 2 --from 2027-04-20T00:00:00Z"))
            .arg(shipped("examples/calendars").display().to_string())
            .run();
        let times: Vec<&str> = next.stdout.lines().skip(1).collect();
        assert_eq!(times.len(), 2, "{next}");
        for (time, want) in times.iter().zip(want) {
            assert!(time.starts_with(want), "{job}: {next}");
        }
    }
    let folder = copied("examples/calendars");
    // Closed every day but the first of June, so that there is one answer whenever this runs.
    let jobs = "jobs:
  once:
    schedule: { daily: \"10:00\", only: [open] }
    run: 'true'
calendars:
  open: { ics: open.ics }
";
    let event = |date: &str| {
        format!(
            "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:{date}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    };
    folder.write("jobs.d/open.ics", &event("20910601"));
    folder.write("jobs.d/once.yaml", jobs);
    let daemon = Daemon::start(&folder);
    for job in ["settlement", "payroll", "rollout", "holiday-watch"] {
        let finished = ask(&daemon, &folder, &format!("trigger {job} --wait"));
        assert_eq!(finished.code, Some(0), "{job}: {finished}");
    }
    let next = || daemon.get("/api/v1/jobs/once").json()["next_run_time"].to_string();
    assert!(next().contains("2091-06-01"), "{}", next());
    folder.write("jobs.d/open.ics", &event("20920702"));
    until("the edited .ics file is in force", || {
        next().contains("2092-07-02").then_some(())
    });
    folder.write("jobs.d/open.ics", &event("some day"));
    until("the bad .ics file is seen", || {
        let config = daemon.get("/api/v1/config").json();
        let finding = config["sync"]["findings"][0].to_string();
        finding.contains("DTSTART is no date").then_some(())
    });
    assert!(next().contains("2092-07-02"), "{}", next());
    daemon.kill();
    let daemon = Daemon::start(&folder);
    let next = daemon.get("/api/v1/jobs/once").json()["next_run_time"].to_string();
    assert!(next.contains("2092-07-02"), "{next}");
}

#[test]
fn secrets_come_from_variable_and_file_and_are_stars_in_the_output() {
    const TOKEN: &str = "tok_3f9d1b72";
    const PASSWORD: &str = "correct-horse-battery";
    let folder = copied("examples/secrets");
    let daemon = Daemon::start_with(&folder, |program| program.env("EXAMPLE_API_TOKEN", TOKEN));
    daemon.wait_until_ready();
    let finished = ask(&daemon, &folder, "trigger print-secrets --wait");
    assert_eq!(finished.code, Some(1), "without the file: {finished}");
    let run = last_run(&daemon, "print-secrets");
    assert_eq!(
        (&run["outcome"], &run["reason"]),
        (&"failed".into(), &"setup".into())
    );
    assert!(
        run["detail"].to_string().contains("DATABASE_PASSWORD"),
        "{run}"
    );

    folder.write("jobs.d/database-password", &format!("{PASSWORD}\n"));
    let finished = ask(&daemon, &folder, "trigger print-secrets --wait");
    assert_eq!(finished.code, Some(0), "{finished}");
    let run = last_run(&daemon, "print-secrets");
    let output = run["output"].as_str().unwrap();
    assert_eq!(output, "token: ***\npassword: ***\n{\"token\": \"***\"}\n");
    let whole = format!("{run} {:?}", daemon.log());
    assert!(
        !whole.contains(TOKEN) && !whole.contains(PASSWORD),
        "{whole}"
    );
}

#[test]
fn overlap_skips_what_meets_a_running_one_and_names_it() {
    let folder = copied("examples/overlap");
    let daemon = Daemon::start(&folder);
    let skipped = |job: &str| {
        let labels = [("job_name", job), ("reason", "overlap")];
        daemon
            .metrics()
            .get("elder_skipped_total", &labels)
            .unwrap()
    };
    until("a fire of `slow` was skipped", || {
        (skipped("slow") >= 1.0).then_some(())
    });
    let answer = daemon.post("/api/v1/jobs/slow/run", "");
    let job = daemon.get("/api/v1/jobs/slow").json();
    // Between a run's end and the next one's begin the request would be taken.
    if answer.status == 409 {
        assert!(answer.json()["blocking_run"].is_string(), "{answer:?}");
    } else {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert!(job["active_runs"].as_array().unwrap().len() <= 1, "{job}");
    until("`slow-pair` runs twice at once", || {
        let job = daemon.get("/api/v1/jobs/slow-pair").json();
        (job["active_runs"].as_array().unwrap().len() == 2).then_some(())
    });
    until("a run of `latest-only` gave way", || {
        let runs = daemon
            .get("/api/v1/jobs/latest-only/runs?outcome=cancelled")
            .json();
        let row = runs["runs"].get(0)?;
        assert_eq!(row["reason"], "replaced");
        Some(())
    });
    until("a fire of `each-in-turn` waited and ran", || {
        let job = daemon.get("/api/v1/jobs/each-in-turn").json();
        let active = job["active_runs"].as_array().unwrap().clone();
        let waits = active.iter().any(|run| run["state"] == "queued");
        assert!(active.len() <= 2, "{job}");
        (waits && active.len() == 2).then_some(())
    });
    until("the row of a skipped fire is told", || {
        let runs = daemon.get("/api/v1/jobs/slow/runs?outcome=skipped").json();
        let first = runs["runs"].get(0)?.clone();
        first["detail"]
            .as_str()?
            .contains("under way")
            .then_some(())
    });
}

#[test]
fn pools_let_two_run_and_a_raised_limit_all() {
    let folder = copied("examples/pools");
    let daemon = Daemon::start(&folder);
    let queued = |pool| daemon.metrics().get("elder_queued", &[("pool", pool)]);
    let running = || {
        let metrics = daemon.metrics();
        let jobs = ["orders", "invoices", "stock", "reports"];
        let running = jobs.map(|job| metrics.get("elder_running", &[("job_name", job)]));
        running.into_iter().flatten().sum::<f64>()
    };
    assert_eq!(queued("default"), Some(0.0));
    until("two wait", || {
        (queued("database") == Some(2.0)).then_some(())
    });
    assert!(running() <= 2.0);
    let pools = folder.read("jobs.d/pools.yaml");
    folder.write("jobs.d/pools.yaml", &pools.replace("limit: 2", "limit: 4"));
    until("all four run at once", || (running() == 4.0).then_some(()));
    let job = daemon.get("/api/v1/jobs/orders").json();
    assert_eq!(job["pool"], "database", "{job}");
    assert_eq!(daemon.get("/api/v1/jobs/ping").json()["pool"], "default");
}

#[test]
fn a_configmap_is_followed_as_the_kubelet_swaps_it() {
    let folder = Folder::new();
    let mount = folder.join("jobs.d");
    let put = |version: &str, edit: fn(String) -> String| {
        let data = mount.join(version);
        std::fs::create_dir_all(&data).unwrap();
        for file in ["heartbeat.yaml", "nightly.yaml"] {
            let text = edit(text(&format!("examples/configmap/{file}")));
            std::fs::write(data.join(file), text).unwrap();
        }
        let fresh = mount.join("..data_tmp");
        symlink(version, &fresh).unwrap();
        std::fs::rename(fresh, mount.join("..data")).unwrap();
    };
    put("..2027_01_01", |text| {
        text.replace("every: 10s", "every: 1s")
    });
    for file in ["heartbeat.yaml", "nightly.yaml"] {
        symlink(format!("..data/{file}"), mount.join(file)).unwrap();
    }
    let daemon = Daemon::start(&folder);
    let executed = |job: &str| {
        let labels = [("job_name", job), ("outcome", "success")];
        daemon.metrics().get("elder_executed_total", &labels)
    };
    until("the heartbeat beats", || {
        executed("heartbeat").filter(|count| *count >= 1.0)
    });
    put("..2027_01_02", |text| {
        text.replace("heartbeat:", "pulse:")
            .replace("every: 10s", "every: 1s")
    });
    until("the new version is in force", || {
        executed("pulse").filter(|count| *count >= 1.0)
    });
    assert_eq!(
        executed("heartbeat"),
        None,
        "a job that is gone has no series"
    );
}

#[test]
fn the_jobs_of_a_team_keep_to_its_policy_and_one_that_does_not_is_found() {
    let validate = |folder: &std::path::Path| {
        elder("validate --strict --policy examples/policy/.elder-policy.yaml")
            .arg(folder.display().to_string())
            .within(&shipped(""))
            .run()
    };
    let finished = validate(&shipped("examples/policy"));
    assert_eq!(finished.code, Some(0), "{finished}");
    let folder = copied("examples/policy");
    folder.write("jobs.d/_defaults.yaml", "defaults: { timeout: 10m }\n");
    let finished = validate(&folder.join("jobs.d"));
    assert_eq!(finished.code, Some(1), "{finished}");
    assert_eq!(
        finished.stdout.matches("error[E060]").count(),
        3,
        "{finished}"
    );
    let folder = copied("examples/policy");
    let daemon = Daemon::start(&folder);
    let finished = ask(&daemon, &folder, "trigger price-list --wait");
    assert_eq!(finished.code, Some(0), "{finished}");
}
