//! Files that are not to be touched: damaged, foreign, newer, or out of their place.

use std::os::unix::fs::symlink;

use super::*;

/// What a person or a disk may do to the file.
type Damage = fn(&mut Vec<u8>);

#[tokio::test]
async fn a_file_that_is_damaged_newer_or_foreign_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    drop(filled(&path).await);
    let sound = fs::read(&path).unwrap();
    assert!(sound.len() > 10 * 4096);
    let cases: [(&str, Damage, &str); 10] = [
        ("nothing is left", |bytes| bytes.clear(), "damaged"),
        (
            "a few bytes are left",
            |bytes| bytes.truncate(50),
            "damaged",
        ),
        (
            "half is left",
            |bytes| bytes.truncate(bytes.len() / 2),
            "damaged",
        ),
        (
            "half a page is missing",
            |bytes| bytes.truncate(bytes.len() - 2048),
            "damaged",
        ),
        (
            "the head is zeroed",
            |bytes| bytes[..100].fill(0),
            "no SQLite file",
        ),
        (
            "it is a text",
            |bytes| *bytes = b"not a database\n".repeat(100),
            "no SQLite file",
        ),
        (
            "its pages are overwritten",
            |bytes| bytes[4096..].fill(0x5A),
            "damaged",
        ),
        (
            "one page is overwritten",
            |bytes| {
                let last = bytes.len() - 4096;
                bytes[last - 4096..last].fill(0x5A);
            },
            "damaged",
        ),
        (
            "it is newer",
            |bytes| bytes[60..64].copy_from_slice(&7u32.to_be_bytes()),
            "version 7, this elder knows up to 6",
        ),
        (
            "it is another program's",
            |bytes| bytes[68..72].copy_from_slice(&7u32.to_be_bytes()),
            "another program",
        ),
    ];
    for (what, damage, said) in cases {
        let mut bytes = sound.clone();
        damage(&mut bytes);
        fs::write(&path, &bytes).unwrap();
        let before = BTreeMap::from([("elder.db".to_owned(), bytes)]);
        let error = refusal(&path);
        assert!(error.to_string().contains(said), "{what}: {error}");
        assert!(
            matches!(error, StoreError::Corrupt { .. } | StoreError::Newer { .. }),
            "{what}: {error}"
        );
        let mut after = files(folder.path());
        // Looking into the file may leave an empty log and its index; there was none to lose.
        after.remove("elder.db-shm");
        if after.get("elder.db-wal").is_some_and(Vec::is_empty) {
            after.remove("elder.db-wal");
        }
        assert!(after == before, "{what}: a file was touched");
    }
    fs::write(&path, &sound).unwrap();
    let store = open(&path);
    assert_eq!(all(&store).await.len(), 4, "the sound file opens as before");
}

#[tokio::test]
async fn a_file_of_the_same_kind_without_elders_tables_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    let foreign = Connection::open(&path).unwrap();
    foreign
        .execute_batch("CREATE TABLE notes (text TEXT)")
        .unwrap();
    drop(foreign);
    let error = refusal(&path).to_string();
    assert!(error.contains("another program"), "{error}");
}

#[tokio::test]
async fn a_table_that_somebody_took_away_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    let store = filled(&path).await;
    let other = Connection::open(&path).unwrap();
    other.execute_batch("DROP TABLE runs").unwrap();
    for error in [
        store.recall().await.unwrap_err(),
        store.commit(vec![claim(fire("a", 99))]).await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_value_that_elder_never_writes_is_damage_and_nothing_worse() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    let store = filled(&path).await;
    let other = Connection::open(&path).unwrap();
    for damage in [
        "UPDATE runs SET state = 'asleep'",
        "UPDATE runs SET state = 'running', outcome = 'fine'",
        "UPDATE runs SET outcome = NULL, count = -1",
        "UPDATE runs SET count = 1, http_status = 99999999",
        "UPDATE runs SET http_status = NULL, attempt = -1",
        "UPDATE runs SET attempt = 1, duration = -5",
        "UPDATE jobs SET name = '../' || id",
    ] {
        other.execute_batch(damage).unwrap();
        let query = crate::store::RunQuery {
            limit: 10,
            ..Default::default()
        };
        let error = store.runs(query).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Corrupt { .. }),
            "{damage}: {error}"
        );
        assert!(store.recall().await.is_err(), "{damage}");
    }
}

#[tokio::test]
async fn damage_behind_an_open_store_is_found_by_optimize() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    let store = filled(&path).await;
    store.optimize().await.unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let size = bytes.len();
    bytes[size - 8192..size - 4096].fill(0x5A);
    fs::write(&path, &bytes).unwrap();
    let error = store.optimize().await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn a_file_that_is_missing_beside_its_log_is_not_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    let store = filled(&path).await;
    let log = fs::read(folder.path().join("elder.db-wal")).unwrap();
    drop(store);
    fs::remove_file(&path).unwrap();
    fs::write(folder.path().join("elder.db-wal"), log).unwrap();
    let before = files(folder.path());
    let error = refusal(&path);
    let said = error.to_string();
    assert!(said.contains("is missing but its log is there"), "{said}");
    assert!(said.contains("elder.db-wal away with it"), "{said}");
    assert!(matches!(error, StoreError::Corrupt { .. }));
    assert!(files(folder.path()) == before);
    fs::remove_file(folder.path().join("elder.db-wal")).unwrap();
    assert_eq!(all(&open(&path)).await, []);
}

#[tokio::test]
async fn what_is_left_of_a_broken_off_beginning_is_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    for suffix in [".new", ".new-journal", ".new-wal"] {
        fs::write(super::super::schema::sibling(&path, suffix), "half").unwrap();
    }
    drop(open(&path));
    let names: Vec<String> = files(folder.path()).into_keys().collect();
    assert_eq!(names, ["elder.db"]);
}

#[tokio::test]
async fn a_path_that_is_no_place_for_a_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let here = |name: &str| folder.path().join(name);
    fs::create_dir(here("folder")).unwrap();
    fs::write(here("file"), "").unwrap();
    symlink(here("not/mounted.db"), here("link")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        here("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    for (path, said) in [
        ("folder", "no file"),
        ("file/elder.db", "file"),
        ("link", "link"),
        ("fifo", "no file"),
        ("a\0b", "a\0b"),
        ("..", ""),
    ] {
        let error = refusal(&here(path));
        assert!(
            matches!(&error, StoreError::Unavailable(text) if text.contains(said)),
            "{path}: {error}"
        );
    }
    assert!(!here("not").exists());
}
