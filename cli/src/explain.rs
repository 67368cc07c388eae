//! `policy explain`: what becomes of a request under a policy, check by check.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;
use portcullis::clock::Now;
use portcullis::explanation::Explanation;
use portcullis::explanation::case::{Asked, Case, Impossible};
use portcullis::policy::Document as PolicyDocument;
use portcullis::record::{Document, SignatureMode};

use crate::kv::Rows;
use crate::output::{Failure, Output};
use crate::table::Table;
use crate::{machine, policy};

/// What is asked.
#[derive(Args)]
pub(crate) struct Explain {
    /// The policy.
    #[arg(default_value = "policy.toml")]
    file: PathBuf,
    /// The request's method.
    #[arg(long, default_value = "GET")]
    method: String,
    /// The request's URL, host included.
    #[arg(long)]
    url: String,
    /// The client's address.
    #[arg(long, value_parser = address, value_name = "ADDRESS")]
    ip: Option<String>,
    /// A header of the request, as `Name: value`; may be repeated.
    #[arg(long, value_name = "HEADER")]
    header: Vec<String>,
    /// The record of the key, as `key show` prints it; `-` is standard input. Its secret is taken to be right.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "kv"])]
    key_record: Option<PathBuf>,
    /// Read the key from standard input; PORTCULLIS_ROOT must be in the environment.
    #[arg(long)]
    key: bool,
    /// The rows that KV has, as `wrangler kv bulk put` reads them.
    #[arg(long, value_name = "FILE", requires = "key")]
    kv: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Explain) -> Result<Output, Failure> {
    let document = policy::read(&arguments.file)?;
    let is_fit = !document.root_fingerprints.is_empty();
    let now = Now::from_millis(machine::now()?.saturating_mul(1000));
    let mut rows = Rows::default();
    let (mut case, note) = match (&arguments.key_record, arguments.key) {
        (Some(file), _) => {
            let record = record(file)?;
            let signs = record.signature != SignatureMode::None;
            let signature = if signs { UNSIGNED } else { "" };
            let note = format!("key {}; its secret is taken to be right{signature}", record.kid);
            (Case::of_record(document, &record, now).map_err(failed)?, note)
        }
        (None, true) => {
            rows = arguments.kv.as_deref().map(Rows::read).transpose()?.unwrap_or_default();
            of_key(document)?
        }
        (None, false) => {
            (Case::without_key(document).map_err(failed)?, "no key was given".to_owned())
        }
    };
    let Explained { output, .. } = explained(&mut case, &arguments.asked()?, &rows, &note, now)?;
    Ok(if is_fit { output } else { output.note(policy::NO_FINGERPRINT) })
}

/// Of the key on standard input, at a gate of the environment's root; and what to note of it.
pub(crate) fn of_key(document: PolicyDocument) -> Result<(Case, String), Failure> {
    let (root, keys) = (machine::root_text()?, machine::static_keys()?);
    let key = machine::stdin_text("a key")?;
    let case = Case::of_key(document, &root, &keys, key).map_err(failed)?;
    let note =
        case.kid().map_or_else(|| "a key of another form".to_owned(), |kid| format!("key {kid}"));
    Ok((case, note))
}

/// Reads an address as the gate is told one.
pub(crate) fn address(text: &str) -> Result<String, String> {
    let parsed = text.parse::<std::net::IpAddr>();
    parsed
        .map(|_| text.to_owned())
        .map_err(|_| "an address as 203.0.113.9 or 2001:db8::1".to_owned())
}

impl Explain {
    fn asked(&self) -> Result<Asked, Failure> {
        let headers = self.header.iter().map(|line| {
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| Failure::usage("--header: a name, ':' and a value"))?;
            Ok((name.to_owned(), value.to_owned()))
        });
        let headers = headers.collect::<Result<_, Failure>>()?;
        Ok(asked(&self.method, &self.url, self.ip.as_deref(), headers))
    }
}

/// A request from this address.
pub(crate) fn asked(
    method: &str,
    url: &str,
    ip: Option<&str>,
    headers: Vec<(String, String)>,
) -> Asked {
    let address = ip.map(|ip| ("cf-connecting-ip".to_owned(), ip.to_owned()));
    Asked {
        method: method.to_owned(),
        url: url.to_owned(),
        headers: address.into_iter().chain(headers).collect(),
    }
}

/// What becomes of a request.
pub(crate) struct Explained {
    pub(crate) output: Output,
    /// Which check could not be made, if all others passed.
    pub(crate) open: Option<String>,
}

/// What becomes of a request where KV has these rows.
pub(crate) fn explained(
    case: &mut Case,
    asked: &Asked,
    rows: &Rows,
    note: &str,
    now: Now,
) -> Result<Explained, Failure> {
    let row = |name: &str| rows.iter().find(|(own, _)| *own == name).map(|(_, value)| value);
    let explanation = case.explain(asked, &row, now).map_err(failed)?;
    let is_open = explanation.refused.is_none() && !explanation.is_allowed();
    let open = is_open.then(|| explanation.verdict());
    Ok(Explained { output: shown(&explanation, note), open })
}

fn failed(impossible: Impossible) -> Failure {
    if matches!(impossible, Impossible::Url(_)) {
        Failure::usage(format!("--url: {impossible}"))
    } else if matches!(impossible, Impossible::Line) {
        Failure::usage(impossible)
    } else {
        Failure::refused(impossible)
    }
}

pub(crate) fn record(file: &Path) -> Result<Document, Failure> {
    let bytes = if file == Path::new("-") {
        machine::stdin_bytes()?
    } else {
        fs::read(file).map_err(|error| Failure::io(file.display(), &error))?
    };
    let name = file.display();
    Document::read(&bytes)
        .ok_or_else(|| Failure::refused(format!("{name}: not the record of a key")))
}

fn shown(explanation: &Explanation<'_>, note: &str) -> Output {
    let head = ["CHECK", "VERDICT", "DETAIL"].map(str::to_owned);
    let rows = explanation.steps.iter().map(|step| {
        [step.check.as_str().to_owned(), step.verdict.as_str().to_owned(), step.detail.clone()]
    });
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    let (verdict, tried) = (explanation.verdict(), explanation.trials());
    let table = tabbed(&rows, &verdict, &tried);
    let text = [vec![drawn(&rows), String::new(), verdict.clone()], tried].concat();
    let json = explanation.to_json();
    let output = if io::stdout().is_terminal() {
        Output::new(text.join("\n"), json)
    } else {
        Output::table(table, json)
    };
    output.note(note).refused_if(explanation.refused.is_some(), &verdict)
}

/// Columns, each as wide as its widest cell, two spaces apart.
fn drawn<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The checks without their head, then the verdict.
fn tabbed(rows: &[[String; 3]], verdict: &str, tried: &[String]) -> Table {
    let end = std::iter::once(verdict).chain(tried.iter().map(String::as_str));
    let end = end.map(|text| vec!["verdict".to_owned(), text.to_owned()]);
    Table::new(&[], rows.iter().skip(1).map(|row| row.to_vec()).chain(end).collect())
}

const UNSIGNED: &str =
    "; its signature is not looked at, for which a request may be counted in any mode";
