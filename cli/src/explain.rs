//! `policy explain`: what becomes of a request under a policy, check by check.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;
use portcullis::clock::Now;
use portcullis::decide::{Decision, decide};
use portcullis::explanation::{Check, Explanation, Step, Verdict};
use portcullis::gate::Gate;
use portcullis::key::{KeyText, Kid};
use portcullis::memory::{Known, Memory, Source};
use portcullis::mint;
use portcullis::need::{Ask, KvRow, Need};
use portcullis::policy::{Document as PolicyDocument, Fingerprint, Policy};
use portcullis::record::{Document, Record, SecretDocument, SignatureMode, kv_name};
use portcullis::request::Request;
use portcullis::root::Keyring;
use portcullis::ticket::Ticket;
use serde_json::{Value, json};

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
    let mut case = match (&arguments.key_record, arguments.key) {
        (Some(file), _) => Case::of_record(document, &record(file)?, now)?,
        (None, true) => Case::of_key(document, arguments.kv.as_deref())?,
        (None, false) => Case::without_key(document)?,
    };
    let facts = facts(arguments, case.key())?;
    let request = Request::parse(&facts)
        .ok_or_else(|| Failure::usage("--url: http:// or https://, a host and a path"))?;
    let Explained { output, .. } = case.explained(&request, now)?;
    Ok(if is_fit { output } else { output.note(policy::NO_FINGERPRINT) })
}

/// Reads an address as the gate is told one.
pub(crate) fn address(text: &str) -> Result<String, String> {
    let parsed = text.parse::<std::net::IpAddr>();
    parsed
        .map(|_| text.to_owned())
        .map_err(|_| "an address as 203.0.113.9 or 2001:db8::1".to_owned())
}

impl Explain {
    /// A GET of this URL from this address.
    pub(crate) fn of(url: &str, ip: Option<String>) -> Self {
        Self {
            file: PathBuf::new(),
            method: "GET".to_owned(),
            url: url.to_owned(),
            ip,
            header: Vec::new(),
            key_record: None,
            key: true,
            kv: None,
        }
    }
}

/// What becomes of a request.
pub(crate) struct Explained {
    pub(crate) output: Output,
    /// Every check was made and passed.
    pub(crate) allowed: bool,
}

/// A gate, and a key to ask it with.
pub(crate) struct Case {
    gate: Gate,
    memory: Memory,
    rows: Rows,
    key: Option<String>,
    kid: Option<Kid>,
    note: String,
}

impl Case {
    fn without_key(document: PolicyDocument) -> Result<Self, Failure> {
        let gate = gate(document, OWN_ROOT, "")?;
        let note = "no key was given".to_owned();
        let (memory, rows) = (Memory::default(), Rows::default());
        Ok(Self { gate, memory, rows, key: None, kid: None, note })
    }

    /// A key that was never handed out stands for the one of the record.
    fn of_record(mut document: PolicyDocument, of: &Document, now: Now) -> Result<Self, Failure> {
        let signs = of.signature != SignatureMode::None;
        if signs {
            document.routes.iter_mut().for_each(|route| route.signed = false);
        }
        let mut case = Self::without_key(document)?;
        let root = case.gate.keyring().newest();
        let workspace = Kid::parse(&of.kid).map(|kid| kid.workspace());
        let minted = workspace
            .and_then(|workspace| mint::native(root, &of.prefix, workspace, &[0; 22]))
            .ok_or_else(|| Failure::refused("--key-record: its kid or prefix is none of a key"))?;
        let stand_in = Document {
            kid: minted.kid.to_string(),
            secrets: vec![SecretDocument::new(0, root.version(), &minted.digest)],
            // The request bears no signature: it would be told that first.
            signature: SignatureMode::None,
            fresh_until: u64::MAX,
            ..of.clone()
        };
        let row = stand_in.row(root).ok_or_else(|| Failure::refused("--key-record: too large"))?;
        learn(minted.kid, &row.value, &case.gate, &mut case.memory, now)?;
        let signature = if signs {
            "; its signature is not looked at, for which a request may be counted in any mode"
        } else {
            ""
        };
        case.note = format!("key {}; its secret is taken to be right{signature}", of.kid);
        case.key = Some(minted.secret.expose().to_owned());
        case.kid = Some(minted.kid);
        Ok(case)
    }

    fn of_key(document: PolicyDocument, kv: Option<&Path>) -> Result<Self, Failure> {
        Self::of_key_in(document, kv.map(Rows::read).transpose()?.unwrap_or_default())
    }

    /// Of the key on standard input, where KV has these rows.
    pub(crate) fn of_key_in(document: PolicyDocument, rows: Rows) -> Result<Self, Failure> {
        let gate = gate(document, &machine::root_text()?, &machine::static_keys()?)?;
        let key = machine::stdin_text("a key")?;
        let kid = match KeyText::recognise(&key) {
            Some(Ok(text)) => Some(text.kid()),
            Some(Err(_)) | None => None,
        };
        let note =
            kid.map_or_else(|| "a key of another form".to_owned(), |kid| format!("key {kid}"));
        Ok(Self { gate, memory: Memory::default(), rows, key: Some(key), kid, note })
    }

    /// The key, if there is one.
    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// What becomes of a request.
    pub(crate) fn explained(
        &mut self,
        request: &Request<'_>,
        now: Now,
    ) -> Result<Explained, Failure> {
        let decision = decided(request, &self.gate, &mut self.memory, &self.rows, now)?;
        let known = self.kid.map(|kid| self.memory.record(&kid, now));
        let record = match &known {
            Some(Known::Is(record)) => Some(record),
            Some(Known::Absent | Known::Unknown) | None => None,
        };
        Ok(shown(&Explanation::new(&decision, request, &self.gate, record), &self.note))
    }
}

/// A gate that is fit whatever fingerprints the policy has.
fn gate(mut document: PolicyDocument, root: &str, keys: &str) -> Result<Gate, Failure> {
    let keyring = Keyring::parse(root).map_err(Failure::refused)?;
    let own = Fingerprint::parse(keyring.newest().fingerprint()).map_err(Failure::refused)?;
    document.root_fingerprints.push(own);
    let policy = Policy::try_from(document).map_err(Failure::refused)?;
    Gate::new(policy, root, keys, 0).map_err(Failure::refused)
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

/// Puts a sealed record into memory as the Workspace's word.
fn learn(kid: Kid, value: &str, gate: &Gate, memory: &mut Memory, now: Now) -> Result<(), Failure> {
    let record = Record::open(gate.keyring(), &kid, &gate.policy().tiers, value.as_bytes());
    let learnt = record.and_then(|record| memory.learn(kid, Some(record), Source::Workspace, now));
    learnt.map_err(|unusable| Failure::refused(format!("the record: {}", unusable.as_str())))
}

/// Decides, as a gate does whose Workspaces and KV have these rows.
fn decided<'g>(
    request: &Request<'_>,
    gate: &'g Gate,
    memory: &mut Memory,
    rows: &Rows,
    now: Now,
) -> Result<Decision<'g>, Failure> {
    let row = |name: &str| rows.iter().find(|(own, _)| *own == name).map(|(_, value)| value);
    let mut ticket = Ticket::default();
    for _ in 0..MAX_LOOKS {
        let decision = decide(request, gate, memory, &mut ticket, now);
        let Decision::Need(need) = &decision else { return Ok(decision) };
        match need {
            Need::Kv(KvRow::Record(kid)) | Need::Workspace(Ask::Record(kid)) => {
                let Some(value) = row(&kv_name(kid)) else { return Ok(decision) };
                learn(*kid, value, gate, memory, now)?;
            }
            Need::Kv(pointer) => {
                let Some(value) = row(&pointer.kv_name()) else { return Ok(decision) };
                pointer
                    .learn(Some(value.as_bytes()), gate, memory, now)
                    .map_err(|unusable| Failure::refused(unusable.as_str()))?;
            }
            Need::Workspace(Ask::Leave(_))
            | Need::Body(_)
            | Need::KeySet { .. }
            | Need::Signature => return Ok(decision),
        }
    }
    Err(Failure::refused("the rows lead nowhere"))
}

/// The request as an adapter hands it over.
pub(crate) fn facts(arguments: &Explain, key: Option<&str>) -> Result<String, Failure> {
    let Explain { method, url, ip, header, .. } = arguments;
    let bearer = key.map(|key| ("authorization".to_owned(), format!("Bearer {key}")));
    let address = ip.iter().map(|ip| ("cf-connecting-ip".to_owned(), ip.clone()));
    let headers = header.iter().map(|line| {
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| Failure::usage("--header: a name, ':' and a value"))?;
        Ok((name.trim().to_lowercase(), value.trim().to_owned()))
    });
    let headers = headers.collect::<Result<Vec<_>, Failure>>()?;
    // As a gate gets them: what is repeated is one list.
    let mut fields: Vec<(String, String)> = Vec::new();
    for (name, value) in address.chain(bearer).chain(headers) {
        match fields.iter_mut().find(|(own, _)| *own == name) {
            Some((_, list)) => list.extend([", ", &value]),
            None => fields.push((name, value)),
        }
    }
    let (scheme, rest) = url.split_once("://").ok_or_else(|| {
        let message = "--url: begins with its scheme, as https://api.example.com/v1/items";
        Failure::usage(message)
    })?;
    if !matches!(scheme, "http" | "https") {
        return Err(Failure::usage("--url: begins with https:// or http://"));
    }
    if rest.contains('#') {
        let message = "--url: what follows '#' stays with the client: leave it out, or write %23";
        return Err(Failure::usage(message));
    }
    let own = rest.find(['/', '?']).map_or(rest, |end| rest.split_at(end).0);
    if own.is_empty() {
        return Err(Failure::usage("--url: names no host"));
    }
    if !rest.strip_prefix(own).is_some_and(|target| target.starts_with('/')) {
        let message = format!("--url: has no path; clients send '/' then: {scheme}://{own}/");
        return Err(Failure::usage(message));
    }
    // The runtime makes its URL by the `Host` header.
    let named = fields.iter().position(|(name, _)| name == "host").map(|at| fields.remove(at).1);
    let host = named.unwrap_or_else(|| own.to_owned());
    let target = rest.strip_prefix(own).unwrap_or_default();
    let url = format!("{scheme}://{host}{target}");
    let mut lines = vec![method.clone(), url, "host".to_owned(), host];
    lines.extend(fields.into_iter().flat_map(|(name, value)| [name, value]));
    if lines.iter().any(|line| line.contains(['\n', '\r'])) {
        return Err(Failure::usage("a request has no line feed in it"));
    }
    Ok(lines.join("\n"))
}

fn shown(explanation: &Explanation<'_>, note: &str) -> Explained {
    let Explanation { route, steps, refused, is_managed, would_deny } = explanation;
    let head = ["CHECK", "VERDICT", "DETAIL"].map(str::to_owned);
    let rows = steps.iter().map(|step| {
        [step.check.as_str().to_owned(), step.verdict.as_str().to_owned(), step.detail.clone()]
    });
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    let open = steps.iter().find(|step| step.verdict == Verdict::Open).map(missing);
    let open =
        open.or(is_managed.then_some("the management API answers, and asks who it is itself"));
    let verdict = match (refused, open) {
        (Some(wire), _) => format!("refused: {} {}: {}", wire.status, wire.code, wire.message),
        (None, Some(missing)) => format!("open: {missing}"),
        (None, None) => "allowed".to_owned(),
    };
    let tried: Vec<String> = would_deny
        .iter()
        .map(|wire| format!("on trial: would be {} {}: {}", wire.status, wire.code, wire.message))
        .collect();
    let table = tabbed(&rows, &verdict, &tried);
    let text = [vec![policy::table(&rows), String::new(), verdict], tried].concat();
    let json = json!({
        "route": route.map(|route| json!({
            "methods": route.methods.to_string(), "path": route.path.as_str(),
        })),
        "checks": steps.iter().map(|step| json!({
            "check": step.check.as_str(),
            "verdict": step.verdict.as_str(),
            "detail": step.detail,
        })).collect::<Vec<Value>>(),
        "verdict": match (refused, open) {
            (Some(_), _) => "refused",
            (None, Some(_)) => "open",
            (None, None) => "allowed",
        },
        "status": refused.as_ref().map(|wire| wire.status),
        "code": refused.as_ref().map(|wire| wire.code),
        "message": refused.as_ref().map(|wire| wire.message.clone()),
        "would_deny": would_deny.iter().map(|wire| wire.code).collect::<Vec<_>>(),
    });
    let output = if io::stdout().is_terminal() {
        Output::new(text.join("\n"), json)
    } else {
        Output::table(table, json)
    };
    let output = output.note(note).refused_if(refused.is_some());
    Explained { output, allowed: refused.is_none() && open.is_none() }
}

/// The checks without their head, then the verdict.
fn tabbed(rows: &[[String; 3]], verdict: &str, tried: &[String]) -> Table {
    let end = std::iter::once(verdict).chain(tried.iter().map(String::as_str));
    let end = end.map(|text| vec!["verdict".to_owned(), text.to_owned()]);
    Table::new(&[], rows.iter().skip(1).map(|row| row.to_vec()).chain(end).collect())
}

/// What is missing for a verdict.
fn missing(step: &Step) -> &'static str {
    let own = MISSING.iter().find(|(check, _)| *check == step.check);
    own.map_or("the key's record is not at hand; give its record or its rows", |(_, text)| text)
}

const MISSING: [(Check, &str); 3] = [
    (Check::Leave, "its Workspace knows what is left"),
    (Check::Kind, "the issuer's keys are not at hand, by which a token is verified"),
    (Check::Signature, "the body is not at hand, which is signed too"),
];
/// Of nobody: with it are made keys that stand in for others.
const OWN_ROOT: &str = "v1:cG9ydGN1bGxpcyBwb2xpY3kgZXhwbGFpbiBub2JvZHk=";
/// A pointer under each root version, a record, and the record once more.
const MAX_LOOKS: usize = 64;
