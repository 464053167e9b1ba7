//! What a secret holds is in no log, output, answer, metric, argument or stored row as elder writes it.

use crate::support::{Daemon, Folder, until};

#[test]
fn a_secret_reaches_the_job_and_nothing_else() {
    const SECRET: &str = "correct-horse-battery-staple";
    let text = r#"
jobs:
  tells:
    schedule: manual
    secrets: { TOKEN: { file: token } }
    env: { HEADER: "Bearer ${secrets.TOKEN}" }
    run: 'echo "$TOKEN" | base64; echo "$HEADER"; test ${#TOKEN} = 28'
  asks:
    schedule: manual
    secrets: { TOKEN: { file: token } }
    http:
      url: "${elder.server}/nothing-here"
      headers: { Authorization: "Bearer ${secrets.TOKEN}" }
"#;
    let folder = Folder::with(&[
        ("jobs.d/a.yaml", text),
        ("jobs.d/token", &format!("{SECRET}\n")),
    ]);
    let daemon = Daemon::start(&folder);
    let mut shown = String::new();
    for (job, outcome) in [("tells", "success"), ("asks", "failed")] {
        let run = daemon.post(&format!("/api/v1/jobs/{job}/run"), "{}").json();
        let id = run["run_id"].as_str().unwrap().to_owned();
        let run = until("it ended", || {
            let reply = daemon.get(&format!("/api/v1/runs/{id}"));
            (reply.json()["state"] == "done").then_some(reply)
        });
        assert_eq!(run.json()["outcome"], outcome, "{run:?}");
        shown += &run.body;
        shown += &daemon.get(&format!("/api/v1/jobs/{job}")).body;
    }
    assert!(shown.contains("Bearer ***"), "{shown}");
    for path in ["/metrics", "/api/v1/config", "/api/v1/jobs", "/api/v1/runs"] {
        shown += &daemon.get(path).body;
    }
    shown += &daemon.log().join("\n");
    daemon.stop();
    for entry in std::fs::read_dir(folder.join("state")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            shown += &String::from_utf8_lossy(&std::fs::read(path).unwrap());
        }
    }
    for form in [SECRET, "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5LXN0YXBsZ"] {
        assert!(!shown.contains(form), "{form} was shown");
    }
}
