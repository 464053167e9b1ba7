//! Former names of jobs.

use super::*;

fn found(file: &CheckedFile) -> Vec<String> {
    let findings = file.findings.iter();
    findings
        .map(|f| format!("{} {}: {}", f.code, f.at.place.line, f.message))
        .collect()
}

#[test]
fn one_name_or_several_are_kept_and_stored() {
    for (text, want) in [
        ("old", &["old"][..]),
        ("[old, older.1]", &["old", "older.1"]),
        ("null", &[]),
    ] {
        let text = format!("jobs:\n  new: {{ run: x, schedule: manual, aliases: {text} }}\n");
        let file = file(&text);
        assert!(!file.is_bad(), "{}", shown(&file.findings));
        let aliases = file.jobs[0].definition.aliases.iter();
        assert_eq!(aliases.map(|name| name.as_str()).collect::<Vec<_>>(), want);
        let stored = crate::spec::print(&file.jobs, Commons::NONE);
        let (jobs, _) = crate::spec::read(&stored, zones()).unwrap();
        assert_eq!(jobs[0].definition, file.jobs[0].definition);
    }
}

#[test]
fn what_cannot_be_a_former_name_is_told_at_its_place() {
    for (aliases, want) in [
        (
            "\"a b\"",
            "E010 2: `a b` cannot be a name: a name holds letters, digits, '.', '_' and '-' only, not ' '",
        ),
        ("new", "E024 2: `new` is the job's own name"),
        ("[x, x]", "E024 2: `x` stands twice in `aliases`"),
        (
            "{}",
            "E004 2: `aliases` takes one value or a list, not a mapping",
        ),
        (
            "other",
            "E011 2: the alias `other` of `new` belongs to `other`",
        ),
        (
            "OTHER",
            "E011 2: the alias `OTHER` of `new` belongs to `other`",
        ),
        (
            "theirs",
            "E011 3: the alias `theirs` of `other` belongs to `new`",
        ),
    ] {
        let text = format!(
            "jobs:\n  new: {{ run: x, schedule: manual, aliases: {aliases} }}\n  other: {{ run: y, schedule: manual, aliases: [theirs] }}\n"
        );
        assert_eq!(found(&file(&text)), [want], "{aliases}");
    }
    let defaults = file("defaults: { aliases: [x] }\n");
    assert_eq!(
        found(&defaults)[0],
        "E002 1: `aliases` cannot have a default"
    );
}
