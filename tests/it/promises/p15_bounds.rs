//! Memory and rows stay bounded under any output.

use crate::support::{Daemon, Folder, until};

#[test]
fn of_endless_output_the_first_and_the_last_part_are_kept() {
    let text = "jobs:\n  loud:\n    schedule: manual\n    run: 'echo FIRST; head -c 30000000 /dev/zero | tr \"\\0\" x; echo LAST'\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", text)]);
    let daemon = Daemon::start(&folder);
    let run = daemon.post("/api/v1/jobs/loud/run", "{}").json();
    let id = run["run_id"].as_str().unwrap().to_owned();
    let run = until("it ended", || {
        let run = daemon.get(&format!("/api/v1/runs/{id}")).json();
        (run["state"] == "done").then_some(run)
    });
    assert_eq!(run["outcome"], "success", "{run}");
    assert_eq!(run["output_bytes"], 30_000_011);
    let output = run["output"].as_str().unwrap();
    assert!(output.starts_with("FIRST\nxxx") && output.ends_with("xxxLAST\n"));
    assert!(output.len() < 70_000, "{} bytes kept", output.len());
    let labels = [("job_name", "loud")];
    assert_eq!(
        daemon
            .metrics()
            .get("elder_output_truncated_total", &labels),
        Some(1.0)
    );
}
