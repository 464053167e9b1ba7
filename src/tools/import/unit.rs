//! Unit files of systemd: sections, keys, continued lines.

use crate::finding::Code;
use crate::tools::page::{Spot, Trouble};

/// One `Key=Value`.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub section: String,
    pub key: String,
    pub value: String,
    pub at: Spot,
}

/// The settings of a unit file, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Unit {
    settings: Vec<Setting>,
}

impl Unit {
    /// Reads a unit file; bad lines are said and passed over, as systemd does.
    pub fn read(text: &str, troubles: &mut Vec<Trouble>) -> Self {
        let mut unit = Self::default();
        let mut section = String::new();
        let mut lines = text.lines().enumerate();
        while let Some((index, line)) = lines.next() {
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            let start = line.trim_start();
            if start.is_empty() || start.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = start.strip_prefix('[') {
                match name.trim_end().strip_suffix(']') {
                    Some(name) => name.clone_into(&mut section),
                    None => troubles.push(Trouble::new(
                        Code::Syntax,
                        Spot::line(number, line),
                        "a section without its ]",
                        "write [Timer]",
                    )),
                }
                continue;
            }
            let mut whole = line.to_owned();
            while whole.ends_with('\\') {
                whole.pop();
                whole.push(' ');
                match lines.find(|(_, next)| !next.trim_start().starts_with(['#', ';'])) {
                    Some((_, next)) => whole.push_str(next.trim_start()),
                    None => break,
                }
            }
            let Some((key, value)) = whole.split_once('=') else {
                troubles.push(Trouble::new(
                    Code::Syntax,
                    Spot::line(number, line),
                    "neither a section nor Key=Value",
                    "systemd takes no notice of this line; remove it",
                ));
                continue;
            };
            // Where the value begins on its first line.
            let from = key.len() + 1 + (value.len() - value.trim_start().len());
            unit.settings.push(Setting {
                section: section.clone(),
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
                at: Spot::within(number, line, from.min(line.len()), line.len()),
            });
        }
        unit
    }

    /// All values of a key that are in force: an empty one takes away those before it.
    pub fn all(&self, section: &str, key: &str) -> Vec<&Setting> {
        let mut found: Vec<&Setting> = Vec::new();
        for setting in self.of(section).filter(|setting| setting.key == key) {
            if setting.value.is_empty() {
                found.clear();
            } else {
                found.push(setting);
            }
        }
        found
    }

    /// The last value of a key.
    pub fn last(&self, section: &str, key: &str) -> Option<&Setting> {
        self.all(section, key).pop()
    }

    pub fn of(&self, section: &str) -> impl Iterator<Item = &Setting> {
        self.settings.iter().filter(move |s| s.section == section)
    }

    /// Whether a switch is on.
    pub fn flag(&self, section: &str, key: &str) -> bool {
        self.last(section, key).is_some_and(|s| {
            matches!(
                s.value.to_ascii_lowercase().as_str(),
                "1" | "yes" | "y" | "true" | "t" | "on"
            )
        })
    }
}

/// A length of time as systemd writes it: `90`, `15min`, `1h 30m`, `infinity`.
pub(super) fn span(text: &str) -> Option<f64> {
    const UNITS: [(&[&str], f64); 9] = [
        (&["usec", "us", "µs", "μs"], 1e-6),
        (&["msec", "ms"], 1e-3),
        (&["seconds", "second", "sec", "s", ""], 1.0),
        (&["minutes", "minute", "min", "m"], 60.0),
        (&["hours", "hour", "hr", "h"], 3_600.0),
        (&["days", "day", "d"], 86_400.0),
        (&["weeks", "week", "w"], 604_800.0),
        (&["months", "month", "M"], 2_629_800.0),
        (&["years", "year", "y"], 31_557_600.0),
    ];
    let text = text.trim();
    if text == "infinity" {
        return Some(f64::INFINITY);
    }
    let mut total = 0.0;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(rest.len());
        let unit = &rest[..letters];
        let (_, factor) = UNITS.iter().find(|(names, _)| names.contains(&unit))?;
        total += number * factor;
        rest = rest[letters..].trim_start();
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_read_with_continued_lines_and_resets() {
        let text = "# c\n[Timer]\nOnCalendar=daily\nOnCalendar=\nOnCalendar=Mon \\\n# no\n  10:00\nodd\n[Service]\nExecStart=/bin/x\n";
        let mut troubles = Vec::new();
        let unit = Unit::read(text, &mut troubles);
        let found = unit.all("Timer", "OnCalendar");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].value, "Mon  10:00");
        assert_eq!((found[0].at.line, found[0].at.column), (5, 12));
        assert_eq!(troubles.len(), 1);
        assert_eq!(unit.last("Service", "ExecStart").unwrap().value, "/bin/x");
    }

    #[test]
    fn lengths_are_read_as_systemd_reads_them() {
        for (text, want) in [
            ("90", Some(90.0)),
            ("15min", Some(900.0)),
            ("1h 30m", Some(5_400.0)),
            ("1h30m", Some(5_400.0)),
            ("500ms", Some(0.5)),
            ("1d", Some(86_400.0)),
            ("soon", None),
            ("", None),
            ("5 parsecs", None),
        ] {
            assert_eq!(span(text), want, "{text}");
        }
    }
}
