//! The way back: what becomes the store, what does not, and what is kept.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::store::Restored;

fn restore(path: &Path, from: &Path) -> Result<Restored, StoreError> {
    SqliteStore::restore(path, from, at(1000))
}

/// A store with something in it, a backup of that, and one more row that only the store has.
async fn store_and_backup(folder: &Path) -> (std::path::PathBuf, std::path::PathBuf, String) {
    let (path, backup) = (folder.join("elder.db"), folder.join("backup.db"));
    let store = filled(&path).await;
    store.backup(backup.clone()).await.unwrap();
    let before = contents(&store).await;
    store.commit(vec![claim(fire("later", 50))]).await.unwrap();
    (path, backup, before)
}

#[tokio::test]
async fn a_backup_takes_the_place_of_the_store_which_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (path, backup, before) = store_and_backup(folder.path()).await;
    let after = contents(&open(&path)).await;
    let done = restore(&path, &backup).unwrap();
    let aside = done.aside.clone().unwrap();
    let name = aside.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("elder.db.before-restore-2"), "{name}");
    assert_eq!((done.jobs, done.runs), (2, 4));
    assert_eq!(contents(&open(&path)).await, before);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // And back again, from what was kept.
    fs::remove_file(&path).unwrap();
    let again = restore(&path, &aside).unwrap();
    assert_eq!(again.aside, None, "there was nothing to keep");
    assert_eq!(contents(&open(&path)).await, after);
    assert!(backup.exists() && aside.exists());
}

#[tokio::test]
async fn what_a_killed_elder_left_in_its_log_is_kept_and_can_be_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (path, backup, before) = store_and_backup(folder.path()).await;
    let store = open(&path);
    store.commit(vec![claim(fire("last", 60))]).await.unwrap();
    let after = contents(&store).await;
    // As a kill leaves it: the log is not played into the file.
    let killed = folder.path().join("killed");
    fs::create_dir(&killed).unwrap();
    for name in ["elder.db", "elder.db-wal"] {
        fs::copy(folder.path().join(name), killed.join(name)).unwrap();
    }
    let path = killed.join("elder.db");
    let aside = restore(&path, &backup).unwrap().aside.unwrap();
    assert_eq!(
        contents(&open(&path)).await,
        before,
        "no log of another store is played"
    );
    let other = killed.join("other.db");
    restore(&other, &aside).unwrap();
    assert_eq!(contents(&open(&other)).await, after);
}

#[tokio::test]
async fn a_store_in_use_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (path, backup, _) = store_and_backup(folder.path()).await;
    let _store = open(&path);
    let before = fs::read(&path).unwrap();
    let error = restore(&path, &backup).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn what_is_damaged_newer_or_foreign_is_refused_and_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (path, backup, _) = store_and_backup(folder.path()).await;
    let sound = fs::read(&backup).unwrap();
    let bad = folder.path().join("bad.db");
    type Damage = fn(&mut Vec<u8>);
    let cases: [(&str, Damage); 7] = [
        ("ends within its head", |bytes| bytes.truncate(50)),
        ("bytes", |bytes| bytes.truncate(bytes.len() / 2)),
        ("it is no SQLite file", |bytes| {
            *bytes = b"text\n".repeat(100)
        }),
        ("another program", |bytes| bytes[68..72].fill(7)),
        ("newer elder (version 7", |bytes| {
            bytes[60..64].copy_from_slice(&7u32.to_be_bytes());
        }),
        ("cannot be restored", |bytes| bytes[4096..].fill(0x5A)),
        ("cannot be restored", |bytes| {
            let last = bytes.len() - 4096;
            bytes[last - 4096..last].fill(0x5A);
        }),
    ];
    for (said, damage) in cases {
        let mut bytes = sound.clone();
        damage(&mut bytes);
        fs::write(&bad, bytes).unwrap();
        let before = files(folder.path());
        let error = restore(&path, &bad).unwrap_err().to_string();
        assert!(
            error.contains(said) && error.contains("bad.db"),
            "{said}: {error}"
        );
        assert!(!error.contains("put a backup in its place"), "{error}");
        assert_eq!(files(folder.path()), before, "{said}");
    }
    for (from, said) in [
        (path.clone(), "it is the store itself"),
        (folder.path().to_owned(), "it is no file"),
        (folder.path().join("none.db"), "cannot be reached"),
    ] {
        let error = restore(&path, &from).unwrap_err().to_string();
        assert!(error.contains(said), "{said}: {error}");
    }
}

#[tokio::test]
async fn nothing_that_was_kept_is_ever_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (path, backup, _) = store_and_backup(folder.path()).await;
    let aside = restore(&path, &backup).unwrap().aside.unwrap();
    let kept = fs::read(&aside).unwrap();
    let error = restore(&path, &backup).unwrap_err().to_string();
    assert!(error.contains("is there already"), "{error}");
    assert_eq!(fs::read(&aside).unwrap(), kept);
    let left: Vec<_> = files(folder.path())
        .into_keys()
        .filter(|name| name.contains("restoring"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn what_a_restore_that_was_cut_off_left_is_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let (path, backup, before) = store_and_backup(folder.path()).await;
    fs::write(folder.path().join("elder.db.restoring"), "half").unwrap();
    restore(&path, &backup).unwrap();
    assert_eq!(contents(&open(&path)).await, before);
}
