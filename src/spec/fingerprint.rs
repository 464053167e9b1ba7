//! What a definition is known by: a hash of its canonical text.

use std::borrow::Cow;
use std::sync::Arc;

use super::print::print;
use crate::ids::DefinitionId;
use crate::model::{Commons, Definition, Job, Origin};

/// What a definition is known by: the same wherever it stands in whichever file, however it is laid
/// out and commented, and in the work tree of whichever commit. Found once and remembered; some
/// microseconds the first time.
#[must_use]
pub fn fingerprint(definition: &Arc<Definition>) -> DefinitionId {
    definition.id.get_or_find(|| {
        let steady = match definition.without_commits() {
            Cow::Borrowed(_) => definition.clone(),
            Cow::Owned(steady) => Arc::new(steady),
        };
        let job = Job {
            definition: steady,
            origin: Origin {
                file: "".into(),
                line: 0,
            },
        };
        DefinitionId::of(print(std::slice::from_ref(&job), Commons::NONE).as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{file, one};
    use super::*;

    #[test]
    fn a_definition_is_known_by_what_it_says_and_not_by_where_it_stands() {
        let of = |text: &str| fingerprint(&one(text));
        let plain = "jobs:\n  a: { schedule: { every: 5m }, run: 'true' }\n";
        let laid_out = "# A comment.\nx-there: 1\njobs:\n  a:\n    run: \"true\"  # alike\n\n    schedule:\n      every: 5m\n";
        assert_eq!(of(plain), of(laid_out));
        let more = plain.replace("run:", "timeout: 3s, run:");
        let others = [("true", "false"), ("5m", "6m"), ("a:", "b:")];
        let others = others.map(|(from, to)| plain.replace(from, to));
        for other in others.iter().chain([&more]) {
            assert_ne!(of(plain), of(other), "{other}");
        }
        let beside = "jobs:\n  b: { schedule: manual, run: 'false', timeout: 1s }\n".to_owned();
        let both = file(&(beside + &plain["jobs:\n".len()..]));
        assert_eq!(of(plain), fingerprint(&both.jobs[1].definition));
    }

    #[test]
    fn a_copy_is_looked_at_anew() {
        let before = one("jobs:\n  a: { schedule: manual, run: 'true' }\n");
        assert_eq!(fingerprint(&before), fingerprint(&before));
        let mut after = (*before).clone();
        assert_eq!(fingerprint(&Arc::new(after.clone())), fingerprint(&before));
        after.enabled = false;
        assert_ne!(fingerprint(&Arc::new(after)), fingerprint(&before));
    }
}
