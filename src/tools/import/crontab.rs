//! Crontabs of Debian's cron and of cronie, of users and of the system.

use super::cron_line::rule_of_line;
use super::draft::{Draft, Sheet, Value, When, name_of_command, zone};
use super::field::words;
use super::prove::Old;
use super::quartz::{debian, macro_line};
use super::{Columns, Options, SourceFile, target};
use crate::finding::Code;
use crate::tools::page::{Spot, Trouble};

/// The environment of the entries below.
#[derive(Clone, Debug, Default)]
struct Settings {
    env: Vec<(String, String)>,
    zone: Option<(String, Spot)>,
    delay: Option<u32>,
}

pub(super) fn read(files: &[SourceFile], options: &Options<'_>) -> Sheet {
    let mut sheet = Sheet::default();
    let mut mail = false;
    for (index, file) in files.iter().enumerate() {
        let system = is_system(file, options.columns);
        sheet.remarks.push(match system {
            true => format!(
                "{}: read as a system crontab, with a user before the command.",
                file.name
            ),
            false => format!("{}: read as a user's crontab.", file.name),
        });
        let mut reader = Reader {
            file: index,
            system,
            options,
            settings: Settings::default(),
            above: Vec::new(),
            mail: false,
        };
        for (number, line) in file.text.lines().enumerate() {
            let number = u32::try_from(number + 1).unwrap_or(u32::MAX);
            reader.line(number, line, &mut sheet);
        }
        mail |= reader.mail;
    }
    sheet.remarks.push(format!(
        "Times are those of {}: a crontab does not say its machine's zone (--timezone does).",
        options.timezone
    ));
    sheet.remarks.push(
        "cron runs a command in its user's home, with PATH=/usr/bin:/bin unless the crontab sets \
         it; elder runs it in the folder of this file, with its own PATH."
            .to_owned(),
    );
    if mail {
        sheet.remarks.push(
            "MAILTO: elder sends no mail. The output is kept with the run, and a failed run is \
             what to alert on (docs/metrics.md)."
                .to_owned(),
        );
    }
    sheet
}

struct Reader<'a> {
    file: usize,
    system: bool,
    options: &'a Options<'a>,
    settings: Settings,
    above: Vec<String>,
    mail: bool,
}

impl Reader<'_> {
    fn line(&mut self, number: u32, line: &str, sheet: &mut Sheet) {
        let text = line.trim_start_matches([' ', '\t']);
        if text.trim().is_empty() {
            self.above.clear();
            return;
        }
        if let Some(comment) = text.strip_prefix('#') {
            self.above.push(comment.trim().to_owned());
            return;
        }
        let above = std::mem::take(&mut self.above);
        if let Some((name, value)) = assignment(text) {
            self.set(&name, value, Spot::line(number, line));
            return;
        }
        let mut draft = Draft::new("", self.file, Spot::line(number, line));
        draft.above = above;
        draft
            .above
            .push(format!("line {number}: {}", text.trim_end()));
        match self.entry(number, line, &mut draft) {
            Ok(()) => {}
            Err(trouble) => draft.troubles.push(trouble),
        }
        sheet.drafts.push(draft);
    }

    fn set(&mut self, name: &str, value: String, at: Spot) {
        match name {
            "MAILTO" => self.mail |= !value.is_empty(),
            "MAILFROM" | "CONTENT_TYPE" | "CONTENT_TRANSFER_ENCODING" => {}
            // cron sets it itself, whatever the crontab says.
            "LOGNAME" => {}
            "CRON_TZ" => self.settings.zone = (!value.is_empty()).then_some((value, at)),
            "RANDOM_DELAY" => self.settings.delay = value.parse().ok(),
            _ => {
                self.settings.env.retain(|(known, _)| known != name);
                self.settings.env.push((name.to_owned(), value));
            }
        }
    }

    fn entry(&self, number: u32, line: &str, draft: &mut Draft) -> Result<(), Trouble> {
        let place = |from: usize, length: usize| Spot::within(number, line, from, length);
        let mut start = line.len() - line.trim_start().len();
        // cronie: an entry that is not to be logged.
        if line[start..].starts_with('-') {
            start += 1;
            draft
                .remark("The - before the line keeps cronie from logging it; elder logs each run.");
        }
        let words = words(&line[start..]);
        let needed: usize = match (line[start..].starts_with('@'), self.system) {
            (true, false) => 1,
            (true, true) => 2,
            (false, false) => 5,
            (false, true) => 6,
        };
        let Some((last, text)) = needed
            .checked_sub(1)
            .and_then(|last| words.get(last))
            .copied()
            .filter(|_| words.len() > needed)
        else {
            let message = match self.system {
                true => "this is no entry of a system crontab: a schedule, a user, a command",
                false => "this is no entry of a crontab: a schedule, a command",
            };
            let help = "a system crontab (--system) has a user before the command, a user's \
                        (--user) has none";
            return Err(Trouble::new(
                Code::BadCron,
                place(start, usize::MAX),
                message,
                help,
            ));
        };
        let command = line[start + last + text.len()..].trim_start_matches([' ', '\t']);
        // The draft keeps its name and command also when the schedule is bad.
        self.command(command, draft);
        if self.system {
            let user = text;
            target::user(draft, user);
        }
        draft.name = match name_of_command(command) {
            name if name.is_empty() => format!("line-{number}"),
            name => name,
        };
        let mut zone_name = self.options.timezone.to_owned();
        if let Some((name, at)) = &self.settings.zone {
            zone_name = zone(name, *at, self.options.zones)?;
            draft.schedule_remarks.push(
                "CRON_TZ as cronie reads it; Debian's cron takes no notice of it.".to_owned(),
            );
        }
        draft.timezone = Some(zone_name.clone());
        if let Some(minutes) = self.settings.delay.filter(|minutes| *minutes > 0) {
            let length = std::time::Duration::from_secs(u64::from(minutes) * 60);
            target::spread(draft, length, "cronie's RANDOM_DELAY");
        }
        let (offset, first) = words[0];
        if first == "@reboot" {
            draft.schedule = vec![When::plain("startup", "")];
            draft.schedule_remarks.push(
                "@reboot: cron means the machine's start, elder its own (not within 60 s of the \
                 last one)."
                    .to_owned(),
            );
            draft.old = vec![Old::Startup];
            return Ok(());
        }
        let (written, length) = if first.starts_with('@') {
            if macro_line(first).is_none() {
                return Err(Trouble::new(
                    Code::BadCron,
                    place(start + offset, first.len()),
                    format!("cron does not know {first}"),
                    "write @hourly, @daily, @weekly, @monthly, @yearly or five fields",
                ));
            }
            (first.to_owned(), first.len())
        } else {
            let (end, last) = words[4];
            let fields = words[..5].iter().map(|(_, word)| *word);
            let fields = fields.collect::<Vec<_>>().join(" ");
            (fields, end + last.len() - offset)
        };
        let read = macro_line(&written).unwrap_or(&written);
        let mut calendar = debian(read, &zone_name).map_err(|bad| {
            // The fields may stand further apart than they are written here.
            let at = match words.get(field_at(&written, bad.offset)) {
                Some((from, word)) => {
                    let into = bad.offset - written[..bad.offset].rfind(' ').map_or(0, |at| at + 1);
                    place(start + from + into.min(word.len()), bad.length)
                }
                None => place(start + offset, length),
            };
            Trouble::new(Code::BadCron, at, bad.message, bad.help)
        })?;
        let rule = rule_of_line(&written);
        calendar.rule = rule;
        draft.schedule = vec![When::cron(&written, rule)];
        draft.old = vec![Old::calendar(calendar)];
        Ok(())
    }

    /// The command with its input, and what surrounds it.
    fn command(&self, command: &str, draft: &mut Draft) {
        let (line, stdin) = percent(command);
        let key = draft.key("run", Value::Text(line));
        if stdin.is_some() {
            key.remark("cron's %: what follows the first one is standard input.");
        }
        if let Some(stdin) = stdin {
            draft.key("stdin", Value::Text(stdin));
        }
        let mut env = Vec::new();
        for (name, value) in &self.settings.env {
            match name.as_str() {
                "SHELL" if value == "/bin/sh" => {}
                "SHELL" => {
                    let shell = vec![value.clone(), "-c".to_owned()];
                    draft.key("shell", Value::List(shell));
                }
                _ => {
                    if name == "HOME" {
                        draft.key("cwd", Value::Text(super::draft::literal(value)));
                    }
                    env.push((name.clone(), super::draft::literal(value)));
                }
            }
        }
        if !env.is_empty() {
            let has_zone = env.iter().any(|(name, _)| name == "TZ");
            let key = draft.key("env", Value::Map(env));
            if has_zone {
                key.remark("TZ is for the command alone; it does not move the schedule.");
            }
        }
        super::target::like_cron(draft);
    }
}

/// Which of five words a byte of the line belongs to.
fn field_at(line: &str, byte: usize) -> usize {
    line.bytes().take(byte).filter(|byte| *byte == b' ').count()
}

/// `NAME = value` as cron reads it: blanks around the sign, quotes around either side.
fn assignment(line: &str) -> Option<(String, String)> {
    let (name, rest) = match line.chars().next()? {
        quote @ ('"' | '\'') => {
            let (name, rest) = line[1..].split_once(quote)?;
            (name, rest)
        }
        _ => {
            let end = line.find(['=', ' ', '\t'])?;
            line.split_at(end)
        }
    };
    let value = rest.trim_start_matches([' ', '\t']).strip_prefix('=')?;
    if name.is_empty() {
        return None;
    }
    let value = value.trim_matches([' ', '\t', '\r']);
    let value = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let (inner, after) = value[1..].split_once(quote)?;
            // Something behind the quotes: no assignment, and then no entry either.
            if !after.trim().is_empty() {
                return None;
            }
            inner
        }
        _ => value,
    };
    Some((name.to_owned(), value.to_owned()))
}

/// The command, and its standard input after the first `%` that has no backslash before it.
fn percent(command: &str) -> (String, Option<String>) {
    let mut line = String::new();
    let mut input: Option<String> = None;
    let mut escaped = false;
    for c in command.chars() {
        let part = input.as_mut().unwrap_or(&mut line);
        if escaped {
            escaped = false;
            if c == '%' {
                part.pop();
            }
            part.push(c);
            continue;
        }
        escaped = c == '\\';
        match (c, input.is_some()) {
            ('%', false) => input = Some(String::new()),
            ('%', true) => input.iter_mut().for_each(|input| input.push('\n')),
            _ => input.as_mut().unwrap_or(&mut line).push(c),
        }
    }
    // cron ends the last line of the input.
    if let Some(input) = &mut input
        && !input.is_empty()
        && !input.ends_with('\n')
    {
        input.push('\n');
    }
    (line.trim_end_matches('\r').to_owned(), input)
}

/// Whether there is a user before the command.
fn is_system(file: &SourceFile, columns: Columns) -> bool {
    match columns {
        Columns::System => return true,
        Columns::User => return false,
        Columns::Auto => {}
    }
    let name = &*file.name;
    if name.ends_with("etc/crontab") || name.contains("cron.d/") {
        return true;
    }
    const USERS: [&str; 12] = [
        "root", "www-data", "nobody", "daemon", "postgres", "mysql", "backup", "munin", "logcheck",
        "smmsp", "list", "amavis",
    ];
    let mut entries = 0;
    for line in file.text.lines() {
        let text = line.trim_start();
        if text.is_empty() || text.starts_with('#') || assignment(text).is_some() {
            continue;
        }
        let words = words(text);
        let user = if text.starts_with('@') { 1 } else { 5 };
        let known = words
            .get(user)
            .is_some_and(|(_, word)| USERS.contains(word));
        if !known || words.len() <= user + 1 {
            return false;
        }
        entries += 1;
    }
    entries > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_signs_are_read_as_cron_reads_them() {
        for (command, line, input) in [
            ("date +\\%F", "date +%F", None),
            ("mail -s x%hello%world", "mail -s x", Some("hello\nworld\n")),
            ("cat%a\\%b\\c%", "cat", Some("a%b\\c\n")),
            ("echo a\\\\b", "echo a\\\\b", None),
            ("cat%", "cat", Some("")),
        ] {
            let (found, stdin) = percent(command);
            assert_eq!((&*found, stdin.as_deref()), (line, input), "{command}");
        }
    }

    #[test]
    fn assignments_are_read_as_cron_reads_them() {
        let read = |line: &str| assignment(line);
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(read("PATH=/a:/b"), pair("PATH", "/a:/b"));
        assert_eq!(read("A = \" b \" "), pair("A", " b "));
        assert_eq!(read("'A B' = 'c'"), pair("A B", "c"));
        assert_eq!(read("MAILTO=\"\""), pair("MAILTO", ""));
        assert_eq!(read("A=b c # d"), pair("A", "b c # d"));
        assert_eq!(read("*/5 * * * * X=1 cmd"), None);
        assert_eq!(read("@daily X=1 cmd"), None);
        assert_eq!(read("A=\"b\" c"), None);
    }

    #[test]
    fn a_system_crontab_is_known_by_its_place_or_its_users() {
        let file = |name: &str, text: &str| SourceFile {
            name: name.into(),
            text: text.to_owned(),
        };
        let system = |file: &SourceFile| is_system(file, Columns::Auto);
        assert!(system(&file("/etc/crontab", "")));
        assert!(system(&file("copy/cron.d/php", "")));
        assert!(system(&file(
            "a",
            "X=1\n1 * * * * root a\n@daily www-data b\n"
        )));
        assert!(!system(&file("a", "1 * * * * root a\n@daily b c\n")));
        assert!(!system(&file("a", "# nothing\n")));
    }
}
