//! Disks that are full or read-only, and that the store goes on when they no longer are.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use super::*;

/// A small file system of its own.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// `None` where mounting is not allowed; then the reason is printed.
    fn of(size: &str) -> Option<Self> {
        let disk = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let options = format!("size={size},mode=0700");
        disk.mount(&["-t", "tmpfs", "-o", &options, "tmpfs"])
            .then_some(disk)
    }

    fn mount(&self, arguments: &[&str]) -> bool {
        let mount = Command::new("mount")
            .args(arguments)
            .arg(self.folder.path())
            .output();
        match mount {
            Ok(done) if done.status.success() => true,
            Ok(done) => {
                let why = String::from_utf8_lossy(&done.stderr);
                eprintln!("not tried: mount is refused: {why}");
                false
            }
            Err(error) => {
                eprintln!("not tried: no mount program: {error}");
                false
            }
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Takes all the space that is left.
    fn fill(&self) -> PathBuf {
        let path = self.at("filler");
        let mut file = fs::File::create(&path).unwrap();
        for size in [64 << 10, 4096] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("-l")
            .arg(self.folder.path())
            .status();
    }
}

fn is_full(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(text) if text.contains("disk"))
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_half_written_and_it_goes_on_when_there_is_space() {
    let Some(disk) = Disk::of("2m") else { return };
    let path = disk.at("elder.db");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_with(&path, low()).unwrap());
    one(&store, seen("a", 0)).await;
    let filler = disk.fill();
    let mut answered = Vec::new();
    let mut refused = 0;
    for second in 1..=400 {
        let writes = vec![claim(fire("a", second)), claim(fire("b", second))];
        match store.commit(writes).await {
            Ok(_) => answered.push(second),
            Err(error) => {
                assert!(is_full(&error), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "the disk never filled up");
    assert!(is_full(&store.check().await.unwrap_err()));
    // Reading goes on, and shows what was answered and nothing else.
    let seconds = |rows: Vec<Run>, job: &str| -> Vec<i64> {
        let mut seconds: Vec<i64> = rows
            .iter()
            .filter(|run| run.job.as_str() == job)
            .map(|run| run.scheduled_at.as_second() - at(0).as_second())
            .collect();
        seconds.sort_unstable();
        seconds
    };
    let rows = all(&store).await;
    assert_eq!(seconds(rows.clone(), "a"), answered);
    assert_eq!(seconds(rows, "b"), answered);
    let marked = mark_of(&store, "a").await.unwrap().mark;
    assert_eq!(marked, at(answered.last().copied().unwrap_or(0)));

    fs::remove_file(filler).unwrap();
    store.check().await.unwrap();
    assert_eq!(one(&store, claim(fire("a", 500))).await, Written::Done);
    answered.push(500);
    drop(store);
    let store = open(&path);
    assert_eq!(seconds(all(&store).await, "a"), answered);
    store.optimize().await.unwrap();
}

#[tokio::test]
async fn a_batch_that_finds_no_space_in_its_middle_leaves_nothing() {
    let Some(disk) = Disk::of("2m") else { return };
    let store = open(&disk.at("elder.db"));
    let run = fire("a", 1);
    one(&store, claim(run.clone())).await;
    let before = contents(&store).await;
    let large = Output {
        head: vec![7; 8 << 20],
        tail: Vec::new(),
        total: 8 << 20,
    };
    let writes = vec![
        claim(fire("a", 2)),
        Write::Update {
            run: Box::new(ended(run, Outcome::Success)),
            output: Some(large),
        },
        claim(fire("b", 3)),
    ];
    let error = store.commit(writes).await.unwrap_err();
    assert!(is_full(&error), "{error}");
    assert_eq!(contents(&store).await, before);
    assert_eq!(one(&store, claim(fire("a", 2))).await, Written::Done);
}

#[tokio::test]
async fn a_new_store_on_a_full_disk_is_not_left_half_made() {
    let Some(disk) = Disk::of("512k") else { return };
    let filler = disk.fill();
    let error = refusal(&disk.at("elder.db"));
    assert!(
        matches!(&error, StoreError::Unavailable(text) if text.contains("disk") || text.contains("space")),
        "{error}"
    );
    let names: Vec<String> = files(disk.folder.path()).into_keys().collect();
    assert_eq!(names, ["filler"]);
    fs::remove_file(filler).unwrap();
    open(&disk.at("elder.db"));
}

#[tokio::test]
async fn a_backup_that_finds_no_space_leaves_nothing_behind() {
    let Some(disk) = Disk::of("256k") else { return };
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("elder.db"));
    let claims = (1..=2000).map(|second| claim(fire("a", second)));
    store.commit(claims.collect()).await.unwrap();
    let error = store.backup(disk.at("copy.db")).await.unwrap_err();
    assert!(is_full(&error), "{error}");
    assert!(files(disk.folder.path()).is_empty());
    one(&store, claim(fire("a", 3000))).await;
}

#[tokio::test]
async fn a_store_on_a_read_only_disk_is_refused_and_opens_when_it_is_writable_again() {
    let Some(disk) = Disk::of("2m") else { return };
    let path = disk.at("elder.db");
    drop(filled(&path).await);
    if !disk.mount(&["-o", "remount,ro"]) {
        return;
    }
    let error = refusal(&path);
    assert!(
        matches!(&error, StoreError::Unavailable(text) if text.contains("ead-only")),
        "{error}"
    );
    assert!(disk.mount(&["-o", "remount,rw"]));
    assert_eq!(all(&open(&path)).await.len(), 4);
}

#[tokio::test]
async fn a_log_that_may_not_be_written_refuses_commits_until_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    let store = filled(&path).await;
    let log = folder.path().join("elder.db-wal");
    let change = |how: &str| Command::new("chattr").arg(how).arg(&log).output();
    match change("+i") {
        Ok(done) if done.status.success() => {}
        other => return eprintln!("not tried: chattr is refused: {other:?}"),
    }
    let refused = store.commit(vec![claim(fire("a", 90))]).await;
    let checked = store.check().await;
    change("-i").unwrap();
    if refused.is_ok() {
        return eprintln!("not tried: this file system lets an immutable file be written");
    }
    let error = refused.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(checked.is_err());
    assert_eq!(one(&store, claim(fire("a", 90))).await, Written::Done);
    store.check().await.unwrap();
}

/// Carried out as it stands, and by the test below on a disk that fails for a while.
#[tokio::test]
async fn what_a_failing_disk_refuses_is_not_there_and_the_next_goes_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elder.db");
    let store = open(&path);
    let (mut answered, mut refused) = (Vec::new(), 0);
    for second in 1..=150 {
        let writes = vec![claim(fire("a", second)), claim(fire("b", second))];
        match store.commit(writes).await {
            Ok(_) => answered.push(second),
            Err(StoreError::Unavailable(_)) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    println!("refused {refused}");
    assert_eq!(answered.last(), Some(&150), "it never came back");
    let mut seconds: Vec<i64> = all(&store)
        .await
        .iter()
        .map(|run| run.scheduled_at.as_second() - at(0).as_second())
        .collect();
    seconds.reverse();
    let want: Vec<i64> = answered.iter().flat_map(|second| [*second; 2]).collect();
    assert_eq!(seconds, want);
    let before = contents(&store).await;
    drop(store);
    assert_eq!(contents(&open(&path)).await, before);
}

#[test]
fn a_disk_that_fails_for_a_while_costs_the_commits_of_that_while_and_no_more() {
    let itself = std::env::current_exe().unwrap();
    let tried = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync"])
        // Of each thread the 60th to the 85th: the opening thread does not get so far.
        .args(["-e", "inject=fsync,fdatasync:error=EIO:when=60..85"])
        .arg(itself)
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .arg("store::sqlite::tests::disk::what_a_failing_disk_refuses_is_not_there_and_the_next_goes_in")
        .output();
    let tried = match tried {
        Ok(tried) => tried,
        Err(error) => return eprintln!("not tried: no strace program ({error})"),
    };
    let said = String::from_utf8_lossy(&tried.stdout);
    let errors = String::from_utf8_lossy(&tried.stderr);
    if !said.contains("running 1 test") {
        return eprintln!("not tried: strace is refused: {errors}");
    }
    assert!(tried.status.success(), "{said}{errors}");
    assert!(
        !said.contains("refused 0"),
        "no commit met the fault: {said}"
    );
}

#[tokio::test]
async fn a_full_disk_refuses_a_restore_and_leaves_the_store_as_it_was() {
    let elsewhere = tempfile::tempdir().unwrap();
    let large = elsewhere.path().join("large.db");
    let backup = elsewhere.path().join("backup.db");
    let source = filled(&large).await;
    source.backup(backup.clone()).await.unwrap();
    let Some(disk) = Disk::of("1m") else { return };
    let path = disk.at("elder.db");
    let before = contents(&filled(&path).await).await;
    let filler = disk.fill();
    let now = at(1000);
    let error = SqliteStore::restore(&path, &backup, now)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("the store is as it was") && error.contains("No space"),
        "{error}"
    );
    fs::remove_file(filler).unwrap();
    assert_eq!(contents(&open(&path)).await, before);
    SqliteStore::restore(&path, &backup, now).unwrap();
}
