//! The layout of whatever is nearly a job file: decoded before and after, it is the same. And
//! files of settings.

use elder::decide::freeze;
use elder::schedule::Zones;
use elder::spec::{Options, PlainKey, SYNC_WINDOWS, check_settings, settings_of};
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
        |input| match settings_of(&input_file("elder.yaml", input), &known, &[SYNC_WINDOWS]) {
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

#[test]
fn windows_of_the_sync() {
    let zones = Zones::bundled();
    let options = Options::default();
    let seeds = [
        "sync_windows:\n  - deny: { weekly: { days: fri, at: \"16:00\" }, timezone: Europe/Berlin }\n    for: 64h\n    reason: nobody is here\n",
        "sync_windows: [{ allow: '0 9 * * 1-5', for: 8h }, { deny: { yearly: { date: 12-20, at: \"00:00\" } }, for: 2w }]\n",
    ];
    let now = "2027-01-01T00:00:00Z".parse().unwrap();
    feed("windows of the sync", &Mutator::of_texts(&seeds), |input| {
        let file = check_settings(&input_file("elder.yaml", input), &options, &zones);
        if let Some(until) = freeze(&file.windows, now).and_then(|freeze| freeze.until) {
            assert!(until > now, "a freeze that is over");
            assert_eq!(freeze(&file.windows, until), None, "it ends when it says");
        }
    });
}
