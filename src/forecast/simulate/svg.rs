//! The answer as one picture: a strip of heat, a row a day; marks for hot minutes and for changes
//! of clocks, told below; and lanes for the jobs that deserve a look.
//!
//! Plain SVG without scripts, readable on light and on dark; every text from outside is escaped.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::count::Busy;
use super::just_before;
use super::words::{amount, clocks, effect, grouped, listed, short};
use super::{Answer, table};
use crate::model::Job;

const WIDTH: i64 = 1_240;
const LEFT: i64 = 190;
/// The width of 24 hours; a day of 25 has room behind it.
const DAY: i64 = 960;
const LEVELS: u32 = 8;
/// So many jobs have a lane, and so many parts has a lane.
const LANES: usize = 40;
const PARTS: i64 = 480;
/// So many changes of clocks are marked.
const CHANGES: usize = 26;

const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#1b1f24}\
.big{font-size:17px;font-weight:600}.dim{fill:#59636e}.list{font:12px ui-monospace,monospace}\
.bg{fill:#ffffff}.row{fill:#f0f2f5}.grid{stroke:#c3c9d0;stroke-width:1}\
.h1{fill:#d6e6f4}.h2{fill:#b9d5ea}.h3{fill:#93c3df}.h4{fill:#65abd2}.h5{fill:#3f8fc4}.h6{fill:#2272b3}.h7{fill:#0b559b}.h8{fill:#08306b}\
.hot{fill:#c4260b}.clock{stroke:#7a1fa2;stroke-width:2;stroke-dasharray:4 2}.clockt{fill:#7a1fa2}\
.bad{fill:#c4260b}\
@media(prefers-color-scheme:dark){text{fill:#e6e9ec}.dim{fill:#a3adb8}.bg{fill:#14181d}.row{fill:#1f252c}.grid{stroke:#3d4650}\
.h1{fill:#17344f}.h2{fill:#1b4569}.h3{fill:#1f5985}.h4{fill:#2a70a3}.h5{fill:#3f8bc0}.h6{fill:#64a8d6}.h7{fill:#97c8e8}.h8{fill:#d3ebfa}\
.hot,.bad{fill:#ff7b5c}.clock{stroke:#d59cf0}.clockt{fill:#d59cf0}}";

/// The answer as an SVG file.
#[must_use]
pub fn render(answer: &Answer<'_>) -> String {
    let mut picture = Picture {
        answer,
        zone: &answer.zone.1,
        body: String::new(),
        y: 30,
    };
    picture.title();
    let days = picture.days();
    picture.strip(&days);
    picture.legend();
    picture.lanes();
    picture.finish()
}

/// One day of the strip.
struct Day {
    start: Timestamp,
    end: Timestamp,
    label: String,
}

struct Picture<'a, 'j> {
    answer: &'a Answer<'j>,
    zone: &'a TimeZone,
    body: String,
    y: i64,
}

/// How the strip is drawn: by the number of its rows.
struct Scale {
    height: i64,
    gap: i64,
    /// Seconds of a cell.
    cell: i64,
    has_tips: bool,
}

impl Scale {
    fn of(days: usize) -> Self {
        let (height, gap, cell, has_tips) = match days {
            0..=3 => (44, 14, 300, true),
            4..=10 => (28, 10, 600, true),
            11..=35 => (18, 4, 900, true),
            _ => (5, 0, 3_600, false),
        };
        Self {
            height,
            gap,
            cell,
            has_tips,
        }
    }

    fn x(&self, second: i64) -> i64 {
        LEFT + second * DAY / 86_400
    }
}

impl<'j> Picture<'_, 'j> {
    fn title(&mut self) {
        let answer = self.answer;
        let line = format!(
            "{}, {}",
            amount(answer.jobs as u64, "job"),
            amount(answer.counted.fires, "fire")
        );
        self.text(20, "big", &line);
        self.y += 20;
        let line = format!(
            "{} to {}, times of {}",
            table::written(answer.from, self.zone),
            table::written(answer.until, self.zone),
            answer.zone.0
        );
        self.text(20, "dim", &line);
        let followed = &answer.followed;
        if let Some(at) = followed.peak.at {
            self.y += 18;
            let unrun: u64 = followed.unrun.iter().map(|row| row.count).sum();
            let waited: u64 = followed.pools.iter().map(|pool| pool.waited).sum();
            let mut line = format!(
                "at most {} at once, at {}; {} waited for a place, {} did not run",
                amount(followed.peak.runs, "run"),
                short(at, self.zone),
                amount(waited, "fire"),
                grouped(unrun)
            );
            if followed.until < answer.until {
                line += &format!(" (followed up to {})", short(followed.until, self.zone));
            }
            self.text(20, "dim", &line);
        }
        self.y += 34;
    }

    /// The days that the span touches, in the zone that is shown.
    fn days(&self) -> Vec<Day> {
        let mut days = Vec::new();
        let mut at = self.answer.from;
        while at < self.answer.until {
            let local = at.to_zoned(self.zone.clone());
            let start = local.start_of_day().map_or(at, |day| day.timestamp());
            let end = local.end_of_day().map_or(self.answer.until, |day| {
                Timestamp::from_second(day.timestamp().as_second() + 1).unwrap_or(self.answer.until)
            });
            days.push(Day {
                start,
                end,
                label: local.strftime("%a %Y-%m-%d").to_string(),
            });
            if end <= at {
                break;
            }
            at = end;
        }
        days
    }

    fn strip(&mut self, days: &[Day]) {
        let scale = Scale::of(days.len());
        for hour in (0..=24).step_by(3) {
            let x = scale.x(hour * 3_600);
            self.put(x - 14, self.y - 6, "dim", &format!("{hour:02}:00"));
        }
        let top = self.y;
        let most = self.most_of_a_cell(days, &scale);
        for (index, day) in days.iter().enumerate() {
            // Where rows are thin, a month has one label.
            if scale.height >= 12 || index == 0 || day.label.ends_with("-01") {
                let y = self.y + scale.height.min(14).max(10);
                self.put(20, y, "", &day.label);
            }
            self.row(day, &scale, most);
            self.y += scale.height + scale.gap;
        }
        let bottom = self.y - scale.gap;
        for hour in (3..24).step_by(3) {
            let x = scale.x(hour * 3_600);
            let _ = writeln!(
                self.body,
                "<path class=\"grid\" opacity=\".5\" d=\"M{x} {top}V{bottom}\"/>"
            );
        }
        self.marks(days, &scale, top);
        self.y += 20;
    }

    fn fires_between(&self, from: i64, until: i64) -> u64 {
        let counted = &self.answer.counted;
        let index = |second: i64| {
            let index = (second - counted.start).div_euclid(60);
            usize::try_from(index)
                .unwrap_or(0)
                .min(counted.minutes.len())
        };
        counted.minutes[index(from)..index(until).max(index(from))]
            .iter()
            .sum()
    }

    fn most_of_a_cell(&self, days: &[Day], scale: &Scale) -> u64 {
        days.iter()
            .flat_map(|day| cells(day, scale))
            .map(|(from, until)| self.fires_between(from, until))
            .max()
            .unwrap_or(0)
    }

    fn row(&mut self, day: &Day, scale: &Scale, most: u64) {
        let start = day.start.as_second();
        let inside = |at: Timestamp| at.clamp(day.start, day.end).as_second() - start;
        let (first, last) = (inside(self.answer.from), inside(self.answer.until));
        let (x, end) = (scale.x(first), scale.x(last));
        let _ = writeln!(
            self.body,
            "<rect class=\"row\" x=\"{x}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
            self.y,
            end - x,
            scale.height
        );
        for (from, until) in cells(day, scale) {
            let fires = self.fires_between(from, until);
            let level = level(fires, most);
            if level == 0 {
                continue;
            }
            let (x, end) = (scale.x(from - start), scale.x(until - start));
            let tip = if scale.has_tips {
                let at = Timestamp::from_second(from).unwrap_or(day.start);
                format!("{}: {}", short(at, self.zone), amount(fires, "fire"))
            } else {
                String::new()
            };
            self.rect(level, (x, end), self.y, scale.height, &tip);
        }
    }

    fn rect(&mut self, level: u32, (x, end): (i64, i64), y: i64, height: i64, tip: &str) {
        let width = (end - x).max(1);
        let _ = write!(
            self.body,
            "<rect class=\"h{level}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\""
        );
        if tip.is_empty() {
            self.body.push_str("/>\n");
        } else {
            let _ = writeln!(self.body, "><title>{}</title></rect>", escaped(tip));
        }
    }

    /// Marks over the strip: numbers for hot minutes, letters for changes of clocks.
    fn marks(&mut self, days: &[Day], scale: &Scale, top: i64) {
        let place = |at: Timestamp| {
            let index = days
                .iter()
                .position(|day| at >= day.start && at < day.end)?;
            let row = top + i64::try_from(index).ok()? * (scale.height + scale.gap);
            Some((scale.x(at.as_second() - days[index].start.as_second()), row))
        };
        for (index, change) in self.answer.changes.iter().take(CHANGES).enumerate() {
            let Some((x, y)) = place(change.at) else {
                continue;
            };
            let bottom = y + scale.height;
            let tip = format!("{}: {}", change.zone, clocks(change));
            let _ = writeln!(
                self.body,
                "<path class=\"clock\" d=\"M{x} {}V{bottom}\"><title>{}</title></path>",
                y - 3,
                escaped(&tip)
            );
            self.put(x + 3, bottom + 1, "clockt", &letter(index));
        }
        for (index, busy) in hot(self.answer).iter().enumerate() {
            let Some((x, y)) = place(busy.at) else {
                continue;
            };
            let y = y + scale.height;
            let tip = format!(
                "{}: {}",
                short(busy.at, self.zone),
                amount(busy.fires, "fire")
            );
            let _ = writeln!(
                self.body,
                "<path class=\"hot\" d=\"M{x} {}l-4 7h8z\"><title>{}</title></path>",
                y - 4,
                escaped(&tip)
            );
            self.put(x + 5, y + 5, "bad", &(index + 1).to_string());
        }
    }

    fn legend(&mut self) {
        let hot = hot(self.answer);
        if !hot.is_empty() {
            self.head("Hot minutes");
            for (index, busy) in hot.iter().enumerate() {
                let all = busy.names.len() + busy.more;
                let names = listed(busy.names.iter().copied(), busy.names.len(), all);
                let line = format!(
                    "{:>2}  {}  {}  {names}",
                    index + 1,
                    short(busy.at, self.zone),
                    amount(busy.fires, "fire")
                );
                self.line(&line);
            }
            self.y += 12;
        }
        let answer = self.answer;
        if answer.changes.is_empty() {
            return;
        }
        self.head("Clock changes");
        for (index, change) in answer.changes.iter().take(CHANGES).enumerate() {
            let line = format!(
                " {}  {}  {}: {}",
                letter(index),
                short(change.at, self.zone),
                change.zone,
                clocks(change)
            );
            self.line(&line);
            for (what, jobs) in change.touched.iter().take(5) {
                let names = listed(jobs.iter().map(|job| job.name()), 5, jobs.len());
                self.line(&format!("      {}: {names}", effect(*what)));
            }
            if change.touched.is_empty() {
                self.line("      touches no fire");
            }
        }
        self.y += 12;
    }

    fn lanes(&mut self) {
        let jobs = self.chosen();
        if jobs.is_empty() {
            return;
        }
        let rest = self.answer.jobs.saturating_sub(jobs.len());
        let title = if rest == 0 {
            "Jobs, over the whole span".to_owned()
        } else {
            format!(
                "{} of {} jobs, over the whole span: those that do not always run, that a clock change touches, or that fire most",
                jobs.len(),
                grouped(self.answer.jobs as u64)
            )
        };
        self.head(&title);
        let (from, until) = (self.answer.from.as_second(), self.answer.until.as_second());
        let length = (until - from).max(1);
        let x = |part: i64| LEFT + part * DAY / PARTS;
        for (job, fires) in jobs {
            let bounds: Vec<Timestamp> = (0..=PARTS)
                .map(|part| Timestamp::from_second(from + length * part / PARTS))
                .map(|at| at.map_or(self.answer.until, just_before))
                .collect();
            let schedule = &job.definition.schedule;
            let counts: Vec<u64> = bounds
                .windows(2)
                .map(|pair| schedule.count_between(pair[0], pair[1]))
                .collect();
            let y = self.y;
            let _ = writeln!(
                self.body,
                "<rect class=\"row\" x=\"{LEFT}\" y=\"{y}\" width=\"{DAY}\" height=\"11\"/>"
            );
            let name = job.name().as_str();
            let mut cut: String = name.chars().take(24).collect();
            if cut.len() < name.len() {
                cut.push('…');
            }
            self.put(20, y + 10, "list", &cut);
            let most = counts.iter().copied().max().unwrap_or(0).max(3);
            let mut part = 0;
            while part < counts.len() {
                let same = counts[part..]
                    .iter()
                    .take_while(|count| **count == counts[part])
                    .count();
                let level = level(counts[part], most);
                if level > 0 {
                    let end = i64::try_from(part + same).unwrap_or(PARTS);
                    let begin = i64::try_from(part).unwrap_or(0);
                    self.rect(level, (x(begin), x(end)), y, 11, "");
                }
                part += same;
            }
            self.put(LEFT + DAY + 6, y + 10, "dim", &grouped(fires));
            self.y += 14;
        }
        self.y += 8;
    }

    /// The jobs with a lane: all by name where there is room for all.
    fn chosen(&self) -> Vec<(&'j Job, u64)> {
        let counted = &self.answer.counted;
        let jobs = counted.groups.iter().filter(|group| group.fires > 0);
        let mut jobs: Vec<(&'j Job, u64)> = jobs
            .flat_map(|group| group.members.iter().map(|job| (*job, group.fires)))
            .collect();
        if jobs.len() > LANES {
            let changes = self.answer.changes.iter();
            let touched: std::collections::HashSet<&str> = changes
                .flat_map(|change| &change.touched)
                .flat_map(|(_, jobs)| jobs)
                .map(|job| job.name().as_str())
                .collect();
            let unrun = self.answer.followed.unrun.iter();
            let unrun: std::collections::HashSet<&str> =
                unrun.map(|row| row.job.as_str()).collect();
            jobs.sort_by_cached_key(|(job, fires)| {
                let name = job.name().as_str();
                let rank = (!unrun.contains(name), !touched.contains(name));
                (rank, std::cmp::Reverse(*fires), name.to_owned())
            });
            jobs.truncate(LANES);
        }
        jobs.sort_by_key(|(job, _)| job.name());
        jobs
    }

    fn head(&mut self, text: &str) {
        self.y += 8;
        self.text(20, "big", text);
        self.y += 14;
    }

    fn line(&mut self, text: &str) {
        self.y += 8;
        let mut cut: String = text.chars().take(160).collect();
        if cut.len() < text.len() {
            cut.push('…');
        }
        self.text(20, "list", &cut);
        self.y += 8;
    }

    fn text(&mut self, x: i64, class: &str, text: &str) {
        self.put(x, self.y, class, text);
    }

    fn put(&mut self, x: i64, y: i64, class: &str, text: &str) {
        let _ = writeln!(
            self.body,
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" xml:space=\"preserve\">{}</text>",
            escaped(text)
        );
    }

    fn finish(self) -> String {
        let height = self.y + 10;
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
             <title>elder simulate</title>\n<style>{STYLE}</style>\n\
             <rect class=\"bg\" width=\"{WIDTH}\" height=\"{height}\"/>\n{}</svg>\n",
            self.body
        )
    }
}

/// The cells of a day, as seconds.
fn cells(day: &Day, scale: &Scale) -> impl Iterator<Item = (i64, i64)> {
    let (start, end, cell) = (day.start.as_second(), day.end.as_second(), scale.cell);
    (0..)
        .map(move |index| start + index * cell)
        .take_while(move |from| *from < end)
        .map(move |from| (from, (from + cell).min(end)))
}

/// The minutes that stand out.
fn hot<'j>(answer: &Answer<'j>) -> Vec<Busy<'j>> {
    let counted = &answer.counted;
    let average = counted.fires / (counted.minutes.len() as u64).max(1);
    let mut busiest = counted.busiest();
    busiest.retain(|busy| busy.fires > (2 * average).max(1));
    busiest
}

/// From 0 for nothing to [`LEVELS`] for the most, by the logarithm: one fire is seen beside thousands.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a shade of blue"
)]
fn level(fires: u64, most: u64) -> u32 {
    if fires == 0 {
        return 0;
    }
    let share = (fires as f64).ln_1p() / (most.max(fires) as f64).ln_1p();
    ((share * f64::from(LEVELS)).ceil() as u32).clamp(1, LEVELS)
}

fn letter(index: usize) -> String {
    let letter = u8::try_from(index)
        .ok()
        .map(|index| char::from(b'A' + index.min(25)));
    letter.unwrap_or('?').to_string()
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // XML 1.0 has no place for them, not even escaped.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_leave_its_place() {
        assert_eq!(
            escaped("a<b>&\"c'\u{1b}[2J"),
            "a&lt;b&gt;&amp;&quot;c&#39;\u{fffd}[2J"
        );
    }

    #[test]
    fn one_fire_is_seen_beside_thousands() {
        assert_eq!(level(0, 0), 0);
        assert_eq!(level(0, 9), 0);
        assert_eq!(level(1, 1), LEVELS);
        assert_eq!(level(1, 1_000_000), 1);
        assert_eq!(level(1_000_000, 1_000_000), LEVELS);
        assert!(level(500, 10_000) < level(5_000, 10_000));
    }
}
