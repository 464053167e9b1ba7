//! Files of `NAME=value` lines.
//!
//! Blank lines and lines that begin with `#` are skipped, `export ` before a
//! name is too. A value goes to the end of its line, without the blanks around
//! it; in single quotes it is taken as it stands, in double quotes `\n`, `\t`,
//! `\"`, `\\` and `\$` mean what they do in a shell. Nothing is substituted.

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct BadLine {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong; it never quotes a value.
    pub message: &'static str,
}

/// Reads the lines of an env file, in order.
///
/// # Errors
/// The first line that is none of the above.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, BadLine> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut pairs = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let bad = |message| BadLine {
            line: number + 1,
            message,
        };
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').ok_or(bad("write NAME=value"))?;
        let name = name.trim();
        if !is_name(name) {
            return Err(bad(
                "a name holds letters, digits and '_' only, and does not begin with a digit",
            ));
        }
        if value.contains('\0') {
            return Err(bad("a value cannot hold a NUL byte"));
        }
        pairs.push((name.to_owned(), unquote(value.trim()).map_err(bad)?));
    }
    Ok(pairs)
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next();
    first.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn unquote(value: &str) -> Result<String, &'static str> {
    const OPEN: &str = "the closing quote is missing, or something follows it";
    if let Some(rest) = value.strip_prefix('\'') {
        let inner = rest.strip_suffix('\'').ok_or(OPEN)?;
        return if inner.contains('\'') {
            Err(OPEN)
        } else {
            Ok(inner.to_owned())
        };
    }
    let Some(rest) = value.strip_prefix('"') else {
        return Ok(value.to_owned());
    };
    let mut text = String::with_capacity(rest.len());
    let mut characters = rest.chars();
    loop {
        match characters.next().ok_or(OPEN)? {
            '"' => break,
            '\\' => match characters.next().ok_or(OPEN)? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                escaped @ ('"' | '\\' | '$' | '`') => text.push(escaped),
                other => text.extend(['\\', other]),
            },
            other => text.push(other),
        }
    }
    if characters.next().is_some() {
        Err(OPEN)
    } else {
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_people_write_them() {
        for (line, name, value) in [
            ("A=1", "A", "1"),
            ("  A = b c  ", "A", "b c"),
            ("export A=b", "A", "b"),
            ("A=", "A", ""),
            ("A=b=c", "A", "b=c"),
            ("A=b # c", "A", "b # c"),
            ("A='b \"c\" $d \\n'", "A", "b \"c\" $d \\n"),
            (r#"A="b \"c\" \$d \\ \n.\x""#, "A", "b \"c\" $d \\ \n.\\x"),
            ("A=${B}", "A", "${B}"),
            ("_a9=ü", "_a9", "ü"),
        ] {
            let want = vec![(name.to_owned(), value.to_owned())];
            assert_eq!(parse(line), Ok(want), "{line}");
        }
        let text = "\u{feff}# comment\r\n\r\nA=1\r\nB=2\n";
        let want = [("A", "1"), ("B", "2")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(parse(text).unwrap(), want);
    }

    #[test]
    fn a_bad_line_is_named_by_its_number() {
        for line in [
            "A",
            "=b",
            "1A=b",
            "A B=c",
            "A-B=c",
            "A='b",
            "A='b'c'",
            "A=\"b",
            "A=\"b\" c",
            "A=b\0",
        ] {
            let error = parse(&format!("OK=1\n{line}\n")).unwrap_err();
            assert_eq!(error.line, 2, "{line:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,60}") {
            let _ = parse(&text);
        }
    }
}
