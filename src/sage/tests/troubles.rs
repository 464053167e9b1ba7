//! Elder's own troubles: what is told, and how often.

use super::*;

fn report(bad: &[&str], held: &[&str]) -> crate::model::ReloadReport {
    use crate::finding::{Code, Excerpt, Finding, Place, Severity};
    let finding = |file: &&str| Finding {
        code: Code::BadName,
        severity: Severity::Error,
        at: Excerpt {
            place: Place {
                line: 3,
                ..Place::file((*file).into())
            },
            line: String::new(),
            label: String::new(),
        },
        also: None,
        message: "no name".to_owned(),
        help: String::new(),
    };
    crate::model::ReloadReport {
        result: crate::model::ReloadResult::Partial,
        trigger: crate::model::ReloadTrigger::Poll,
        at: second(0),
        took: Duration::ZERO,
        added: 0,
        rescheduled: 0,
        renamed: 0,
        changed: 0,
        removed: 0,
        touched: Vec::new(),
        held: held.iter().map(ToString::to_string).collect(),
        waits: None,
        will_not_fire_today: Vec::new(),
        jobs: 0,
        files: 3,
        findings: bad.iter().map(finding).collect(),
        revision: None,
        author: Some("Ada".into()),
        content_hash: "aa".into(),
    }
}

#[tokio::test]
async fn elders_own_troubles_are_told_once_each() {
    let bench = Bench::new(&["s"]);
    let sink = bench.sink.clone();
    let reload = |bad: &[&str], held: &[&str]| {
        bench.herald.observe(&Event::Reloaded(&report(bad, held)));
    };
    let heard = |count: usize| {
        let sink = sink.clone();
        async move {
            let all = |sink: &Sink| (sink.result("s", "delivered") == count as u64).then_some(());
            sink.until("told", all).await;
            let heard = sink.heard.lock().unwrap();
            let (_, body, _) = heard.last().unwrap();
            (
                body["event"].as_str().unwrap().to_owned(),
                body["names"].clone(),
                body["reason"].clone(),
            )
        }
    };
    reload(&["a.yaml"], &[]);
    let (event, names, reason) = heard(1).await;
    assert_eq!(
        (event.as_str(), &names[0]),
        ("config_rejected", &"a.yaml".into())
    );
    assert!(reason.as_str().unwrap().contains("a.yaml:3: "), "{reason}");
    // The same badness again is no news; another file is.
    reload(&["a.yaml"], &[]);
    reload(&["a.yaml", "b.yaml"], &[]);
    let (event, names, _) = heard(2).await;
    assert_eq!(
        (event.as_str(), &names),
        ("config_rejected", &serde_json::json!(["b.yaml"]))
    );
    reload(&["a.yaml", "b.yaml"], &["x"]);
    assert_eq!(heard(3).await.0, "config_held");
    // A change that waits for the end of a freeze is held, too, and told of once.
    let frozen = crate::model::ReloadReport {
        waits: Some("held until noon".to_owned()),
        revision: Some("3f2a91c".into()),
        ..report(&["a.yaml", "b.yaml"], &["x"])
    };
    bench.herald.observe(&Event::Reloaded(&frozen));
    bench.herald.observe(&Event::Reloaded(&frozen));
    let (event, names, reason) = heard(4).await;
    assert_eq!(event, "config_held");
    assert_eq!(names, serde_json::json!(["the change to 3f2a91c"]));
    assert_eq!(reason, "held until noon");
    let lost = |reason| Event::SourceState {
        path: "jobs.d",
        reason,
    };
    bench.herald.observe(&lost(Some("it is gone")));
    assert_eq!(heard(5).await.0, "source_lost");
    bench.herald.observe(&lost(None));
    reload(&[], &[]);
    reload(&["a.yaml"], &[]);
    assert_eq!(
        heard(6).await.0,
        "config_rejected",
        "it was over and begins again"
    );
    let (_, store, _) = bench.end().await;
    let said = store.recall().await.unwrap().said;
    assert_eq!(
        said,
        [(
            "elder/config_rejected".to_owned(),
            "[\"a.yaml\"]".to_owned()
        )]
    );
    let standing = decide::Standing::of(&said);
    assert_eq!(standing.get(SageEvent::ConfigRejected).len(), 1);
}
