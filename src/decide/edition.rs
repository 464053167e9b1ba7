//! Editions of a job's definition, and since when and with which of them a job fails.
//!
//! An *edition* is one wording of a definition, from the reload that put it in force to the next one
//! that changed it. What it changed is written down then, when both are at hand.

use std::sync::Arc;

use jiff::Timestamp;

use super::fields::{Field, differences};
use crate::ids::{DefinitionId, RunId};
use crate::model::Definition;

/// So many editions of a job are remembered.
pub const MOST_EDITIONS: usize = 10;

/// So many keys of one edition are remembered.
const MOST_FIELDS: usize = 20;

/// So much of a value is remembered.
const MOST_TEXT: usize = 160;

/// What stands for the rest of a value.
const CUT: char = '…';

/// Which reload put an edition in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// When; `None` for what was in force before this was remembered.
    pub at: Option<Timestamp>,
    /// The revision of the files then, if one was known.
    pub revision: Option<Arc<str>>,
    /// Who made it, if that was known.
    pub author: Option<Arc<str>>,
}

/// One wording of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edition {
    /// What it is known by.
    pub definition: DefinitionId,
    /// How it came in force.
    pub edit: Edit,
    /// Which keys it has other than the edition before; `None` for the first one, and where nobody
    /// knows.
    pub changed: Option<Arc<[Field]>>,
}

/// A job that fails: its first failure after its last success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// That run.
    pub run: RunId,
    /// When it ended.
    pub at: Timestamp,
    /// The revision that it ran with.
    pub revision: Option<Arc<str>>,
    /// By which definition it ran.
    pub definition: Option<DefinitionId>,
}

/// By which definition a job last succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastSuccess {
    /// It never did, as far as is known.
    None,
    /// Under an elder that did not remember it; all editions that are known came later, but for a
    /// first one.
    Unknown,
    /// By this one.
    By(DefinitionId),
}

/// Since when a job fails, and what was changed before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailingSince {
    /// The first run that failed after the last success.
    pub run: RunId,
    /// When it ended.
    pub at: Timestamp,
    /// The revision that changed the definition before; where none did, the one that the run ran with.
    pub revision: Option<Arc<str>>,
    /// Who changed the definition before, if anybody did and that is known.
    pub author: Option<Arc<str>>,
    /// By which definition it ran.
    pub definition: Option<DefinitionId>,
    /// What differs between that and the definition of the last success: nothing where it ran by the
    /// same one; `None` where that is not known, or there was no success yet.
    pub changed: Option<Vec<Field>>,
    /// By which it last succeeded.
    pub success: LastSuccess,
}

/// The keys in which `after` differs, so many as are remembered.
#[must_use]
pub fn remembered(before: &Definition, after: &Definition) -> Arc<[Field]> {
    let fields = differences(before, after).into_iter().take(MOST_FIELDS);
    let cut = |text: Option<String>| text.map(|text| cut(text, MOST_TEXT));
    fields
        .map(|field| Field {
            key: field.key,
            before: cut(field.before),
            after: cut(field.after),
        })
        .collect()
}

fn cut(text: String, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text,
        Some((end, _)) => format!("{}{CUT}", &text[..end]),
    }
}

/// Those of `editions`, the oldest first, that came after the last success by `good`, of a job that has
/// failed since or not.
#[must_use]
pub fn since_success<'a>(
    editions: &'a [Edition],
    good: Option<DefinitionId>,
    failing: Option<&Failing>,
) -> &'a [Edition] {
    // After the one that it failed by the good one may have come back, with no success yet.
    let failed = failing.and_then(|failing| place_of_failure(editions, failing));
    let before = &editions[..failed.unwrap_or(editions.len())];
    let last = good.and_then(|good| before.iter().rposition(|it| it.definition == good));
    last.map_or(editions, |last| &editions[last + 1..])
}

/// Which of a job's editions, the oldest first, is to be forgotten because there are more than are
/// remembered. Of a job that fails those stay that tell what made it fail, and the newest one always.
#[must_use]
pub fn superfluous(
    editions: &[Edition],
    good: Option<DefinitionId>,
    failing: Option<&Failing>,
) -> Option<usize> {
    if editions.len() <= MOST_EDITIONS {
        return None;
    }
    let Some(guilty) = failing.and_then(|failing| place_of_failure(editions, failing)) else {
        return Some(0);
    };
    let tells = since_success(editions, good, failing).len() == editions.len();
    // What was edited after the first failure did not make it fail.
    let after = guilty + 1;
    Some(match tells && after + 1 < editions.len() {
        true => after,
        false => 0,
    })
}

/// Which of `editions`, the oldest first, a run went by that began then: of one that came back the time
/// before it.
#[must_use]
pub fn edition_of(
    editions: &[Edition],
    definition: DefinitionId,
    began: Option<Timestamp>,
) -> Option<&Edition> {
    place_of(editions, definition, began).map(|place| &editions[place])
}

fn place_of(
    editions: &[Edition],
    definition: DefinitionId,
    began: Option<Timestamp>,
) -> Option<usize> {
    let is_before = |edition: &Edition| match (edition.edit.at, began) {
        (Some(at), Some(began)) => at <= began,
        _ => true,
    };
    let is_same = |edition: &Edition| edition.definition == definition;
    let newest = editions.iter().rposition(|it| is_same(it) && is_before(it));
    newest.or_else(|| editions.iter().position(is_same))
}

/// Which of `editions` the first failure went by.
fn place_of_failure(editions: &[Edition], failing: &Failing) -> Option<usize> {
    place_of(editions, failing.definition?, Some(failing.at))
}

/// Puts together since when a job fails; `editions` are those that came after the last success, the
/// oldest first.
#[must_use]
pub fn failing_since(
    failing: &Failing,
    success: LastSuccess,
    editions: &[Edition],
) -> FailingSince {
    let mut since = FailingSince {
        run: failing.run,
        at: failing.at,
        revision: failing.revision.clone(),
        author: None,
        definition: failing.definition,
        changed: None,
        success,
    };
    if let (LastSuccess::By(good), Some(definition)) = (success, failing.definition)
        && good == definition
    {
        since.changed = Some(Vec::new());
        return since;
    }
    // Later editions did not make it fail.
    let Some(last) = place_of_failure(editions, failing) else {
        return since;
    };
    let editions = &editions[..=last];
    let edit = &editions[last].edit;
    since.revision = edit.revision.clone().or(since.revision);
    since.author.clone_from(&edit.author);
    since.changed = match (success, editions) {
        (LastSuccess::None, _) => None,
        (LastSuccess::Unknown, [first, later @ ..]) if first.changed.is_none() => {
            together(later).filter(|_| !later.is_empty())
        }
        _ => together(editions),
    };
    since
}

/// What several editions changed, one after the other; `None` where one of them is not known.
fn together(editions: &[Edition]) -> Option<Vec<Field>> {
    let mut all: Vec<Field> = Vec::new();
    for edition in editions {
        for field in edition.changed.as_deref()? {
            match all.iter_mut().find(|known| known.key == field.key) {
                Some(known) => known.after.clone_from(&field.after),
                None => all.push(field.clone()),
            }
        }
    }
    let is_cut = |text: &Option<String>| text.as_ref().is_some_and(|it| it.ends_with(CUT));
    all.retain(|field| field.before != field.after || is_cut(&field.before));
    Some(all)
}

impl FailingSince {
    /// The keys that were changed, for a sentence: `run, timeout`.
    #[must_use]
    pub fn keys(&self) -> String {
        const SHOWN: usize = 5;
        let fields = self.changed.as_deref().unwrap_or_default();
        let mut keys: Vec<&str> = fields.iter().map(|field| field.key.as_str()).collect();
        let more = keys.len().saturating_sub(SHOWN);
        keys.truncate(SHOWN);
        match more {
            0 => keys.join(", "),
            more => format!("{} and {more} more", keys.join(", ")),
        }
    }

    /// What came before, in words: `revision 3f2a91c by Ada, which changed run`.
    #[must_use]
    pub fn words(&self) -> String {
        let revision = self.revision.as_deref().map(short);
        let by = self.author.as_deref();
        let by = by.map_or_else(String::new, |author| format!(" by {author}"));
        let keys = self.keys();
        if !keys.is_empty() {
            return match revision {
                Some(revision) => format!("revision {revision}{by}, which changed {keys}"),
                None => format!("an edit{by} that changed {keys}"),
            };
        }
        let revision = revision.map(|it| format!("revision {it}{by}, "));
        let revision = revision.unwrap_or_default();
        let of = match self.success {
            LastSuccess::None => "no success is known",
            LastSuccess::Unknown => "by which definition it last succeeded is not known",
            LastSuccess::By(good) if self.definition == Some(good) => {
                "by the definition of its last success"
            }
            LastSuccess::By(_) => "by another definition than its last success",
        };
        format!("{revision}{of}")
    }
}

/// Whether the files differed from their commit: what was edited is in none yet.
#[must_use]
pub fn is_uncommitted(revision: &str) -> bool {
    revision.split(',').any(|part| part.ends_with("-dirty"))
}

/// A revision for people: of a commit as much as names it.
#[must_use]
pub fn short(revision: &str) -> String {
    const ENOUGH: usize = 12;
    let parts = revision.split(',').map(|part| {
        let (name, rest) = part.split_once('-').unwrap_or((part, ""));
        match (crate::model::is_commit(name), rest) {
            (false, _) => part.to_owned(),
            (true, "") => name[..ENOUGH].to_owned(),
            (true, rest) => format!("{}-{rest}", &name[..ENOUGH]),
        }
    });
    parts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::JobName;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn id(text: &str) -> DefinitionId {
        DefinitionId::of(text.as_bytes())
    }

    /// The edition `name`, in force since revision `rev-NAME`, with these keys changed.
    fn edition(name: &str, changed: Option<&[(&str, &str, &str)]>) -> Edition {
        let field = |(key, before, after): &(&str, &str, &str)| Field {
            key: (*key).to_owned(),
            before: Some((*before).to_owned()),
            after: Some((*after).to_owned()),
        };
        Edition {
            definition: id(name),
            edit: Edit {
                at: Some(at(0)),
                revision: Some(format!("rev-{name}").into()),
                author: Some(format!("author of {name}").into()),
            },
            changed: changed.map(|fields| fields.iter().map(field).collect()),
        }
    }

    fn failing(definition: Option<&str>) -> Failing {
        let job = JobName::new("a").unwrap();
        Failing {
            run: RunId::of_fire(&job, at(5)),
            at: at(6),
            revision: Some("rev-of-run".into()),
            definition: definition.map(id),
        }
    }

    #[test]
    fn what_was_changed_before_the_first_failure_is_named() {
        let good = edition("good", None);
        let run: &[_] = &[("run", "'true'", "'false'")];
        let time: &[_] = &[("timeout", "1m", "2m")];
        let back: &[_] = &[("run", "'false'", "'true'")];
        let all = |editions: &[&Edition]| -> Vec<Edition> {
            editions.iter().map(|it| (*it).clone()).collect()
        };
        let (bad, worse) = (edition("bad", Some(run)), edition("worse", Some(time)));
        let mended = edition("mended", Some(back));
        let dark = edition("dark", None);
        let mut again = edition("bad", Some(time));
        again.edit.at = Some(at(9));
        again.edit.author = Some("somebody later".into());
        for (editions, ran_by, success, want, why) in [
            (
                all(&[&good, &bad]),
                Some("bad"),
                Some("good"),
                "revision rev-bad by author of bad, which changed run",
                "one edit",
            ),
            (
                all(&[&good, &bad, &worse]),
                Some("worse"),
                Some("good"),
                "revision rev-worse by author of worse, which changed run, timeout",
                "two edits without a run between them",
            ),
            (
                all(&[&good, &bad, &worse]),
                Some("bad"),
                Some("good"),
                "revision rev-bad by author of bad, which changed run",
                "an edit after the first failure did not make it fail",
            ),
            (
                all(&[&good, &bad, &mended]),
                Some("mended"),
                Some("good"),
                "revision rev-mended by author of mended, by another definition than its last success",
                "changed and changed back",
            ),
            (
                all(&[&good, &bad, &good]),
                Some("bad"),
                Some("good"),
                "revision rev-bad by author of bad, which changed run",
                "the good wording came back, without a success yet",
            ),
            (
                all(&[&good, &bad, &good, &again]),
                Some("bad"),
                Some("good"),
                "revision rev-bad by author of bad, which changed run",
                "and the bad one again",
            ),
            (
                all(&[&bad, &good, &bad]),
                Some("bad"),
                Some("good"),
                "revision rev-bad by author of bad, which changed run",
                "it was bad before its last success as well",
            ),
            (
                all(&[&good]),
                Some("good"),
                Some("good"),
                "revision rev-of-run, by the definition of its last success",
                "no edit",
            ),
            (
                all(&[&good, &bad]),
                Some("bad"),
                None,
                "revision rev-bad by author of bad, no success is known",
                "it never succeeded",
            ),
            (
                all(&[&good, &dark]),
                Some("dark"),
                Some("good"),
                "revision rev-dark by author of dark, by another definition than its last success",
                "nobody knows what that edition changed",
            ),
            (
                all(&[&good]),
                Some("lost"),
                Some("good"),
                "revision rev-of-run, by another definition than its last success",
                "an edition that is not remembered",
            ),
        ] {
            let good = success.map(id);
            let failing = failing(ran_by);
            let left = since_success(&editions, good, Some(&failing));
            let success = good.map_or(LastSuccess::None, LastSuccess::By);
            let since = failing_since(&failing, success, left);
            assert_eq!(since.words(), want, "{why}");
        }
        // It succeeded under an elder that did not remember by what: before all edits that are known.
        for (editions, ran_by, want) in [
            (
                all(&[&bad, &worse]),
                "worse",
                "revision rev-worse by author of worse, which changed run, timeout",
            ),
            (
                all(&[&good, &bad]),
                "bad",
                "revision rev-bad by author of bad, which changed run",
            ),
            (
                all(&[&good, &bad]),
                "good",
                "revision rev-good by author of good, by which definition it last succeeded is not known",
            ),
        ] {
            let since = failing_since(&failing(Some(ran_by)), LastSuccess::Unknown, &editions);
            assert_eq!(since.words(), want);
        }
    }

    #[test]
    fn an_edition_that_came_back_counts_from_its_last_time() {
        let editions = [edition("a", None), edition("b", None), edition("a", None)];
        let since = |good: Option<&str>| since_success(&editions, good.map(id), None);
        assert_eq!(since(Some("a")), []);
        assert_eq!(since(Some("b")), &editions[2..]);
        assert_eq!(since(Some("c")).len(), 3);
        assert_eq!(since(None).len(), 3);
    }

    #[test]
    fn the_edition_by_which_a_job_began_to_fail_is_not_forgotten() {
        let bound = |all: &mut Vec<Edition>, good: Option<&str>, failing: Option<&Failing>| {
            while let Some(place) = superfluous(all, good.map(id), failing) {
                all.remove(place);
            }
        };
        let change: &[_] = &[("run", "'true'", "'false'")];
        let bad = failing(Some("bad"));
        for (what, first, later, guilty) in [
            ("edits after it", &["good", "bad"][..], 30, true),
            (
                "edits of before",
                &["old", "older", "good", "bad"],
                30,
                true,
            ),
            ("the good one came back", &["good", "bad", "good"], 30, true),
            ("no success at all", &["bad"], 30, true),
            ("another one failed", &["good", "other"], 30, false),
        ] {
            let mut editions: Vec<Edition> = Vec::new();
            let later: Vec<String> = (0..later).map(|n| format!("later {n}")).collect();
            let all = first
                .iter()
                .copied()
                .chain(later.iter().map(|name| &**name));
            for name in all {
                editions.push(edition(name, Some(change)));
                bound(&mut editions, Some("good"), Some(&bad));
                assert_eq!(editions.last().unwrap().definition, id(name), "{what}");
            }
            assert_eq!(editions.len(), MOST_EDITIONS, "{what}");
            let left = since_success(&editions, Some(id("good")), Some(&bad));
            let since = failing_since(&bad, LastSuccess::By(id("good")), left);
            let words = "revision rev-bad by author of bad, which changed run";
            assert_eq!(since.words() == words, guilty, "{what}: {}", since.words());
        }
        // So many edits before the first run that it fails by the last of them.
        let names: Vec<String> = (0..MOST_EDITIONS + 5).map(|n| n.to_string()).collect();
        let mut editions: Vec<_> = names.iter().map(|it| edition(it, Some(change))).collect();
        bound(&mut editions, None, Some(&failing(Some("14"))));
        assert_eq!(editions.len(), MOST_EDITIONS);
        assert_eq!(editions[0].definition, id("5"));
        // A job that does not fail forgets the oldest.
        let mut editions: Vec<_> = names.iter().map(|it| edition(it, Some(change))).collect();
        bound(&mut editions, Some("0"), None);
        assert_eq!(editions[0].definition, id("5"));
    }

    #[test]
    fn values_are_cut_and_a_cut_value_is_never_taken_for_the_same() {
        let long = cut("x".repeat(500), MOST_TEXT);
        assert_eq!(long.chars().count(), MOST_TEXT + 1);
        let fields: &[_] = &[("run", long.as_str(), long.as_str())];
        let since = together(&[edition("b", Some(fields))]).unwrap();
        assert_eq!(since.len(), 1);
    }

    #[test]
    fn a_commit_is_shown_as_its_first_digits_and_nothing_else_is_cut() {
        let commit = "3f2a91c0de3f2a91c0de3f2a91c0de3f2a91c0de";
        for (revision, want) in [
            (commit.to_owned(), "3f2a91c0de3f"),
            (format!("{commit}-dirty"), "3f2a91c0de3f-dirty"),
            (format!("{commit},v1.2-rc1"), "3f2a91c0de3f,v1.2-rc1"),
            ("v1.2".to_owned(), "v1.2"),
        ] {
            assert_eq!(short(&revision), want);
        }
    }
}
