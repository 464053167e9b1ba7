//! Commands: words out of a line, and lines out of words.

/// A word as a shell must read it to get the same word.
pub(super) fn quote(word: &str) -> String {
    let plain = !word.is_empty()
        && word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-./=:,+@%".contains(c));
    if plain {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The line of `sh -c LINE`, with the shell before it, where that is all that the words are.
pub(super) fn shell_line(words: &[String]) -> Option<(Vec<String>, &str)> {
    let (line, before) = words.split_last()?;
    let (program, flags) = before.split_first()?;
    let base = program.rsplit('/').next()?;
    let known = ["sh", "bash", "dash", "ash", "zsh", "ksh"].contains(&base);
    let last = flags.last()?;
    let only_flags = flags
        .iter()
        .all(|flag| flag.starts_with('-') || flag == "pipefail");
    let ends_in_c = last.starts_with('-') && !last.starts_with("--") && last.ends_with('c');
    (known && only_flags && ends_in_c).then(|| (before.to_vec(), line.as_str()))
}

/// A word of a unit file's command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnitWord {
    /// With quotes and escapes taken away.
    pub text: String,
    /// It stood in single or double quotes, at least in part.
    pub quoted: bool,
}

/// Splits as systemd splits a command line: quotes, C escapes, backslashes.
pub(super) fn unit_words(line: &str) -> Result<Vec<UnitWord>, String> {
    let mut words = Vec::new();
    let mut chars = line.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Ok(words);
        }
        let mut word = UnitWord {
            text: String::new(),
            quoted: false,
        };
        let mut quote: Option<char> = None;
        while let Some(c) = chars.peek().copied() {
            if quote.is_none() && c.is_whitespace() {
                break;
            }
            chars.next();
            match (c, quote) {
                ('"' | '\'', None) => {
                    quote = Some(c);
                    word.quoted = true;
                }
                (c, Some(open)) if c == open => quote = None,
                ('\\', _) => escape(&mut chars, &mut word.text)?,
                (c, _) => word.text.push(c),
            }
        }
        if let Some(open) = quote {
            return Err(format!("a {open} is opened and never closed"));
        }
        words.push(word);
    }
}

fn escape(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    text: &mut String,
) -> Result<(), String> {
    let Some(c) = chars.next() else {
        return Err("a backslash at the end".to_owned());
    };
    let mut number = |digits: usize, radix: u32| {
        let code: String = chars.by_ref().take(digits).collect();
        u32::from_str_radix(&code, radix)
            .ok()
            .and_then(char::from_u32)
            .filter(|c| *c != '\0')
            .ok_or_else(|| format!("\\{c}{code} is no character"))
    };
    let plain = match c {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        's' => ' ',
        '\\' | '"' | '\'' => c,
        'x' => number(2, 16)?,
        'u' => number(4, 16)?,
        'U' => number(8, 16)?,
        '0'..='7' => {
            let mut code = c.to_string();
            code.extend(chars.by_ref().take(2));
            let found = u32::from_str_radix(&code, 8).ok().and_then(char::from_u32);
            found.ok_or_else(|| format!("\\{code} is no character"))?
        }
        other => return Err(format!("\\{other} is no escape")),
    };
    text.push(plain);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(line: &str) -> Vec<String> {
        let words = unit_words(line).unwrap();
        words.into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn a_unit_line_is_split_as_systemd_splits_it() {
        assert_eq!(
            texts(r#"/bin/echo "a b" 'c "d"' e\x20f  "g\n""#),
            ["/bin/echo", "a b", "c \"d\"", "e f", "g\n"]
        );
        assert!(unit_words("/bin/echo \"a").is_err());
        assert!(unit_words("/bin/echo \\q").is_err());
        assert!(unit_words("").unwrap().is_empty());
    }

    #[test]
    fn a_shell_with_its_line_is_known() {
        let words = |line: &str| texts(line);
        let sh = words("/bin/sh -c 'a | b'");
        let (shell, line) = shell_line(&sh).unwrap();
        assert_eq!((shell.join(" "), line), ("/bin/sh -c".to_owned(), "a | b"));
        assert!(shell_line(&words("bash -euo pipefail -c x")).is_some());
        assert!(shell_line(&words("/bin/sh -c x y")).is_none());
        assert!(shell_line(&words("python -c x")).is_none());
        assert!(shell_line(&words("/bin/sh script")).is_none());
    }

    proptest! {
        #[test]
        fn no_line_panics(line in ".*") {
            let _ = unit_words(&line);
        }
    }
}
