//! Real folders, a real kernel: after every change a hint comes, and the look after it sees the change.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use jiff::Timestamp;

use super::*;
use crate::source::{Content, Directory, DirectoryOptions, Look};

/// Looks again at each hint, as the sync does.
struct Eye {
    directory: Directory,
    watcher: Watcher,
    wakeups: Wakeups,
    looks: usize,
}

impl Eye {
    fn on(path: &Path) -> Self {
        let directory = Directory::new(&[path.to_owned()], DirectoryOptions::default());
        let (watcher, wakeups) = Watcher::new();
        let mut eye = Self {
            directory,
            watcher,
            wakeups,
            looks: 0,
        };
        eye.look();
        eye
    }

    /// `path=content` of what is new, everything else by its path.
    fn look(&mut self) -> Vec<String> {
        self.looks += 1;
        // In the year 2000 every file counts as just written, so each look reads all.
        let now: Timestamp = "2000-01-01T00:00:00Z".parse().unwrap();
        let mut snapshot = self.directory.scan(now, Look::Changes);
        assert_eq!(self.watcher.update(&snapshot), Watching::Events);
        let count = snapshot.roots[0].files.len();
        let all: Vec<_> = (0..count).map(|place| (0, place)).collect();
        self.directory.read_again(&mut snapshot, &all);
        let root = &snapshot.roots[0];
        if root.lost.is_some() {
            return vec!["lost".to_owned()];
        }
        let text = |content: &Content| match content {
            Content::Read(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => format!("{other:?}"),
        };
        root.files
            .iter()
            .map(|file| format!("{}={}", file.path, text(&file.content)))
            .collect()
    }

    /// Follows hints until the look shows `expected`.
    async fn sees(&mut self, expected: &[&str]) {
        let mut last = Vec::new();
        let all = timeout(Duration::from_secs(20), async {
            loop {
                self.wakeups.next().await;
                last = self.look();
                if last == expected {
                    return;
                }
            }
        });
        if all.await.is_err() {
            panic!("no hint led to {expected:?}; the last look saw {last:?}");
        }
    }

    /// Waits until no hint comes any more.
    async fn settles(&mut self) {
        while timeout(Duration::from_millis(700), self.wakeups.next())
            .await
            .is_ok()
        {
            self.look();
        }
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_changes_of_files() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("jobs.d");
    write(&root.join("a.yaml"), "1");
    let mut eye = Eye::on(&root);
    eye.settles().await;
    write(&root.join("b.yaml"), "2");
    eye.sees(&["a.yaml=1", "b.yaml=2"]).await;
    write(&root.join("a.yaml"), "one");
    eye.sees(&["a.yaml=one", "b.yaml=2"]).await;
    fs::remove_file(root.join("b.yaml")).unwrap();
    eye.sees(&["a.yaml=one"]).await;
    write(&root.join(".a.tmp"), "uno");
    fs::rename(root.join(".a.tmp"), root.join("a.yaml")).unwrap();
    eye.sees(&["a.yaml=uno"]).await;
    fs::rename(root.join("a.yaml"), dir.path().join("away.yaml")).unwrap();
    eye.sees(&[]).await;
    fs::rename(dir.path().join("away.yaml"), root.join("c.yaml")).unwrap();
    eye.sees(&["c.yaml=uno"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_folder_with_a_file_written_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut eye = Eye::on(dir.path());
    eye.settles().await;
    write(&dir.path().join("sub/deep/a.yaml"), "1");
    eye.sees(&["sub/deep/a.yaml=1"]).await;
    eye.settles().await;
    write(&dir.path().join("sub/deep/a.yaml"), "2");
    eye.sees(&["sub/deep/a.yaml=2"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_removed_and_made_again_several_times() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("jobs.d");
    write(&root.join("sub/a.yaml"), "0");
    let mut eye = Eye::on(&root);
    for round in 1..4 {
        fs::remove_dir_all(&root).unwrap();
        eye.sees(&["lost"]).await;
        let text = round.to_string();
        write(&root.join("sub/a.yaml"), &text);
        eye.sees(&[&format!("sub/a.yaml={text}")]).await;
        eye.settles().await;
        write(&root.join("sub/a.yaml"), "edit");
        eye.sees(&["sub/a.yaml=edit"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_replaced_by_another_within_one_burst() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("jobs.d");
    write(&root.join("a.yaml"), "1");
    let mut eye = Eye::on(&root);
    eye.settles().await;
    write(&dir.path().join("next/a.yaml"), "2");
    fs::rename(&root, dir.path().join("old")).unwrap();
    fs::rename(dir.path().join("next"), &root).unwrap();
    eye.sees(&["a.yaml=2"]).await;
    eye.settles().await;
    write(&root.join("a.yaml"), "3");
    eye.sees(&["a.yaml=3"]).await;
    // The same with a folder that very likely gets the inode of the one before.
    for text in ["4", "5", "6"] {
        eye.settles().await;
        fs::remove_dir_all(&root).unwrap();
        write(&root.join("a.yaml"), "soon");
        eye.sees(&["a.yaml=soon"]).await;
        eye.settles().await;
        write(&root.join("a.yaml"), text);
        eye.sees(&[&format!("a.yaml={text}")]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_is_not_there_yet() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("some/where/jobs.d");
    let mut eye = Eye::on(&root);
    assert_eq!(eye.look(), ["lost"]);
    eye.settles().await;
    fs::create_dir(dir.path().join("some")).unwrap();
    eye.settles().await;
    write(&root.join("a.yaml"), "1");
    eye.sees(&["a.yaml=1"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_is_a_link_and_is_pointed_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("v1/jobs/a.yaml"), "1");
    write(&dir.path().join("v2/jobs/a.yaml"), "2");
    symlink("v1", dir.path().join("current")).unwrap();
    let mut eye = Eye::on(&dir.path().join("current/jobs"));
    eye.settles().await;
    symlink("v2", dir.path().join("new")).unwrap();
    fs::rename(dir.path().join("new"), dir.path().join("current")).unwrap();
    eye.sees(&["a.yaml=2"]).await;
    eye.settles().await;
    write(&dir.path().join("v2/jobs/a.yaml"), "two");
    eye.sees(&["a.yaml=two"]).await;
}

/// One generation of a ConfigMap mount, put in place as the kubelet does it.
fn mount(root: &Path, generation: &str, files: &[(&str, &str)]) {
    let folder = root.join(format!("..{generation}"));
    for (name, text) in files {
        write(&folder.join(name), text);
    }
    let old = fs::read_link(root.join("..data"));
    symlink(format!("..{generation}"), root.join("..data_tmp")).unwrap();
    fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    for (name, _) in files {
        // There already from the second generation on.
        let _ = symlink(format!("..data/{name}"), root.join(name));
    }
    if let Ok(old) = old {
        fs::remove_dir_all(root.join(old)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_map_mount_swapped_twice_and_a_projected_volume_with_two() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    fs::create_dir(&one).unwrap();
    fs::create_dir(&two).unwrap();
    mount(&one, "1", &[("a.yaml", "1")]);
    mount(&two, "1", &[("b.yaml", "1"), ("c.yaml", "1")]);
    let mut eye = Eye::on(dir.path());
    eye.settles().await;
    mount(&one, "2", &[("a.yaml", "2")]);
    eye.sees(&["one/a.yaml=2", "two/b.yaml=1", "two/c.yaml=1"])
        .await;
    mount(&two, "2", &[("b.yaml", "2"), ("c.yaml", "2")]);
    eye.sees(&["one/a.yaml=2", "two/b.yaml=2", "two/c.yaml=2"])
        .await;
    eye.settles().await;
    mount(&one, "3", &[("a.yaml", "3")]);
    eye.sees(&["one/a.yaml=3", "two/b.yaml=2", "two/c.yaml=2"])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_to_what_a_hidden_folder_holds() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join(".store/v1/a.yaml"), "1");
    write(&dir.path().join(".store/v2/a.yaml"), "2");
    symlink("v1", dir.path().join(".store/cur")).unwrap();
    symlink(".store/cur/a.yaml", dir.path().join("a.yaml")).unwrap();
    let mut eye = Eye::on(dir.path());
    eye.settles().await;
    write(&dir.path().join(".store/v1/a.yaml"), "one");
    eye.sees(&["a.yaml=one"]).await;
    symlink("v2", dir.path().join(".store/new")).unwrap();
    fs::rename(dir.path().join(".store/new"), dir.path().join(".store/cur")).unwrap();
    eye.sees(&["a.yaml=2"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_is_a_few_hints_and_our_own_looks_are_none() {
    let dir = tempfile::tempdir().unwrap();
    let mut eye = Eye::on(dir.path());
    eye.settles().await;
    eye.looks = 0;
    let root = dir.path().to_owned();
    let names: Vec<String> = (0..1000).map(|n| format!("{n:04}.yaml=x")).collect();
    let expected: Vec<&str> = names.iter().map(String::as_str).collect();
    let writer = tokio::task::spawn_blocking(move || {
        for n in 0..1000 {
            write(&root.join(format!("{n:04}.yaml")), "x");
        }
    });
    eye.sees(&expected).await;
    writer.await.unwrap();
    eye.settles().await;
    assert!(eye.looks < 40, "{} looks for one burst", eye.looks);
    let before = eye.looks;
    eye.look();
    eye.settles().await;
    assert_eq!(eye.looks, before + 1, "a look led to a hint");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_beside_the_way_to_the_tree_is_none_of_ours() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("jobs.d");
    fs::create_dir(&root).unwrap();
    let mut eye = Eye::on(&root);
    eye.settles().await;
    write(&dir.path().join("other.yaml"), "1");
    let hint = timeout(Duration::from_millis(400), eye.wakeups.next()).await;
    assert!(hint.is_err(), "a neighbour's file led to a hint");
    write(&root.join("a.yaml"), "1");
    eye.sees(&["a.yaml=1"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_overflow_every_watch_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut eye = Eye::on(dir.path());
    eye.settles().await;
    let overflow = notify::Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
    eye.watcher.shared.hear(Ok(overflow));
    eye.wakeups.next().await;
    eye.look();
    write(&dir.path().join("a.yaml"), "1");
    eye.sees(&["a.yaml=1"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hint_is_not_lost_when_the_wait_for_it_is_dropped() {
    let (watcher, mut wakeups) = Watcher::new();
    watcher.shared.wake.notify_one();
    let dropped = timeout(Duration::from_millis(10), wakeups.next()).await;
    assert!(dropped.is_err(), "the burst was still open");
    let kept = timeout(Duration::from_secs(20), wakeups.next()).await;
    assert!(kept.is_ok());
}

#[test]
fn without_the_kernel_there_is_a_reason_to_poll() {
    let (mut watcher, _wakeups) = Watcher::new();
    watcher.kernel = Err("no inotify here".to_owned());
    let dir = tempfile::tempdir().unwrap();
    let mut directory = Directory::new(&[dir.path().to_owned()], DirectoryOptions::default());
    let snapshot = directory.scan(Timestamp::UNIX_EPOCH, Look::Changes);
    let polling = Watching::Polling("no inotify here".to_owned());
    assert_eq!(watcher.update(&snapshot), polling);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_event_on_a_way_makes_every_watch_anew() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("jobs.d");
    fs::create_dir(&root).unwrap();
    let mut eye = Eye::on(&root);
    eye.settles().await;
    eye.watcher.shared.hear_of_way(News::Lost);
    eye.wakeups.next().await;
    eye.look();
    fs::remove_dir(&root).unwrap();
    eye.sees(&["lost"]).await;
    fs::create_dir(&root).unwrap();
    write(&root.join("a.yaml"), "1");
    eye.sees(&["a.yaml=1"]).await;
}

/// How many events the kernel keeps for whoever begins to listen now; as before when dropped.
struct FewEvents(String);

impl FewEvents {
    const SETTING: &str = "/proc/sys/fs/inotify/max_queued_events";

    fn kept(count: u32) -> Option<Self> {
        let before = fs::read_to_string(Self::SETTING).ok()?;
        fs::write(Self::SETTING, count.to_string()).ok()?;
        Some(Self(before))
    }
}

impl Drop for FewEvents {
    fn drop(&mut self) {
        fs::write(Self::SETTING, &self.0).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_kernel_really_loses_events_the_last_state_is_seen_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("jobs.d");
    fs::create_dir(&root).unwrap();
    let Some(few) = FewEvents::kept(1) else {
        return println!("not tested: this machine does not let us change fs.inotify");
    };
    // It counts for those who begin to listen; nobody else is to be hit by it.
    let mut eye = Eye::on(&root);
    drop(few);
    eye.settles().await;
    let is_lost = |eye: &Eye| eye.watcher.shared.interest().all_ended;
    for round in 0..100 {
        for file in 0..200 {
            fs::write(root.join(format!("{file}.yaml")), round.to_string()).unwrap();
        }
        if is_lost(&eye) {
            break;
        }
    }
    assert!(is_lost(&eye), "the kernel lost nothing");
    for file in 0..200 {
        fs::remove_file(root.join(format!("{file}.yaml"))).unwrap();
    }
    write(&root.join("a.yaml"), "last");
    eye.sees(&["a.yaml=last"]).await;
    // The watches hold after that.
    eye.settles().await;
    write(&root.join("a.yaml"), "later");
    eye.sees(&["a.yaml=later"]).await;
}
