//! The layout of whatever is nearly a job file: decoded before and after, it is the same. And
//! files of settings.

use elder::schedule::Zones;
use elder::spec::{PlainKey, settings_of};
use elder::tools::fmt::{Layout, diff, layout};

use super::targets::{checked, definitions, input_file, job_files};
use super::{Mutator, feed};

#[test]
fn layouts() {
    let zones = Zones::bundled();
    feed("layouts", &Mutator::new(job_files()), |input| {
        let Ok(text) = std::str::from_utf8(input) else {
            return;
        };
        let Layout::Changed(laid) = layout(text) else {
            return;
        };
        assert_eq!(layout(&laid), Layout::Same, "again");
        assert!(diff("a.yaml", text, &laid).starts_with("--- a.yaml\n"));
        let (before, _) = checked("a.yaml", input, &zones);
        let (after, _) = checked("a.yaml", laid.as_bytes(), &zones);
        assert_eq!(definitions(&before), definitions(&after));
    });
}

#[test]
fn files_of_settings() {
    let key = |(name, takes_list): (&str, bool)| PlainKey {
        name: name.to_owned(),
        takes_list,
    };
    let known = [("max_workers", false), ("listen", false), ("paths", true)].map(key);
    let seeds = [
        "max_workers: 8\nlisten: 127.0.0.1:8000\npaths: [a, 'b']\n",
        "# x\npaths:\n  - a\n  - b\nlisten: null\n",
    ];
    feed(
        "files of settings",
        &Mutator::of_texts(&seeds),
        |input| match settings_of(&input_file("elder.yaml", input), &known) {
            Ok(settings) => {
                for setting in settings {
                    assert!(known.iter().any(|key| key.name == setting.name));
                    assert!(setting.line > 0 && setting.line as usize <= 1 + input.len());
                }
            }
            Err(findings) => assert!(!findings.is_empty()),
        },
    );
}
