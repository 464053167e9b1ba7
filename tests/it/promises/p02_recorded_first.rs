//! The row is durable before the process exists.

use crate::support::{Daemon, Folder, until};

#[test]
fn a_process_finds_its_own_row_already_running_in_the_store() {
    // The job itself asks elder for its row, while it runs.
    let text = r#"
jobs:
  asks:
    schedule: startup
    exec: [python3, -c, "import os,urllib.request as u; print(u.urlopen(os.environ['ELDER_SERVER']+'/api/v1/runs/'+os.environ['ELDER_RUN_ID']).read().decode())"]
"#;
    let folder = Folder::with(&[("jobs.d/a.yaml", text)]);
    let daemon = Daemon::start(&folder);
    let id = until("the job ends", || {
        let runs = daemon.get("/api/v1/jobs/asks/runs").json();
        let run = &runs["runs"][0];
        (run["state"] == "done").then(|| run["run_id"].as_str().unwrap().to_owned())
    });
    let run = daemon.get(&format!("/api/v1/runs/{id}")).json();
    assert_eq!(run["outcome"], "success", "{run}");
    let seen: serde_json::Value = serde_json::from_str(run["output"].as_str().unwrap()).unwrap();
    assert_eq!(seen["run_id"], id.as_str());
    assert_eq!(seen["state"], "running");
    assert_eq!(seen["attempt"], 1);
}
