//! Calls and answers as text: a word and fields in the first line, then lines of their own.
//!
//! ```text
//! admit v=1 id=… kid=… version=3 coins=1 want=40 millis=2000 report=<lease>:<spent>:<coins>:<closed>
//! granted tokens=25 millis=2000 requests=1000 window=3600 burst=100 remaining=975 …
//! ```

use super::alert::is_name;
use super::call::{
    Admit, Answer, Call, Conflict, Copy, Hour, Manage, Managed, ONCE_VERSION, Once, POOL_VERSION,
    Pool, Post, Share, Told, VERSION,
};
use super::outbox::noted;
use crate::account::View;
use crate::encoding;
use crate::fields::{BadField, Fields, Line, number, pair};
use crate::imported::PointerId;
use crate::key::{Kid, Workspace};
use crate::lease::{CallId, Granted, Refused, Report, Scope};
use crate::policy::Name;
use crate::record::{Document, Status};

/// Why a text is no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadCall {
    /// It is of another version.
    Version,
    /// It cannot be read.
    Unreadable,
}

impl From<BadField> for BadCall {
    fn from(_: BadField) -> Self {
        Self::Unreadable
    }
}

// The four calls that the gate makes are printed by functions of their own: its upload has no others.

/// The text of [`Call::Record`].
pub(crate) fn print_record(kid: &str) -> String {
    begin("record").with("kid", kid).finish()
}

/// The text of [`Call::Report`].
pub(crate) fn print_report(kid: &str, told: &Told) -> String {
    told.write(begin("report").with("kid", kid)).finish()
}

/// The text of [`Call::Settle`].
pub(crate) fn print_settle(id: &CallId, kid: &str, coins: u32) -> String {
    begin("settle").with("id", id.as_str()).with("kid", kid).with("coins", coins).finish()
}

impl Admit {
    /// The text of [`Call::Admit`].
    pub(crate) fn print(&self) -> String {
        let version = version(self.pool.is_some(), self.once.is_some());
        let line = Line::new("admit")
            .with("v", version)
            .with("id", self.id.as_str())
            .with("kid", &self.kid)
            .number("version", self.version)
            .number("coins", self.coins)
            .number("want", self.want)
            .flag("ahead", self.ahead)
            .number("millis", self.millis)
            .all("cost", self.pool.iter().map(|pool| pool.cost))
            .all("product", self.pool.iter().flat_map(|pool| &pool.product))
            .all("mark", self.once.iter().map(Once::print))
            .flag("settle", self.settle);
        self.told.write(line).finish()
    }
}

impl Call {
    /// The text.
    #[must_use]
    pub fn print(&self) -> String {
        match self {
            Self::Record { kid } => print_record(kid),
            Self::Admit(admit) => admit.print(),
            Self::Report { kid, told } => print_report(kid, told),
            Self::Settle { id, kid, coins } => print_settle(id, kid, *coins),
            Self::Open { workspace } => begin("open").with("workspace", workspace).finish(),
            Self::Put { document, replaces } => {
                // A document holds text and numbers alone.
                let json = serde_json::to_string(document).unwrap_or_default();
                format!("{}\n{json}", begin("put").number("replaces", *replaces).finish())
            }
            Self::SetStatus { kid, status } => {
                begin("status").with("kid", kid).with("status", status.as_str()).finish()
            }
            Self::RevokeAll => begin("revoke-all").finish(),
            Self::Usage { kid, from, to } => {
                begin("usage").with("kid", kid).number("from", *from).number("to", *to).finish()
            }
            Self::Due => begin("due").finish(),
            Self::Manage(manage) => {
                let Manage { actor, scopes, workspace, address, .. } = &**manage;
                let Manage { request_id, method, target, .. } = &**manage;
                let line = begin("manage")
                    .with("actor", actor)
                    .flag("bounded", scopes.is_some())
                    .all("scope", scopes.iter().flatten())
                    .with("workspace", workspace)
                    .with("address", address)
                    .with("request", request_id)
                    .with("method", method)
                    .with("target", target)
                    .all("version", manage.version)
                    .all("once", &manage.once)
                    .with("entropy", encoding::hex(&manage.entropy));
                format!("{}\n{}", line.finish(), manage.body)
            }
            Self::Copied { copies, failed } => begin("copied")
                .flag("failed", *failed)
                .all("copy", copies.iter().map(|(kid, version)| format!("{kid}:{version}")))
                .finish(),
            Self::Alerts { sending } => begin("alerts").number("sending", *sending).finish(),
            Self::Sent { answers } => begin("sent")
                .all("answer", answers.iter().map(|(name, status)| format!("{name}:{status}")))
                .finish(),
        }
    }

    /// Reads a call.
    ///
    /// # Errors
    /// [`BadCall`].
    pub fn parse(text: &str) -> Result<Self, BadCall> {
        let (head, body) = text.split_once('\n').unwrap_or((text, ""));
        let (word, rest) = head.split_once(' ').unwrap_or((head, ""));
        let fields = Fields::of(rest);
        let version: u64 = fields.number("v")?;
        let once = fields.get("mark").map(Once::parse).transpose()?;
        let pool = fields.get("cost").map(|cost| pool(cost, fields)).transpose()?;
        if version != u64::from(self::version(pool.is_some(), once.is_some())) {
            return Err(BadCall::Version);
        }
        let named = || kid(fields.text("kid")?);
        Ok(match word {
            "record" => Self::Record { kid: named()? },
            "admit" => Self::Admit(Admit {
                id: CallId::parse(fields.text("id")?)?,
                kid: named()?,
                version: fields.number("version")?,
                coins: fields.number("coins")?,
                pool,
                want: fields.number("want")?,
                ahead: fields.flag("ahead"),
                millis: fields.number("millis")?,
                told: Told::read(fields)?,
                once,
                settle: fields.flag("settle"),
            }),
            "report" => Self::Report { kid: named()?, told: Told::read(fields)? },
            "settle" => Self::Settle {
                id: CallId::parse(fields.text("id")?)?,
                kid: named()?,
                coins: number(fields.text("coins")?)?,
            },
            "open" => {
                let number = fields.text("workspace")?;
                Self::Open {
                    workspace: Workspace::parse(number).ok_or(BadField)?.as_str().to_owned(),
                }
            }
            "put" => Self::Put {
                document: Box::new(Document::read(body.as_bytes()).ok_or(BadCall::Unreadable)?),
                replaces: fields.number("replaces")?,
            },
            "status" => Self::SetStatus {
                kid: named()?,
                status: Status::parse(fields.text("status")?).ok_or(BadCall::Unreadable)?,
            },
            "revoke-all" => Self::RevokeAll,
            "usage" => Self::Usage {
                kid: named()?,
                from: fields.number("from")?,
                to: fields.number("to")?,
            },
            "due" => Self::Due,
            "copied" => Self::Copied {
                copies: fields
                    .all("copy")
                    .map(|copy| {
                        pair(copy).and_then(|(name, version)| Ok((copied(name)?, number(version)?)))
                    })
                    .collect::<Result<_, _>>()?,
                failed: fields.flag("failed"),
            },
            "alerts" => Self::Alerts { sending: fields.number("sending")? },
            "sent" => Self::Sent {
                answers: fields
                    .all("answer")
                    .map(|answer| {
                        let (name, status) = pair(answer)?;
                        let name = Some(name).filter(|name| is_name(name)).ok_or(BadField)?;
                        Ok((name.to_owned(), number(status)?))
                    })
                    .collect::<Result<_, BadField>>()?,
            },
            "manage" => Self::Manage(Box::new(manage(fields, body)?)),
            _ => return Err(BadCall::Unreadable),
        })
    }
}

impl Once {
    fn print(&self) -> String {
        format!("{}:{}", encoding::hex(&self.mark), self.until)
    }

    fn parse(text: &str) -> Result<Self, BadField> {
        let (mark, until) = pair(text)?;
        let mark = encoding::from_hex(mark).ok_or(BadField)?;
        Ok(Self { mark: mark.try_into().map_err(|_| BadField)?, until: number(until)? })
    }
}

fn pool(cost: &str, fields: Fields<'_>) -> Result<Pool, BadField> {
    // Rows are named by it: nothing but a name may stand there.
    let product = fields.get("product").map(|name| Name::parse(name).map_err(|_| BadField));
    let product = product.transpose()?.map(String::from);
    Ok(Pool { product, cost: number(cost)? })
}

fn manage(fields: Fields<'_>, body: &str) -> Result<Manage, BadField> {
    let text = |name| fields.text(name).map(str::to_owned);
    let entropy = encoding::from_hex(fields.text("entropy")?).ok_or(BadField)?;
    Ok(Manage {
        actor: text("actor")?,
        scopes: fields.flag("bounded").then(|| fields.all("scope").map(str::to_owned).collect()),
        workspace: text("workspace")?,
        address: text("address")?,
        request_id: text("request")?,
        method: text("method")?,
        target: text("target")?,
        version: fields.get("version").map(number).transpose()?,
        once: fields.get("once").map(str::to_owned),
        entropy: entropy.try_into().map_err(|_| BadField)?,
        body: body.to_owned(),
    })
}

impl Answer {
    /// The text.
    #[must_use]
    pub fn print(&self) -> String {
        match self {
            Self::Record { value } => format!("record\n{value}"),
            Self::Changed { value } => format!("changed\n{value}"),
            Self::Granted(Granted { tokens, millis, view }) => {
                let line = Line::new("granted").with("tokens", tokens).number("millis", *millis);
                view.iter().fold(line, |line, view| view.write(line)).finish()
            }
            Self::Refused(Refused { retry_millis, by, view }) => {
                let line = Line::new("refused").with("retry", retry_millis).with("by", by.as_str());
                view.iter().fold(line, |line, view| view.write(line)).finish()
            }
            Self::Replayed => "replayed".to_owned(),
            Self::Unknown => "unknown".to_owned(),
            Self::Done => "done".to_owned(),
            Self::Unopened => "unopened".to_owned(),
            Self::Written { version, effective_by } => Line::new("written")
                .with("version", version)
                .with("effective_by", effective_by)
                .finish(),
            Self::Conflict { why } => Line::new("conflict").with("why", why.as_str()).finish(),
            Self::Usage { hours, last_used } => {
                let mut text = Line::new("usage").number("last", last_used.unwrap_or(0)).finish();
                for hour in hours {
                    text.push('\n');
                    text.push_str(&hour.print());
                }
                text
            }
            Self::Due { copies } => {
                let mut text = "due".to_owned();
                for Copy { kid, version, name, value } in copies {
                    text.push_str(&format!("\n{kid} {version} {name}\n{value}"));
                }
                text
            }
            // Read by the object's own driver alone.
            Self::Alerts { url, posts } => {
                let mut text = Line::new("alerts").with("url", url).finish();
                for Post { name, id, timestamp, signatures, payload } in posts {
                    text.push_str(&format!("\n{name} {id} {timestamp}\n{signatures}\n{payload}"));
                }
                text
            }
            Self::Managed(managed) => {
                let line = Line::new("managed")
                    .with("status", managed.status)
                    .all("version", managed.version)
                    .all("effective_by", managed.effective_by)
                    .flag("repeated", managed.repeated)
                    .all("noted", managed.noted);
                format!("{}\n{}", line.finish(), managed.body)
            }
            Self::Version { newest } => Line::new("version").with("newest", newest).finish(),
            Self::Broken { row } => Line::new("broken").with("row", row).finish(),
        }
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// [`BadField`].
    pub fn parse(text: &str) -> Result<Self, BadField> {
        let (head, body) = text.split_once('\n').unwrap_or((text, ""));
        let (word, rest) = head.split_once(' ').unwrap_or((head, ""));
        let fields = Fields::of(rest);
        Ok(match word {
            "record" => Self::Record { value: body.to_owned() },
            "changed" => Self::Changed { value: body.to_owned() },
            "granted" => Self::Granted(Granted {
                tokens: number(fields.text("tokens")?)?,
                millis: fields.number("millis")?,
                view: View::read(fields)?,
            }),
            "refused" => Self::Refused(refused(fields)?),
            "replayed" => Self::Replayed,
            "unknown" => Self::Unknown,
            "done" => Self::Done,
            "unopened" => Self::Unopened,
            "written" => Self::Written {
                version: number(fields.text("version")?)?,
                effective_by: number(fields.text("effective_by")?)?,
            },
            "conflict" => {
                let why = fields.text("why")?;
                let known = Conflict::ALL.into_iter().find(|known| known.as_str() == why);
                Self::Conflict { why: known.ok_or(BadField)? }
            }
            "usage" => Self::Usage {
                hours: body
                    .split('\n')
                    .filter(|line| !line.is_empty())
                    .map(Hour::parse)
                    .collect::<Result<_, _>>()?,
                last_used: Some(fields.number("last")?).filter(|last| *last > 0),
            },
            "due" => Self::Due { copies: copies(body)? },
            "managed" => Self::Managed(Managed {
                status: number(fields.text("status")?)?,
                version: fields.get("version").map(number).transpose()?,
                effective_by: fields.get("effective_by").map(number).transpose()?,
                repeated: fields.flag("repeated"),
                noted: fields.get("noted").map(number).transpose()?,
                body: body.to_owned(),
            }),
            "version" => Self::Version { newest: number(fields.text("newest")?)? },
            "broken" => Self::Broken { row: fields.text("row")?.to_owned() },
            _ => return Err(BadField),
        })
    }
}

fn refused(fields: Fields<'_>) -> Result<Refused, BadField> {
    let by = fields.text("by")?;
    let by = Scope::ALL.into_iter().find(|known| known.as_str() == by).ok_or(BadField)?;
    let view = View::read(fields)?;
    if view.is_none() && !by.is_budget() {
        return Err(BadField);
    }
    Ok(Refused { retry_millis: number(fields.text("retry")?)?, by, view })
}

impl Hour {
    fn print(&self) -> String {
        Line::default()
            .with("hour", self.hour)
            .number("exact", self.exact)
            .number("at_most", self.at_most)
            .number("coins", self.coins)
            .all("product", self.products.iter().map(Share::print))
            .all("denied", counts(&self.denied))
            .all("would_deny", counts(&self.would_deny))
            .finish()
    }

    fn parse(line: &str) -> Result<Self, BadField> {
        let fields = Fields::of(line);
        let counts = |name| fields.all(name).map(counted).collect::<Result<_, _>>();
        Ok(Self {
            hour: number(fields.text("hour")?)?,
            exact: fields.number("exact")?,
            at_most: fields.number("at_most")?,
            coins: fields.number("coins")?,
            products: fields.all("product").map(Share::parse).collect::<Result<_, _>>()?,
            denied: counts("denied")?,
            would_deny: counts("would_deny")?,
        })
    }
}

impl Share {
    pub(super) fn print(&self) -> String {
        format!("{}:{}:{}", self.product, self.requests, self.coins)
    }

    pub(super) fn parse(text: &str) -> Result<Self, BadField> {
        let (rest, coins) = pair(text)?;
        let (product, requests) = pair(rest)?;
        Ok(Self { product: product.to_owned(), requests: number(requests)?, coins: number(coins)? })
    }
}

fn copies(body: &str) -> Result<Vec<Copy>, BadField> {
    let mut lines = body.split('\n');
    let mut copies = Vec::new();
    while let (Some(head), Some(value)) = (lines.next(), lines.next()) {
        let mut words = head.split(' ');
        let mut word = || words.next().ok_or(BadField);
        copies.push(Copy {
            kid: word()?.to_owned(),
            version: number(word()?)?,
            name: word()?.to_owned(),
            value: value.to_owned(),
        });
    }
    Ok(copies)
}

/// The name of a key. Rows are named by it: nothing else may stand there.
fn kid(text: &str) -> Result<String, BadField> {
    Kid::parse(text).map(|kid| kid.to_string()).ok_or(BadField)
}

/// A key, the name in KV of what points to an imported one, or whose Directory was told.
fn copied(text: &str) -> Result<String, BadField> {
    let is_other = PointerId::from_kv_name(text).is_some() || noted(text).is_some();
    if is_other { Ok(text.to_owned()) } else { kid(text) }
}

/// The version of a call for leave.
const fn version(pool: bool, once: bool) -> u8 {
    match (pool, once) {
        (true, _) => POOL_VERSION,
        (false, true) => ONCE_VERSION,
        (false, false) => VERSION,
    }
}

fn begin(word: &str) -> Line {
    Line::new(word).with("v", VERSION)
}

impl Told {
    fn write(&self, line: Line) -> Line {
        let reports = self.reports.iter().map(|report| {
            let Report { lease, spent, coins, closed } = report;
            format!("{}:{spent}:{coins}:{}", lease.as_str(), u8::from(*closed))
        });
        line.all("report", reports)
            .all("denied", counts(&self.denied))
            .all("would_deny", counts(&self.would_deny))
            .all("replaced", seconds(&self.replaced))
            .all("incident", &self.incidents)
    }

    fn read(fields: Fields<'_>) -> Result<Self, BadField> {
        let counts = |name| fields.all(name).map(counted).collect::<Result<_, _>>();
        Ok(Self {
            reports: reports(fields)?,
            denied: counts("denied")?,
            would_deny: counts("would_deny")?,
            replaced: replaced(fields)?,
            incidents: fields.all("incident").map(str::to_owned).collect(),
        })
    }
}

fn reports(fields: Fields<'_>) -> Result<Vec<Report>, BadField> {
    let report = |value: &str| {
        let mut parts = value.split(':');
        let mut part = || parts.next().ok_or(BadField);
        Ok(Report {
            lease: CallId::parse(part()?)?,
            spent: number(part()?)?,
            coins: number(part()?)?,
            closed: part()? == "1",
        })
    };
    fields.all("report").map(report).collect()
}

/// Generations, each with a second, as they are written.
pub(super) fn seconds(replaced: &[(u8, u64)]) -> impl Iterator<Item = String> {
    replaced.iter().map(|(generation, second)| format!("{generation}:{second}"))
}

/// Reads what [`seconds`] wrote.
pub(super) fn replaced(fields: Fields<'_>) -> Result<Vec<(u8, u64)>, BadField> {
    let read = |value| pair(value).and_then(|(a, b)| Ok((number(a)?, number(b)?)));
    fields.all("replaced").map(read).collect()
}

/// Codes with their counts, as they are written.
pub(super) fn counts<T: core::fmt::Display>(
    counts: &[(String, T)],
) -> impl Iterator<Item = String> {
    counts.iter().map(|(code, count)| format!("{code}:{count}"))
}

/// `CODE:count`.
pub(super) fn counted<T: core::str::FromStr>(value: &str) -> Result<(String, T), BadField> {
    let (code, count) = pair(value)?;
    Ok((code.to_owned(), number(count)?))
}
