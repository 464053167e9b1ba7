//! What children wrote: a line as each begins, and where somebody cares another as it ends.
//!
//! `JOB SCHEDULED_AT ATTEMPT RUN [WORD [SECONDS]]`, appended in one write. The word is `began`
//! (as if there were none), `ended`, or `met` when another run of the job was found alive.

use std::collections::HashMap;

use jiff::Timestamp;

use super::Seen;

/// The attempts that a text tells of, in the order in which they began.
///
/// # Errors
/// The line that is none.
pub fn seen_in(text: &str) -> Result<Vec<Seen>, String> {
    let mut all: Vec<Seen> = Vec::new();
    // Where the attempt stands that a later line is about.
    let mut places: HashMap<(String, u64), usize> = HashMap::new();
    for line in text.lines() {
        let (one, word, at) = read(line).ok_or_else(|| format!("half a line: {line:?}"))?;
        let key = (one.run.clone(), one.attempt);
        match (word, places.get(&key)) {
            ("began", _) => {
                places.insert(key, all.len());
                all.push(Seen { began: at, ..one });
            }
            ("ended", Some(place)) => all[*place].ended = at,
            ("met", Some(place)) => all[*place].met_another = true,
            _ => return Err(format!("without a beginning: {line:?}")),
        }
    }
    Ok(all)
}

fn read(line: &str) -> Option<(Seen, &str, Option<Timestamp>)> {
    let mut words = line.split(' ');
    let one = Seen {
        job: words.next()?.to_owned(),
        scheduled: Some(words.next()?.parse().ok()?),
        attempt: words.next()?.parse().ok()?,
        run: words.next().filter(|run| !run.is_empty())?.to_owned(),
        began: None,
        ended: None,
        met_another: false,
    };
    let word = words.next().unwrap_or("began");
    let at = match words.next() {
        Some(seconds) => Some(instant(seconds)?),
        None => None,
    };
    words.next().is_none().then_some((one, word, at))
}

/// `1800000000.123456789`, as `date +%s.%N` says it.
fn instant(text: &str) -> Option<Timestamp> {
    let (seconds, nanos) = text.split_once('.')?;
    let seconds: i128 = seconds.parse().ok()?;
    let nanos: i128 = (nanos.len() == 9).then(|| nanos.parse().ok())??;
    Timestamp::from_nanosecond(seconds * 1_000_000_000 + nanos).ok()
}
