//! The lanes: when single schedules fire.

use std::collections::HashSet;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::super::Answer;
use super::super::count::Group;
use super::super::just_before;
use super::super::words::grouped;
use super::shades::Range;
use super::{DAY, LEFT, Picture};

/// So many schedules have a lane, and so many parts has a lane.
const LANES: usize = 40;
const PARTS: i64 = 480;
impl Picture<'_, '_> {
    /// One lane a schedule: jobs that share it look alike.
    pub(super) fn lanes(&mut self) {
        let (chosen, all) = chosen(self.answer);
        if chosen.is_empty() {
            return;
        }
        self.head("Schedules over the whole span");
        if all > chosen.len() {
            self.line(&format!(
                "{} of {}: those with fires that do not run, then those with the most fires",
                chosen.len(),
                grouped(all as u64)
            ));
            self.y += 6;
        }
        let (from, until) = (self.answer.from.as_second(), self.answer.until.as_second());
        let length = (until - from).max(1);
        let x = |part: i64| LEFT + part * DAY / PARTS;
        for group in chosen {
            let bounds: Vec<Timestamp> = (0..=PARTS)
                .map(|part| Timestamp::from_second(from + length * part / PARTS))
                .map(|at| at.map_or(self.answer.until, just_before))
                .collect();
            let schedule = group.schedule;
            let counts: Vec<u64> = bounds
                .windows(2)
                .map(|pair| schedule.count_between(pair[0], pair[1]))
                .collect();
            let y = self.y;
            let _ = writeln!(
                self.body,
                "<rect class=\"row\" x=\"{LEFT}\" y=\"{y}\" width=\"{DAY}\" height=\"11\"/>"
            );
            let name = group.members.first().map_or("", |job| job.name().as_str());
            let others = match group.members.len() - 1 {
                0 => String::new(),
                others => format!(" +{}", grouped(others as u64)),
            };
            let room = 24usize.saturating_sub(others.len());
            let mut cut: String = name.chars().take(room).collect();
            if cut.len() < name.len() {
                cut.push('…');
            }
            self.put(20, y + 10, "list", &(cut + &others));
            let range = Range::of(counts.iter().copied());
            let mut part = 0;
            while part < counts.len() {
                let same = counts[part..]
                    .iter()
                    .take_while(|count| **count == counts[part])
                    .count();
                let level = range.level(counts[part]);
                if level > 0 {
                    let end = i64::try_from(part + same).unwrap_or(PARTS);
                    let begin = i64::try_from(part).unwrap_or(0);
                    self.rect(level, (x(begin), x(end)), y, 11, "");
                }
                part += same;
            }
            self.put(LEFT + DAY + 6, y + 10, "dim", &grouped(group.fires));
            self.y += 14;
        }
        self.y += 8;
    }
}

/// The schedules with a lane, by the names of their first jobs; and how many there are.
fn chosen<'a, 'j>(answer: &'a Answer<'j>) -> (Vec<&'a Group<'j>>, usize) {
    let groups = answer.counted.groups.iter();
    let mut groups: Vec<&'a Group<'j>> = groups.filter(|group| group.fires > 0).collect();
    let all = groups.len();
    if all > LANES {
        let unrun = answer.followed.unrun.iter();
        let unrun: HashSet<&str> = unrun.map(|row| row.job.as_str()).collect();
        groups.sort_by_cached_key(|group| {
            let mut members = group.members.iter();
            let runs = !members.any(|job| unrun.contains(job.name().as_str()));
            let fires = group.fires.saturating_mul(group.members.len() as u64);
            (runs, std::cmp::Reverse(fires))
        });
        groups.truncate(LANES);
    }
    groups.sort_by_key(|group| group.members.first().map(|job| job.name()));
    (groups, all)
}
