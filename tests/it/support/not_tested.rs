//! What a machine does not let the tests try.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

/// Says that the test that calls it tries nothing, or not all, and why. `make test` lists it at its
/// end; with ELDER_NOT_TESTED=fail, for machines that have all it takes, it is a failure.
#[expect(
    clippy::disallowed_methods,
    reason = "a test is told by the environment"
)]
pub fn not_tested(why: &str) {
    let thread = std::thread::current();
    let line = format!("not tested: {why} ({})\n", thread.name().unwrap_or("?"));
    let is_wrong = std::env::var("ELDER_NOT_TESTED").is_ok_and(|wish| wish == "fail");
    assert!(!is_wrong, "{line}");
    // Past the macros, whose words a test that passes keeps for itself. Nobody may read them.
    let _ = std::io::stderr().write_all(line.as_bytes());
    let list = Path::new(env!("CARGO_TARGET_TMPDIR")).join("not-tested");
    let list = OpenOptions::new().append(true).create(true).open(list);
    list.unwrap().write_all(line.as_bytes()).unwrap();
}
