//! The answer as one picture: a strip of heat, a row a day; marks for hot minutes and for changes
//! of clocks, told below; and lanes for the schedules that deserve a look.
//!
//! Plain SVG without scripts, readable on light and on dark; every text from outside is escaped.

mod lanes;
mod shades;

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::count::Busy;
use super::words::{amount, clocks, effect, grouped, listed, short};
use super::{Answer, table};
use shades::{Range, STYLE, escaped};

const WIDTH: i64 = 1_240;
const LEFT: i64 = 190;
/// The width of 24 hours; a day of 25 has room behind it.
const DAY: i64 = 960;
/// So many changes of clocks are marked.
const CHANGES: usize = 26;

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
            11..=35 => (16, 8, 900, true),
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

impl Picture<'_, '_> {
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
        let range = self.range(days, &scale);
        for (index, day) in days.iter().enumerate() {
            // Where rows are thin, a month has one label.
            if scale.height >= 12 || index == 0 || day.label.ends_with("-01") {
                let y = self.y + scale.height.clamp(10, 14);
                self.put(20, y, "", &day.label);
            }
            self.row(day, &scale, range);
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
        self.y += 14;
        if range.most > 0 {
            let line = format!(
                "a cell is {} minutes; the first shade is {}, the last {}",
                scale.cell / 60,
                amount(range.least, "fire"),
                grouped(range.most)
            );
            self.text(LEFT, "dim", &line);
        }
        self.y += 26;
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

    fn range(&self, days: &[Day], scale: &Scale) -> Range {
        let cells = days.iter().flat_map(|day| cells(day, scale));
        Range::of(cells.map(|(from, until)| self.fires_between(from, until)))
    }

    fn row(&mut self, day: &Day, scale: &Scale, range: Range) {
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
            let level = range.level(fires);
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
                y - 2,
                escaped(&tip)
            );
            self.put(x - 4, y - 4, "clockt", &letter(index));
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
            self.put(x + 5, y + 6, "bad", &(index + 1).to_string());
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

fn letter(index: usize) -> String {
    let letter = u8::try_from(index)
        .ok()
        .map(|index| char::from(b'A' + index.min(25)));
    letter.unwrap_or('?').to_string()
}
