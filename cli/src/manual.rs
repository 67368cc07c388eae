//! Completion scripts and manual pages, made of the commands themselves.

use std::fs;
use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use serde_json::json;

use crate::output::{Failure, Output};
use crate::redact;

/// A completion script.
pub(crate) fn completions(shell: Shell, mut command: Command) -> Output {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "portcullis", &mut script);
    let script = String::from_utf8_lossy(&script);
    Output::new(script.trim_end().to_owned(), json!({ "script": script }))
}

/// A page for each command.
pub(crate) fn pages(command: Command, folder: &Path) -> Result<Output, Failure> {
    let name = folder.display().to_string();
    if redact::secrets(&name) != name {
        return Err(Failure::usage("FOLDER: this has the form of a secret, and is no name"));
    }
    let written = fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(command.disable_help_subcommand(true), folder));
    written.map_err(|error| Failure::io(folder.display(), &error))?;
    let folder = folder.display().to_string();
    Ok(Output::new(folder.clone(), json!({ "folder": folder }))
        .note(format!("read them by: man -l {folder}/portcullis.1")))
}
