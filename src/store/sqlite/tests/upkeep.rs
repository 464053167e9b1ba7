//! Backups, tidying, the size of the log, and that reading never walks through all rows.

use std::path::PathBuf;

use super::*;
use crate::model::History;
use crate::store::conformance::outbox::entry;
use crate::store::sqlite::queries;
use crate::store::{AUDIT_ROWS, AuditQuery, Cursor, RunQuery};

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |data| data.len())
}

fn with_output(second: i64, bytes: usize) -> Vec<Write> {
    let run = fire("a", second);
    let output = Output {
        head: vec![second as u8; bytes],
        tail: Vec::new(),
        total: bytes as u64,
    };
    vec![
        claim(run.clone()),
        Write::Update {
            run: Box::new(ended(run, Outcome::Success)),
            output: Some(output),
        },
    ]
}

#[tokio::test]
async fn a_backup_is_a_store_with_everything_that_was_answered_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(&folder.path().join("elder.db")).await;
    let to = folder.path().join("backups/today.db");
    // What a crash left of an earlier try.
    fs::create_dir(to.parent().unwrap()).unwrap();
    fs::write(folder.path().join("backups/today.db.partial"), "half").unwrap();
    store.backup(to.clone()).await.unwrap();
    let names: Vec<String> = files(to.parent().unwrap()).into_keys().collect();
    assert_eq!(names, ["today.db"]);
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(
        fs::metadata(&to).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let before = contents(&store).await;
    one(&store, claim(fire("a", 1000))).await;
    assert_eq!(contents(&open(&to)).await, before);
}

#[tokio::test]
async fn what_others_laid_where_a_backup_is_made_is_not_written_through() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(&folder.path().join("elder.db")).await;
    let precious = folder.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    let traps = folder.path().join("traps");
    fs::create_dir(&traps).unwrap();
    let trap = |name: &str| traps.join(format!("{name}.db.partial"));
    std::os::unix::fs::symlink(&precious, trap("link")).unwrap();
    fs::hard_link(&precious, trap("name")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, trap("pipe"), rustix::fs::Mode::RWXU).unwrap();
    fs::create_dir(trap("folder")).unwrap();
    for name in ["link", "name", "pipe", "folder"] {
        let to = traps.join(format!("{name}.db"));
        let soon = tokio::time::timeout(Duration::from_secs(20), store.backup(to.clone()));
        let refused = soon.await.expect("nobody is waited for").unwrap_err();
        assert!(refused.to_string().contains(".partial"), "{refused}");
        assert!(to.symlink_metadata().is_err(), "{name}");
        assert!(
            trap(name).symlink_metadata().is_ok(),
            "{name} is not elder's to remove"
        );
    }
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    // A folder that is reached through a link is none of that.
    std::os::unix::fs::symlink(&traps, folder.path().join("way")).unwrap();
    store
        .backup(folder.path().join("way/good.db"))
        .await
        .unwrap();
    assert!(traps.join("good.db").is_file());
}

#[tokio::test]
async fn a_backup_never_passes_for_a_file_of_the_store_itself() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(&folder.path().join("elder.db")).await;
    for suffix in ["-journal", "-wal", "-shm", ".lock"] {
        let to = folder.path().join(format!("elder.db{suffix}"));
        let there = to.exists();
        assert!(store.backup(to.clone()).await.is_err(), "{suffix}");
        assert_eq!(to.exists(), there, "{suffix}");
    }
}

#[tokio::test]
async fn a_backup_is_whole_while_many_write() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("elder.db"));
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let writers: Vec<_> = (0..4)
        .map(|job| {
            let (store, stopped) = (Arc::clone(&store), stopped.clone());
            tokio::spawn(async move {
                let mut second = 0;
                while !*stopped.borrow() {
                    second += 1;
                    let pair = ["x", "y"].map(|side| claim(fire(&format!("{side}{job}"), second)));
                    store.commit(pair.into()).await.unwrap();
                }
            })
        })
        .collect();
    let mut copies = Vec::new();
    while copies.len() < 3 {
        let to = folder.path().join(format!("copy-{}.db", copies.len()));
        store.backup(to.clone()).await.unwrap();
        copies.push(to);
    }
    stop.send(true).unwrap();
    for writer in writers {
        writer.await.unwrap();
    }
    let mut last = 0;
    for copy in copies {
        let rows = all(&open(&copy)).await;
        assert!(rows.len() >= last && rows.len().is_multiple_of(2));
        last = rows.len();
    }
}

#[tokio::test]
async fn a_backup_replaces_nothing_and_needs_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    let store = filled(&path).await;
    let other = folder.path().join("other");
    fs::write(&other, "precious").unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
    for (to, said) in [
        ("other", "is there already"),
        ("elder.db", "is there already"),
        ("link", "is there already"),
        ("a/b/copy.db", "cannot be made"),
        ("other/copy.db", "cannot be made"),
    ] {
        let before = files(folder.path());
        let error = store.backup(folder.path().join(to)).await.unwrap_err();
        assert!(error.to_string().contains(said), "{to}: {error}");
        assert!(files(folder.path()) == before, "{to}");
    }
    assert_eq!(fs::read_to_string(other).unwrap(), "precious");
    let twice = folder.path().join("twice.db");
    store.backup(twice.clone()).await.unwrap();
    assert!(store.backup(twice).await.is_err());
}

#[tokio::test]
async fn the_log_stays_small_and_shrinks_when_a_long_reader_lets_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    let log = folder.path().join("elder.db-wal");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_with(&path, low()).unwrap());
    for second in 1..=100 {
        store.commit(with_output(second, 32 << 10)).await.unwrap();
        assert!(size(&log) < 512 << 10, "{}", size(&log));
    }
    let reader = Connection::open(&path).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM runs;")
        .unwrap();
    for second in 101..=140 {
        store.commit(with_output(second, 32 << 10)).await.unwrap();
    }
    let grown = size(&log);
    assert!(grown > 1 << 20, "the reader held nothing up: {grown}");
    drop(reader);
    for second in 141..=240 {
        store.commit(with_output(second, 32 << 10)).await.unwrap();
    }
    assert!(size(&log) < 512 << 10, "{}", size(&log));
    assert_eq!(all(&store).await.len(), 240);
}

#[tokio::test]
async fn optimize_gives_back_what_pruning_freed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    let store = open(&path);
    for second in 1..=40 {
        store.commit(with_output(second, 256 << 10)).await.unwrap();
    }
    store.optimize().await.unwrap();
    let full = size(&path);
    assert!(full > 9 << 20, "{full}");
    let bounds = History {
        keep: 3,
        ..History::default()
    };
    assert_eq!(store.prune(bounds, at(999), 1000).await.unwrap(), 37);
    store.optimize().await.unwrap();
    let left = size(&path);
    assert!(left < full / 4, "{left} of {full}");
    assert_eq!(size(&folder.path().join("elder.db-wal")), 0);
    assert_eq!(all(&store).await.len(), 3);
}

/// How SQLite goes about a statement.
fn plan(conn: &Connection, text: &str, values: Vec<rusqlite::types::Value>) -> String {
    let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {text}")).unwrap();
    let lines: Vec<String> = explain
        .query_map(rusqlite::params_from_iter(values), |row| row.get(3))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    lines.join("\n")
}

#[tokio::test]
async fn no_question_walks_through_all_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("elder.db");
    let store = open(&path);
    // The plans are these for an empty store and for a filled and tidied one.
    for round in 0..2 {
        let conn = Connection::open(&path).unwrap();
        let page = |query: RunQuery| {
            let (text, values) = queries::page_statement(&query, 100);
            plan(&conn, &text, values)
        };
        let after = Some(Cursor {
            scheduled_at: at(5),
            id: fire("a", 5).id,
        });
        let first = RunQuery {
            limit: 100,
            ..RunQuery::default()
        };
        let further = RunQuery {
            after,
            since: Some(at(0)),
            ..first.clone()
        };
        let of_job = RunQuery {
            job: Some(name("a")),
            ..further.clone()
        };
        let number = rusqlite::types::Value::Integer;
        let plans = [
            page(first),
            page(further.clone()),
            page(of_job.clone()),
            page(RunQuery {
                outcomes: vec![Outcome::Failed, Outcome::Missed],
                ..further.clone()
            }),
            plan(&conn, queries::AGED, vec![number(1), number(1)]),
            plan(
                &conn,
                queries::TO_COME,
                vec![number(1), number(1), number(1)],
            ),
            plan(
                &conn,
                queries::AGED_OF,
                vec![number(1), number(1), number(1)],
            ),
            plan(
                &conn,
                queries::OLDEST,
                vec![number(1), number(1), number(1)],
            ),
        ];
        for plan in plans {
            for line in plan.lines() {
                // Along an index in its order, as far as the limit goes.
                let walks = ["SCAN runs", "SCAN jobs"]
                    .iter()
                    .any(|it| line.starts_with(it))
                    && !line.contains("runs_time")
                    && !line.contains("runs_amiss")
                    // It holds the jobs alone that have bounds of their own.
                    && !line.contains("jobs_kept");
                assert!(!walks, "round {round}:\n{plan}");
            }
        }
        // All of one job's rows are found by its own indexes.
        let plan = page(of_job);
        assert!(
            plan.contains("runs_job (job=?") && plan.contains("runs_open (job=?"),
            "{plan}"
        );
        drop(conn);
        let claims = (1..=500).flat_map(|second| {
            let asked = asked("a", second, &second.to_string());
            [
                claim(ended(fire("a", second), Outcome::Success)),
                claim(asked),
            ]
        });
        store.commit(claims.collect()).await.unwrap();
        store.optimize().await.unwrap();
    }
}

#[tokio::test]
async fn the_audit_trail_keeps_so_many_rows_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    let store = open(&path);
    for second in 1..=4 {
        one(&store, Write::Audit(Box::new(entry(second)))).await;
    }
    drop(store);
    // As if all between the third and the fourth had been there.
    let last = i64::try_from(AUDIT_ROWS).unwrap() + 2;
    let other = Connection::open(&path).unwrap();
    let update = "UPDATE audit SET number = ?1 WHERE number = 4";
    assert_eq!(other.execute(update, [last]).unwrap(), 1);
    drop(other);
    let store = open(&path);
    store.prune(History::default(), at(5), 100).await.unwrap();
    let query = AuditQuery {
        limit: 10,
        ..AuditQuery::default()
    };
    let page = store.audit(query).await.unwrap();
    let left: Vec<_> = page.rows.iter().map(|(_, entry)| entry.at).collect();
    assert_eq!(left, [at(4), at(3)]);
}
