//! The served document against the server, by schemathesis.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::desk::{Desk, create, join};
use super::progress::Progress;
use super::site::Site;
use super::{Bar, Verdict};
use crate::api::HOST;
use crate::checkout::write_private;
use crate::tools::{self, Tool};

pub(super) const BAR: Bar = Bar {
    name: "openapi",
    goal: "schemathesis with an owner's token on the served document: no 5xx, no status, content type, \
           header or body that is not declared",
    unit: "examples of the whole document at least, besides those of its edge cases",
    ci: 100,
    full: 2000,
    sources: SOURCES,
    run,
};

fn run(site: &Site, size: u64, _: &mut Progress) -> Result<Verdict> {
    tools::ensure_present(&site.checkout, &[Tool::Schemathesis])?;
    let mut verdict = Verdict::default();
    let desk = Desk::start(site, "openapi", 1)?;
    let (workspace, owner) = (desk.workspace()?, desk.subject("owner")?);
    join(&owner, &workspace, "dev:alice", "member")?;
    let (kid, _) = create(&owner, &workspace, &json!({}))?;
    let document = owner.ask("GET", "/api/v1/openapi.json", None)?;
    ensure!(document.status == 200, "no document: {}", document.text());
    let folder = desk.folder()?.join("schemathesis");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("openapi.json"), &document.body)?;
    let number = workspace.rsplit('/').next().unwrap_or_default();
    let real = format!("\"path.workspace\" = \"{number}\"\n\"path.kid\" = \"{kid}\"\n");
    let mut examples = 0;
    // Whatever fits the document, which is mostly of nothing that there is; then of what there is, but
    // for what would end it.
    for (name, parameters, without) in [
        ("anything", "", &[][..]),
        ("a workspace and a key", real.as_str(), &["revokeKey", "revokeAllKeys"][..]),
    ] {
        let run = Run { folder: &folder, gate: desk.gate()?.address, parameters, without };
        let report = run.run(site, &desk.token("owner")?, size)?;
        let cases = &report["test_cases"];
        let errors = &report["errors"];
        let complete = report["complete"] == true && *errors == json!([]);
        verdict.require(complete, || format!("{name}: {} {errors}", report["stop_reason"]));
        for failure in report["failures"].as_array().context("failures")? {
            verdict.require(false, || format!("{name}: {failure}"));
        }
        let found = cases["with_failures"].as_u64().context("with_failures")?;
        verdict.require(found == 0 && report["exit_code"] == 0, || {
            format!("{name}: {found} cases fail; schemathesis ends with {}", report["exit_code"])
        });
        let generated = cases["generated"].as_u64().context("generated")?;
        examples += generated;
        let statuses = statuses(&folder)?;
        verdict.require(statuses["200"].as_u64() > Some(0), || format!("{name}: {statuses}"));
        verdict.figure(name, json!({ "examples": generated, "statuses": statuses }));
    }
    verdict.require(examples >= size, || format!("{examples} examples"));
    Ok(verdict)
}

/// One run of schemathesis.
struct Run<'a> {
    folder: &'a Path,
    gate: SocketAddr,
    /// Lines of its configuration.
    parameters: &'a str,
    without: &'a [&'a str],
}

impl Run<'_> {
    /// Its report.
    fn run(&self, site: &Site, token: &str, size: u64) -> Result<Value> {
        let Self { folder, gate, parameters, without } = self;
        let report = folder.join(REPORT);
        for name in [REPORT, EVENTS] {
            let _ = fs::remove_file(folder.join(name));
        }
        // The token is not for the process list.
        let config = format!(
            "headers = {{ Authorization = \"Bearer ${{TOKEN}}\", Host = \"{HOST}\" }}\n[parameters]\n{parameters}"
        );
        write_private(&folder.join("config.toml"), config.as_bytes())?;
        let mut command = Command::new(tools::schemathesis_bin(&site.checkout));
        command.current_dir(folder).env("TOKEN", token);
        command.args(["--config-file", "config.toml", "run", "openapi.json"]);
        command.args(["--url", &format!("http://{gate}"), "--checks", CHECKS]);
        command.args(["--phases", "examples,coverage,fuzzing", "--max-examples"]);
        command.arg(size.div_ceil(OPERATIONS).to_string());
        command.args(["--generation-deterministic", "--continue-on-failure", "--no-color"]);
        command.args(["--suppress-health-check", "all", "--warnings", "off"]);
        command.args(["--report-json-path", REPORT, "--report-ndjson-path", EVENTS]);
        for operation in *without {
            command.args(["--exclude-operation-id", operation]);
        }
        let said = command.output().context("schemathesis does not run")?;
        let text = fs::read(&report).with_context(|| {
            format!("no report: {}", String::from_utf8_lossy(&[said.stdout, said.stderr].concat()))
        })?;
        Ok(serde_json::from_slice(&text)?)
    }
}

/// How many answers had which status.
fn statuses(folder: &Path) -> Result<Value> {
    let events = fs::read_to_string(folder.join(EVENTS)).context("no events")?;
    let mut statuses = BTreeMap::<&str, u64>::new();
    for rest in events.split("\"status_code\":").skip(1) {
        *statuses.entry(rest.trim_start().get(..3).unwrap_or_default()).or_default() += 1;
    }
    Ok(json!(statuses))
}

const SOURCES: &[&str] = &[
    "tests/prove/management.toml",
    "xtask/schemathesis.txt",
    "xtask/src/api.rs",
    "xtask/src/issuer/mod.rs",
];
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance";
/// About as many as the document has: what it draws is counted for each.
const OPERATIONS: u64 = 25;
const REPORT: &str = "report.json";
const EVENTS: &str = "events.ndjson";
