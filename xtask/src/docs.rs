//! The commands in the documents, run as they are printed.
//!
//! A fenced block says by its first line what it is:
//!
//! ```text
//! ```sh run           commands, run in the order of the document, in one shell
//! ```sh account       the same, with an `npm` that stands in for a Cloudflare account
//! ```sh dev           what this step itself does: a gate is served
//! ```js file=a.mjs    a file that later commands use
//! ```
//!
//! A block of `sh` that says none of it is an error. The gate's address replaces `:8787`; a line
//! `curl … # 403 CODE` has to be answered so.

use std::fmt::Write;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};

use crate::checkout::{Checkout, say};
use crate::members;
use crate::serve::{self, Running, Serve};

/// Runs the commands of README.md and docs/*.md.
pub fn test(checkout: &Checkout) -> Result<()> {
    let state = checkout.private(STATE)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let serve = Serve { fresh: true, issuer: 0, ..Serve::dev(port, state) };
    let running = serve::start(checkout, &serve)?;
    members::check(running.gates[0], &running.seeds.tokens, &running.seeds.workspace)?;
    let mut commands = 0;
    for document in documents(checkout)? {
        let name = document.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let blocks = blocks(&fs::read_to_string(&document)?)
            .with_context(|| format!("{name}: a fenced block"))?;
        let script = script(&blocks, port);
        if script.lines().count() > 0 {
            run(checkout, &running, &name, &blocks, &script)?;
            commands += script.lines().count();
        }
    }
    say(format!("docs: {commands} lines of commands ran as they are printed"));
    Ok(())
}

fn documents(checkout: &Checkout) -> Result<Vec<PathBuf>> {
    let mut documents = vec![checkout.path("README.md")];
    for entry in fs::read_dir(checkout.path("docs"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            documents.push(path);
        }
    }
    documents.sort();
    Ok(documents)
}

/// The files of a document: names and texts.
pub fn files(markdown: &str) -> Result<Vec<(String, String)>> {
    let file = |block| match block {
        Block::File { name, text } => Some((name, text)),
        Block::Run(_) => None,
    };
    Ok(blocks(markdown)?.into_iter().filter_map(file).collect())
}

/// The commands of a document as a script that fails at the first that does not do as it is said to, for
/// a gate on this port.
pub fn commands(markdown: &str, port: u16) -> Result<String> {
    Ok(format!("{PRELUDE}\n{}", script(&blocks(markdown)?, port)))
}

#[derive(Debug, PartialEq, Eq)]
enum Block {
    Run(String),
    File { name: String, text: String },
}

fn blocks(markdown: &str) -> Result<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let mut text = String::new();
        for line in lines.by_ref().take_while(|line| *line != "```") {
            let _ = writeln!(text, "{line}");
        }
        match info.split_once(' ').unwrap_or((info, "")) {
            ("sh", "run" | "account") => blocks.push(Block::Run(text)),
            ("sh", "dev") => {}
            ("sh" | "bash" | "console" | "shell", _) => {
                bail!("```{info} does not say if it is run")
            }
            (_, rest) => {
                if let Some(name) = rest.strip_prefix("file=") {
                    ensure!(!name.contains('/'), "```{info}: a name, not a path");
                    blocks.push(Block::File { name: name.to_owned(), text });
                }
            }
        }
    }
    Ok(blocks)
}

fn script(blocks: &[Block], port: u16) -> String {
    let mut script = String::new();
    for block in blocks {
        if let Block::Run(text) = block {
            for line in text.lines() {
                let line = line.replace(":8787", &format!(":{port}"));
                let _ = writeln!(script, "{}", expected(&line).unwrap_or(line));
            }
        }
    }
    script
}

/// `curl … # 403 CODE` as a command that fails if the answer is another.
fn expected(line: &str) -> Option<String> {
    let (command, answer) = line.rsplit_once(" # ").filter(|_| line.starts_with("curl "))?;
    let (status, code) = answer.split_once(' ').unwrap_or((answer, "-"));
    status.parse::<u16>().ok()?;
    Some(format!("expect {status} {code} {}", command.trim_end()))
}

/// In a folder of its own below the checkout, so that `cargo xtask` is known there.
fn run(
    checkout: &Checkout,
    running: &Running,
    name: &str,
    blocks: &[Block],
    script: &str,
) -> Result<()> {
    let desk = checkout.private("docs")?;
    let _ = fs::remove_dir_all(&desk);
    fs::create_dir_all(desk.join("bin"))?;
    for folder in [".portcullis", "tests"] {
        symlink(checkout.path(folder), desk.join(folder))?;
    }
    for file in ["policy.toml", "wrangler.toml", "workspace.toml"] {
        fs::copy(checkout.path(file), desk.join(file))?;
    }
    let npm = desk.join("bin/npm");
    fs::copy(checkout.path("xtask/docs/npm"), &npm)?;
    for block in blocks {
        if let Block::File { name, text } = block {
            fs::write(desk.join(name), text)?;
        }
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = std::iter::once(desk.join("bin"));
    let path = std::env::join_paths(own.chain(std::env::split_paths(&path)))?;
    let mut bash = checkout.command("bash");
    bash.current_dir(&desk).arg("-c").arg(format!("{PRELUDE}\n{script}"));
    bash.env("PATH", path).env("CHECKOUT", checkout.path("")).env("WRANGLER_SEND_METRICS", "false");
    bash.env("XDG_CONFIG_HOME", desk.join("config")).env("XDG_STATE_HOME", desk.join("state"));
    bash.env("PORTCULLIS_DEV_STATE", checkout.private(STATE)?);
    bash.env_remove("PORTCULLIS_ROOT").env_remove("PORTCULLIS_STATIC_KEYS");
    for (key, text) in &running.seeds.keys {
        bash.env(key.to_uppercase(), text);
    }
    for (key, text) in &running.seeds.signing {
        bash.env(format!("{}_SECRET", key.to_uppercase()), text);
    }
    for (subject, token) in &running.seeds.tokens {
        bash.env(format!("{}_TOKEN", subject.to_uppercase()), token);
    }
    let output = bash.stdout(Stdio::piped()).stderr(Stdio::piped()).output()?;
    if !output.status.success() {
        let all = [output.stdout, output.stderr].concat();
        bail!("{name}: {}\n{}", output.status, tail(&String::from_utf8_lossy(&all)));
    }
    say(format!("docs: {name} ok"));
    Ok(())
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

const STATE: &str = "docs-state";
const PRELUDE: &str = include_str!("../docs/prelude.sh");
const TAIL: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_of_commands_says_what_becomes_of_it() {
        let text = "# T\n```sh run\na\ncurl -i http://h:8787/x -H 'a: b'  # 403 CODE\n```\n\
                    ```js file=a.mjs\nb\n```\n```text\nc\n```\n```sh dev\nd\n```\n";
        let blocks = blocks(text).unwrap();
        assert_eq!(blocks.len(), 2);
        assert_eq!(blocks[1], Block::File { name: "a.mjs".into(), text: "b\n".into() });
        let script = script(&blocks, 9);
        assert_eq!(script, "a\nexpect 403 CODE curl -i http://h:9/x -H 'a: b'\n");
        assert!(super::blocks("```sh\na\n```\n").is_err());
        assert!(super::blocks("```console\na\n```\n").is_err());
    }
}
