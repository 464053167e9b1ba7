//! Real folders, real links, and what is no file at all.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use std::os::fd::AsFd;

use rustix::fs::FileType;

use super::read::{Stamp, Wanted, read_all};
use super::walk::open_root;
use super::*;
use crate::source::{Content, File, Root, Unreadable};

/// A folder with these files, and a look at it.
struct Fixture {
    dir: tempfile::TempDir,
    directory: Directory,
}

fn fixture(files: &[(&str, &str)]) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("jobs.d");
    fs::create_dir(&root).unwrap();
    for (path, text) in files {
        write(&root.join(path), text);
    }
    let directory = Directory::new(&[root], DirectoryOptions::default());
    Fixture { dir, directory }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// An instant at which everything written so far counts as written long ago.
fn later() -> Timestamp {
    "2200-01-01T00:00:00Z".parse().unwrap()
}

/// An instant at which everything written counts as written just now.
fn soon() -> Timestamp {
    "2000-01-01T00:00:00Z".parse().unwrap()
}

impl Fixture {
    fn root(&self) -> PathBuf {
        self.dir.path().join("jobs.d")
    }

    fn look(&mut self) -> Vec<String> {
        self.look_at(later(), Look::Changes)
    }

    /// `path=content`, `path unchanged` or `path: reason` for each file.
    fn look_at(&mut self, now: Timestamp, look: Look) -> Vec<String> {
        let snapshot = self.directory.scan(now, look);
        assert_eq!(snapshot.roots.len(), 1);
        describe(&snapshot.roots[0])
    }
}

fn describe(root: &Root) -> Vec<String> {
    if let Some(reason) = &root.lost {
        assert!(root.files.is_empty());
        return vec![format!("lost: {reason}")];
    }
    let file = |file: &Arc<File>| match &file.content {
        Content::Read(bytes) => {
            assert_eq!(
                file.hash[..],
                <sha2::Sha256 as sha2::Digest>::digest(bytes)[..]
            );
            format!("{}={}", file.path, String::from_utf8_lossy(bytes))
        }
        Content::Unchanged => format!("{} unchanged", file.path),
        Content::Unreadable(why) => format!("{}: {why}", file.path),
    };
    root.files.iter().map(file).collect()
}

#[test]
fn job_files_are_told_from_other_files() {
    let mut tree = fixture(&[
        ("a.yaml", "1"),
        ("b.yml", "2"),
        ("sub/deep/c.yaml", "3"),
        ("_defaults.yaml", "4"),
        ("a.test.yaml", "no"),
        ("kustomization.yaml", "no"),
        (".hidden.yaml", "no"),
        (".git/x.yaml", "no"),
        ("..data/x.yaml", "no"),
        ("README.md", "no"),
        ("yaml", "no"),
        (".yaml", "no"),
    ]);
    let files = tree.look();
    assert_eq!(
        files,
        [
            "_defaults.yaml=4",
            "a.yaml=1",
            "b.yml=2",
            "sub/deep/c.yaml=3"
        ]
    );
}

#[test]
fn only_what_differs_is_read_again() {
    let mut tree = fixture(&[("a.yaml", "1"), ("b.yaml", "2"), ("c.yaml", "3")]);
    tree.look();
    assert_eq!(
        tree.look(),
        ["a.yaml unchanged", "b.yaml unchanged", "c.yaml unchanged"]
    );
    write(&tree.root().join("b.yaml"), "two");
    fs::remove_file(tree.root().join("c.yaml")).unwrap();
    write(&tree.root().join("d/e.yaml"), "5");
    assert_eq!(
        tree.look(),
        ["a.yaml unchanged", "b.yaml=two", "d/e.yaml=5"]
    );
    fs::rename(tree.root().join("a.yaml"), tree.root().join("z.yaml")).unwrap();
    assert_eq!(
        tree.look(),
        ["b.yaml unchanged", "d/e.yaml unchanged", "z.yaml=1"]
    );
}

#[test]
fn a_file_written_over_within_the_steps_of_its_times_is_noticed() {
    let mut tree = fixture(&[("a.yaml", "1")]);
    assert_eq!(tree.look_at(soon(), Look::Changes), ["a.yaml=1"]);
    // The same size; whatever the times say, what counts as just written is read again.
    for seen in tree.directory.trees[0].files.values_mut() {
        assert!(seen.fresh);
    }
    write(&tree.root().join("a.yaml"), "2");
    let stat = fs::metadata(tree.root().join("a.yaml")).unwrap();
    pretend_nothing_happened(&mut tree.directory, &stat);
    assert_eq!(tree.look_at(soon(), Look::Changes), ["a.yaml=2"]);
    assert_eq!(tree.look_at(soon(), Look::Changes), ["a.yaml unchanged"]);
}

#[test]
fn a_verifying_look_finds_what_the_times_do_not_tell() {
    let mut tree = fixture(&[("a.yaml", "1")]);
    tree.look();
    write(&tree.root().join("a.yaml"), "2");
    let stat = fs::metadata(tree.root().join("a.yaml")).unwrap();
    pretend_nothing_happened(&mut tree.directory, &stat);
    assert_eq!(
        tree.look(),
        ["a.yaml unchanged"],
        "the premise of this test"
    );
    assert_eq!(tree.look_at(later(), Look::Verify), ["a.yaml=2"]);
    assert_eq!(tree.look_at(later(), Look::Verify), ["a.yaml unchanged"]);
}

/// Makes the directory believe that it saw the file in the state that it is in now.
fn pretend_nothing_happened(directory: &mut Directory, now: &fs::Metadata) {
    use std::os::unix::fs::MetadataExt;
    let tree = &mut directory.trees[0];
    for seen in tree.files.values_mut() {
        let fd = fs::File::open(tree.given.join(&*seen.file.path)).unwrap();
        let stamp = Stamp::of(&rustix::fs::fstat(&fd).unwrap());
        assert_eq!(stamp.inode, now.ino());
        seen.stamp = Some(stamp);
    }
}

#[test]
fn what_was_left_unread_can_be_read_after_all() {
    let mut tree = fixture(&[("a.yaml", "1"), ("b.yaml", "2")]);
    tree.look();
    let mut snapshot = tree.directory.scan(later(), Look::Changes);
    tree.directory.read_again(&mut snapshot, &[(0, 1)]);
    assert_eq!(
        describe(&snapshot.roots[0]),
        ["a.yaml unchanged", "b.yaml=2"]
    );
    tree.directory.forget();
    assert_eq!(tree.look(), ["a.yaml=1", "b.yaml=2"]);
}

#[test]
fn what_was_read_again_at_a_bad_moment_is_told_of_by_the_next_look() {
    for (what, harm, seen) in [
        (
            "truncated",
            (|file| fs::write(file, "").unwrap()) as fn(&Path),
            "a.yaml=",
        ),
        (
            "away",
            |file| fs::remove_file(file).unwrap(),
            "a.yaml: it went away while it was read",
        ),
        (
            "the whole PATH away",
            |file| fs::rename(file.parent().unwrap(), file.with_file_name("../gone")).unwrap(),
            "a.yaml: there is no such file or folder",
        ),
    ] {
        let mut tree = fixture(&[("a.yaml", "1"), ("b.yaml", "2")]);
        tree.look();
        let mut snapshot = tree.directory.scan(later(), Look::Changes);
        harm(&tree.root().join("a.yaml"));
        tree.directory.read_again(&mut snapshot, &[(0, 0)]);
        let found = describe(&snapshot.roots[0]);
        assert_eq!(found, [seen, "b.yaml unchanged"], "{what}");
        // The very bytes of before.
        let gone = tree.dir.path().join("gone");
        if gone.exists() {
            fs::rename(gone, tree.root()).unwrap();
        }
        fs::write(tree.root().join("a.yaml"), "1").unwrap();
        assert_eq!(tree.look(), ["a.yaml=1", "b.yaml unchanged"], "{what}");
        assert_eq!(tree.look(), ["a.yaml unchanged", "b.yaml unchanged"]);
    }
}

#[test]
fn a_config_map_mount_is_read_through_its_links() {
    let mut tree = fixture(&[("..2027_1/a.yaml", "1"), ("..2027_1/b.yaml", "2")]);
    let root = tree.root();
    symlink("..2027_1", root.join("..data")).unwrap();
    symlink("..data/a.yaml", root.join("a.yaml")).unwrap();
    symlink("..data/b.yaml", root.join("b.yaml")).unwrap();
    assert_eq!(tree.look(), ["a.yaml=1", "b.yaml=2"]);
    assert_eq!(tree.look(), ["a.yaml unchanged", "b.yaml unchanged"]);
    // As the kubelet does it.
    write(&root.join("..2027_2/a.yaml"), "one");
    write(&root.join("..2027_2/b.yaml"), "2");
    symlink("..2027_2", root.join("..data_tmp")).unwrap();
    fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    fs::remove_dir_all(root.join("..2027_1")).unwrap();
    assert_eq!(tree.look(), ["a.yaml=one", "b.yaml unchanged"]);
}

#[test]
fn links_within_the_tree_are_taken_once_and_links_out_of_it_are_refused() {
    let mut tree = fixture(&[("real/a.yaml", "1"), (".store/b.yaml", "2")]);
    let root = tree.root();
    write(&tree.dir.path().join("out/x.yaml"), "secret");
    symlink("real", root.join("again")).unwrap();
    symlink("real/a.yaml", root.join("a2.yaml")).unwrap();
    symlink(".store", root.join("store")).unwrap();
    symlink(".store", root.join("store2")).unwrap();
    symlink("../out", root.join("outside")).unwrap();
    symlink(tree.dir.path().join("out/x.yaml"), root.join("x.yaml")).unwrap();
    symlink("/etc/hostname", root.join("no-job-file")).unwrap();
    symlink("nowhere", root.join("dangling.yaml")).unwrap();
    symlink("nowhere", root.join("dangling")).unwrap();
    symlink("circle.yaml", root.join("circle.yaml")).unwrap();
    symlink("..", root.join("real/up")).unwrap();
    symlink(".", root.join(".store/self")).unwrap();
    assert_eq!(
        tree.look(),
        [
            "circle.yaml: its links go round in a circle",
            "dangling.yaml: this link leads to nothing",
            "outside: this link leads out of the folder that elder was given",
            "real/a.yaml=1",
            "store/b.yaml=2",
            "x.yaml: this link leads out of the folder that elder was given",
        ]
    );
}

#[test]
fn what_is_no_regular_file_is_refused_without_being_waited_for() {
    let mut tree = fixture(&[("a.yaml", "1")]);
    let fifo = tree.root().join("pipe.yaml");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let large = fs::File::create(tree.root().join("large.yaml")).unwrap();
    large.set_len(MAX_FILE + 1).unwrap();
    fs::create_dir(tree.root().join("folder.yaml")).unwrap();
    let files = tree.look();
    assert_eq!(
        files,
        [
            "a.yaml=1",
            "large.yaml: the file has 16777217 bytes, and 16 MiB is the limit",
            "pipe.yaml: this is no regular file",
        ]
    );
    // A FIFO that takes a file's place between walk and read.
    fs::remove_file(tree.root().join("a.yaml")).unwrap();
    fs::rename(&fifo, tree.root().join("a.yaml")).unwrap();
    let fd = open_root(&tree.root()).unwrap();
    let stamp = Stamp::of(&rustix::fs::fstat(&fd).unwrap());
    let real = "a.yaml".to_owned();
    let got = read_all(fd.as_fd(), &[Wanted { real, stamp }]);
    let got = got.into_iter().next().unwrap().unwrap();
    assert_eq!(got.content, Err(Unreadable::NotAFile));
}

#[test]
fn a_link_that_takes_a_files_place_is_not_followed() {
    let tree = fixture(&[("sub/a.yaml", "1")]);
    symlink("/etc", tree.root().join("etc")).unwrap();
    symlink("/etc/hostname", tree.root().join("b.yaml")).unwrap();
    let fd = open_root(&tree.root()).unwrap();
    let stamp = Stamp::of(&rustix::fs::fstat(&fd).unwrap());
    for real in ["etc/hostname", "b.yaml"] {
        let real = real.to_owned();
        let got = read_all(fd.as_fd(), &[Wanted { real, stamp }]);
        let got = got.into_iter().next().unwrap().unwrap();
        assert_eq!(got.content, Err(Unreadable::LeavesTree));
    }
}

#[test]
fn a_path_that_is_gone_is_lost_and_comes_back() {
    let mut tree = fixture(&[("a.yaml", "1")]);
    tree.look();
    let aside = tree.dir.path().join("aside");
    fs::rename(tree.root(), &aside).unwrap();
    assert_eq!(tree.look(), ["lost: there is no such file or folder"]);
    fs::rename(&aside, tree.root()).unwrap();
    assert_eq!(tree.look(), ["a.yaml unchanged"]);
    fs::remove_dir_all(tree.root()).unwrap();
    assert_eq!(tree.look(), ["lost: there is no such file or folder"]);
    write(&tree.root().join("a.yaml"), "2");
    assert_eq!(tree.look(), ["a.yaml=2"]);
}

#[test]
fn a_mount_point_without_its_mount_is_lost_and_is_watched_for_its_return() {
    let mut tree = fixture(&[("a.yaml", "1")]);
    tree.look();
    // As if it had been on another file system before.
    tree.directory.trees[0].device = Some(u64::MAX);
    let gone = tree.dir.path().join("gone");
    fs::rename(tree.root().join("a.yaml"), &gone).unwrap();
    let root = &tree.directory.scan(later(), Look::Changes).roots[0];
    assert!(root.lost.as_ref().unwrap().contains("unmounted"));
    assert!(!root.is_missing);
    assert!(root.watch.iter().any(|watch| watch.only.is_none()));
    fs::rename(&gone, tree.root().join("a.yaml")).unwrap();
    assert_eq!(tree.look(), ["a.yaml unchanged"]);
}

#[test]
fn what_may_not_be_read_is_named() {
    // Root may read everything, so the mode proves nothing for it.
    if rustix::process::geteuid().is_root() {
        return run_as_somebody_else();
    }
    check_permissions();
}

/// Runs this test's body in a thread without the rights of root.
fn run_as_somebody_else() {
    let worker = std::thread::spawn(|| {
        use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
        let none = CapabilitySets {
            effective: CapabilitySet::empty(),
            permitted: CapabilitySet::empty(),
            inheritable: CapabilitySet::empty(),
        };
        set_capabilities(None, none).unwrap();
        check_permissions();
    });
    worker.join().unwrap();
}

fn check_permissions() {
    let mut tree = fixture(&[("a.yaml", "1"), ("sub/b.yaml", "2")]);
    tree.look();
    let mode = |path: &str, mode| {
        let path = tree.dir.path().join(path);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let denied = "elder may not read it (permission denied)";
    mode("jobs.d/a.yaml", 0o000);
    mode("jobs.d/sub", 0o000);
    let files = describe(&tree.directory.scan(later(), Look::Changes).roots[0]);
    assert_eq!(
        files,
        [format!("a.yaml: {denied}"), format!("sub: {denied}")]
    );
    mode("jobs.d/a.yaml", 0o644);
    mode("jobs.d/sub", 0o755);
    let files = describe(&tree.directory.scan(later(), Look::Changes).roots[0]);
    assert_eq!(files, ["a.yaml=1", "sub/b.yaml=2"]);
    mode("jobs.d", 0o000);
    let files = describe(&tree.directory.scan(later(), Look::Changes).roots[0]);
    assert_eq!(files, [format!("lost: {denied}")]);
    mode("jobs.d", 0o755);
}

#[test]
fn folders_nested_too_deep_are_a_finding_and_no_endless_walk() {
    let mut tree = fixture(&[]);
    let mut folder = tree.root();
    for _ in 0..=MAX_DEPTH {
        folder.push("d");
    }
    write(&folder.join("a.yaml"), "1");
    let files = tree.look();
    assert_eq!(files.len(), 1);
    assert!(files[0].ends_with("nested deeper than 64"), "{files:?}");
}

#[test]
fn a_path_may_be_a_link_and_be_pointed_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("releases/1/jobs/a.yaml"), "1");
    write(&dir.path().join("releases/2/jobs/a.yaml"), "2");
    let current = dir.path().join("current");
    symlink("releases/1", &current).unwrap();
    let mut directory = Directory::new(&[current.join("jobs")], DirectoryOptions::default());
    let snapshot = directory.scan(later(), Look::Changes);
    assert_eq!(describe(&snapshot.roots[0]), ["a.yaml=1"]);
    symlink("releases/2", dir.path().join("new")).unwrap();
    fs::rename(dir.path().join("new"), &current).unwrap();
    let snapshot = directory.scan(later(), Look::Changes);
    assert_eq!(describe(&snapshot.roots[0]), ["a.yaml=2"]);
    let real = dir.path().canonicalize().unwrap().join("releases/2/jobs");
    assert_eq!(*snapshot.roots[0].folder, *real);
    let shown = current.join("jobs/a.yaml");
    assert_eq!(*snapshot.roots[0].files[0].shown, *shown.to_string_lossy());
}

#[test]
fn a_single_file_is_looked_at_in_its_tree() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("repo/jobs/_defaults.yaml"), "d1");
    write(&dir.path().join("repo/jobs/team/_defaults.yaml"), "d2");
    write(&dir.path().join("repo/jobs/team/a.yaml"), "1");
    write(&dir.path().join("repo/jobs/team/b.yaml"), "no");
    let file = dir.path().join("repo/jobs/team/a.yaml");
    let look = |tree: Option<&str>| {
        let options = DirectoryOptions {
            tree: tree.map(|tree| dir.path().join(tree)),
            ..DirectoryOptions::default()
        };
        let mut directory = Directory::new(std::slice::from_ref(&file), options);
        let snapshot = directory.scan(later(), Look::Changes);
        let root = &snapshot.roots[0];
        assert!(
            root.files
                .iter()
                .any(|seen| Path::new(&*seen.shown) == file)
        );
        let below = root.folder.strip_prefix(dir.path().canonicalize().unwrap());
        (below.unwrap().to_owned(), describe(root))
    };
    let whole = [
        "_defaults.yaml=d1",
        "team/_defaults.yaml=d2",
        "team/a.yaml=1",
    ];
    assert_eq!(
        look(None),
        ("repo/jobs".into(), whole.map(str::to_owned).to_vec())
    );
    let part = ["_defaults.yaml=d2", "a.yaml=1"];
    assert_eq!(
        look(Some("repo/jobs/team")),
        ("repo/jobs/team".into(), part.map(str::to_owned).to_vec())
    );
    // A tree that does not hold the file is no tree of it.
    assert_eq!(look(Some("elsewhere")).0, Path::new("repo/jobs"));
}

#[test]
fn the_config_file_is_no_job_file() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("a.yaml"), "1");
    write(&dir.path().join("elder.yaml"), "no");
    let options = DirectoryOptions {
        config: Some(dir.path().join("elder.yaml")),
        ..DirectoryOptions::default()
    };
    let mut directory = Directory::new(&[dir.path().to_owned()], options);
    let snapshot = directory.scan(later(), Look::Changes);
    assert_eq!(describe(&snapshot.roots[0]), ["a.yaml=1"]);
}

#[test]
fn a_path_is_named_without_what_makes_no_difference() {
    for (given, named) in [
        ("jobs.d", "jobs.d"),
        ("./jobs.d//", "jobs.d"),
        ("a//b/./c/", "a/b/c"),
        ("/srv//jobs/", "/srv/jobs"),
        ("/", "/"),
        (".", "."),
        ("../x", "../x"),
    ] {
        assert_eq!(tidy(given), named, "{given:?}");
    }
    let twice = ["jobs.d", "./jobs.d/"].map(PathBuf::from);
    let directory = Directory::new(&twice, DirectoryOptions::default());
    assert_eq!(directory.paths(), [Arc::from("jobs.d")]);
}

#[test]
fn many_files_are_read_by_several_threads_and_keep_their_order() {
    let files: Vec<(String, String)> = (0..300)
        .map(|n| (format!("{n:03}.yaml"), n.to_string()))
        .collect();
    let borrowed: Vec<(&str, &str)> = files.iter().map(|(a, b)| (&**a, &**b)).collect();
    let mut tree = fixture(&borrowed);
    let expected: Vec<String> = files.iter().map(|(a, b)| format!("{a}={b}")).collect();
    assert_eq!(tree.look(), expected);
}

#[test]
fn calendar_files_are_read_like_job_files_and_beside_a_single_file_too() {
    let mut fixture = fixture(&[
        ("a.yaml", "a"),
        ("holidays.ics", "h"),
        (".hidden.ics", "x"),
        (".git/b.ics", "x"),
        ("sub/other.ics", "o"),
        (".ics", "x"),
    ]);
    assert_eq!(
        fixture.look(),
        ["a.yaml=a", "holidays.ics=h", "sub/other.ics=o"]
    );
    write(&fixture.root().join("holidays.ics"), "H");
    assert!(fixture.look().contains(&"holidays.ics=H".to_owned()));
    let single = [fixture.root().join("a.yaml")];
    let mut directory = Directory::new(&single, DirectoryOptions::default());
    let snapshot = directory.scan(later(), Look::Changes);
    assert_eq!(describe(&snapshot.roots[0]), ["a.yaml=a", "holidays.ics=H"]);
    fs::remove_file(fixture.root().join("holidays.ics")).unwrap();
    let snapshot = directory.scan(later(), Look::Changes);
    assert_eq!(describe(&snapshot.roots[0]), ["a.yaml unchanged"]);
}
