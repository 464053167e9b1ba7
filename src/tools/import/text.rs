//! Scalars as YAML, so that what is read again is what was meant.

/// A text as a scalar on one line.
pub(super) fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let bare = !text.chars().any(|c| c.is_control() || is_odd(c));
    if bare && !text.contains(['"', '\\']) {
        return format!("\"{text}\"");
    }
    if bare {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() || is_odd(c) => {
                let code = u32::from(c);
                if code <= 0xffff {
                    quoted.push_str(&format!("\\u{code:04x}"));
                } else {
                    quoted.push_str(&format!("\\U{code:08x}"));
                }
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Characters that YAML, terminals or readers take for something else than text.
fn is_odd(c: char) -> bool {
    matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether the text can stand without quotes, also inside of brackets.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "~", "y"];
    let starts = text
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '.'));
    let fine = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || " /_.-+=@:%".contains(c));
    starts
        && fine
        && !text.contains(": ")
        && !text.ends_with([' ', ':'])
        && !text.contains("  ")
        && !text.starts_with("...")
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        && (text.chars().any(|c| c.is_ascii_alphabetic()) || !text.contains([':', '-', '+', '=']))
}

/// Texts as a list on one line.
pub(super) fn list(texts: &[String]) -> String {
    let items: Vec<_> = texts.iter().map(|text| scalar(text)).collect();
    format!("[{}]", items.join(", "))
}

/// Several lines as a block, where that is the same text when it is read again.
pub(super) fn block(text: &str, indent: &str) -> Option<String> {
    let fits = text.contains('\n')
        && text.len() < 20_000
        && !text.starts_with([' ', '\n', '\t'])
        && !text.ends_with("\n\n")
        && text.lines().any(|line| !line.is_empty())
        && !text.lines().any(|line| line.ends_with([' ', '\t']))
        && !text
            .chars()
            .any(|c| (c.is_control() && !matches!(c, '\n' | '\t')) || is_odd(c));
    if !fits {
        return None;
    }
    let mut block = String::from(if text.ends_with('\n') { "|" } else { "|-" });
    for line in text.lines() {
        block.push('\n');
        if !line.is_empty() {
            block.push_str(indent);
            block.push_str(line);
        }
    }
    Some(block)
}

/// The text as one line of a comment: nothing in it may end the line or move the cursor.
pub(super) fn comment(text: &str) -> String {
    const LONGEST: usize = 300;
    let mut safe = String::new();
    for (count, c) in text.chars().enumerate() {
        if count >= LONGEST {
            safe.push('…');
            break;
        }
        match c {
            '\t' => safe.push(' '),
            c if c.is_control() || is_odd(c) => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe.trim_end().to_owned()
}

/// A sentence as lines of a comment, broken where a reader's window ends.
pub(super) fn wrapped(text: &str, indent: &str) -> Vec<String> {
    const WIDTH: usize = 100;
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in comment(text).split(' ') {
        let longer = indent.len() + 2 + line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && longer > WIDTH {
            lines.push(format!("{indent}# {line}"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(format!("{indent}# {line}").trim_end().to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_words_stay_plain_and_all_else_is_quoted() {
        for (text, want) in [
            ("./backup.sh --full", "./backup.sh --full"),
            ("", "\"\""),
            ("yes", "\"yes\""),
            ("a: b", "\"a: b\""),
            ("* x", "\"* x\""),
            ("say \"hi\"", "'say \"hi\"'"),
            ("it's \"x\"", "'it''s \"x\"'"),
            ("a\nb", "\"a\\nb\""),
            ("x # y", "\"x # y\""),
            ("12:30", "\"12:30\""),
        ] {
            assert_eq!(scalar(text), want);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(text in ".*|[ -~\n\t]{0,40}") {
            let read = |yaml: &str| {
                let document = crate::tools::yaml::read(yaml, "x").unwrap();
                document[0].get("v").unwrap().text().unwrap().to_owned()
            };
            prop_assert_eq!(&read(&format!("v: {}\n", scalar(&text))), &text);
            let listed = list(std::slice::from_ref(&text));
            let document = crate::tools::yaml::read(&format!("v: {listed}\n"), "x").unwrap();
            prop_assert_eq!(document[0].get("v").unwrap().items()[0].text(), Some(&*text));
            if let Some(block) = block(&text, "  ") {
                prop_assert_eq!(&read(&format!("v: {block}\nw: 1\n")), &text);
            }
            prop_assert_eq!(comment(&text).lines().count().max(1), 1);
        }
    }
}
