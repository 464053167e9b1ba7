//! The commands that talk to a running elder, against a stand-in that is told what to answer.

use serde_json::{Value, json};

use super::support::{Finished, Folder, StandIn, elder};

/// Runs a command against a server that answers by the request line.
fn against(line: &str, answers: &[(&str, u16, Value)]) -> (Finished, StandIn) {
    let answers: Vec<_> = answers
        .iter()
        .map(|(line, status, body)| ((*line).to_owned(), *status, body.to_string()))
        .collect();
    let server = StandIn::start(move |request| {
        let known = answers
            .iter()
            .find(|(line, _, _)| request.line.starts_with(line));
        match known {
            Some((_, status, body)) => (*status, body.clone()),
            None => (404, json!({"detail": "nothing there"}).to_string()),
        }
    });
    let finished = elder(line).env("ELDER_SERVER", &server.url()).run();
    (finished, server)
}

#[test]
fn a_trigger_ends_as_its_run_did() {
    for (outcome, code) in [("success", 0), ("failed", 1), ("cancelled", 1)] {
        let (finished, server) = against(
            "trigger billing --wait",
            &[
                (
                    "POST /api/v1/jobs/billing/run",
                    202,
                    json!({"job_id": "billing", "run_id": "R1"}),
                ),
                (
                    "GET /api/v1/runs/R1",
                    200,
                    json!({"state": "done", "outcome": outcome}),
                ),
            ],
        );
        assert_eq!(finished.code, Some(code), "{outcome}: {finished}");
        assert!(finished.stdout.contains(outcome), "{finished}");
        assert_eq!(server.seen().len(), 2);
        let asked: Value = serde_json::from_str(&server.seen()[0].body).unwrap();
        assert_eq!(asked, json!({"trigger": "manual"}));
    }
}

#[test]
fn a_trigger_without_wait_says_which_run_it_began() {
    let begun = json!({"job_id": "billing", "run_id": "R1"});
    let run = ("POST /api/v1/jobs/billing/run", 202, begun.clone());
    let (finished, _) = against("trigger billing", std::slice::from_ref(&run));
    assert_eq!(finished.stdout, "billing: run R1 begins\n");
    let (finished, _) = against("trigger billing --format json", &[run]);
    assert_eq!(finished.json(), begun);
}

#[test]
fn what_stands_against_a_trigger_is_said_in_elders_own_words() {
    let path = "POST /api/v1/jobs/billing/run";
    for (status, detail, code) in [
        (409, "run R0 of billing is still running", 1),
        (404, "there is no job `billing`", 2),
        (401, "a token is needed", 2),
        (503, "the store does not answer", 2),
    ] {
        let answer = [(path, status, json!({"title": "No", "detail": detail}))];
        let (finished, _) = against("trigger billing", &answer);
        assert_eq!(finished.code, Some(code), "{status}: {finished}");
        assert!(finished.stderr.contains(detail), "{status}: {finished}");
        assert!(finished.stdout.is_empty(), "{status}: {finished}");
    }
}

#[test]
fn a_run_that_is_in_the_way_comes_with_the_commands_for_it() {
    let body = json!({"title": "Conflict", "detail": "R0 is in the way", "blocking_run": "R0"});
    let answer = [("POST /api/v1/jobs/billing/run", 409, body)];
    let (finished, _) = against("trigger billing", &answer);
    assert_eq!(finished.code, Some(1), "{finished}");
    for command in ["`elder logs R0 -f`", "`elder cancel R0`"] {
        assert!(finished.stderr.contains(command), "{finished}");
    }
}

#[test]
fn who_waits_with_a_token_that_is_refused_is_told_at_once() {
    for status in [401, 403] {
        let answer = [(
            "GET /api/v1/config",
            status,
            json!({"detail": "the token is not known"}),
        )];
        let (finished, server) = against("wait --revision 3f2a91c0 --timeout 1h", &answer);
        assert_eq!(finished.code, Some(2), "{finished}");
        assert!(
            finished.stderr.contains("the token is not known"),
            "{finished}"
        );
        assert!(finished.stderr.contains("--token-file"), "{finished}");
        assert_eq!(server.seen().len(), 1, "{finished}");
    }
}

#[test]
fn a_sync_ends_with_one_where_something_was_rejected_or_held() {
    let path = "POST /api/v1/config/sync";
    for (status, result, code) in [(200, "applied", 0), (422, "partial", 1), (409, "held", 1)] {
        let (finished, server) = against("sync", &[(path, status, json!({"result": result}))]);
        assert_eq!(finished.code, Some(code), "{finished}");
        assert!(finished.stdout.starts_with(result), "{finished}");
        assert_eq!(server.seen()[0].body, "{}");
    }
}

#[test]
fn a_prune_confirms_the_very_set_that_was_pending() {
    let config = json!({"pending_removals": ["a", "b"], "pending": "h7"});
    let answers = [
        ("GET /api/v1/config", 200, config),
        (
            "POST /api/v1/config/sync",
            200,
            json!({"result": "applied", "removed": 1}),
        ),
    ];
    for (line, want) in [
        ("sync --prune", json!({"prune": true, "pending": "h7"})),
        ("sync --prune a", json!({"prune": ["a"], "pending": "h7"})),
    ] {
        let (finished, server) = against(line, &answers);
        assert_eq!(finished.code, Some(0), "{line}: {finished}");
        let body: Value = serde_json::from_str(&server.seen()[1].body).unwrap();
        assert_eq!(body, want, "{line}");
    }
    let (finished, server) = against("sync --prune c", &answers);
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(finished.stderr.contains("these do: a, b"), "{finished}");
    assert_eq!(server.seen().len(), 1, "nothing was confirmed");
}

#[test]
fn a_backup_names_the_file_as_the_daemon_would_find_it() {
    let server = StandIn::start(|request| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let made = body["to"].as_str().unwrap_or("/state/backups/new.db");
        (200, json!({"path": made, "bytes": 1}).to_string())
    });
    let folder = Folder::new();
    let own = elder("backup").env("ELDER_SERVER", &server.url()).run();
    assert_eq!(own.stdout, "/state/backups/new.db\n", "{own}");
    let finished = elder("backup copy.db")
        .within(folder.path())
        .env("ELDER_SERVER", &server.url())
        .run();
    assert_eq!(finished.code, Some(0), "{finished}");
    let file = folder.path().canonicalize().unwrap().join("copy.db");
    assert_eq!(finished.stdout.trim(), file.to_str().unwrap());
    let body: Value = serde_json::from_str(&server.seen()[1].body).unwrap();
    assert_eq!(body["to"], file.to_str().unwrap());
}

#[test]
fn the_token_of_this_machine_is_found_by_port_and_a_file_wins_over_it() {
    let server = StandIn::start(|_| (200, "{}".to_owned()));
    let folder = Folder::new();
    folder.write(&format!("elder/{}.token", server.port()), "from-runtime\n");
    let other = folder.write("other.token", "from-file\n");
    let runtime = folder.path().display().to_string();
    let call = |line: &str| {
        let program = elder(line).env("ELDER_SERVER", &server.url());
        program.env("XDG_RUNTIME_DIR", &runtime).run()
    };
    call("optimize");
    call(&format!("optimize --token-file {}", other.display()));
    let tokens: Vec<_> = server
        .seen()
        .iter()
        .map(|request| {
            request
                .head
                .split("bearer ")
                .nth(1)
                .unwrap_or("none")
                .to_owned()
        })
        .map(|rest| rest.lines().next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(tokens, ["from-runtime", "from-file"]);
    let finished = call("optimize --token-file nowhere");
    assert_eq!(finished.code, Some(2), "{finished}");
    assert_eq!(server.seen().len(), 2, "nothing was sent without it");
}

#[test]
fn a_report_is_a_table_for_people_and_json_for_programs() {
    let report = json!({
        "since": "2027-01-01T00:00:00Z", "until": "2027-01-02T00:00:00Z",
        "jobs": [{"job_id": "billing", "outcomes": {"success": 3}, "total_duration_seconds": 6.0}],
    });
    let answers = [("GET /api/v1/summary?since=", 200, report.clone())];
    let (finished, _) = against("report --since 24h", &answers);
    assert_eq!(finished.code, Some(0), "{finished}");
    assert!(finished.stdout.contains("billing"), "{finished}");
    let (finished, _) = against("report --format json", &answers);
    assert_eq!(finished.json(), report);
}

#[test]
fn something_else_that_answers_is_no_elder() {
    let server = StandIn::start(|_| (200, "<html>hello</html>".to_owned()));
    let finished = elder("optimize").env("ELDER_SERVER", &server.url()).run();
    assert_eq!(finished.code, Some(2), "{finished}");
    assert!(
        finished.stderr.contains("does not answer like an elder"),
        "{finished}"
    );
}
