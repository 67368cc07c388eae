//! A home of its own for each test.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// What a command did.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.err);
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{} {}", self.out, self.err))
    }

    /// That it ended so, saying this, and with no data.
    pub(crate) fn failed(&self, code: i32, saying: &str) {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{}", self.err);
        assert!(self.err.contains(saying), "{:?} lacks {saying:?}", self.err);
    }
}

/// A folder, which is also the home.
pub(crate) struct Desk(TempDir);

impl Desk {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// With a profile of this deployment, whose token is `x`.
    pub(crate) fn of(url: &str) -> Self {
        let desk = Self::new();
        fs::create_dir_all(desk.path("config/portcullis")).unwrap();
        let text = format!(
            "default = \"a\"\n[profiles.a]\nurl = \"{url}\"\nworkspace = \"DEM0WS\"\ntoken = \"x\"\n"
        );
        let file = portcullis_file(&desk);
        fs::write(&file, text).unwrap();
        mode(&file, 0o600);
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn run(&self, arguments: &str) -> Ran {
        self.with(&[], arguments, "")
    }

    /// With these variables, and this on standard input.
    pub(crate) fn with(&self, variables: &[(&str, &str)], arguments: &str, stdin: &str) -> Ran {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        let mut child = command.spawn().unwrap();
        // A command that reads nothing may be gone before all is written.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.current_dir(&self.0).env_clear().args(arguments.split(' '));
        command.env("XDG_CONFIG_HOME", self.path("config"));
        command.env("XDG_STATE_HOME", self.path("state"));
        command.env("HOME", self.0.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// The file of profiles.
pub(crate) fn portcullis_file(desk: &Desk) -> PathBuf {
    desk.path("config/portcullis/config.toml")
}

pub(crate) fn mode(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
