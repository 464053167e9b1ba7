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

#[test]
fn a_job_says_how_much_of_its_output_is_kept() {
    let text = "defaults: { output: { keep: 10B } }\njobs:\n  brief:\n    schedule: manual\n    run: printf 0123456789abcdef\n  none:\n    schedule: manual\n    output: { keep: 0B }\n    run: echo text; exit 3\n";
    let folder = Folder::with(&[("jobs.d/a.yaml", text)]);
    let daemon = Daemon::start(&folder);
    let output = |job: &str| {
        let run = daemon.post(&format!("/api/v1/jobs/{job}/run"), "{}").json();
        let id = run["run_id"].as_str().unwrap().to_owned();
        let run = until("it ended", || {
            let run = daemon.get(&format!("/api/v1/runs/{id}")).json();
            (run["state"] == "done").then_some(run)
        });
        (run["output_bytes"].as_u64().unwrap(), run["output"].clone())
    };
    let (bytes, kept) = output("brief");
    let kept = kept.as_str().unwrap();
    assert_eq!(bytes, 16);
    assert!(
        kept.starts_with("01234") && kept.ends_with("bcdef"),
        "{kept}"
    );
    assert!(!kept.contains("56789a"), "{kept}");
    let (bytes, kept) = output("none");
    assert_eq!(bytes, 5);
    assert!(!kept.to_string().contains("text"), "{kept}");
}
