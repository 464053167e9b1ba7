//! One elder per store, other programs beside it, and who may read the file.

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

use super::*;
use crate::store::sqlite::lock;

#[tokio::test]
async fn a_second_handle_is_refused_with_the_holders_pid_until_the_first_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    let store = open(&path);
    let error = refusal(&path);
    let us = std::process::id();
    assert!(
        matches!(&error, StoreError::Locked { pid, .. } if *pid == us),
        "{error}"
    );
    assert!(error.to_string().contains(&us.to_string()));
    drop(store);
    open(&path);
}

#[tokio::test]
async fn another_way_to_the_same_file_meets_the_same_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    let _store = open(&path);
    symlink(&path, folder.path().join("link.db")).unwrap();
    symlink(folder.path(), folder.path().join("here")).unwrap();
    for other in ["link.db", "here/elder.db", "../x/../elder.db"] {
        std::fs::create_dir_all(folder.path().join("x")).unwrap();
        let other = folder.path().join(other.replace("../x/../", "x/../"));
        let error = refusal(&other);
        assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    }
}

#[test]
fn another_process_that_holds_the_lock_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    let place = lock::beside(&path);
    let script = r#"echo $$ > "$1"; echo held; read -r line"#;
    let holder = Command::new("flock")
        .arg(&place)
        .args(["sh", "-c", script, "sh"])
        .arg(&place)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut holder = match holder {
        Ok(holder) => holder,
        Err(error) => return eprintln!("not tried: no flock program ({error})"),
    };
    let mut line = String::new();
    let mut said = BufReader::new(holder.stdout.take().unwrap());
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    let held_by: u32 = fs::read_to_string(&place).unwrap().trim().parse().unwrap();
    let error = refusal(&path);
    assert!(
        matches!(&error, StoreError::Locked { pid, .. } if *pid == held_by),
        "{error}"
    );
    assert!(!path.exists(), "a refused elder makes no file");
    drop(holder.stdin.take());
    holder.wait().unwrap();
    open(&path);
}

#[tokio::test]
async fn another_program_in_the_file_holds_writes_up_and_then_they_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_with(&path, low()).unwrap());
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.commit(vec![claim(fire("a", 1))]).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Unavailable(text) if text.contains("another program")),
        "{error}"
    );
    assert!(store.check().await.is_err());
    assert_eq!(all(&store).await, [], "reading goes on");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(one(&store, claim(fire("a", 1))).await, Written::Done);
    store.check().await.unwrap();
}

#[tokio::test]
async fn only_the_owner_may_read_what_elder_writes() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state/deep");
    let path = state.join("elder.db");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let store = filled(&path).await;
    for made in [folder.path().join("state"), state.clone()] {
        assert_eq!(mode(&made), 0o700, "{}", made.display());
    }
    let entries = fs::read_dir(&state).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| {
            let entry = entry.unwrap();
            assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.file_name());
            entry.file_name().into_string().unwrap()
        })
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["elder.db", "elder.db-shm", "elder.db-wal", "elder.db.lock"]
    );
    drop(store);
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    open(&path);
    assert_eq!(mode(&path), 0o600, "a wide mode is narrowed");
}

#[test]
fn a_lock_that_is_let_go_within_moments_is_waited_for() {
    use rustix::fs::{FlockOperation, flock};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    let place = lock::beside(&path);
    // As a child that a killed elder was just starting: it has the lock until it is a program of its own.
    let holder = fs::File::create(&place).unwrap();
    flock(&holder, FlockOperation::NonBlockingLockExclusive).unwrap();
    let letting_go = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(150));
        drop(holder);
    });
    open(&path);
    letting_go.join().unwrap();
}
