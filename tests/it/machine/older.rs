//! Stores of older elders. `stores/` keeps one of each version, as `kill -9` left it, so that every
//! later step has real input: who adds a step adds the store of the version before it.

use rusqlite::Connection;

use crate::support::{Daemon, Folder, ledger};

const STORES: [&str; 5] = [
    include_str!("stores/version_1.sql"),
    include_str!("stores/version_2.sql"),
    include_str!("stores/version_3.sql"),
    include_str!("stores/version_4.sql"),
    include_str!("stores/version_5.sql"),
];

/// The jobs that were in force, but for one that was gone by then.
const JOBS: &str = r#"
jobs:
  good:
    schedule: { every: 300ms }
    run: 'echo well done'
  failing:
    schedule: { every: 500ms }
    retry: { max: 1, backoff: 100ms }
    run: 'echo oh no >&2; exit 3'
  slow:
    schedule: { every: 200ms }
    run: 'sleep 30'
  between:
    schedule: manual
    retry: { max: 3, backoff: 1h }
    run: 'exit 1'
"#;

#[test]
fn every_older_store_is_brought_up_to_date_with_all_that_it_holds() {
    for (index, text) in STORES.iter().enumerate() {
        let version = index + 1;
        let folder = Folder::with(&[("jobs.d/shop.yaml", JOBS)]);
        std::fs::create_dir_all(folder.join("state")).unwrap();
        let file = folder.join("state/elder.db");
        let store = Connection::open(&file).unwrap();
        store.execute_batch(text).unwrap();
        let mark = |job: &str| -> i64 {
            let store = Connection::open(&file).unwrap();
            let ask = "SELECT mark FROM jobs WHERE name = ?1";
            store.query_row(ask, [job], |row| row.get(0)).unwrap()
        };
        let before = ["good", "failing", "slow", "between", "gone"].map(mark);
        let count = |job: &str, outcome: &str| -> u32 {
            let ask = "SELECT count(*) FROM runs JOIN jobs ON runs.job = jobs.id WHERE jobs.name = ?1 AND outcome = ?2";
            store
                .query_row(ask, [job, outcome], |row| row.get(0))
                .unwrap()
        };
        let (successes, failures) = (count("good", "success"), count("failing", "failed"));
        assert!(successes > 10 && failures > 5, "version {version}");
        drop(store);
        let daemon = Daemon::start(&folder);
        let of = |job: &str, outcome: &str| {
            let rows = ledger::rows(&daemon, job);
            let mut rows: Vec<_> = rows
                .into_iter()
                .filter(|it| it.outcome == outcome)
                .collect();
            let last = i128::from(*before.iter().max().unwrap());
            rows.retain(|row| row.first.as_nanosecond() <= last);
            rows
        };
        let good = of("good", "success");
        assert_eq!(
            good.len(),
            successes as usize,
            "version {version}: {good:?}"
        );
        let whole = daemon.get(&format!("/api/v1/runs/{}", good[0].id));
        assert_eq!(whole.json()["output"], "well done\n", "version {version}");
        let failed = of("failing", "failed");
        assert!(
            failed.len() == failures as usize && failed.iter().all(|row| row.attempt == 2),
            "{failed:?}"
        );
        // What ran when that elder died, and what it did not run meanwhile.
        assert_eq!(of("slow", "interrupted").len(), 1, "version {version}");
        assert!(
            of("slow", "skipped").iter().any(|row| row.count > 10),
            "version {version}"
        );
        // A run between two attempts is known by its request, and goes on.
        let bearer = format!("Bearer {}", daemon.token());
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/json"),
            ("Idempotency-Key", "asked-once"),
        ];
        let again = daemon.send("POST", "/api/v1/jobs/between/run", &headers, "{}");
        assert_eq!(
            again.json()["repeated"],
            true,
            "version {version}: {again:?}"
        );
        assert_eq!(daemon.get("/api/v1/jobs/gone").status, 404);
        daemon.kill();
        let after = ["good", "failing", "slow", "between", "gone"].map(mark);
        assert!(
            before.iter().zip(after).all(|(old, new)| *old <= new),
            "{before:?} {after:?}"
        );
        let store = Connection::open(&file).unwrap();
        let now: u32 = store
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        let now = usize::try_from(now).unwrap();
        assert!(now >= STORES.len(), "version {version} became {now}");
        assert!(
            now <= STORES.len() + 1,
            "stores/ lacks the store of version {}",
            now - 1
        );
    }
}
