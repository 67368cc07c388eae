//! A request that nobody has sent, judged by the gate's own decision: a gate of a root that is nobody's, and
//! a credential that was never handed out in the place of the one that is asked about.

use core::fmt;
use std::rc::Rc;

use super::Explanation;
use crate::caller::Caller;
use crate::clock::Now;
use crate::decide::{Decision, decide};
use crate::gate::{Gate, Unfit};
use crate::key::{KeyText, Kid, Workspace};
use crate::memory::{Known, Memory, Source};
use crate::mint;
use crate::need::{Ask, KvRow, Need};
use crate::person::Person;
use crate::policy::{
    BadName, Document as PolicyDocument, Fingerprint, MemberId, Policy, PolicyError,
};
use crate::record::{Document, Record, SecretDocument, SignatureMode, Unusable, kv_name};
use crate::request::Request;
use crate::root::{Keyring, RootError};
use crate::ticket::Ticket;
use crate::token::{Authenticated, Presented, Subject};

/// A gate, and a credential to ask it with.
#[derive(Debug)]
pub struct Case {
    gate: Gate,
    memory: Memory,
    credential: Option<Credential>,
}

#[derive(Debug)]
struct Credential {
    text: String,
    of: Whose,
}

#[derive(Debug)]
enum Whose {
    Key(Kid),
    Person(Rc<Person>),
    Unknown,
}

/// A request, credential aside.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// The URL, host included.
    pub url: String,
    /// Names and values of the headers.
    pub headers: Vec<(String, String)>,
}

/// Where a row of KV is found by its name.
pub type Rows<'r> = &'r dyn Fn(&str) -> Option<&'r str>;

impl Case {
    /// Without a credential.
    ///
    /// # Errors
    /// [`Impossible`], as of all of these.
    pub fn without_key(policy: PolicyDocument) -> Result<Self, Impossible> {
        Self::of_root(policy, OWN_ROOT, "")
    }

    /// A key that was never handed out stands for the one of the record, whose secret is taken to be right.
    /// Where that signs, no signature is looked at.
    pub fn of_record(
        mut policy: PolicyDocument,
        of: &Document,
        now: Now,
    ) -> Result<Self, Impossible> {
        if of.signature != SignatureMode::None {
            policy.routes.iter_mut().for_each(|route| route.signed = false);
        }
        let mut case = Self::without_key(policy)?;
        let root = case.gate.keyring().newest();
        let workspace = Kid::parse(&of.kid).map(|kid| kid.workspace());
        let minted =
            workspace.and_then(|workspace| mint::native(root, &of.prefix, workspace, &[0; 22]));
        let minted = minted.ok_or(Impossible::Key)?;
        let stand_in = Document {
            kid: minted.kid.to_string(),
            secrets: vec![SecretDocument::new(0, root.version(), &minted.digest)],
            // The request bears no signature: it would be told that first.
            signature: SignatureMode::None,
            fresh_until: u64::MAX,
            ..of.clone()
        };
        let row = stand_in.row(root).ok_or(Impossible::Key)?;
        learn(minted.kid, &row.value, &case.gate, &mut case.memory, now)?;
        let text = minted.secret.expose().to_owned();
        case.credential = Some(Credential { text, of: Whose::Key(minted.kid) });
        Ok(case)
    }

    /// A token that nobody has issued stands for one of this member's, which is taken to be right.
    pub fn of_person(
        policy: PolicyDocument,
        member: &MemberId,
        scopes: Vec<String>,
        workspace: Option<Workspace>,
        now: Now,
    ) -> Result<Self, Impossible> {
        let mut case = Self::without_key(policy)?;
        let issuers = case.gate.policy().issuers.iter().enumerate();
        let mut own = issuers.filter(|(_, rules)| rules.name.as_str() == member.issuer());
        let (issuer, rules) = own.next().ok_or(Impossible::Issuer)?;
        let workspace = workspace.filter(|_| rules.workspace_claim.is_some());
        let id = member.as_str().split_once(':').map_or("", |(_, id)| id).to_owned();
        let subject = Subject { id, scopes, email: None, workspace, until: u64::MAX };
        let (member, credential) = (member.as_str().to_owned(), rules.credential);
        let person = Person::new(Authenticated { issuer, member, subject, credential }, now);
        let person = Rc::new(person);
        case.memory.people.learn(Presented::bearer(NO_TOKEN).digest(), Rc::clone(&person));
        case.credential = Some(Credential { text: NO_TOKEN.to_owned(), of: Whose::Person(person) });
        Ok(case)
    }

    /// This very key, at a gate of this root and these environment keys.
    pub fn of_key(
        policy: PolicyDocument,
        root: &str,
        static_keys: &str,
        key: String,
    ) -> Result<Self, Impossible> {
        let mut case = Self::of_root(policy, root, static_keys)?;
        let of = match KeyText::recognise(&key) {
            Some(Ok(text)) => Whose::Key(text.kid()),
            Some(Err(_)) | None => Whose::Unknown,
        };
        case.credential = Some(Credential { text: key, of });
        Ok(case)
    }

    /// A gate that is fit whatever fingerprints the policy has.
    fn of_root(mut policy: PolicyDocument, root: &str, keys: &str) -> Result<Self, Impossible> {
        let keyring = Keyring::parse(root)?;
        policy.root_fingerprints.push(Fingerprint::parse(keyring.newest().fingerprint())?);
        let gate = Gate::new(Policy::try_from(policy)?, root, keys, 0)?;
        Ok(Self { gate, memory: Memory::default(), credential: None })
    }

    /// The id of the key, if it is a native one.
    #[must_use]
    pub fn kid(&self) -> Option<Kid> {
        match self.credential.as_ref()?.of {
            Whose::Key(kid) => Some(kid),
            Whose::Person(_) | Whose::Unknown => None,
        }
    }

    /// What becomes of a request where KV has these rows.
    ///
    /// # Errors
    /// Why it is none, or cannot be decided.
    pub fn explain(
        &mut self,
        asked: &Asked,
        rows: Rows<'_>,
        now: Now,
    ) -> Result<Explanation<'_>, Impossible> {
        let facts = asked.facts(self.credential.as_ref().map(|own| &*own.text))?;
        let request = Request::parse(&facts).ok_or(BadUrl::Other)?;
        let decision = decided(&request, &self.gate, &mut self.memory, rows, now)?;
        let caller = match self.credential.as_ref().map(|own| &own.of) {
            Some(Whose::Key(kid)) => match self.memory.record(kid, now) {
                Known::Is(record) => Caller::Key(record),
                Known::Absent | Known::Unknown => Caller::Anyone,
            },
            Some(Whose::Person(person)) => Caller::Person(Rc::clone(person)),
            Some(Whose::Unknown) | None => Caller::Anyone,
        };
        Ok(Explanation::new(&decision, &request, &self.gate, &caller))
    }
}

impl Asked {
    /// The request as an adapter hands it over.
    fn facts(&self, credential: Option<&str>) -> Result<String, Impossible> {
        let bearer = credential.map(|text| ("authorization".to_owned(), format!("Bearer {text}")));
        let own = self.headers.iter();
        let own = own.map(|(name, value)| (name.trim().to_lowercase(), value.trim().to_owned()));
        // As a gate gets them: what is repeated is one list.
        let mut fields: Vec<(String, String)> = Vec::new();
        for (name, value) in bearer.into_iter().chain(own) {
            match fields.iter_mut().find(|(own, _)| *own == name) {
                Some((_, list)) => list.extend([", ", &value]),
                None => fields.push((name, value)),
            }
        }
        let (scheme, rest) = self.url.split_once("://").ok_or(BadUrl::NoScheme)?;
        if !matches!(scheme, "http" | "https") {
            return Err(BadUrl::Scheme.into());
        }
        if rest.contains('#') {
            return Err(BadUrl::Fragment.into());
        }
        let own = rest.find(['/', '?']).map_or(rest, |end| rest.split_at(end).0);
        if own.is_empty() {
            return Err(BadUrl::NoHost.into());
        }
        if !rest.strip_prefix(own).is_some_and(|target| target.starts_with('/')) {
            return Err(BadUrl::NoPath.into());
        }
        // The runtime makes its URL by the `Host` header.
        let named =
            fields.iter().position(|(name, _)| name == "host").map(|at| fields.remove(at).1);
        let host = named.unwrap_or_else(|| own.to_owned());
        let target = rest.strip_prefix(own).unwrap_or_default();
        let url = format!("{scheme}://{host}{target}");
        let mut lines = vec![self.method.clone(), url, "host".to_owned(), host];
        lines.extend(fields.into_iter().flat_map(|(name, value)| [name, value]));
        if lines.iter().any(|line| line.contains(['\n', '\r'])) {
            return Err(Impossible::Line);
        }
        Ok(lines.join("\n"))
    }
}

/// Decides, as a gate does whose Workspaces and KV have these rows.
fn decided<'g>(
    request: &Request<'_>,
    gate: &'g Gate,
    memory: &mut Memory,
    rows: Rows<'_>,
    now: Now,
) -> Result<Decision<'g>, Impossible> {
    let mut ticket = Ticket::default();
    for _ in 0..MAX_LOOKS {
        let decision = decide(request, gate, memory, &mut ticket, now);
        let Decision::Need(need) = &decision else { return Ok(decision) };
        match need {
            Need::Kv(KvRow::Record(kid)) | Need::Workspace(Ask::Record(kid)) => {
                let Some(value) = rows(&kv_name(kid)) else { return Ok(decision) };
                learn(*kid, value, gate, memory, now)?;
            }
            Need::Kv(pointer) => {
                let Some(value) = rows(&pointer.kv_name()) else { return Ok(decision) };
                pointer.learn(Some(value.as_bytes()), gate, memory, now)?;
            }
            Need::Workspace(Ask::Leave(_))
            | Need::Body(_)
            | Need::KeySet { .. }
            | Need::Signature => return Ok(decision),
        }
    }
    Err(Impossible::Astray)
}

/// Puts a sealed record into memory as the Workspace's word.
fn learn(
    kid: Kid,
    value: &str,
    gate: &Gate,
    memory: &mut Memory,
    now: Now,
) -> Result<(), Impossible> {
    let record = Record::open(gate.keyring(), &kid, &gate.policy().tiers, value.as_bytes())?;
    Ok(memory.learn(kid, Some(record), Source::Workspace, now)?)
}

/// Why nothing can be said of a request.
#[derive(Debug)]
pub enum Impossible {
    /// The document is no policy.
    Policy(PolicyError),
    /// The root secret.
    Root(RootError),
    /// Its fingerprint.
    Fingerprint(BadName),
    /// The gate.
    Unfit(Unfit),
    /// The record is of no key.
    Key,
    /// The record.
    Record(Unusable),
    /// The policy believes no such issuer.
    Issuer,
    /// No URL of a request.
    Url(BadUrl),
    /// A line feed in a header.
    Line,
    /// Rows that point at each other.
    Astray,
}

impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(error) => error.fmt(f),
            Self::Root(error) => error.fmt(f),
            Self::Fingerprint(error) => error.fmt(f),
            Self::Unfit(error) => error.fmt(f),
            Self::Key => f.write_str("the record's kid or prefix is none of a key"),
            Self::Record(unusable) => write!(f, "the record: {}", unusable.as_str()),
            Self::Issuer => f.write_str("the policy names no such issuer"),
            Self::Url(error) => error.fmt(f),
            Self::Line => f.write_str("a request has no line feed in it"),
            Self::Astray => f.write_str("the rows lead nowhere"),
        }
    }
}

impl core::error::Error for Impossible {}

/// Why a text is not the URL of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadUrl {
    /// Nothing stands before `://`.
    NoScheme,
    /// Neither `http` nor `https`.
    Scheme,
    /// It has a fragment, which no client sends.
    Fragment,
    /// Nothing stands for the host.
    NoHost,
    /// Nothing stands for the path.
    NoPath,
    /// Something else.
    Other,
}

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoScheme => "begins with its scheme, as https://api.example.com/v1/items",
            Self::Scheme => "begins with https:// or http://",
            Self::Fragment => "what follows '#' stays with the client: leave it out, or write %23",
            Self::NoHost => "names no host",
            Self::NoPath => "has no path; clients send '/' then",
            Self::Other => "http:// or https://, a host and a path",
        })
    }
}

impl core::error::Error for BadUrl {}

macro_rules! from {
    ($($of:ty => $variant:ident),*) => {
        $(impl From<$of> for Impossible {
            fn from(error: $of) -> Self {
                Self::$variant(error)
            }
        })*
    };
}

from!(PolicyError => Policy, RootError => Root, BadName => Fingerprint, Unfit => Unfit, Unusable => Record, BadUrl => Url);

/// Of nobody: with it are made keys that stand in for others.
const OWN_ROOT: &str = "v1:cG9ydGN1bGxpcyBwb2xpY3kgZXhwbGFpbiBub2JvZHk=";
/// In the form of a token, and none.
const NO_TOKEN: &str = "e30.e30.e30";
/// A pointer under each root version, a record, and the record once more.
const MAX_LOOKS: usize = 64;
