//! The recipes of `examples/sages`, each against a sink on loopback.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::{ask, copied};
use crate::support::{Daemon, Folder, StandIn, until};

/// A mail server that takes everything; what it was given, line by line.
fn mail_server() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let said = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&said);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.write_all(b"220 sink\r\n").unwrap();
            let mut in_data = false;
            for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                let Ok(line) = line else { break };
                let answer = match line.as_str() {
                    "." => Some("250 taken"),
                    _ if in_data => None,
                    "DATA" => Some("354 go on"),
                    "QUIT" => Some("221 bye"),
                    _ => Some("250 ok"),
                };
                in_data = line == "DATA" || in_data && line != ".";
                lines.lock().unwrap().push(line);
                if let Some(answer) = answer {
                    let _ = stream.write_all(format!("{answer}\r\n").as_bytes());
                }
            }
        }
    });
    (url, said)
}

fn example(sink: &StandIn, relay: &str) -> (Folder, Daemon) {
    let folder = copied("examples/sages");
    folder.write("jobs.d/slack-path", "T0/B0/secret-end\n");
    folder.write("jobs.d/ping-key", "the-ping-key\n");
    // In the place of the machine's own.
    let sendmail = folder.write("sendmail", "#!/bin/sh\ncat > \"$0.got\"\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&sendmail, mode).unwrap();
    let (url, sendmail) = (sink.url(), sendmail.display().to_string());
    let good = folder.join("good").display().to_string();
    let daemon = Daemon::start_with(&folder, |program| {
        program
            .env("SLACK", &format!("{url}/services"))
            .env("PINGS", &url)
            .env("ALERTMANAGER", &url)
            .env("SENDMAIL", &sendmail)
            .env("SMTP_URL", relay)
            .env("COPY_SOURCE", &good)
    });
    daemon.wait_until_ready();
    (folder, daemon)
}

#[test]
fn each_recipe_tells_its_receiver_what_it_wants_to_read() {
    let sink = StandIn::start(|_| (200, "ok".to_owned()));
    let (relay, mail) = mail_server();
    let (folder, daemon) = example(&sink, &relay);
    let of = |line: &str| {
        let seen = sink.seen();
        let found = seen.iter().find(|request| request.line == line);
        found.map(|request| request.body.clone())
    };
    let failed = ask(&daemon, &folder, "trigger nightly-copy --wait");
    assert_eq!(failed.code, Some(1), "{failed}");
    let body = until("Slack hears of it", || {
        of("POST /services/T0/B0/secret-end")
    });
    let slack: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(slack["text"], "*nightly-copy* failure: failed exit (1×)");
    assert_eq!(slack["blocks"].as_array().unwrap().len(), 3, "{slack}");
    let body = until("the ping service", || {
        of("POST /the-ping-key/nightly-copy/fail")
    });
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap()["exit_code"],
        1
    );
    let body = until("Alertmanager", || of("POST /api/v2/alerts"));
    let alerts: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(alerts[0]["labels"]["job_name"], "nightly-copy");
    assert_eq!(alerts[0]["endsAt"], "2099-01-01T00:00:00Z");
    let letter = until("sendmail", || {
        let got = folder.read("sendmail.got");
        got.ends_with("}\n").then_some(got)
    });
    assert!(
        letter.starts_with("To: ops@example.com\nSubject: [elder] nightly-copy: failure\n"),
        "{letter}"
    );
    assert!(letter.contains("\n\nexit code 1\n\n{"), "{letter}");
    until("the relay", || {
        let lines = mail.lock().unwrap();
        lines.iter().any(|line| line == ".").then_some(())
    });
    let lines = mail.lock().unwrap().join("\n");
    for want in [
        "RCPT TO:<ops@example.com>",
        "Subject: [elder] nightly-copy: failure",
        "exit code 1",
    ] {
        assert!(lines.contains(want), "{want}: {lines}");
    }

    folder.write("good", "");
    let fine = ask(&daemon, &folder, "trigger nightly-copy --wait");
    assert_eq!(fine.code, Some(0), "{fine}");
    until("a success pings", || of("GET /the-ping-key/nightly-copy"));
    let resolved = until("Alertmanager hears that it is over", || {
        let seen = sink.seen();
        let mut alerts = seen
            .iter()
            .filter(|request| request.line == "POST /api/v2/alerts");
        alerts.nth(1).map(|request| request.body.clone())
    });
    let resolved: Value = serde_json::from_str(&resolved).unwrap();
    assert_eq!(resolved[0]["labels"], alerts[0]["labels"]);
    let ends: jiff::Timestamp = resolved[0]["endsAt"].as_str().unwrap().parse().unwrap();
    assert!(ends <= crate::support::now());
    until("Slack hears that it is over", || {
        let seen = sink.seen();
        seen.iter()
            .any(|request| request.body.contains("recovery: success"))
            .then_some(())
    });
    // The address is a secret: no line of the log has it, though each names its sage.
    assert!(!daemon.log().iter().any(|line| line.contains("secret-end")));
    daemon.stop();
}

#[test]
fn a_job_tells_a_ping_service_of_its_start_by_itself() {
    let sink = StandIn::start(|_| (200, "ok".to_owned()));
    let (folder, daemon) = example(&sink, "smtp://127.0.0.1:9");
    let fine = ask(&daemon, &folder, "trigger nightly-index --wait");
    assert_eq!(fine.code, Some(0), "{fine}");
    let lines = until("its end is told", || {
        let lines: Vec<String> = sink
            .seen()
            .into_iter()
            .map(|request| request.line)
            .collect();
        (lines.len() == 2).then_some(lines)
    });
    let want = [
        "GET /the-ping-key/nightly-index/start",
        "GET /the-ping-key/nightly-index",
    ];
    assert_eq!(lines, want);
    daemon.stop();
}
