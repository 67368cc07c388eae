//! One request to the management API, from its head to its answer.
//!
//! An adapter asks [`Exchange::next`] what to do, does it, and says what came of it. Nothing is
//! asked of a workspace before the token is verified.

mod cross;
mod head;
mod leaks;
mod own;
mod recent;
mod reply;
mod sign_in;
mod site;
mod step;

use std::rc::Rc;

pub use leaks::Signed;
pub use recent::Recent;
pub use step::{BadBody, Came, NotAuthenticated, Object, Step};

use crate::clock::Now;
use crate::denial::{Denial, Fault, Wire};
use crate::directory;
use crate::gate::Gate;
use crate::key::{Kid, Workspace};
use crate::policy::{DocsUrl, TokenKind};
use crate::request::Request;
use crate::scope::Grants;
use crate::session::Session;
use crate::token::Authenticated;
use crate::workspace::call::{Answer as Answered, Call, Manage, Managed};
use crate::{crypto, encoding};

use super::endpoint::Operation;
use super::problem::Problem;
use head::Head;
use leaks::Report;
use sign_in::Visit;

/// The request under way.
pub struct Exchange {
    /// While a step is looked for; the adapter keeps them meanwhile.
    facts: Rc<str>,
    request_id: String,
    /// Fresh random bytes; any, for jitter.
    entropy: [u8; 32],
    head: Option<Head>,
    caller: Option<Authenticated>,
    body: String,
    number: String,
    attempt: u8,
    asked: Asked,
    /// Workspaces still to be asked whether the caller is a member.
    left: Vec<Workspace>,
    /// Those that said so, and what they told of themselves.
    listed: Vec<(Workspace, String)>,
    /// Whether one did not answer.
    is_one_silent: bool,
    done: Option<Managed>,
    key: Option<Kid>,
    /// What that key asks about itself, and how often it has waited for others that ask.
    question: String,
    waited: u8,
    report: Option<Report>,
    visit: Option<Visit>,
    /// Whether somebody looks at the answer in a browser.
    is_visit: bool,
    session: Option<Session>,
}

/// Of what the answer is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Whether the caller may be a member.
    Membership,
    /// What `current` stands for.
    Current,
    /// The workspaces there may be.
    Workspaces,
    /// Whether the caller is a member of this one.
    Workspace(Workspace),
    /// The request itself.
    Request,
    /// Whether the Directory took note.
    Note,
    /// The record of the key that asks.
    Record,
    /// Its use.
    Usage,
    /// The record of a key that is reported as leaked.
    Leaked,
    /// Whether it is held back.
    Quarantine,
    /// Whether the session was ended.
    Session,
    /// The end of the session.
    SignOut,
}

impl core::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Exchange({} ..)", self.request_id)
    }
}

/// Why a request ends early.
enum Refusal {
    Wire(Box<Wire>),
    Problem(Problem),
    Fault(Fault),
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        denial.wire().into()
    }
}

impl From<Wire> for Refusal {
    fn from(wire: Wire) -> Self {
        Self::Wire(Box::new(wire))
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

type Next = Result<Step, Refusal>;

impl Exchange {
    /// Begins. `entropy` must be fresh random bytes: secrets are made of them.
    #[must_use]
    pub fn new(request_id: String, entropy: [u8; 32]) -> Self {
        Self {
            facts: Rc::default(),
            request_id,
            entropy,
            head: None,
            caller: None,
            body: String::new(),
            number: String::new(),
            attempt: 0,
            asked: Asked::Request,
            left: Vec::new(),
            listed: Vec::new(),
            is_one_silent: false,
            done: None,
            key: None,
            question: String::new(),
            waited: 0,
            report: None,
            visit: None,
            is_visit: false,
            session: None,
        }
    }

    /// Bytes of the body that it holds.
    pub(super) const fn held(&self) -> usize {
        self.body.len()
    }

    /// What to do next for the request of these facts, always the same. Without a gate that is fit to
    /// decide, the answer is 503. `recent` is of the isolate.
    pub fn next(
        &mut self,
        facts: &str,
        came: Came,
        gate: Option<&Gate>,
        recent: &mut Recent,
        now: Now,
    ) -> Step {
        self.facts = facts.into();
        let step = match gate {
            Some(gate) => self.go_on(came, gate, recent, now),
            None => Err(Fault::Unfit.into()),
        };
        let step = step.unwrap_or_else(|refusal| {
            let docs = gate.and_then(|gate| gate.policy.docs.as_ref()).map(DocsUrl::as_str);
            Step::Answer(self.refuse(refusal, docs))
        });
        let step = match (step, gate) {
            (Step::Answer(mut answer), Some(gate)) => {
                self.share(&mut answer, gate);
                Step::Answer(answer)
            }
            (step, _) => step,
        };
        self.facts = Rc::default();
        step
    }

    fn go_on(&mut self, came: Came, gate: &Gate, recent: &mut Recent, now: Now) -> Next {
        match came {
            Came::Nothing => self.begin(gate, recent, now),
            Came::Authenticated(Ok(caller)) if self.visit.is_some() => {
                self.signed_in(caller, gate, now)
            }
            Came::Authenticated(Ok(caller)) => {
                self.caller = Some(caller);
                self.admitted(gate)
            }
            Came::Authenticated(Err(NotAuthenticated::Invalid(_))) => Err(Denial::Token.into()),
            Came::Authenticated(Err(NotAuthenticated::Unavailable)) => {
                Err(Fault::IssuerUnavailable.into())
            }
            Came::Verified(Ok(())) => self.believed(gate),
            Came::Verified(Err(NotAuthenticated::Invalid(_))) => Err(Denial::Signature.into()),
            Came::Verified(Err(NotAuthenticated::Unavailable)) => {
                Err(Fault::IssuerUnavailable.into())
            }
            Came::Row(Some(value)) => self.pointed(value.as_deref(), gate),
            Came::Row(None) => Err(Fault::KvUnavailable.into()),
            Came::Body(Ok(body)) => {
                self.body = body;
                match &self.report {
                    Some(report) => Ok(self.verify(report)),
                    None => self.resolve(gate),
                }
            }
            Came::Body(Err(BadBody::TooLong)) => {
                Err(Denial::BodyTooLarge(self.head()?.limit.into()).into())
            }
            Came::Body(Err(BadBody::NotUtf8)) => Err(bad("The body is not UTF-8.").into()),
            Came::Body(Err(BadBody::Broken)) => Err(bad("The body broke off.").into()),
            Came::Body(Err(BadBody::NoRoom)) => Err(Fault::NoRoom.into()),
            Came::Answered(answer) if self.key.is_some() => {
                recent.learn(&self.question, answer.as_deref(), now);
                self.own_answered(answer.as_deref(), gate, recent, now)
            }
            Came::Answered(answer) => self.answered(answer.as_deref(), gate, now),
            Came::Fetched(text) => self.fetched(text.as_deref(), gate, recent, now),
            Came::NoFile { is_missing: true } => Err(Problem::not_found().into()),
            Came::NoFile { is_missing: false } => Err(Fault::Internal.into()),
            Came::Waited if self.key.is_some() => self.own_turn(gate, recent, now),
            Came::Waited => self.finish(),
        }
    }

    /// The token is good, or none is needed.
    fn admitted(&mut self, gate: &Gate) -> Next {
        let endpoint = self.head()?.endpoint;
        if endpoint.operation == Operation::Me {
            return Ok(Step::Answer(self.me()?));
        }
        if endpoint.operation == Operation::CreateWorkspace && !self.is_bootstrap_owner(gate)? {
            let message = "Workspaces are created by the owners that the policy names.";
            return Err(Problem::new(403, "PERMISSION_DENIED", message).into());
        }
        if endpoint.body.is_some() {
            return Ok(Step::Body(self.head()?.limit));
        }
        self.resolve(gate)
    }

    /// Finds out which workspace to ask. No other than the caller's own is, but for those who own
    /// what has no owner.
    fn resolve(&mut self, gate: &Gate) -> Next {
        let Head { endpoint, params, .. } = self.head()?;
        let (asked, call) = match (endpoint.operation, params.workspace.as_str()) {
            (Operation::ListWorkspaces, _) => (Asked::Workspaces, directory::Call::List),
            (Operation::CreateWorkspace, _) => return self.open(),
            (_, "current") => (Asked::Current, directory::Call::List),
            (_, number) => {
                let number = Workspace::parse(number).ok_or_else(Problem::not_found)?;
                self.number = number.as_str().to_owned();
                if self.is_bootstrap_owner(gate)? {
                    return self.ask();
                }
                (Asked::Membership, directory::Call::Find(number))
            }
        };
        self.asked = asked;
        Ok(Step::Ask(Object::Directory(self.caller()?.member.clone()), call.print()))
    }

    fn is_bootstrap_owner(&self, gate: &Gate) -> Result<bool, Refusal> {
        let owners = &gate.policy.management.bootstrap_owners;
        let member = &self.caller()?.member;
        Ok(owners.iter().any(|owner| owner.as_str() == member))
    }

    /// Asks a workspace that is not there yet to come into being.
    fn open(&mut self) -> Next {
        let seed = match &self.head()?.once {
            // The same key finds the same workspace.
            Some(once) => {
                let member = &self.caller()?.member;
                crypto::sha256(format!("{member}/{once}/{}", self.attempt).as_bytes())
            }
            None => crypto::sha256(&[&self.entropy[..], &[self.attempt]].concat()),
        };
        let number = Workspace::new(seed.first_chunk().copied().unwrap_or_default());
        self.number = number.as_str().to_owned();
        self.ask()
    }

    /// Asks the workspace what the request asks.
    fn ask(&mut self) -> Next {
        let (target, number) = (read(&self.facts)?.target().to_owned(), self.number.clone());
        self.asked = Asked::Request;
        let manage = self.manage(number.clone(), target, self.body.clone())?;
        let text = Call::Manage(Box::new(manage)).print();
        Ok(Step::Ask(Object::Workspace(number), text))
    }

    fn manage(&self, workspace: String, target: String, body: String) -> Result<Manage, Refusal> {
        let (head, caller) = (self.head()?, self.caller()?);
        let oauth = caller.credential == TokenKind::Oauth;
        Ok(Manage {
            actor: caller.member.clone(),
            scopes: oauth.then(|| ours(&caller.subject.scopes)),
            workspace,
            address: head.address.clone(),
            request_id: self.request_id.clone(),
            method: head.endpoint.method.to_owned(),
            target,
            version: head.version,
            once: head.once.clone(),
            entropy: self.entropy,
            body,
        })
    }

    fn answered(&mut self, answer: Option<&str>, gate: &Gate, now: Now) -> Next {
        if let Asked::Workspace(number) = self.asked {
            self.look(number, answer);
            return self.ask_each();
        }
        let answer = answer.ok_or(Fault::WorkspaceUnavailable)?;
        match self.asked {
            Asked::Membership => {
                if named(answer)?.is_empty() {
                    return Err(Problem::not_found().into());
                }
                self.ask()
            }
            Asked::Current => match named(answer)?.as_slice() {
                // It says for itself whether it is the caller's.
                [number] => {
                    self.number = number.as_str().to_owned();
                    self.ask()
                }
                several => {
                    self.left = several.to_vec();
                    self.ask_each()
                }
            },
            Asked::Workspaces => {
                self.left = named(answer)?;
                self.left.reverse();
                self.ask_each()
            }
            Asked::Request => {
                let answer = parse(answer)?;
                if answer == Answered::Unopened {
                    return Err(Problem::not_found().into());
                }
                let Answered::Managed(managed) = answer else {
                    return Err(Fault::WorkspaceUnavailable.into());
                };
                self.managed(managed, now)
            }
            Asked::Note => {
                named(answer)?;
                self.wait(now)
            }
            Asked::Workspace(_) | Asked::Record | Asked::Usage => Err(Fault::Internal.into()),
            Asked::Leaked => self.leaked(&parse(answer)?, gate, now),
            Asked::Quarantine => self.quarantined(&parse(answer)?, gate),
            Asked::Session => self.resumed(answer, gate),
            Asked::SignOut => {
                directory::read_session(answer).map_err(|_| Fault::WorkspaceUnavailable)?;
                self.signed_out()
            }
        }
    }

    /// The workspace has answered.
    fn managed(&mut self, managed: Managed, now: Now) -> Next {
        let Head { endpoint, params, .. } = self.head()?;
        let operation = endpoint.operation;
        if managed.status >= 400 {
            let taken = operation == Operation::CreateWorkspace && managed.status == 409;
            if taken && self.attempt < ATTEMPTS {
                self.attempt = self.attempt.saturating_add(1);
                return self.open();
            }
            let problem = serde_json::from_slice::<Problem>(managed.body.as_bytes());
            return Err(problem.map_or(Refusal::Fault(Fault::Internal), Refusal::Problem));
        }
        let number = Workspace::parse(&self.number).ok_or(Fault::Internal)?;
        let opens = operation == Operation::CreateWorkspace;
        let member = if opens { &self.caller()?.member } else { &params.member };
        let note = managed.noted.map(|at| {
            let leaves = operation == Operation::RemoveMember;
            let call = if leaves { directory::Call::Leave } else { directory::Call::Join };
            (member.clone(), call(number, at))
        });
        self.done = Some(managed);
        match note {
            Some((member, call)) => {
                self.asked = Asked::Note;
                Ok(Step::Ask(Object::Directory(member), call.print()))
            }
            None => self.wait(now),
        }
    }

    /// Until the change is in effect everywhere, if that was asked for.
    fn wait(&mut self, now: Now) -> Next {
        let by = self.done.as_ref().and_then(|managed| managed.effective_by);
        let rest = by.unwrap_or(0).saturating_sub(now.millis());
        if self.head()?.waits && rest > 0 {
            return Ok(Step::Wait(u32::try_from(rest).unwrap_or(u32::MAX)));
        }
        self.finish()
    }

    /// Takes note of what a workspace said of itself, to a member; one that is none of the caller's
    /// any more is passed over.
    fn look(&mut self, number: Workspace, answer: Option<&str>) {
        match answer.map(Answered::parse) {
            Some(Ok(Answered::Managed(Managed { status: 200, body, .. }))) => {
                self.listed.push((number, body));
            }
            Some(Ok(Answered::Managed(Managed { status: 404, .. }) | Answered::Unopened)) => {}
            _ => self.is_one_silent = true,
        }
    }

    fn ask_each(&mut self) -> Next {
        let Some(number) = self.left.pop() else { return self.found() };
        self.asked = Asked::Workspace(number);
        let text = number.as_str().to_owned();
        let target = format!("/api/v1/workspaces/{text}");
        let manage = self.manage(text.clone(), target, String::new())?;
        let (method, version, once) = ("GET".to_owned(), None, None);
        let call = Call::Manage(Box::new(Manage { method, version, once, ..manage }));
        Ok(Step::Ask(Object::Workspace(text), call.print()))
    }

    /// All were asked that may be the caller's.
    fn found(&mut self) -> Next {
        if self.head()?.endpoint.operation == Operation::ListWorkspaces {
            let bodies = self.listed.iter().map(|(_, body)| body.as_str());
            let body = format!("{{\"workspaces\":[{}]}}", bodies.collect::<Vec<_>>().join(","));
            return Ok(Step::Answer(self.success(200, &body)));
        }
        let message = match self.listed.as_slice() {
            [_, _, ..] => "`current` stands for one workspace; you are a member of several.",
            // What is meant may be the one that did not answer.
            _ if self.is_one_silent => return Err(Fault::WorkspaceUnavailable.into()),
            [(number, _)] => {
                self.number = number.as_str().to_owned();
                return self.ask();
            }
            [] => "You are a member of no workspace.",
        };
        Err(Problem::new(404, "NOT_FOUND", message).into())
    }

    fn head(&self) -> Result<&Head, Refusal> {
        self.head.as_ref().ok_or_else(|| Fault::Internal.into())
    }

    fn caller(&self) -> Result<&Authenticated, Refusal> {
        self.caller.as_ref().ok_or_else(|| Fault::Internal.into())
    }
}

fn read(facts: &str) -> Result<Request<'_>, Refusal> {
    Request::parse(facts).ok_or_else(|| Denial::Unreadable.into())
}

/// The scopes that mean something here; others may hold whatever an issuer puts into them.
fn ours(scopes: &[String]) -> Vec<String> {
    let is_ours = |scope: &&String| Grants::parse([scope.as_str()]).is_ok();
    scopes.iter().filter(is_ours).cloned().collect()
}

fn named(answer: &str) -> Result<Vec<Workspace>, Refusal> {
    directory::read(answer).map_err(|_| Fault::WorkspaceUnavailable.into())
}

fn parse(answer: &str) -> Result<Answered, Refusal> {
    Answered::parse(answer).map_err(|_| Fault::WorkspaceUnavailable.into())
}

fn bad(message: &str) -> Problem {
    Problem::new(400, "BAD_REQUEST", message)
}

/// The name of a request that may be repeated, bound to who makes it.
fn once(key: &str) -> String {
    encoding::hex(&crypto::sha256(key.as_bytes()))
}

const ATTEMPTS: u8 = 4;
