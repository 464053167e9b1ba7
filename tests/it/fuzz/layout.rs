//! The layout of whatever is nearly a job file: decoded before and after, it is the same.

use elder::schedule::Zones;
use elder::tools::fmt::{Layout, diff, layout};

use super::targets::{checked, definitions, job_files};
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
