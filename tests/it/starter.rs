//! `elder init`, `completions`, `man`: what they write is whole, right and in order.

use std::process::Command;

use clap::CommandFactory;

use super::support::{Daemon, Folder, elder, until};

#[test]
fn a_starter_validates_is_laid_out_and_runs() {
    let folder = Folder::new();
    let finished = elder("init").within(folder.path()).run();
    assert_eq!(finished.code, Some(0), "{finished}");
    assert!(
        finished.stdout.contains("made jobs.d/first.yaml\n"),
        "{finished}"
    );
    assert!(
        finished.stdout.contains("next:  elder run jobs.d"),
        "{finished}"
    );
    for line in ["validate --strict", "fmt --check", "next hello"] {
        let finished = elder(line).within(folder.path()).run();
        assert_eq!(finished.code, Some(0), "{line}: {finished}");
    }
    let schema = folder.read("jobs.d/elder.schema.json");
    assert_eq!(schema, elder("schema").run().stdout);
    let mode = folder.read("jobs.d/first.yaml");
    assert!(mode.starts_with("# yaml-language-server: $schema=elder.schema.json\n"));

    let daemon = Daemon::start(&folder);
    let finished = elder("trigger hello --wait")
        .env("ELDER_SERVER", &format!("http://{}", daemon.address()))
        .env(
            "XDG_RUNTIME_DIR",
            &folder.join("runtime").display().to_string(),
        )
        .run();
    assert_eq!(finished.code, Some(0), "{finished}");
    let output = until("the run is there", || {
        let runs = daemon.get("/api/v1/jobs/hello/runs?limit=1").json();
        let id = runs["runs"][0]["run_id"].as_str()?.to_owned();
        let run = daemon.get(&format!("/api/v1/runs/{id}")).json();
        run["output"].as_str().map(str::to_owned)
    });
    assert!(output.starts_with("hello from hello, due at 2"), "{output}");
}

#[test]
fn what_the_starter_proposes_is_right_too() {
    let folder = Folder::new();
    assert_eq!(elder("init").within(folder.path()).run().code, Some(0));
    for name in ["first.yaml", "_defaults.yaml"] {
        let path = format!("jobs.d/{name}");
        let text = folder.read(&path);
        // Whoever takes the marks away: what begins with a key, or is deeper than one.
        let is_proposal = |line: &str| {
            let rest = line.trim_start().strip_prefix("# ");
            rest.is_some_and(|rest| {
                let word = rest
                    .trim_start()
                    .split([':', ' '])
                    .next()
                    .unwrap_or_default();
                rest.starts_with("  ")
                    || rest.contains(':')
                        && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
            }) && !line.contains("yaml-language-server")
        };
        let taken: String = text
            .lines()
            .map(|line| match is_proposal(line) {
                true => format!("{}\n", line.replacen("# ", "", 1)),
                false => format!("{line}\n"),
            })
            .collect();
        assert_ne!(taken, text, "{name}");
        folder.write(&path, &taken);
    }
    for line in [
        "validate --strict",
        "fmt --check",
        "next nightly",
        "next shop-is-up",
    ] {
        let finished = elder(line).within(folder.path()).run();
        assert_eq!(finished.code, Some(0), "{line}: {finished}");
    }
}

#[test]
fn a_starter_is_never_written_over_something() {
    let folder = Folder::with(&[("ops/mine.yaml", "jobs: {}\n"), ("file", "")]);
    for (line, want) in [
        ("init ops", "is there, and not empty"),
        ("init file", "cannot write file"),
    ] {
        let finished = elder(line).within(folder.path()).run();
        assert_eq!(finished.code, Some(2), "{finished}");
        assert!(finished.stderr.contains(want), "{finished}");
    }
    assert_eq!(folder.read("ops/mine.yaml"), "jobs: {}\n");
    assert_eq!(std::fs::read_dir(folder.join("ops")).unwrap().count(), 1);
    assert_eq!(elder("init a/b").within(folder.path()).run().code, Some(0));
    assert!(folder.join("a/b/first.yaml").exists());
}

#[test]
fn a_folder_that_git_keeps_is_empty_and_what_to_type_next_can_be_typed() {
    let folder = Folder::with(&[("kept/.gitkeep", "")]);
    let finished = elder("init kept").within(folder.path()).run();
    assert_eq!(finished.code, Some(0), "{finished}");
    assert!(folder.join("kept/first.yaml").exists());
    let output = Command::new(env!("CARGO_BIN_EXE_elder"))
        .args(["init", "it's a folder"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("elder run 'it'\\''s a folder' "), "{said}");
    assert!(folder.join("it's a folder/first.yaml").exists());
}

fn commands() -> Vec<String> {
    let command = elder::cli::args::Cli::command();
    let names = command
        .get_subcommands()
        .map(|one| one.get_name().to_owned());
    names.collect()
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let finished = elder(&format!("completions {shell}")).run();
        assert_eq!(finished.code, Some(0), "{shell}: {finished}");
        for command in commands() {
            // As each of them offers a word where elder's command is typed.
            let offered = match shell {
                "bash" => format!("elder,{command})"),
                "zsh" => format!("\n'{command}:"),
                "fish" => format!("\"__fish_elder_needs_command\" -f -a \"{command}\""),
                "powershell" => format!("[CompletionResult]::new('{command}', '{command}'"),
                _ => format!("cand {command} '"),
            };
            assert!(finished.stdout.contains(&offered), "{shell}: {command}");
        }
        assert!(finished.stdout.contains("shutdown-grace"), "{shell}");
    }
    // The one that every machine has: bash takes it, and completes by it.
    let folder = Folder::with(&[("elder.bash", &elder("completions bash").run().stdout)]);
    let script = "source elder.bash && COMP_WORDS=(elder val) COMP_CWORD=1 && _elder elder val elder && echo \"${COMPREPLY[@]}\"";
    let output = Command::new("bash")
        .args(["-c", script])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "validate\n",
        "{output:?}"
    );
    assert_eq!(elder("completions csh").run().code, Some(2));
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let main = elder("man").run();
    assert_eq!(main.code, Some(0), "{main}");
    assert!(main.stdout.contains(".TH elder 1"), "{main}");
    let folder = Folder::new();
    let finished = elder("man --dir man1").within(folder.path()).run();
    assert_eq!(finished.code, Some(0), "{finished}");
    assert_eq!(folder.read("man1/elder.1"), main.stdout);
    for command in commands() {
        let escaped = command.replace('-', "\\-");
        assert!(
            main.stdout.contains(&format!("elder\\-{escaped}(1)")),
            "{command}"
        );
        let page = folder.read(&format!("man1/elder-{command}.1"));
        assert!(page.contains(".SH SYNOPSIS"), "{command}");
        let version = concat!("\"elder ", env!("CARGO_PKG_VERSION"));
        assert!(page.contains(version), "{command}: {page}");
    }
    let show = folder.read("man1/elder-config-show.1");
    assert!(show.contains("shutdown\\-grace"), "{show}");
    assert_eq!(elder("man config-show").run().stdout, show);
    let none = elder("man nothing").run();
    assert_eq!(none.code, Some(2), "{none}");
}
