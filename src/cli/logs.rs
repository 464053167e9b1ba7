//! `elder logs`: what a run says.

use serde_json::Value;

use crate::finding::render::turns_direction;
use crate::ids::RunId;

use super::args::LogsArgs;
use super::client::Client;
use super::console::Console;
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::runs;

/// Prints what is kept of a run's output; with `--follow` also what comes, to the run's end.
///
/// # Errors
/// When there is no answer, or no such run.
pub fn logs(
    typed: &LogsArgs,
    environment: &Environment,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let client = Client::new(&typed.client, environment)?;
    let run = match RunId::parse(&typed.run) {
        Some(run) => run.to_string(),
        None => newest(&client, &typed.run)?,
    };
    let path = ["runs", &run, "output"];
    // A terminal does what it is told, a file keeps what it gets.
    let shown: fn(&str) -> String = match environment.out_is_terminal {
        true => for_terminal,
        false => str::to_owned,
    };
    if environment.out_is_terminal {
        let about = client.get(&["runs", &run], &[])?.body;
        console.say(&head(&about));
    }
    if !typed.follow {
        let text = client.text(&path, &[("follow", "false")])?;
        console.answer(&shown(&text))?;
        return Ok(Exit::Fine);
    }
    let mut first = true;
    client.events(&path, |event, data| {
        match event {
            "output" => {
                let text = data["text"].as_str().unwrap_or_default();
                return tell(console, &shown(text));
            }
            "left_out" => {
                let bytes = data["bytes"].as_u64().unwrap_or_default();
                return tell(console, &format!("\n[… {bytes} bytes left out …]\n"));
            }
            "attempt" if !std::mem::take(&mut first) => {
                console.say(&format!("attempt {}", data["attempt"]));
            }
            "end" => {
                console.say(&format!("run {run}: {}", runs::ended(&data)));
                return Ok(false);
            }
            _ => {}
        }
        Ok(true)
    })?;
    Ok(Exit::Fine)
}

/// Whose words follow: `run 01J… of billing, failed (exit), jobs.d/a.yaml:3 @ 3f2a91c0de3f`.
fn head(run: &Value) -> String {
    let word = |key: &str| run[key].as_str().unwrap_or("-").to_owned();
    let (ended, origin) = (runs::ended(run), runs::origin(run));
    format!(
        "run {} of {}, {ended}, {origin}",
        word("run_id"),
        word("job_id")
    )
}

/// Whether somebody still reads.
fn tell(console: &mut Console, text: &str) -> Result<bool, Failure> {
    let out = console.out();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::no_answer(format!(
            "cannot write the answer: {error}"
        ))),
    }
}

fn newest(client: &Client, job: &str) -> Result<String, Failure> {
    let page = client.get(&["jobs", job, "runs"], &[("limit", "20")])?.body;
    // A fire that did not run said nothing.
    let ran = |run: &&Value| run["attempt"].as_u64() > Some(0);
    let runs = page["runs"].as_array().map(Vec::as_slice);
    let run = runs.unwrap_or_default().iter().find(ran);
    let id = run.and_then(|run| run["run_id"].as_str());
    id.map(str::to_owned).ok_or_else(|| {
        Failure::does_not_hold(format!("{job} has not run lately: elder runs {job}"))
    })
}

/// Text whose lines, tabs and colours stay, and whose other orders to the terminal can be read.
fn for_terminal(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if let Some(colour) = colour(rest) {
            safe.push_str(&rest[..colour]);
            rest = &rest[colour..];
            continue;
        }
        match character {
            '\n' | '\t' => safe.push(character),
            '\r' if rest.starts_with("\r\n") => {}
            c if c.is_control() || turns_direction(c) => {
                safe.push_str(&c.escape_unicode().to_string())
            }
            c => safe.push(c),
        }
        rest = &rest[character.len_utf8()..];
    }
    safe
}

/// The length of the change of colour with which the text begins.
fn colour(text: &str) -> Option<usize> {
    let inner = text.strip_prefix("\u{1b}[")?;
    let digits = inner.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    (inner[digits..].starts_with('m') && digits < 20).then_some(2 + digits + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_says_whose_words_follow() {
        let run = serde_json::json!({"run_id": "R", "job_id": "billing", "state": "done",
            "outcome": "failed", "reason": "exit", "source": "jobs.d/a.yaml:3", "revision": "v1"});
        let want = "run R of billing, failed (exit), jobs.d/a.yaml:3 @ v1";
        assert_eq!(head(&run), want);
    }

    #[test]
    fn a_terminal_gets_colours_and_no_other_orders() {
        for (text, want) in [
            ("a\tb\r\nc\n", "a\tb\nc\n"),
            ("\u{1b}[1;31mred\u{1b}[0m", "\u{1b}[1;31mred\u{1b}[0m"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("\u{1b}[2J\rhidden", "\\u{1b}[2J\\u{d}hidden"),
            ("\u{1b}[", "\\u{1b}["),
            ("\u{9b}31m ü", "\\u{9b}31m ü"),
            ("exe.\u{202e}cod", "exe.\\u{202e}cod"),
        ] {
            assert_eq!(for_terminal(text), want, "{text:?}");
        }
    }
}
