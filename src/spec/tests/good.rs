//! What a person may write, and what it means.

use std::time::Duration;

use super::*;
use crate::model::{Action, Body, Command, Grace, Json, Overlap, Part, SecretSource, StatusSet};

#[test]
fn the_example_of_the_contract_is_good() {
    let text = r#"
# yaml-language-server: $schema=../schema/elder.schema.json
defaults:
  timezone: Asia/Tokyo

jobs:
  system-cleanup:
    description: Delete temporary files older than a week
    schedule: { daily: "02:00" }
    run: ./scripts/cleanup.sh

  health-check:
    schedule: { every: 5m }
    http: https://shop.example.com/healthz

  billing:
    schedule: { at: 2027-09-20T15:00:00+09:00 }
    http:
      method: POST
      url: https://example.com/billing/run
      headers: { Authorization: "Bearer ${secrets.BILLING_TOKEN}" }
      json: { month: "2027-09" }
    secrets: { BILLING_TOKEN: { file: /run/secrets/billing } }
    retry: { max: 2, backoff: 2s }
"#;
    let file = file(text);
    assert!(file.findings.is_empty(), "{}", shown(&file.findings));
    let [cleanup, health, billing]: [Arc<Definition>; 3] = file
        .jobs
        .iter()
        .map(|job| job.definition.clone())
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    assert_eq!(&*cleanup.schedule_text, "daily: \"02:00\"");
    assert_eq!(&*cleanup.timezone, "Asia/Tokyo");
    assert_eq!(cleanup.context.cwd.as_deref(), Some(Path::new("/srv/jobs")));
    assert_eq!(cleanup.policy.timeout, Some(Duration::from_secs(86_400)));
    assert_eq!(&*health.schedule_text, "every: 5m");
    assert_eq!(health.policy.timeout, Some(Duration::from_secs(60)));
    let Action::Http(request) = &billing.action else {
        panic!("billing is a request")
    };
    assert_eq!(&*request.method, "POST");
    assert_eq!(
        request.headers[0].1.parts(),
        [
            Part::Literal("Bearer ".into()),
            Part::Secret("BILLING_TOKEN".into())
        ]
    );
    assert_eq!(
        request.body,
        Body::Json(Json::Object(vec![(
            "month".into(),
            Json::String(crate::model::Text::plain("2027-09"))
        )]))
    );
    assert_eq!(billing.policy.retry.max, 2);
    assert_eq!(file.jobs[0].origin.line, 7);
    assert_eq!(&*file.jobs[0].origin.file, "jobs.d/a.yaml");
}
