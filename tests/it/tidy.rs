//! The repository's own rules.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn core_files_name_no_platform() {
    let outside = ["src/edge.rs", "src/edge", "src/js"].map(path);
    for file in files("src").into_iter().filter(|file| !outside.iter().any(|o| file.starts_with(o)))
    {
        let text = read(&file);
        for word in [
            "wasm_bindgen",
            "web_sys",
            "js_sys",
            "worker::",
            "tokio",
            "SystemTime",
            "Instant::now",
            "async fn",
            ".await",
            "std::fs",
            "std::net",
            "std::env",
            "getrandom",
        ] {
            assert!(!text.contains(word), "{}: {word}", file.display());
        }
    }
}

#[test]
fn one_file_names_the_cryptographic_crates() {
    for file in files("src").into_iter().filter(|file| *file != path("src/crypto.rs")) {
        for word in ["hmac::", "sha2::", "subtle::", "hkdf::"] {
            assert!(!read(&file).contains(word), "{}: {word}", file.display());
        }
    }
}

#[test]
fn bindings_of_wrangler_toml_are_those_the_gate_looks_up() {
    let wrangler = read(&path("wrangler.toml"));
    let modules = ["errands.mjs", "lookup.mjs"].map(|name| read(&path("src/edge").join(name)));
    let looked_up = |name: &str| modules.iter().any(|text| text.contains(&format!("env.{name}")));
    assert!(looked_up("KEYS") && looked_up("WORKSPACE") && looked_up("MANAGEMENT"));
    let policy = read(&path("policy.toml"));
    let services = values(&policy, "service");
    assert_eq!(
        values(&wrangler, "binding"),
        services.into_iter().chain(["KEYS", "MANAGEMENT"].map(str::to_owned)).collect()
    );
    let analytics = "PORTCULLIS_ANALYTICS";
    assert!(wrangler.contains(&format!("# binding = \"{analytics}\"\n")));
    assert!(read(&path("src/edge/observe.mjs")).contains(&format!("env.{analytics}.")));
    let root = constant("src/edge/deployment.rs", "ROOT");
    let keys = constant("src/edge/gate/isolate.rs", "STATIC_KEYS");
    for name in [&root, &keys] {
        assert!(wrangler.contains(name), "wrangler.toml says nothing of {name}");
    }
    // No origin may be one of them.
    let source = read(&path("src/policy/source/mod.rs"));
    let own = ["POLICY", "BUILT"].map(|name| constant("src/edge/deployment.rs", name));
    let looked_up = ["KEYS", "WORKSPACE", "MANAGEMENT", analytics, root.as_str(), keys.as_str()];
    for name in looked_up.into_iter().chain(own.iter().map(String::as_str)) {
        assert!(source.contains(&format!("    \"{name}\",\n")), "an origin may be {name}");
    }
}

#[test]
fn workspace_toml_has_the_class_that_wrangler_toml_names() {
    let [gate, workspace] = CONFIGURATIONS.map(|file| read(&path(file)));
    let name = "portcullis-workspace";
    assert!(values(&workspace, "name").contains(name));
    assert!(gate.contains(&format!(
        "name = \"WORKSPACE\"\nclass_name = \"Workspace\"\nscript_name = \"{name}\"\n"
    )));
    assert!(gate.contains(&format!("binding = \"MANAGEMENT\"\nservice = \"{name}\"\n")));
    let module = read(&path("src/edge/workspace.mjs"));
    for (binding, class) in [("WORKSPACE", "Workspace"), ("DIRECTORY", "Directory")] {
        assert!(workspace.contains(&format!("new_sqlite_classes = [\"{class}\"]")));
        let bound = format!("name = \"{binding}\"\nclass_name = \"{class}\"\n");
        assert!(workspace.contains(&bound), "{bound}");
        assert!(module.contains(&format!("export class {class} extends")));
    }
    assert!(module.contains("env.KEYS"));
    assert!(read(&path("src/edge/management.mjs")).contains("env.ASSETS"));
    assert_eq!(values(&workspace, "binding"), ["KEYS", "ASSETS"].map(str::to_owned).into());
    assert_eq!(values(&workspace, "id"), values(&gate, "id"), "one KV");
    assert!(workspace.contains(&constant("src/edge/deployment.rs", "ROOT")));
}

#[test]
fn both_workers_are_deployed_closed_and_as_they_are_built() {
    for (file, worker) in CONFIGURATIONS.into_iter().zip(["gate", "workspace"]) {
        let text = read(&path(file));
        let main = format!("main = \"build/{worker}/index.js\"");
        for setting in ["workers_dev = false", "preview_urls = false", "no_bundle = true", &main] {
            assert!(text.lines().any(|line| line == setting), "{file}: {setting}");
        }
    }
    let package = read(&path("package.json"));
    let [gate, workspace] = CONFIGURATIONS.map(|file| package.find(&format!("--config {file}")));
    assert!(workspace.is_some() && workspace < gate, "the class is deployed before its binding");
}

/// What makes the Wasm fail on request stands before the Worker in tests, and is no part of it.
#[test]
fn the_worker_cannot_be_provoked() {
    let deployed = CONFIGURATIONS.map(path);
    for file in files("src").into_iter().chain(deployed) {
        let text = read(&file).to_lowercase();
        assert!(!text.contains("provoke"), "{}", file.display());
    }
    assert!(read(&path("xtask/src/conformance/panics.rs")).contains("X-Provoke: "));
}

/// The answer after a panic is the core's, in JavaScript.
#[test]
fn the_answer_after_a_panic_says_what_the_core_says() {
    let entries = ["src/edge/restart.mjs", "npm/src/verdict.ts"].map(|file| read(&path(file)));
    let denial = read(&path("src/denial.rs"));
    for text in ["\"AUTH_UNAVAILABLE\"", "\"The request cannot be authorised at present.\""] {
        assert!(
            entries.iter().all(|entry| entry.contains(text)) && denial.contains(text),
            "{text}"
        );
    }
}

/// What the npm package takes out of a policy is what its Wasm does not read.
#[test]
fn the_package_reduces_policies_as_its_wasm_reads_them() {
    use portcullis::policy::Document;
    for (file, name, fields) in [
        ("npm/src/gate.ts", "NOT_FOR_GATE", Document::NOT_FOR_GATE),
        ("npm/src/memory.ts", "NOT_FOR_WORKSPACE", Document::NOT_FOR_WORKSPACE),
    ] {
        let list: Vec<_> = fields.iter().map(|field| format!("\"{field}\"")).collect();
        let line = format!("const {name} = [{}];", list.join(", "));
        assert!(read(&path(file)).contains(&line), "{file}: {line}");
    }
}

#[test]
fn versions_and_dates_agree() {
    let quoted = |file: &str, before: &str| {
        let text = read(&path(file));
        let line =
            text.lines().find_map(|line| line.trim().strip_prefix(before).map(str::to_owned));
        unquoted(line.unwrap_or_else(|| panic!("{file}: no {before}")).trim_end_matches([',', ';']))
    };
    let version = quoted("Cargo.toml", "version = ");
    for file in ["package.json", "npm/package.json"] {
        assert_eq!(quoted(file, "\"version\": "), version);
    }
    assert!(read(&path("CHANGELOG.md")).contains(&format!("\n## {version}")));
    for file in CONFIGURATIONS {
        assert_eq!(
            quoted(file, "compatibility_date = "),
            quoted("xtask/src/workerd/config.rs", "const COMPATIBILITY_DATE: &str = "),
        );
    }
}

#[test]
fn every_code_is_explained_and_no_other() {
    let denial = read(&path("src/denial.rs"));
    let code =
        |text: &&str| text.len() > 4 && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    let mut codes: BTreeSet<_> = denial.split('"').filter(code).collect();
    let managing: Vec<String> = ["src/management", "src/workspace/manage"]
        .into_iter()
        .flat_map(files)
        .map(|file| read(&file))
        .collect();
    for text in &managing {
        let made = text.split("Problem::new(").chain(text.split("Self::new(")).skip(1);
        codes.extend(made.filter_map(|rest| rest.split('"').nth(1)).filter(code));
    }
    let errors = read(&path("docs/errors.md"));
    let explained = errors.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert_eq!(codes, explained);
    // `doc_url` ends in the code as it is; headings' own anchors are in lower case.
    for code in &codes {
        assert!(errors.contains(&format!("<a id=\"{code}\"></a>\n\n### {code}\n")), "{code}");
    }
    assert!(codes.len() > 20);
}

#[test]
fn links_between_documents_lead_somewhere() {
    for document in documents() {
        let text = read(&document);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if !file.is_empty() && !link.starts_with("http") {
                let target = document.parent().unwrap().join(file);
                assert!(target.exists(), "{}: {link}", document.display());
            }
        }
    }
}

#[test]
fn no_path_of_somebodys_machine() {
    let all = ["src", "cli", "xtask", "tests", "benches", "docs", ".ci", ".cargo"];
    let top = ["Cargo.toml", "package.json", "policy.toml"];
    let top = top.into_iter().chain(CONFIGURATIONS).map(path);
    let files = all.into_iter().flat_map(files).chain(documents()).chain(top);
    // Written so that this file does not find itself.
    let words = ["work", "root", "home", "Users"].map(|word| format!("/{word}/"));
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for word in &words {
            assert!(!text.contains(word.as_str()), "{}: {word}", file.display());
        }
    }
}

/// The gate's, and that of the Workspaces.
const CONFIGURATIONS: [&str; 2] = ["wrangler.toml", "workspace.toml"];

/// What stands in lines `name = "…"`.
fn values(text: &str, name: &str) -> BTreeSet<String> {
    let before = format!("{name} = ");
    text.lines().filter_map(|line| line.strip_prefix(before.as_str()).map(unquoted)).collect()
}

fn documents() -> Vec<PathBuf> {
    let markdown = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    let top = fs::read_dir(path("")).unwrap().map(|entry| entry.unwrap().path());
    top.chain(files("docs")).filter(markdown).collect()
}

/// The files below a folder.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![path(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let entry = entry.unwrap().path();
            if entry.is_dir() { folders.push(entry) } else { found.push(entry) }
        }
    }
    found
}

/// The text of `const NAME: &str = "…"` in a file.
fn constant(file: &str, name: &str) -> String {
    let text = read(&path(file));
    let before = format!("const {name}: &str = ");
    let line = text.lines().find_map(|line| line.strip_prefix(before.as_str()));
    unquoted(line.unwrap_or_else(|| panic!("{file}: no {before}")).trim_end_matches(';'))
}

fn unquoted(text: &str) -> String {
    text.trim().trim_matches('"').to_owned()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}
