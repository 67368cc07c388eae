//! A secret that is newer than the record at hand, while questions from before it are under way.

use std::rc::Rc;

use portcullis::clock::Now;
use portcullis::decide::{Decision, decide};
use portcullis::denial::Denial;
use portcullis::enquiry::Enquiry;
use portcullis::gate::Gate;
use portcullis::memory::Memory;
use portcullis::mint;
use portcullis::need::{Ask, Need};
use portcullis::record::{Document, SecretDocument};
use portcullis::request::Request;
use portcullis::ticket::Ticket;
use portcullis::workspace::call::Call;

use crate::simulation::deployment::{self, Rules};
use crate::simulation::object::Object;
use crate::workspace::{at, call_id};

/// An isolate, the object it asks, and a key with a second secret that the object may not have yet.
struct World {
    gate: Rc<Gate>,
    object: Object,
    memory: Memory,
    now: u64,
    facts: String,
    rotated: Document,
}

/// A question under way, and the answer that it will get.
type Asked = (Enquiry, String);

impl World {
    fn new() -> Self {
        let gate = deployment::gate(&RULES);
        let key = &deployment::keys()[0];
        let root = gate.keyring().newest();
        let second = mint::another(root, "ak", key.kid, 1, &[9; 17]).unwrap();
        let mut rotated = key.document(None);
        rotated.secrets.push(SecretDocument::new(1, root.version(), &second.digest));
        let facts = format!("GET\nhttp://api.test/plain\nx-api-key\n{}", second.secret.expose());
        let (object, memory) = (Object::default(), Memory::default());
        let mut world = Self { gate, object, memory, now: 1000, facts, rotated };
        world.call(&Call::Open { workspace: deployment::WORKSPACE.to_owned() });
        let document = Box::new(key.document(None));
        world.call(&Call::Put { document, replaces: 0 });
        let first = world.ask();
        world.learn(first, &mut Ticket::default());
        world
    }

    fn call(&mut self, call: &Call) -> String {
        let effect = self.object.call(&call.print(), &self.gate, self.now());
        self.object.commit(&effect);
        effect.answer.print()
    }

    fn rotate(&mut self) {
        let document = Box::new(self.rotated.clone());
        assert!(self.call(&Call::Put { document, replaces: 1 }).starts_with("written"));
    }

    /// Puts a question, which the object answers at once; the answer is on its way.
    fn ask(&mut self) -> Asked {
        let kid = deployment::keys()[0].kid;
        let now = self.now();
        let (enquiry, text) =
            Enquiry::new(Ask::Record(kid), call_id(1), &self.gate, &mut self.memory, now);
        let effect = self.object.call(&text, &self.gate, now);
        (enquiry, effect.answer.print())
    }

    fn learn(&mut self, (enquiry, answer): Asked, ticket: &mut Ticket) {
        self.now += 1;
        let now = self.now();
        enquiry.learn(&answer, &self.gate, &mut self.memory, ticket, now).unwrap();
    }

    fn decided(&mut self, ticket: &mut Ticket) -> &'static str {
        let now = self.now();
        let request = Request::parse(&self.facts).unwrap();
        match decide(&request, &self.gate, &mut self.memory, ticket, now) {
            Decision::Need(Need::Workspace(Ask::Record(_))) => "ask",
            Decision::Need(Need::Workspace(Ask::Leave(_))) => "proved",
            Decision::Deny(Denial::Invalid(_)) => "invalid",
            Decision::Allow(_)
            | Decision::Deny(_)
            | Decision::Need(_)
            | Decision::Fault(_)
            | Decision::Admin
            | Decision::Usage(_)
            | Decision::Preflight(_) => "other",
        }
    }

    fn now(&self) -> Now {
        at(self.now)
    }
}

/// Answers to questions from before the request say nothing of its secret, however many come.
#[test]
fn a_secret_is_refused_by_an_answer_to_a_question_put_since_and_by_no_other() {
    for questions in 0..4 {
        let mut world = World::new();
        let under_way: Vec<Asked> = (0..questions).map(|_| world.ask()).collect();
        world.rotate();
        let mut ticket = Ticket::default();
        assert_eq!(world.decided(&mut ticket), "ask");
        for asked in under_way {
            world.learn(asked, &mut Ticket::default());
            assert_eq!(world.decided(&mut ticket), "ask", "{questions}");
        }
        let own = world.ask();
        world.learn(own, &mut ticket);
        assert_eq!(world.decided(&mut ticket), "proved");
    }
}

/// One that nobody gave costs one question, even if the clock stands still or goes back
/// meanwhile.
#[test]
fn a_secret_that_nobody_gave_is_refused_after_one_question() {
    let mut world = World::new();
    for back in [0, 1, 500] {
        let mut ticket = Ticket::default();
        assert_eq!(world.decided(&mut ticket), "ask");
        let own = world.ask();
        world.now -= back;
        world.learn(own, &mut ticket);
        assert_eq!(world.decided(&mut ticket), "invalid");
    }
}

/// One that is no newer than the record at hand costs none, while that is fresh.
#[test]
fn a_secret_that_was_replaced_is_refused_at_once() {
    let mut world = World::new();
    let kid = deployment::keys()[0].kid;
    let old = mint::another(world.gate.keyring().newest(), "ak", kid, 0, &[8; 17]).unwrap();
    world.facts = format!("GET\nhttp://api.test/plain\nx-api-key\n{}", old.secret.expose());
    assert_eq!(world.decided(&mut Ticket::default()), "invalid");
}

const RULES: Rules = deployment::LEASE;
