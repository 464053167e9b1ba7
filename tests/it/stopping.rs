//! The end of elder by a call, and runs that are run again.

use super::support::{Daemon, Finished, Folder, elder};

fn ask(daemon: &Daemon, folder: &Folder, line: &str) -> Finished {
    elder(line)
        .env("ELDER_SERVER", &format!("http://{}", daemon.address()))
        .env(
            "XDG_RUNTIME_DIR",
            &folder.join("runtime").display().to_string(),
        )
        .run()
}

#[test]
fn a_stop_lets_runs_end_and_is_waited_for_until_the_process_is_gone() {
    let text = "jobs:\n  slow: { schedule: manual, run: 'echo begun > begun; sleep 1; echo done > done' }\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", text)]);
    let mut daemon = Daemon::start(&folder);
    daemon.trigger("slow");
    super::support::until("it runs", || {
        (!folder.read("jobs.d/begun").is_empty()).then_some(())
    });
    // Without the token it is not for everybody on this machine.
    let refused = daemon.send("POST", "/api/v1/stop", &[], "");
    assert_eq!(refused.status, 401);
    let stopped = ask(&daemon, &folder, "stop --wait");
    assert_eq!(stopped.code, Some(0), "{stopped}");
    assert_eq!(stopped.stdout, "elder has stopped\n");
    assert_eq!(
        folder.read("jobs.d/done"),
        "done\n",
        "the run came to its end"
    );
    assert!(!std::path::Path::new(&format!("/proc/{}/exe", daemon.pid())).exists());
    let status = daemon.wait();
    assert!(status.success(), "{status}");
    assert!(daemon.has_logged("\"message\":\"stopped\"").is_some());
    let again = ask(&daemon, &folder, "stop");
    assert_eq!(again.code, Some(2), "{again}");
}

#[test]
fn a_rerun_goes_by_the_definition_of_now_and_names_the_run_before() {
    let text = "jobs:\n  a: { schedule: manual, run: 'echo first; exit 3' }\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", text)]);
    let daemon = Daemon::start(&folder);
    let first = daemon.run("a");
    assert_eq!(first["outcome"], "failed");
    let id = first["run_id"].as_str().unwrap();
    folder.write(
        "jobs.d/a.yaml",
        &text.replace("echo first; exit 3", "echo second"),
    );
    assert_eq!(daemon.post("/-/reload", "").status, 200);
    let said = ask(&daemon, &folder, &format!("rerun {id} --wait"));
    assert_eq!(said.code, Some(0), "{said}");
    assert!(
        said.stdout.contains("success") && said.stdout.ends_with("second\n"),
        "{said}"
    );
    let runs = daemon.get("/api/v1/jobs/a/runs").json();
    assert_eq!(runs["runs"][0]["rerun_of"], *id);
    assert_eq!(runs["runs"][0]["trigger"], "manual");
    assert_eq!(runs["runs"][1]["rerun_of"], serde_json::Value::Null);
    let unknown = ask(&daemon, &folder, "rerun nonsense");
    assert_eq!(unknown.code, Some(2), "{unknown}");
}
