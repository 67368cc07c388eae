//! Requests from head to answer, with objects in memory.

use std::collections::BTreeMap;

use portcullis::clock::Now;
use portcullis::directory;
use portcullis::management::exchange::{
    BadBody, Came, Exchange, NotAuthenticated, Object, Recent, Signed, Step,
};
use portcullis::policy::TokenKind;
use portcullis::token::{Authenticated, Subject, Untrusted};
use portcullis::workspace::call::{Answer, Call};
use portcullis::workspace::rows::Rows;
use serde_json::{Value, json};

use super::desk::Desk;
use crate::simulation::object;
use crate::workspace::at;

/// All workspaces and directories there are. Tokens are believed: `a.<who>.z` speaks for `dev:<who>`.
pub struct World {
    pub desk: Desk,
    pub workspaces: BTreeMap<String, object::Object>,
    pub directories: BTreeMap<String, BTreeMap<String, String>>,
    /// Rows of KV; `None` while it does not answer.
    pub kv: Option<BTreeMap<String, String>>,
    /// The objects that were asked.
    pub asked: Vec<Object>,
    /// Those that do not answer.
    pub silent: Vec<Object>,
    recent: Recent,
    sent: u64,
    pub waited: u32,
    /// What the issuer answers, by URL, and the forms that it was sent.
    pub issuer: BTreeMap<String, String>,
    pub forms: Vec<String>,
    pub fetched: Vec<String>,
}

pub struct Sent<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub who: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: Value,
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
    /// The body as it is; of a file, its name.
    pub text: String,
}

impl Reply {
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}

pub fn get<'a>(who: &'a str, path: &'a str) -> Sent<'a> {
    Sent { method: "GET", path, who, headers: &[], body: Value::Null }
}

pub fn with<'a>(method: &'a str, who: &'a str, path: &'a str, body: Value) -> Sent<'a> {
    Sent { method, path, who, headers: &[], body }
}

impl World {
    pub fn new() -> Self {
        Self {
            desk: Desk::empty(),
            workspaces: BTreeMap::new(),
            directories: BTreeMap::new(),
            kv: Some(BTreeMap::new()),
            asked: Vec::new(),
            silent: Vec::new(),
            recent: Recent::default(),
            sent: 0,
            waited: 0,
            issuer: BTreeMap::new(),
            forms: Vec::new(),
            fetched: Vec::new(),
        }
    }

    pub fn now(&self) -> Now {
        at(self.desk.millis)
    }

    pub fn send(&mut self, sent: &Sent<'_>) -> Reply {
        self.send_text(sent, &sent.body.to_string())
    }

    /// The same with a body of any text.
    pub fn send_text(&mut self, sent: &Sent<'_>, body: &str) -> Reply {
        self.sent += 1;
        let mut facts = format!("{}\nhttp://admin.test{}", sent.method, sent.path);
        let mut header = |name: &str, value: &str| facts.push_str(&format!("\n{name}\n{value}"));
        if !sent.who.is_empty() {
            header("authorization", &format!("Bearer {}", credential(sent.who)));
        }
        if !sent.body.is_null() && !sent.headers.iter().any(|(name, _)| *name == "content-type") {
            header("content-type", "application/json");
        }
        sent.headers.iter().for_each(|(name, value)| header(name, value));
        let mut entropy = [9; 32];
        entropy[..8].copy_from_slice(&self.sent.to_be_bytes());
        let mut exchange = Exchange::new(format!("{:032x}", self.sent), entropy);
        let mut came = Came::Nothing;
        for _ in 0..200 {
            let gate = std::rc::Rc::clone(&self.desk.gate);
            let now = self.now();
            came = match exchange.next(&facts, came, Some(&gate), &mut self.recent, now) {
                Step::Answer(answer) => {
                    let mut lines = answer.headers.lines();
                    let mut headers = BTreeMap::new();
                    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
                        let value = match headers.remove(name) {
                            Some(first) if name == "set-cookie" => format!("{first}\n{value}"),
                            Some(_) => panic!("{name} twice"),
                            None => value.to_owned(),
                        };
                        headers.insert(name.to_owned(), value);
                    }
                    let body = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
                    return Reply { status: answer.status, headers, body, text: answer.body };
                }
                Step::File(name, answer) => {
                    assert_eq!(answer.status, 200);
                    let lines: Vec<_> = answer.headers.lines().map(str::to_owned).collect();
                    let headers =
                        lines.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
                    return Reply { status: 200, headers, body: Value::Null, text: name };
                }
                Step::Fetch(url, form) => {
                    self.forms.extend(form);
                    self.fetched.push(url.clone());
                    Came::Fetched(self.issuer.get(&url).cloned())
                }
                Step::Admit(token) => Came::Authenticated(authenticated(&token)),
                Step::Authenticate(_) => Came::Authenticated(authenticated(sent.who)),
                // Scanners are known by the names of their keys.
                Step::Verify(Signed { key, body: signed, .. }) => {
                    assert_eq!(signed, body);
                    Came::Verified(match key.as_str() {
                        "scanner" => Ok(()),
                        "unknowable" => Err(NotAuthenticated::Unavailable),
                        _ => Err(NotAuthenticated::Invalid(Untrusted::Key)),
                    })
                }
                Step::Row(name) => Came::Row(self.kv.as_ref().map(|rows| rows.get(&name).cloned())),
                Step::Body(limit) => {
                    let fits = body.len() <= limit as usize;
                    Came::Body(if fits { Ok(body.to_owned()) } else { Err(BadBody::TooLong) })
                }
                Step::Wait(millis) => {
                    self.waited += millis;
                    self.desk.millis += u64::from(millis);
                    Came::Waited
                }
                Step::Ask(object, _) if self.silent.contains(&object) => Came::Answered(None),
                Step::Ask(Object::Workspace(number), text) => {
                    self.asked.push(Object::Workspace(number.clone()));
                    let object = self.workspaces.entry(number).or_default();
                    let effect = object.call(&text, &gate, at(self.desk.millis));
                    object.commit(&effect);
                    Came::Answered(Some(effect.answer.print()))
                }
                Step::Ask(Object::Directory(member), text) => {
                    Came::Answered(Some(self.directory(member, &text)))
                }
            };
        }
        panic!("no end of it");
    }

    fn directory(&mut self, member: String, text: &str) -> String {
        let stored = self.directories.entry(member).or_default();
        let mut rows = Rows::default();
        loop {
            match directory::answer(text, &mut rows) {
                Err(missing) => {
                    let lines =
                        stored.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
                    rows.load(&missing, &lines.collect::<Vec<_>>().join("\n"));
                }
                Ok(answer) => {
                    for (name, value) in rows.changes() {
                        match value {
                            Some(value) => drop(stored.insert(name.to_owned(), value.to_owned())),
                            None => drop(stored.remove(name)),
                        }
                    }
                    return answer;
                }
            }
        }
    }

    /// What the alarm of a workspace does.
    pub fn alarm(&mut self, number: &str) {
        let gate = std::rc::Rc::clone(&self.desk.gate);
        let now = self.now();
        let call = |world: &mut Self, call: Call| {
            let object = world.workspaces.get_mut(number).unwrap();
            let effect = object.call(&call.print(), &gate, now);
            object.commit(&effect);
            effect.answer
        };
        let Answer::Due { copies } = call(self, Call::Due) else { panic!("nothing due") };
        for copy in &copies {
            if let Some(member) = copy.name.strip_prefix("d1:") {
                self.directory(member.to_owned(), &copy.value);
            }
        }
        let copies = copies.into_iter().map(|copy| (copy.kid, copy.version)).collect();
        assert_eq!(call(self, Call::Copied { copies, failed: false }), Answer::Done);
    }

    /// A new workspace of `dev:root`, as `/api/v1/workspaces/<number>`.
    pub fn open(&mut self, name: &str) -> String {
        let opened =
            self.send(&with("POST", "root", "/api/v1/workspaces", json!({ "name": name })));
        assert_eq!(opened.status, 201, "{opened:?}");
        opened.headers["location"].clone()
    }
}

/// What somebody sends: a token, or the key whose text it is.
fn credential(who: &str) -> String {
    if who.contains('_') { who.to_owned() } else { format!("YQ.{who}.eg") }
}

fn authenticated(who: &str) -> Result<Authenticated, NotAuthenticated> {
    match who {
        "bad" => Err(NotAuthenticated::Invalid(Untrusted::Signature)),
        "unknowable" => Err(NotAuthenticated::Unavailable),
        // Of an issuer at which nobody signs in.
        "foreign" => authenticated("root").map(|own| Authenticated { issuer: 1, ..own }),
        _ => Ok(Authenticated {
            issuer: 0,
            member: format!("dev:{who}"),
            subject: Subject {
                id: who.to_owned(),
                scopes: ["*:*", "openid", "x version=7", "a\nb"].map(str::to_owned).to_vec(),
                email: None,
                workspace: None,
                until: 1_900_000_000,
            },
            credential: TokenKind::Oauth,
        }),
    }
}
