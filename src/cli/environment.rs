//! The environment, read once. Everything else is given what it needs of it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::finding::render::Colour;
use crate::schedule::{HOST_TZDATA, Tzdata, TzdataChoice, Zones};
use crate::spec;

use super::exit::Failure;

/// What surrounds the program.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// The variables whose name and value are UTF-8.
    pub variables: HashMap<String, String>,
    /// Standard output is a terminal.
    pub out_is_terminal: bool,
    /// This program's own file.
    pub program: Option<PathBuf>,
    /// The user that elder runs as.
    pub user: u32,
    /// By flag, what sets a setting for which an older variable stands, where something does:
    /// `--log-level`, `ELDER_LOG_LEVEL`, `elder.yaml:3`.
    pub set_by: HashMap<&'static str, String>,
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn read() -> Self {
        let pairs = std::env::vars_os();
        let variables = pairs
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            variables,
            out_is_terminal: std::io::stdout().is_terminal(),
            program: std::env::current_exe().ok(),
            user: rustix::process::getuid().as_raw(),
            set_by: HashMap::new(),
        }
    }

    /// Whose tzdata is wanted; the machine's is where `TZDIR` says, as for other programs.
    #[must_use]
    pub fn tzdata(&self, choice: TzdataChoice) -> Tzdata {
        let folder = self.get("TZDIR").filter(|folder| folder.starts_with('/'));
        Tzdata {
            choice,
            host: folder.unwrap_or(HOST_TZDATA).into(),
        }
    }

    /// The zones of that tzdata.
    ///
    /// # Errors
    /// When the machine's is asked for and not there.
    pub fn zones(&self, choice: TzdataChoice) -> Result<Zones, Failure> {
        let zones = self.tzdata(choice).open();
        zones.map_err(|error| Failure::no_answer(error.to_string()))
    }

    /// How the commands that need files alone check them: every variable may be used.
    #[must_use]
    pub fn into_options(self, timezone: Option<&str>, allow_missing_env: bool) -> spec::Options {
        spec::Options {
            timezone: timezone.map(Arc::from),
            env: Arc::new(self.variables),
            allow_missing_env,
            ..spec::Options::default()
        }
    }

    /// A variable that is set to something.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name)?;
        (!value.is_empty()).then_some(value.as_str())
    }

    /// Whether answers may have colours.
    #[must_use]
    pub fn out_colour(&self) -> Colour {
        if self.out_is_terminal && self.wants_colour() {
            Colour::On
        } else {
            Colour::Off
        }
    }

    /// Whether nothing speaks against colours, on a terminal.
    #[must_use]
    pub fn wants_colour(&self) -> bool {
        self.get("NO_COLOR").is_none() && self.get("TERM") != Some("dumb")
    }

    /// Adds what `--env-file` holds. A name that is set already keeps its value,
    /// so that one start can differ from the file.
    pub fn add(&mut self, pairs: Vec<(String, String)>) {
        for (name, value) in pairs {
            self.variables.entry(name).or_insert(value);
        }
    }
}

/// The largest file of variables or of a token.
const LARGEST: u64 = 1024 * 1024;

/// Reads a small file that somebody names. It may be a pipe, such as a shell's `<(…)`; what has no
/// end must not take all memory.
///
/// # Errors
/// When it cannot be read, is too large or is not UTF-8.
pub fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let mut bounded = File::open(path)?.take(LARGEST + 1);
    bounded.read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}

/// Reads a file of `NAME=value` lines, as systemd and docker know it.
///
/// # Errors
/// When the file cannot be read or a line is no assignment.
pub fn read_env_file(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    let text = read_text(path).map_err(|error| {
        Failure::no_answer(format!(
            "cannot read --env-file {}: {error}",
            path.display()
        ))
    })?;
    parse_env_file(&text).map_err(|(line, problem)| {
        Failure::no_answer(format!("{}:{line}: {problem}", path.display()))
            .help("write NAME=value on a line of its own; # begins a comment")
    })
}

/// The assignments of such a file, or the line that is none with what is wrong about it.
fn parse_env_file(text: &str) -> Result<Vec<(String, String)>, (usize, String)> {
    let mut pairs = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = index + 1;
        let line = line.strip_prefix("export ").map_or(line, str::trim_start);
        let Some((name, value)) = line.split_once('=') else {
            return Err((number, "no '=' in this line".to_owned()));
        };
        let name = name.trim_end();
        let mut characters = name.chars();
        let starts = characters
            .next()
            .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        if !starts || !characters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err((number, format!("{name:?} is no name of a variable")));
        }
        let value = unquote(value.trim()).map_err(|problem| (number, problem))?;
        pairs.push((name.to_owned(), value));
    }
    Ok(pairs)
}

/// Takes one pair of quotes off; nothing inside means anything, so that a value is what it looks like.
fn unquote(value: &str) -> Result<String, String> {
    for quote in ['"', '\''] {
        let Some(rest) = value.strip_prefix(quote) else {
            continue;
        };
        return match rest.strip_suffix(quote) {
            Some(inner) if !inner.contains(quote) => Ok(inner.to_owned()),
            _ => Err(format!("the quote {quote} has no partner")),
        };
    }
    if value.contains('\0') {
        return Err("a value cannot hold a NUL".to_owned());
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Environment {
            variables: pairs.iter().map(pair).collect(),
            out_is_terminal: true,
            ..Environment::default()
        }
    }

    #[test]
    fn an_env_file_is_read_as_written() {
        let text = "# comment\n\nA=1\nexport B = two words \nC=\"with # and = \"\nD='it'\nE=\r\n";
        let want = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "with # and = "),
            ("D", "it"),
            ("E", ""),
        ];
        let pairs = parse_env_file(text).unwrap();
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(pairs, want);
    }

    #[test]
    fn a_file_without_an_end_is_not_read_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("env");
        std::fs::write(&file, "# x\n".repeat(1 << 18)).unwrap();
        assert!(read_env_file(&file).is_ok());
        std::fs::write(&file, "# xx\n".repeat(1 << 18)).unwrap();
        let refused = read_env_file(&file).unwrap_err();
        assert!(refused.to_string().contains("1 MiB"), "{refused}");
    }

    #[test]
    fn a_line_that_is_no_assignment_is_named() {
        for (text, line) in [
            ("A=1\nnonsense", 2),
            ("1A=x", 1),
            ("A B=x", 1),
            ("=x", 1),
            ("A=\"open", 1),
            ("A='a'b'", 1),
        ] {
            assert_eq!(parse_env_file(text).unwrap_err().0, line, "{text:?}");
        }
    }

    #[test]
    fn what_is_set_already_wins_over_the_file() {
        let mut environment = environment(&[("A", "set")]);
        environment.add(vec![
            ("A".to_owned(), "file".to_owned()),
            ("B".to_owned(), "file".to_owned()),
        ]);
        assert_eq!(environment.get("A"), Some("set"));
        assert_eq!(environment.get("B"), Some("file"));
    }

    #[test]
    fn colour_needs_a_terminal_that_wants_it() {
        for (pairs, want) in [
            (&[][..], Colour::On),
            (&[("NO_COLOR", "1")][..], Colour::Off),
            (&[("NO_COLOR", "")][..], Colour::On),
            (&[("TERM", "dumb")][..], Colour::Off),
        ] {
            assert_eq!(environment(pairs).out_colour(), want, "{pairs:?}");
        }
        assert_eq!(
            Environment::default().out_colour(),
            Colour::Off,
            "no terminal"
        );
    }
}
