//! Which programs a line for a shell starts, as far as a look at it can tell.
//!
//! No parser of a shell: it goes from command to command, and gives up where only a shell would
//! know what follows. What it gives up on is never taken for allowed.

use std::iter::Peekable;
use std::str::Chars;
use std::sync::Arc;

/// What a shell does by itself, and none of it starts a program.
const BUILT_IN: [&str; 22] = [
    "set", "cd", "echo", "printf", "export", "test", "[", ":", "true", "false", "exit", "read",
    "umask", "wait", "shift", "unset", "return", "break", "continue", "local", "pwd", "readonly",
];

/// Words after which a command follows.
const BEFORE_A_COMMAND: [&str; 11] = [
    "if", "then", "elif", "else", "while", "until", "do", "!", "{", "time", "fi",
];

/// Shells that read a line as it is read here, by these paths and names alone.
const SHELLS: [&str; 5] = ["sh", "bash", "dash", "ash", "ksh"];

/// Folders that hold the system's own programs.
const FOLDERS: [&str; 3] = ["", "/bin/", "/usr/bin/"];

/// The same as a `PATH` may name them.
const ON_PATH: [&str; 6] = [
    "/bin",
    "/sbin",
    "/usr/bin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
];

/// Whether a variable makes a shell, or whatever is started, run something that no command names.
pub(super) fn runs_by_itself(name: &str) -> bool {
    matches!(name, "BASH_ENV" | "PS4") || name.starts_with("LD_") || name.starts_with("BASH_FUNC_")
}

/// Whether a `PATH` of that value finds nothing but the system's own programs.
pub(super) fn is_plain_path(value: &str) -> bool {
    value.split(':').all(|folder| ON_PATH.contains(&folder))
}

/// Whether a program is looked for on `PATH`.
pub(super) fn is_looked_for(program: &str) -> bool {
    !program.contains('/')
}

/// Whether a program is named by its place below the working folder.
pub(super) fn is_below(program: &str) -> bool {
    program.contains('/') && !program.starts_with('/')
}

/// Whether these words start a shell on the line alone: a shell that is known, and of arguments
/// only those that say how it goes about failures.
pub(super) fn is_known_shell(shell: &[Arc<str>]) -> bool {
    let Some((program, words)) = shell.split_first() else {
        return false;
    };
    let is_shell = FOLDERS.iter().any(|folder| {
        let name = program.strip_prefix(folder);
        name.is_some_and(|name| SHELLS.contains(&name))
    });
    let mut words = words.iter().map(|word| &**word);
    let mut has_line = false;
    while let Some(word) = words.next() {
        if word == "--norc" || word == "--noprofile" || word == "--posix" {
            continue;
        }
        // `-i` and `-l` read files first, `-s` reads the line from elsewhere.
        let Some(flags) = word.strip_prefix('-').filter(|flags| !flags.is_empty()) else {
            return false;
        };
        if !flags.chars().all(|flag| "abCcefhmnouvx".contains(flag)) {
            return false;
        }
        has_line |= flags.contains('c');
        for _ in flags.matches('o') {
            let known = [
                "errexit", "nounset", "pipefail", "noglob", "xtrace", "verbose",
            ];
            if !words.next().is_some_and(|word| known.contains(&word)) {
                return false;
            }
        }
    }
    is_shell && has_line
}

/// The names of the programs that a line starts, in order; or what of it only a shell could tell.
pub(super) fn commands(line: &str) -> Result<Vec<String>, &'static str> {
    let mut found: Vec<String> = Vec::new();
    let mut is_next = true;
    let mut is_target = false;
    let mut is_elsewhere = false;
    for token in tokens(line)? {
        if let Token::Word(word) = &token {
            word.sets_nothing_odd()?;
        }
        match token {
            Token::End => (is_next, is_target) = (true, false),
            Token::Redirect => is_target = true,
            Token::Word(_) if is_target => is_target = false,
            Token::Word(word) if is_next => {
                let is_plain = word.quoted_from.is_none();
                if is_plain && BEFORE_A_COMMAND.contains(&&*word.text) {
                    continue;
                }
                if word.is_assignment() {
                    continue;
                }
                is_next = false;
                match &*word.text {
                    "for" | "select" | "done" | "}" if is_plain => {}
                    "case" | "esac" | "function" if is_plain => return Err("case or function"),
                    name if BUILT_IN.contains(&name) => is_elsewhere |= name == "cd",
                    _ if word.is_filled_in => return Err("a command in a variable"),
                    name if found.iter().any(|known| known == name) => {}
                    name => found.push(name.to_owned()),
                }
            }
            Token::Word(_) => {}
        }
    }
    match is_elsewhere && found.iter().any(|program| is_below(program)) {
        true => Err("a program below a folder that `cd` goes to"),
        false => Ok(found),
    }
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(Word),
    /// A line's end, `;`, `&`, `|`, a bracket: what follows begins a command.
    End,
    /// `>` and its kin: the next word is a file.
    Redirect,
}

#[derive(Debug, Default, PartialEq)]
struct Word {
    text: String,
    /// Where its first quote stands.
    quoted_from: Option<usize>,
    /// A variable is a part of it.
    is_filled_in: bool,
}

impl Word {
    fn quote(&mut self) {
        self.quoted_from.get_or_insert(self.text.len());
    }

    /// `NAME=value`
    fn is_assignment(&self) -> bool {
        let quoted_from = self.quoted_from.unwrap_or(self.text.len());
        let name = self.text.split_once('=').map(|(name, _)| name);
        name.is_some_and(|name| name.len() < quoted_from && is_name(plain_name(name)))
    }

    /// That it is no variable, assigned here or named for `read`, `for` or `export`, by which
    /// something else is started.
    fn sets_nothing_odd(&self) -> Result<(), &'static str> {
        let (name, value) = match self.text.split_once('=') {
            Some((name, value)) => (plain_name(name), Some(value)),
            None => (&*self.text, None),
        };
        if is_name(name) && runs_by_itself(name) {
            return Err("a variable by which something else is run");
        }
        let is_plain = value.is_some_and(|value| !self.is_filled_in && is_plain_path(value));
        match name == "PATH" && !is_plain {
            true => Err("a PATH of its own"),
            false => Ok(()),
        }
    }
}

/// `NAME` of `NAME=…` and `NAME+=…`.
fn plain_name(name: &str) -> &str {
    name.strip_suffix('+').unwrap_or(name)
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes.next();
    first.is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn tokens(line: &str) -> Result<Vec<Token>, &'static str> {
    let mut tokens = Vec::new();
    let mut word: Option<Word> = None;
    let mut chars = line.chars().peekable();
    let end = |word: &mut Option<Word>, tokens: &mut Vec<Token>| {
        tokens.extend(word.take().map(Token::Word));
    };
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                word.quote();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.text.push(c),
                        None => return Err("a quote that is not closed"),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                word.quote();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => word.text.extend(chars.next().filter(|c| *c != '\n')),
                        Some('`') => return Err("a command in backticks"),
                        Some('$') if chars.peek() == Some(&'(') => return Err("$(…)"),
                        Some('$') if is_intricate(&chars) => return Err(INTRICATE),
                        Some(c) => {
                            word.is_filled_in |= c == '$';
                            word.text.push(c);
                        }
                        None => return Err("a quote that is not closed"),
                    }
                }
            }
            '\\' => {
                if let Some(c) = chars.next().filter(|c| *c != '\n') {
                    let word = word.get_or_insert_default();
                    word.quote();
                    word.text.push(c);
                }
            }
            '`' => return Err("a command in backticks"),
            '$' if chars.peek() == Some(&'(') => return Err("$(…)"),
            '$' if is_intricate(&chars) => return Err(INTRICATE),
            // Of these quotes, not every shell knows where they end.
            '$' if chars.peek() == Some(&'\'') => return Err("$'…'"),
            '#' if word.is_none() => while chars.next_if(|c| *c != '\n').is_some() {},
            '<' | '>' => {
                if chars.peek() == Some(&'(') {
                    return Err("a command in place of a file");
                }
                if c == '<' && chars.peek() == Some(&'<') {
                    return Err("a here-document");
                }
                // A number before it is that of a descriptor.
                let is_number = |word: &Word| {
                    word.quoted_from.is_none() && word.text.bytes().all(|b| b.is_ascii_digit())
                };
                if word.as_ref().is_some_and(is_number) {
                    word = None;
                }
                end(&mut word, &mut tokens);
                while chars.next_if(|c| matches!(c, '>' | '&' | '|')).is_some() {}
                tokens.push(Token::Redirect);
            }
            ';' | '&' | '|' | '\n' | '(' | ')' => {
                end(&mut word, &mut tokens);
                tokens.push(Token::End);
            }
            // Any other blank is a letter to a shell.
            ' ' | '\t' => end(&mut word, &mut tokens),
            c => {
                let word = word.get_or_insert_default();
                word.is_filled_in |= matches!(c, '$' | '*' | '?' | '~');
                word.text.push(c);
            }
        }
    }
    end(&mut word, &mut tokens);
    Ok(tokens)
}

/// What is said of a `$` that [`is_intricate`].
const INTRICATE: &str = "${…} with more than a name in it";

/// Whether what follows a `$` is `${…}` with more in it than a shell and this reader would end at
/// one place for sure: quotes, blanks and brackets mean something else there from shell to shell.
/// Or one by which a shell runs what a value says: `${!x}`, `${x@P}`, `$[x]`.
fn is_intricate(rest: &Peekable<Chars<'_>>) -> bool {
    let mut rest = rest.clone();
    if rest.next_if_eq(&'[').is_some() {
        return true;
    }
    if rest.next_if_eq(&'{').is_none() {
        return false;
    }
    let mut before = '{';
    loop {
        match rest.next() {
            Some('}') => return false,
            None | Some('\'' | '"' | '\\' | '{' | '\n') => return true,
            Some('!') if before == '{' => return true,
            Some(c) if c.is_ascii_alphabetic() && before == '@' => return true,
            Some(c) => before = c,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_of_a_line_is_named_once() {
        for (line, want) in [
            ("./backup.sh --all", "./backup.sh"),
            (
                "set -e\ncd /srv && tar czf x . | ssh host 'cat > y'",
                "tar ssh",
            ),
            ("A=1 B=\"$C\" curl -s x >out 2>&1; curl y", "curl"),
            ("if [ -f x ]; then gzip x; else echo no; fi", "gzip"),
            ("for f in a b; do rm \"$f\"; done", "rm"),
            ("(nice du -s /) & wait # and rm", "nice"),
            (
                "'my tool' x; \"/usr/bin/env\" python",
                "my tool /usr/bin/env",
            ),
            ("> out sort < in", "sort"),
            ("c\\\nurl x", "curl"),
            ("{ date; } && time ls", "date ls"),
            (": \"${x#a}\"; ./evil", "./evil"),
            ("echo x\u{a0}#; ./evil", "./evil"),
            ("echo x\u{b}#; ./evil", "./evil"),
            ("\"7\">x", "7"),
            ("7>x ./evil", "./evil"),
            ("PATH=/usr/local/bin:/usr/bin:/bin curl x", "curl"),
            ("cd /srv && curl x; /srv/bin/x", "curl /srv/bin/x"),
            ("tar -C \"${x[@]}\" \"$@\" x", "tar"),
            ("", ""),
        ] {
            assert_eq!(
                commands(line).map(|all| all.join(" ")),
                Ok(want.to_owned()),
                "{line}"
            );
        }
    }

    #[test]
    fn what_only_a_shell_can_tell_is_never_taken_for_known() {
        for line in [
            "$PROGRAM x",
            "\"$HOME/bin/x\"",
            "echo $(rm -rf /)",
            "echo \"$(rm -rf /)\"",
            "echo `rm`",
            "cat <<EOF\nrm\nEOF",
            "diff <(ls a) <(ls b)",
            "case x in x) rm;; esac",
            "echo 'open",
            "./*.sh",
            "~/x",
            ": \"${x#'\"'}\"; ./evil; : \"'\" # \"",
            ": ${x#\\}}; ./evil # }",
            ": ${x:-\"'}\"}; ./evil",
            ": $'\\''; ./evil # '",
            "x='$(./evil)'; echo \"${x@P}\"",
            "x='a[$(./evil)]'; echo ${!x}",
            "x='a[$(./evil)]'; echo $[x]",
            "PATH=/tmp curl x",
            "export PATH=\"$HOME/bin:$PATH\"; curl x",
            "for PATH in /tmp; do curl x; done",
            "read PATH < x; curl x",
            "LD_PRELOAD=./evil.so curl x",
            "export BASH_ENV=./evil; bash x",
            "cd /tmp && ./scripts/x",
            "while scripts/x; do cd ..; done",
        ] {
            assert!(commands(line).is_err(), "{line}: {:?}", commands(line));
        }
    }

    #[test]
    fn a_shell_that_would_read_the_line_otherwise_is_none_that_is_known() {
        for (shell, want) in [
            ("/bin/sh -c", true),
            ("bash -c", true),
            ("bash -euo pipefail -c", true),
            ("/usr/bin/bash --norc -eu -o pipefail -c", true),
            ("/bin/sh -c ./evil", false),
            ("bash -lc", false),
            ("bash --rcfile x -c", false),
            ("bash -eo -c", false),
            ("sh", false),
            ("./sh -c", false),
            ("/tmp/bin/sh -c", false),
            ("python3 -c", false),
            ("env bash -c", false),
            ("", false),
        ] {
            let words: Vec<Arc<str>> = shell.split_whitespace().map(Arc::from).collect();
            assert_eq!(is_known_shell(&words), want, "{shell}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_line_can_panic(line in "\\PC{0,40}|[a-z$(){}'\"`<>|&;\\\\ \n=#]{0,40}") {
            let _ = commands(&line);
        }
    }
}
