//! Text inside of YAML.

/// In double quotes: what JSON writes is YAML.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A line that stands so much further to the right, with its end.
pub(super) fn indented(line: &str, by: usize) -> String {
    match line {
        "" => "\n".to_owned(),
        line => format!("{:by$}{line}\n", ""),
    }
}
