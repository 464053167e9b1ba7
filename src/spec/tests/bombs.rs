//! Files that are small to write and would be huge to hold.

use super::*;

fn says(file: &CheckedFile, what: &str) -> bool {
    file.is_bad() && file.findings.iter().any(|f| f.message.contains(what))
}

#[test]
fn what_a_variable_fills_in_is_bounded_for_the_whole_file() {
    let value = "x".repeat(10_000);
    let env = [("BIG", value.as_str())];
    let often = "${BIG}".repeat(1_000);
    let text = |jobs: usize| {
        let mut text = "jobs:\n".to_owned();
        for n in 0..jobs {
            let _ = writeln!(
                text,
                "  j{n}: {{ env: {{ A: \"{often}\" }}, run: x, schedule: manual }}"
            );
        }
        text
    };
    let good = file_with(&text(1), &env);
    assert!(!good.is_bad(), "{}", shown(&good.findings));
    let bad = file_with(&text(2), &env);
    assert!(says(&bad, "16 MiB"), "{}", shown(&bad.findings));
    assert_eq!(bad.findings[0].at.place.line, 3);
}

#[test]
fn a_long_name_for_a_short_tag_is_refused_before_it_is_spelled_out() {
    let prefix = "x".repeat(1 << 20);
    let list = "!a!y 1, ".repeat(100_000);
    for (before, line) in [
        ("", 1),
        ("# first\n\n", 3),
        ("%YAML 1.2\r\n\r\n", 3),
        ("...\n", 2),
    ] {
        let file = file(&format!(
            "{before}%TAG !a! !{prefix}\n---\nx-a: [{list}]\njobs: {{}}\n"
        ));
        assert!(says(&file, "%TAG"), "{before:?}");
        assert_eq!(file.findings[0].at.place.line, line, "{before:?}");
    }
    // Anywhere else it is text.
    let text = format!(
        "{}    stdin: \"\\n%TAG\"\n",
        job("schedule: manual\nrun: x")
    );
    assert!(!file(&text).is_bad());
}

#[test]
fn of_many_merge_keys_one_is_read() {
    let mut text = "x-0: &a { q: 1 }\nx-a:\n".to_owned();
    for n in 0..100_000 {
        let _ = writeln!(text, "  k{n}: 1");
    }
    text.push_str(&"  <<: *a\n".repeat(9_000));
    assert!(says(&file(&text), "`<<` is given twice"));
}

#[test]
fn a_message_is_short_whatever_the_file_holds() {
    let long = "x".repeat(1 << 20);
    for text in [
        format!("x-a: !{long} 1\n"),
        format!("x-a: !<{long}> 1\n"),
        format!("{long}: 1\n"),
        format!("\"{long}\": 1\n"),
        job(&format!("schedule: \"{long}\"\nrun: x")),
        job(&format!("schedule: manual\nrun: x\n\"{long}\": 1")),
        job(&format!(
            "schedule: manual\nrun: x\nenv: {{ A: \"${{{long}}}\" }}"
        )),
        job(&format!(
            "schedule: manual\nrun: x\nenv: {{ A: \"${{{long}.b}}\" }}"
        )),
        job(&format!(
            "schedule: manual\nrun: x\nenv: {{ A: \"${{SECRET{long}}}\" }}"
        )),
        job(&format!("schedule: manual\nrun: \"${{secrets.{long}}}\"")),
        job(&format!("schedule: manual\nhttp: \"{long}://x\"")),
        job(&format!("schedule: manual\nrun: x\ntimeout: \"{long}\"")),
        job(&format!("schedule: manual\nrun: x\ntimezone: \"{long}\"")),
        job(&format!(
            "schedule: manual\nrun: x\nenv_file: \"../{long}\""
        )),
        job(&format!(
            "schedule: manual\nrun: x\nsecrets: {{ \"{long}\": hi }}"
        )),
        job(&format!("schedule: {{ at: \"{long}\" }}\nrun: x")),
        job(&format!("schedule: {{ daily: \"{long}\" }}\nrun: x")),
        job(&format!("schedule: {{ every: \"{long}\" }}\nrun: x")),
        job(&format!(
            "schedule: manual\nhttp: {{ url: \"http://x/\", headers: {{ \"{long}\\n\": a }} }}"
        )),
    ] {
        let file = file(&text);
        let start: String = text.chars().take(80).collect();
        assert!(file.is_bad(), "{start}");
        for finding in &file.findings {
            assert!(finding.message.len() < 2_000, "{start}");
            assert!(finding.help.len() < 2_000, "{start}");
        }
    }
}

#[test]
fn a_file_with_too_many_values_says_so_once_and_still_tells_its_names() {
    let values = "a,".repeat(2_000_001);
    let file = file(&format!(
        "jobs:\n  first: {{ schedule: manual, run: x }}\n  second: {{ schedule: manual, exec: [{values}] }}\n"
    ));
    assert_eq!(codes(&file), [Code::Limit], "{}", shown(&file.findings));
    let names: Vec<_> = file.names.iter().map(|place| &*place.name).collect();
    assert_eq!(names, ["first", "second"]);
}

#[test]
fn what_jobs_take_from_defaults_is_bounded_whatever_it_is() {
    let list = |item: &str, most: usize| vec![item; most].join(", ");
    let names = |most: usize| {
        let named = (0..most).map(|n| format!("k{n}: x"));
        named.collect::<Vec<_>>().join(", ")
    };
    let json = format!(
        "http: {{ expect: {{ json: {{ /a: [{}] }} }} }}",
        list("1", 100_000)
    );
    for (defaults, jobs) in [
        (format!("env_file: [{}]", list("a", 9_000)), 230),
        (format!("inherit_env: [{}]", list("A", 9_000)), 230),
        (format!("http: {{ query: {{ {} }} }}", names(500)), 4_010),
        (
            format!("http: {{ expect: {{ status: [{}] }} }}", list("200", 9_000)),
            230,
        ),
        (json, 25),
    ] {
        let mut text = format!("defaults: {{ {defaults} }}\njobs:\n");
        for n in 0..jobs {
            let _ = writeln!(text, "  j{n}: {{ schedule: manual, http: \"http://x/\" }}");
        }
        let start: String = text.chars().take(60).collect();
        assert!(says(&file(&text), "taken from defaults"), "{start}");
    }
}
