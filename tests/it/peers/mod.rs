//! elder's fires beside those of other schedulers: croniter, APScheduler,
//! systemd and croner, on many generated schedules. Each way in which one of
//! them differs is known, recognised by code, and explained in
//! docs/differences.md; anything else fails with the seed to draw it again.
//!
//! `ELDER_SEED` draws other questions, `ELDER_CASES` more of them.

mod ask;
mod differences;
mod draw;
mod examples;
mod shape;
mod translate;

pub use ask::installed;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use ask::Answer;
use differences::{KNOWN, Peer, Side};
use draw::Places;
use examples::Example;
use shape::Question;

use crate::support::{Dice, number};

const SEED: u64 = 20_261_122;
const CASES: u64 = 3_000;

#[test]
fn peers_differ_only_in_known_ways() {
    let (seed, cases) = (number("ELDER_SEED", SEED), number("ELDER_CASES", CASES));
    let places = Places::new();
    let mut dice = Dice::new(seed);
    let questions: Vec<_> = (0..cases).map(|_| places.question(&mut dice)).collect();
    let zoneinfo = ask::zoneinfo();
    let ask = |peer| ask::ask(peer, &places, zoneinfo.path(), &questions);
    let answered = thread::scope(|scope| {
        let ask = &ask;
        let asked = Peer::ALL.map(|peer| {
            thread::Builder::new()
                .spawn_scoped(scope, move || ask(peer))
                .unwrap()
        });
        asked.map(|answers| answers.join().unwrap())
    });
    let mut seen = Seen::default();
    for (peer, theirs) in Peer::ALL.into_iter().zip(&answered) {
        seen.look_at(&places, peer, &questions, theirs);
    }
    eprintln!("{}", seen.told());
    assert!(
        seen.unknown.is_empty(),
        "{} unknown differences with ELDER_SEED={seed} ELDER_CASES={cases}, such as\n{}",
        seen.unknown.len(),
        seen.unknown[..seen.unknown.len().min(10)].join("\n")
    );
    if (seed, cases) == (SEED, CASES) {
        for peer in Peer::ALL {
            let many = seen.asked.get(&peer).copied();
            assert!(
                many > Some(2_000),
                "{peer:?} can say {many:?} questions only"
            );
        }
    }
}

#[test]
fn each_known_difference_has_an_example_that_shows_it() {
    let places = Places::new();
    let zoneinfo = ask::zoneinfo();
    let mut text = Vec::new();
    let mut shown = BTreeSet::new();
    for Example {
        name,
        peer,
        question,
    } in examples::examples()
    {
        shown.insert((name, peer));
        // The others are pinned; this one is the machine's.
        if peer == Peer::Systemd && !ask::systemd_version().starts_with("systemd 252") {
            continue;
        }
        let mut seen = Seen::default();
        let theirs = ask::ask(
            peer,
            &places,
            zoneinfo.path(),
            std::slice::from_ref(&question),
        );
        seen.look_at(&places, peer, std::slice::from_ref(&question), &theirs);
        assert!(
            seen.unknown.is_empty() && seen.known.contains_key(&(name, peer)),
            "{name}: {peer:?} answers {theirs:?} to {}, which shows {:?} {:?}",
            question.elder(),
            seen.known,
            seen.unknown
        );
        let ours = ask::elder(std::slice::from_ref(&question));
        text.push(examples::row(
            places.zone(&question.zone),
            peer,
            &question,
            &ours[0],
            theirs[0].as_ref().unwrap(),
        ));
    }
    let known = KNOWN
        .iter()
        .flat_map(|(name, peers)| peers.iter().map(move |peer| (*name, *peer)));
    assert_eq!(shown, known.collect());
    let document = include_str!("../../../docs/differences.md");
    let missing: Vec<_> = text
        .iter()
        .filter(|row| !document.contains(row.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/differences.md lacks these rows:\n{}",
        text.join("\n")
    );
}

#[test]
fn the_document_explains_each_difference() {
    let text = include_str!("../../../docs/differences.md");
    let told: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("## `"))
        .collect();
    let known = KNOWN.iter().map(|(name, peers)| {
        let peers: Vec<_> = peers.iter().map(|peer| peer.name()).collect();
        format!("## `{name}` ({})", peers.join(", "))
    });
    assert_eq!(told, known.collect::<Vec<_>>());
}

/// What became of the questions.
#[derive(Default)]
struct Seen {
    asked: BTreeMap<Peer, u32>,
    /// How often, and the first question that shows it.
    known: BTreeMap<(&'static str, Peer), (u32, String)>,
    unknown: Vec<String>,
}

impl Seen {
    fn look_at(
        &mut self,
        places: &Places,
        peer: Peer,
        questions: &[Question],
        theirs: &[Option<Answer>],
    ) {
        let read = questions
            .iter()
            .map(|question| differences::as_read_by(peer, question));
        let (read, names): (Vec<Question>, Vec<_>) = read.unzip();
        let ours = ask::elder(&read);
        for (index, theirs) in theirs.iter().enumerate() {
            let Some(theirs) = theirs else { continue };
            *self.asked.entry(peer).or_default() += 1;
            let (question, read) = (questions[index].elder(), &read[index]);
            match compare(places, peer, read, &ours[index], theirs) {
                Ok(found) => {
                    for name in names[index].iter().copied().chain(found) {
                        let first = (0, format!("{question} {theirs:?}"));
                        self.known.entry((name, peer)).or_insert(first).0 += 1;
                    }
                }
                Err(said) => self.unknown.push(format!("{peer:?}: {question}\n{said}")),
            }
        }
    }

    fn told(&self) -> String {
        let asked = self
            .asked
            .iter()
            .map(|(peer, many)| format!("{peer:?} was asked {many}\n"));
        let known = self.known.iter().map(|((name, peer), (many, first))| {
            format!("{name} {peer:?} {many}, such as {first}\n")
        });
        asked.chain(known).collect()
    }
}

/// The names of the differences, or what is not known.
fn compare(
    places: &Places,
    peer: Peer,
    question: &Question,
    ours: &Answer,
    theirs: &Answer,
) -> Result<BTreeSet<&'static str>, String> {
    let zone = places.zone(&question.zone);
    let gives_up = |said| differences::gives_up(peer, question, zone, said);
    let mut names = BTreeSet::new();
    let (ours, theirs) = match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (Ok(_), Err(said)) if gives_up(said) => return Ok(BTreeSet::from(["no-answer"])),
        // Each has its own way to say that it never fires.
        (Ok(ours), Err(_)) if ours.is_empty() => return Ok(names),
        _ => return Err(format!("elder {ours:?}, peer {theirs:?}")),
    };
    // As far as both have looked.
    let last = |fires: &[i64]| fires.get(question.n - 1).copied();
    let end = last(ours)
        .unwrap_or(i64::MAX)
        .min(last(theirs).unwrap_or(i64::MAX))
        .min(question.within.1.unwrap_or(i64::MAX));
    let only_elder = ours.iter().filter(|at| !theirs.contains(at));
    let only_peer = theirs.iter().filter(|at| !ours.contains(at));
    let only = only_elder.map(|at| (Side::Elder, *at));
    let only = only.chain(only_peer.map(|at| (Side::Peer, *at)));
    let mut only: Vec<_> = only.filter(|(_, at)| *at <= end).collect();
    only.sort_unstable_by_key(|(_, at)| *at);
    let Some((_, last)) = only.last() else {
        return Ok(names);
    };
    let changes = differences::changes(zone, question.asked_after(), last + 86_400);
    let mut unknown = Vec::new();
    for (side, at) in &only {
        match differences::explains(peer, question, &changes, zone, *side, *at) {
            Some(name) => {
                names.insert(name);
            }
            None => {
                let at = jiff::Timestamp::from_second(*at).unwrap();
                let shown = at
                    .to_zoned(zone.clone())
                    .strftime("%a %F %T%:z")
                    .to_string();
                unknown.push(format!("only {side:?} fires at {shown}"));
            }
        }
    }
    if unknown.is_empty() {
        Ok(names)
    } else {
        Err(unknown.join("\n"))
    }
}
