//! The Workspace: the authority over the keys of one workspace, their limits and their use.
//!
//! [`answer`] is a pure function of a call, the rows at hand and the time. Whoever drives it (the
//! Durable Object, a simulation) fetches rows, writes the changes in one transaction and passes the
//! answer on.
//!
//! | row | holds |
//! | --- | --- |
//! | `meta` | schema version, number, revocation epoch |
//! | `key/<kid>` | a key's document and the epoch it is of |
//! | `account/<kid>` | its limits' account, latest lease, this hour's use |
//! | `account/` | the workspace's account, what was spent of its budget |
//! | `account/product:<name>` | the same for one product |
//! | `lease/<kid>/<call>` | a lease that is not over |
//! | `call/<minute>/<call>` | an answer, for calls that are repeated |
//! | `once-only/<span>/<kid>/<mark>` | a request that was admitted and may not be again |
//! | `reserved/<span>/<kid>/<call>` | what was taken for a request whose cost its origin tells |
//! | `usage/<kid>/<hour>` | the use in an hour that is over |
//! | `outbox/<kid>` | the version that KV is to hold |
//! | `outbox/d1:<member>` | the change of a membership that a Directory is to know |
//! | `due/<second>/<kid>`, `dated/<kid>` | when its copy in KV is to be made fresh |
//! | `sweep` | how far the revocation of all keys has come |
//! | `space`, `about/<kid>` | what is told of the workspace and of a key, and decides nothing |
//! | `list/<when>/<kid>` | the keys, the newest first |
//! | `live`, `ends/<epoch>/<second>/<kid>` | how many keys count as active, and until when |
//! | `notice/<second>/<kid>` | when the expiry of a key is to be announced |
//! | `member/<id>`, `owned/<id>/<kid>` | a member, and the personal keys that go with the membership |
//! | `webhook`, `webhook/outcomes` | where alerts go; what became of the last deliveries |
//! | `alert/<millisecond>/<id>` | an alert that is not delivered, and when it is sent next |
//! | `alerts/<kid>` | at which parts of its limit a key is told of |
//! | `denials`, `denial/<place>` | denials that can be asked for by request id, and the number of the next |
//! | `pointer/<id>` | the key that an imported secret stands for |
//! | `audit`, `audit/<number>` | the last change's number and hash; the changes |
//! | `once/<day>/<hash>` | the answer to a request with an `Idempotency-Key` |

mod accounts;
mod admit;
mod alert;
pub mod call;
mod incidents;
pub(crate) mod keys;
mod lending;
mod manage;
mod once;
mod outbox;
mod reserved;
pub mod rows;
mod span;
pub mod text;
mod trial;
mod usage;

use crate::clock::Now;
use crate::fields::{BadField, Fields, Line, number};
use crate::gate::Gate;
use crate::policy::Limits;
use call::{Answer, Call, VERSION};
use rows::{Missing, Rows, Stop, Value};
use text::BadCall;

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// For the caller.
    pub answer: Answer,
    /// When the object wants to be woken at the latest, in milliseconds; `None`: as it is.
    pub alarm: Option<u64>,
}

/// Answers a call.
///
/// # Errors
/// What has to be fetched into `rows` first. Nothing of `rows` may be written then.
pub fn answer(text: &str, gate: &Gate, rows: &mut Rows, now: Now) -> Result<Outcome, Missing> {
    let done = |answer| Ok(Outcome { answer, alarm: None });
    let call = match Call::parse(text) {
        Ok(call) => call,
        Err(BadCall::Version) => return done(Answer::Version { newest: VERSION }),
        Err(BadCall::Unreadable) => return done(Answer::Broken { row: String::new() }),
    };
    match Object::open(gate, rows, now).and_then(|mut object| object.answer(&call)) {
        Ok(outcome) => Ok(outcome),
        Err(Stop::Missing(missing)) => Err(missing),
        Err(Stop::Damaged(row)) => {
            rows.undo();
            done(Answer::Broken { row })
        }
    }
}

/// The rows that a call will probably need, so that they are fetched at once.
#[must_use]
pub fn needs(text: &str, now: Now) -> Missing {
    let mut missing = Missing { names: vec![META.to_owned()], ranges: Vec::new() };
    match Call::parse(text) {
        Ok(Call::Admit(call)) => admit::needs(&call, now, &mut missing),
        Ok(Call::Record { kid }) => missing.names.push(keys::row(&kid)),
        Ok(Call::Report { kid, .. }) => admit::report_needs(&kid, &mut missing),
        Ok(Call::Settle { id, kid, .. }) => reserved::needs(&id, &kid, now, &mut missing),
        _ => {}
    }
    missing
}

/// What is so of the whole workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Meta {
    /// The schema of the rows.
    schema: u32,
    /// The workspace's number.
    workspace: String,
    /// Rises when all keys are revoked.
    epoch: u64,
    /// Rises when the workspace itself is changed.
    version: u64,
    /// Shared by all keys, within what the policy allows.
    limits: Option<Limits>,
}

impl Meta {
    fn new(workspace: &str) -> Self {
        let workspace = workspace.to_owned();
        Self { schema: SCHEMA, workspace, epoch: 0, version: 0, limits: None }
    }
}

impl Value for Meta {
    fn parse(text: &str) -> Result<Self, BadField> {
        let fields = Fields::of(text);
        Ok(Self {
            schema: number(fields.text("schema")?)?,
            workspace: fields.text("workspace")?.to_owned(),
            epoch: fields.number("epoch")?,
            version: fields.number("version")?,
            limits: match fields.get("requests") {
                Some(requests) => {
                    let (window, burst) = (fields.number("window")?, fields.number("burst")?);
                    Some(Limits::new(number(requests)?, window, burst).map_err(|_| BadField)?)
                }
                None => None,
            },
        })
    }

    fn print(&self) -> String {
        let Self { schema, workspace, epoch, version, limits } = self;
        let line = Line::default()
            .with("schema", schema)
            .with("workspace", workspace)
            .number("epoch", *epoch)
            .number("version", *version);
        let line = limits.iter().fold(line, |line, limits| {
            line.with("requests", limits.requests)
                .with("window", limits.window_seconds)
                .with("burst", limits.burst)
        });
        line.finish()
    }
}

/// The object during one call.
struct Object<'a> {
    gate: &'a Gate,
    rows: &'a mut Rows,
    now: Now,
    meta: Option<Meta>,
    alarm: Option<u64>,
}

impl<'a> Object<'a> {
    fn open(gate: &'a Gate, rows: &'a mut Rows, now: Now) -> Result<Self, Stop> {
        let meta: Option<Meta> = rows.get(META)?;
        match &meta {
            Some(meta) if meta.schema > SCHEMA => Err(Stop::Damaged(META.to_owned())),
            _ => Ok(Self { gate, rows, now, meta, alarm: None }),
        }
    }

    fn answer(&mut self, call: &Call) -> Result<Outcome, Stop> {
        let answer = self.run(call)?;
        Ok(Outcome { answer, alarm: self.alarm })
    }

    fn run(&mut self, call: &Call) -> Result<Answer, Stop> {
        if let Call::Open { workspace } = call {
            return Ok(self.create(workspace));
        }
        if let Call::Manage(call) = call {
            return self.manage(call);
        }
        let Some(meta) = self.meta.clone() else { return Ok(Answer::Unopened) };
        match call {
            Call::Record { kid } => self.record(&meta, kid),
            Call::Admit(admit) => self.admit(&meta, admit),
            Call::Report { kid, told } => self.report(&meta, kid, told),
            Call::Settle { id, kid, coins } => self.refund(id, kid, *coins),
            Call::Open { .. } | Call::Manage(_) => Ok(Answer::Done),
            Call::Put { document, replaces } => self.put(&meta, document, *replaces),
            Call::SetStatus { kid, status } => self.set_status(&meta, kid, *status),
            Call::RevokeAll => self.revoke_all(&meta),
            Call::Usage { kid, from, to } => self.usage(kid, *from, *to),
            Call::Due => self.due(&meta),
            Call::Copied { copies, failed } => self.copied(copies, *failed),
            Call::Alerts { sending } => self.alerts(&meta, *sending),
            Call::Sent { answers } => self.sent(&meta, answers),
        }
    }

    fn create(&mut self, workspace: &str) -> Answer {
        match &self.meta {
            Some(meta) if meta.workspace == workspace => Answer::Done,
            Some(_) => Answer::Conflict { why: call::Conflict::Workspace },
            None => {
                self.rows.put(META.to_owned(), &Meta::new(workspace));
                Answer::Done
            }
        }
    }

    /// Asks to be woken at `millis` or earlier.
    fn wake(&mut self, millis: u64) {
        self.alarm = Some(self.alarm.map_or(millis, |alarm| alarm.min(millis)));
    }
}

const META: &str = "meta";
/// The newest schema of rows that this build reads.
const SCHEMA: u32 = 1;
