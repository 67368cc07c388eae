//! A home of its own for each test, and the deployment.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// What a command did.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.err);
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{} {}", self.out, self.err))
    }

    /// The one line on standard output.
    pub(crate) fn line(&self) -> &str {
        let line = self.out.trim_end_matches('\n');
        assert!(!line.is_empty() && !line.contains('\n'), "{:?}", self.out);
        line
    }

    /// That it ended so, with this one line and no data.
    pub(crate) fn failed(&self, code: i32, saying: &str) {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{}", self.err);
        assert!(self.err.contains(saying), "{:?} lacks {saying:?}", self.err);
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
    }
}

/// A home, and what the deployment said when it was ready.
pub(crate) struct Desk {
    home: TempDir,
    pub(crate) ready: Value,
}

impl Desk {
    /// Nobody has set anything up.
    pub(crate) fn new() -> Self {
        let ready = std::env::var("PORTCULLIS_READY").expect("cargo xtask test cli");
        Self { home: TempDir::new().unwrap(), ready: serde_json::from_str(&ready).unwrap() }
    }

    /// Somebody has run `setup`.
    pub(crate) fn of(subject: &str) -> Self {
        let desk = Self::new();
        let url = desk.text("admin_url");
        let gate = desk.text("url");
        let token = desk.token(subject);
        desk.feed(&format!("setup --url {url} --gate {gate} --workspace DEM0WS"), &token).ok();
        desk
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.ready[name].as_str().unwrap().to_owned()
    }

    pub(crate) fn token(&self, subject: &str) -> String {
        self.ready["tokens"][subject].as_str().unwrap().to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.current_dir(&self.home).env_clear();
        command.env("XDG_CONFIG_HOME", self.path("config"));
        command.env("XDG_STATE_HOME", self.path("state"));
        command.env("HOME", self.home.path());
        command.args(words(arguments));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &str) -> Ran {
        self.feed(arguments, "")
    }

    pub(crate) fn feed(&self, arguments: &str, stdin: &str) -> Ran {
        self.finish(self.command(arguments), stdin)
    }

    /// With these variables.
    pub(crate) fn with(&self, variables: &[(&str, &str)], arguments: &str) -> Ran {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        self.finish(command, "")
    }

    pub(crate) fn start(&self, arguments: &str) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    pub(crate) fn finish(&self, mut command: Command, stdin: &str) -> Ran {
        let mut child = command.spawn().unwrap();
        // A command that reads nothing may be gone before all is written.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        Ran::of(child.wait_with_output().unwrap())
    }

    /// A new key: its id and text.
    pub(crate) fn key(&self, flags: &str) -> (String, String) {
        let made = self.run(&format!("keys create --name test {flags} --json")).ok().json();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("id"), text("secret"))
    }

    pub(crate) fn revoke(&self, kid: &str) {
        self.run(&format!("keys revoke {kid}")).ok();
    }
}

/// The words of a line, as a shell takes them that knows double quotes alone.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
