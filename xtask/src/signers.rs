//! The step `signers`: the signers that people are given, on the vectors and before a running gate, and clients of others.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::checkout::{Checkout, say};
use crate::docs;
use crate::npm;
use crate::serve::{self, Serve};
use crate::tools;
use crate::vectors::signatures::Version;

/// Type-checks the TypeScript, then runs all of them.
pub fn test(checkout: &Checkout) -> Result<()> {
    tools::ensure_present(checkout, &[tools::Tool::NpmPackages])?;
    npm::check_types(checkout, &[])?;
    let desk = desk(checkout)?;
    let paths = Version::ALL.map(|version| checkout.path(version.path()));
    let expected = reproducible(&paths)?.len();
    let [typescript, python] = [node(checkout, "vectors"), script(checkout, &desk, "vectors")];
    for (what, mut command) in [("TypeScript", typescript), ("Python", python)] {
        let count = counted(what, command.args(&paths), "")?;
        ensure!(count == expected, "{what}: {count} vectors of {expected}");
    }
    let count = shell(&desk, &paths)?;
    ensure!(count == expected, "shell: {count} vectors of {expected}");
    say(format!("signers: {expected} vectors each in TypeScript, Python and shell"));
    before_a_gate(checkout, &desk)
}

/// A folder with the files of the document.
fn desk(checkout: &Checkout) -> Result<PathBuf> {
    let desk = checkout.private("signers")?;
    let _ = fs::remove_dir_all(&desk);
    fs::create_dir_all(&desk)?;
    for (name, text) in docs::files(&fs::read_to_string(checkout.path("docs/signatures.md"))?)? {
        fs::write(desk.join(name), text)?;
    }
    Ok(desk)
}

fn before_a_gate(checkout: &Checkout, desk: &Path) -> Result<()> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let state = checkout.private("signers-state")?;
    let running =
        serve::start(checkout, &Serve { fresh: true, issuer: 0, ..Serve::dev(port, state) })?;
    let url = format!("http://{}", running.gates[0]);
    let ready = json!({ "url": url, "keys": running.seeds.keys, "signing": running.seeds.signing });
    let [theirs, function] = [node(checkout, "clients"), script(checkout, desk, "clients")];
    for (what, mut command, least) in [("npm", theirs, 40), ("RunAgent's function", function, 24)] {
        let count = counted(what, &mut command, &ready.to_string())?;
        ensure!(count >= least, "{what}: {count} requests");
        say(format!("signers: {what}: {count} requests answered as they have to be"));
    }
    Ok(())
}

fn node(checkout: &Checkout, name: &str) -> Command {
    // Knows TypeScript, which the machine's own may not.
    let mut node = checkout.command(tools::npm_bin(checkout, "node"));
    node.arg("--no-warnings").arg(checkout.path(format!("xtask/signers/{name}.mjs")));
    node
}

fn script(checkout: &Checkout, desk: &Path, name: &str) -> Command {
    let mut python = checkout.command("python3");
    python.env("PYTHONPATH", desk).env("PYTHONDONTWRITEBYTECODE", "1");
    python.arg(checkout.path(format!("xtask/signers/{name}.py")));
    python
}

/// The number that a command prints.
pub(crate) fn counted(what: &str, command: &mut Command, input: &str) -> Result<usize> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
    child.stdin.take().context("no standard input")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{what}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// The shell's signers on the vectors; how many.
fn shell(desk: &Path, paths: &[PathBuf]) -> Result<usize> {
    let cases = reproducible(paths)?;
    for (version, kid, case) in &cases {
        let (request, signed) = (&case["request"], &case["signed"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let header = |name: &str| {
            let headers = request["headers"].as_array();
            let own = headers.into_iter().flatten().find(|pair| pair[0] == name);
            own.map(|pair| text(&pair[1]))
        };
        let number = |name: &str| signed[name].as_u64();
        let mut sh = Command::new("sh");
        sh.current_dir(desk).arg(format!("sign-{version}.sh")).arg(text(&request["method"]));
        sh.env("SECRET", text(&signed["secret"])).env("NONCE", text(&signed["nonce"]));
        sh.env("NOW", number("created").context("created")?.to_string());
        if version == "v2" {
            let port = if request["scheme"] == "https" { ":443" } else { ":80" };
            let host = text(&request["host"]).to_lowercase();
            sh.arg(host.strip_suffix(port).unwrap_or(&host)).env("KEY_ID", kid);
            sh.env("CONTENT_TYPE", header("Content-Type").unwrap_or_default());
            let lifetime = number("expires").zip(number("created")).map(|(end, now)| end - now);
            sh.env("LIFETIME", lifetime.context("expires")?.to_string());
        }
        sh.arg(text(&request["target"]));
        if let Some(body) = request["body"].as_str() {
            fs::write(desk.join("body"), BASE64.decode(body.as_bytes())?)?;
            sh.arg("body");
        }
        let output = sh.output()?;
        let printed = String::from_utf8(output.stdout)?;
        let headers: Vec<_> = printed.lines().filter_map(|line| line.split_once(": ")).collect();
        ensure!(
            json!(headers) == signed["headers"],
            "shell: {version} {}: {printed}{}",
            case["id"],
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(cases.len())
}

/// The cases that a signer is to reproduce, with their version and the key's id.
fn reproducible(paths: &[PathBuf]) -> Result<Vec<(String, String, Value)>> {
    let mut found = Vec::new();
    for path in paths {
        let file: Value = serde_json::from_slice(&fs::read(path)?)?;
        let version = file["version"].as_str().context("version")?;
        for case in file["cases"].as_array().context("cases")? {
            if case["signed"]["reproducible"] == true {
                let key = case["key"].as_str().context("key")?;
                let kid = file["keys"][key]["kid"].as_str().context("kid")?;
                found.push((version.to_owned(), kid.to_owned(), case.clone()));
            }
        }
    }
    ensure!(found.len() >= 300, "{} cases", found.len());
    Ok(found)
}
