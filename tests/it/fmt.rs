//! `elder fmt` on real files: what it writes, what it leaves alone, what it says.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use insta::assert_snapshot;

use super::support::{Folder, elder};

const UNTIDY: &str = "jobs:\n    a:   # why\n        schedule:  {every: 1h}\n        run: x\n    b: {schedule: manual, run: y}\n";
const TIDY: &str = "jobs:\n  a:   # why\n    schedule: { every: 1h }\n    run: x\n\n  b: { schedule: manual, run: y }\n";
const BAD: &str = "jobs:\n  a:\n    run: x\n   oops: y\n";

#[test]
fn a_check_shows_what_would_change_and_changes_nothing() {
    let folder = Folder::with(&[
        ("jobs.d/a.yaml", UNTIDY),
        ("jobs.d/b.yaml", TIDY),
        ("jobs.d/a.test.yaml", "tests:\n   a: {count: { }}\n"),
        ("jobs.d/notes.txt", "a:  b"),
    ]);
    let finished = elder("fmt --check").within(folder.path()).run();
    assert_snapshot!(finished, @r#"
    exit 1
    --- stdout
    --- jobs.d/a.test.yaml
    +++ jobs.d/a.test.yaml (elder fmt)
    @@ -1,2 +1,2 @@
     tests:
    -   a: {count: { }}
    +  a: { count: {} }
    --- jobs.d/a.yaml
    +++ jobs.d/a.yaml (elder fmt)
    @@ -1,5 +1,6 @@
     jobs:
    -    a:   # why
    -        schedule:  {every: 1h}
    -        run: x
    -    b: {schedule: manual, run: y}
    +  a:   # why
    +    schedule: { every: 1h }
    +    run: x
    +
    +  b: { schedule: manual, run: y }
    --- stderr
    2 of 3 files would change
    help: elder fmt
    "#);
    assert_eq!(folder.read("jobs.d/a.yaml"), UNTIDY);
    let one = elder("fmt --check jobs.d/b.yaml")
        .within(folder.path())
        .run();
    assert_eq!(one.code, Some(0), "{one}");
    assert_eq!(one.stdout + &one.stderr, "");
}

#[test]
fn what_is_written_stays_as_it_is_the_next_time() {
    let folder = Folder::with(&[("jobs.d/a.yaml", UNTIDY), ("jobs.d/sub/b.yaml", TIDY)]);
    let before = elder("next a --format json --from 2027-01-01T00:00:00Z").within(folder.path());
    let before = before.run().stdout;
    let finished = elder("fmt").within(folder.path()).run();
    assert_eq!(finished.code, Some(0), "{finished}");
    assert_eq!(finished.stderr, "jobs.d/a.yaml: laid out\n");
    assert_eq!(folder.read("jobs.d/a.yaml"), TIDY);
    let again = elder("fmt jobs.d").within(folder.path()).run();
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""));
    let after = elder("next a --format json --from 2027-01-01T00:00:00Z").within(folder.path());
    assert_eq!(before, after.run().stdout);
    let left = fs::read_dir(folder.join("jobs.d")).unwrap().count();
    assert_eq!(left, 2, "nothing is left beside the files");
}

#[test]
fn a_file_that_is_no_yaml_is_shown_and_not_touched() {
    let folder = Folder::with(&[("jobs.d/a.yaml", UNTIDY), ("jobs.d/bad.yaml", BAD)]);
    let finished = elder("fmt").within(folder.path()).run();
    assert_snapshot!(finished, @r#"
    exit 1
    --- stderr
    jobs.d/a.yaml: laid out
    error[E001]: a line that is not indented like its neighbours
     --> jobs.d/bad.yaml:4:4
      |
    4 |    oops: y
      |    ^
      |
      = help: indent it like the other keys of the same mapping
    1 of 2 files cannot be read and were not touched
    "#);
    assert_eq!(folder.read("jobs.d/bad.yaml"), BAD);
    assert_eq!(
        folder.read("jobs.d/a.yaml"),
        TIDY,
        "the others are laid out"
    );

    let two = "a:   1\n---\nb: 2\n";
    folder.write("jobs.d/bad.yaml", two);
    let finished = elder("fmt jobs.d/bad.yaml").within(folder.path()).run();
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(finished.stderr.contains("second document"), "{finished}");
    assert_eq!(folder.read("jobs.d/bad.yaml"), two);
}

#[test]
fn standard_input_comes_out_again() {
    let finished = elder("fmt -").input(UNTIDY).run();
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), TIDY));
    let finished = elder("fmt -").input(TIDY).run();
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), TIDY));
    let finished = elder("fmt - --check").input(UNTIDY).run();
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(
        finished.stdout.contains("\n-    a:   # why\n"),
        "{finished}"
    );
    let finished = elder("fmt -").input(BAD).run();
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""));
    assert!(finished.stderr.contains("<stdin>:4:4"), "{finished}");
}

#[test]
fn a_file_keeps_its_rights_and_its_links() {
    let folder = Folder::with(&[("jobs.d/sub/a.yaml", UNTIDY), ("elsewhere/c.yaml", UNTIDY)]);
    let real = folder.join("jobs.d/sub/a.yaml");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    let as_root = fs::metadata(&real).unwrap().uid() == 0;
    if as_root {
        std::os::unix::fs::chown(&real, Some(1234), Some(2345)).unwrap();
    }
    symlink("sub/a.yaml", folder.join("jobs.d/a.yaml")).unwrap();
    let finished = elder("fmt").within(folder.path()).run();
    assert_eq!(finished.code, Some(0), "{finished}");
    let link = fs::symlink_metadata(folder.join("jobs.d/a.yaml")).unwrap();
    assert!(link.is_symlink(), "still a link");
    assert_eq!(folder.read("jobs.d/sub/a.yaml"), TIDY);
    let after = fs::metadata(&real).unwrap();
    assert_eq!(after.mode() & 0o7777, 0o640);
    if as_root {
        assert_eq!((after.uid(), after.gid()), (1234, 2345));
    }

    symlink("../elsewhere/c.yaml", folder.join("jobs.d/out.yaml")).unwrap();
    let finished = elder("fmt").within(folder.path()).run();
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(
        finished.stderr.contains("E023"),
        "as for `elder run`: {finished}"
    );
    assert_eq!(folder.read("elsewhere/c.yaml"), UNTIDY);
    folder.remove("jobs.d/out.yaml");

    folder.write("jobs.d/c.yaml", UNTIDY);
    fs::hard_link(folder.join("jobs.d/c.yaml"), folder.join("other-name")).unwrap();
    folder.write("jobs.d/z.yaml", UNTIDY);
    let finished = elder("fmt").within(folder.path()).run();
    assert_eq!(finished.code, Some(2), "{finished}");
    assert!(
        finished.stderr.contains("2 names (hard links)"),
        "{finished}"
    );
    assert_eq!(folder.read("jobs.d/c.yaml"), UNTIDY);
    assert_eq!(
        folder.read("jobs.d/z.yaml"),
        TIDY,
        "the others are laid out"
    );
}

#[test]
fn manifests_in_several_documents_are_laid_out_and_their_job_files_stay_as_they_are() {
    let map = |name: &str, gap: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{{gap}name: {name}{gap}}}\ndata:\n  {name}.yaml: |\n    jobs:\n        {name}: {{schedule: manual, run: x}}\n"
        )
    };
    let stream = |gap: &str| format!("---\n# one\n{}---\n{}", map("a", gap), map("b", gap));
    let folder = Folder::with(&[("k8s.yaml", &stream(""))]);
    let finished = elder("fmt k8s.yaml").within(folder.path()).run();
    assert_eq!(finished.code, Some(0), "{finished}");
    assert_eq!(folder.read("k8s.yaml"), stream(" "));
    folder.write("k8s.yaml", &stream("").replace("kind:", "kind: ["));
    let finished = elder("fmt k8s.yaml").within(folder.path()).run();
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(finished.stderr.contains("error[E001]"), "{finished}");
    // Two documents of anything else are none of elder's files.
    folder.write("jobs.d/a.yaml", "jobs: {}\n---\njobs: {}\n");
    let finished = elder("fmt jobs.d").within(folder.path()).run();
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(finished.stderr.contains("a second document"), "{finished}");
}

#[test]
fn what_is_no_job_file_is_not_taken_for_one() {
    let folder = Folder::with(&[
        ("jobs.d/a.yaml", TIDY),
        ("empty/x.txt", ""),
        (".dot.yaml", ""),
    ]);
    for (line, want) in [
        ("fmt nowhere", "nowhere"),
        ("fmt empty", "no job file in empty"),
        ("fmt empty/x.txt", "not a job file"),
        ("fmt .dot.yaml", "not a job file"),
        ("fmt --root empty jobs.d/a.yaml", "does not lie in --root"),
        ("fmt --root jobs.d jobs.d", "single file"),
    ] {
        let finished = elder(line).within(folder.path()).run();
        assert_eq!(finished.code, Some(2), "{line}: {finished}");
        assert!(finished.stderr.contains(want), "{line}: {finished}");
    }
}
