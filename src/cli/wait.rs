//! `elder wait`: until a running elder has what a commit says, or refuses it.

use std::fmt::Write as _;

use serde_json::Value;

use crate::clock::{Clock, SystemClock};
use crate::source::content_hash;

use super::args::WaitArgs;
use super::client::Client;
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::tree::compare::hashes;

/// So long between two questions.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(250);

/// An answer may take so long, also to the last question.
const LEAST: std::time::Duration = std::time::Duration::from_secs(1);

/// The shortest beginning of a revision that is taken for one.
const SHORTEST: usize = 7;

/// How one question was answered.
enum Seen {
    /// It is in force.
    Applied,
    /// It is there, and not as it says: refused, held, or lost.
    Not(String),
    /// Something else is there.
    Other(String),
}

/// Waits.
///
/// # Errors
/// When the time is over and nobody can tell.
pub fn wait(
    typed: &WaitArgs,
    environment: &Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    if typed.revision.is_none() && typed.paths.is_empty() {
        return Err(Failure::no_answer("there is nothing to wait for")
            .help("name --revision REV, or the PATHs whose content is to be in force"));
    }
    let hash = match &typed.paths[..] {
        [] => None,
        paths => {
            let files = hashes(paths)?;
            let files = files.iter();
            Some(content_hash(
                files.map(|(root, path, hash)| (*root, path.as_str(), hash)),
            ))
        }
    };
    let mut client = Client::new(&typed.client, environment)?;
    let clock = SystemClock::default();
    let end = clock.monotonic().saturating_add(typed.timeout);
    loop {
        let left = end.saturating_sub(clock.monotonic());
        client.be_patient_for(left.max(LEAST));
        let answer = client.get(&["config"], &[]);
        let seen =
            answer.map(|answer| judge(&answer.body, typed.revision.as_deref(), hash.as_deref()));
        let is_over = clock.monotonic() >= end;
        match seen {
            Ok(Seen::Applied) => {
                console.answer("in force\n")?;
                return Ok(Exit::Fine);
            }
            Ok(Seen::Not(why)) => {
                console.answer(&why)?;
                return Ok(Exit::DoesNotHold);
            }
            Ok(Seen::Other(what)) if is_over => {
                let waited = crate::duration::print(typed.timeout);
                return Err(
                    Failure::no_answer(format!("not in force after {waited}: {what}"))
                        .help("do the files reach that elder? `elder sync` makes it look now"),
                );
            }
            Err(failure) if is_over || failure.is_lasting => return Err(failure),
            // It may be starting.
            Ok(Seen::Other(_)) | Err(_) => client.pause(PAUSE),
        }
    }
}

fn judge(config: &Value, revision: Option<&str>, hash: Option<&str>) -> Seen {
    let text = |key: &str| config["sync"][key].as_str().unwrap_or_default();
    let is_revision = revision.is_none_or(|wanted| {
        let mut there = text("revision").split(',');
        there.any(|there| is_meant(wanted, there))
    });
    let is_content = hash.is_none_or(|wanted| text("content_hash") == wanted);
    let waiting = config["sync"]["waiting"]["revision"].as_str();
    let waits = revision.zip(waiting).is_some_and(|(wanted, there)| {
        let mut there = there.split(',');
        is_content && there.any(|there| is_meant(wanted, there))
    });
    if waits {
        return Seen::Not(refused(config));
    }
    if !is_revision || !is_content {
        let there = match text("revision") {
            "" => format!("content {}", text("content_hash")),
            revision => format!("revision {revision}"),
        };
        return Seen::Other(format!("it runs {there}"));
    }
    // What is held is another change than the one that was asked for.
    let pending = config["pending_removals"].as_array();
    let is_other = hash.is_none()
        && config["sync"]["waiting"].is_object()
        && pending.is_none_or(Vec::is_empty);
    match text("status") {
        "Synced" => Seen::Applied,
        "Held" if is_other => Seen::Applied,
        "OutOfSync" => Seen::Other(text("reason").to_owned()),
        _ => Seen::Not(refused(config)),
    }
}

/// The revision itself, or a beginning of it that is long enough.
fn is_meant(wanted: &str, there: &str) -> bool {
    let begins = wanted.len() >= SHORTEST && there.starts_with(wanted);
    wanted == there || begins && !there.ends_with("-dirty")
}

/// Why what is there is not in force as it says.
fn refused(config: &Value) -> String {
    let sync = &config["sync"];
    let mut text = format!(
        "{}: {}\n",
        sync["status"].as_str().unwrap_or_default(),
        sync["reason"].as_str().unwrap_or_default()
    );
    let findings = sync["findings"].as_array();
    for finding in findings.into_iter().flatten() {
        let part = |key: &str| finding[key].as_str().unwrap_or_default();
        if part("severity") == "error" {
            let line = &finding["line"];
            let _ = writeln!(
                text,
                "  {}:{line}: {} {}",
                part("file"),
                part("code"),
                part("message")
            );
        }
    }
    let pending = config["pending_removals"].as_array();
    for name in pending.into_iter().flatten().filter_map(Value::as_str) {
        let _ = writeln!(text, "  held: {name}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    #[test]
    fn in_a_freeze_what_waits_is_not_in_force_and_what_is_in_force_is() {
        let config = |status: &str, pending: &[&str]| {
            let waiting = json!({"revision": B});
            let sync = json!({"status": status, "revision": A, "reason": "", "waiting": waiting});
            json!({"sync": sync, "pending_removals": pending})
        };
        for (status, pending, wanted, want) in [
            ("Held", &[][..], A, "in force"),
            ("Held", &[], B, "not"),
            ("Invalid", &[], B, "not"),
            ("SourceLost", &[], B, "not"),
            ("Invalid", &[], A, "not"),
            ("Held", &["gone"], A, "not"),
            ("Held", &[], "ccccccc", "other"),
        ] {
            let seen = match judge(&config(status, pending), Some(wanted), None) {
                Seen::Applied => "in force",
                Seen::Not(_) => "not",
                Seen::Other(_) => "other",
            };
            assert_eq!(seen, want, "{status} {pending:?} {wanted}");
        }
    }

    #[test]
    fn a_beginning_of_seven_digits_names_a_commit_but_no_edited_one() {
        let there = "3f2a91c0de3f2a91c0de3f2a91c0de3f2a91c0de";
        for (wanted, there, want) in [
            (there, there, true),
            ("3f2a91c", there, true),
            ("3f2a91", there, false),
            ("4f2a91c", there, false),
            ("v1", "v1", true),
            ("3f2a91c", "3f2a91c0de-dirty", false),
            ("3f2a91c0de-dirty", "3f2a91c0de-dirty", true),
        ] {
            assert_eq!(is_meant(wanted, there), want, "{wanted} {there}");
        }
    }
}
