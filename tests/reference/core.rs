//! The core, driven as the gate drives it: look-ups, the Workspaces' objects, KV.

use std::collections::BTreeMap;

use portcullis::clock::Now;
use portcullis::decide::{Decision, decide};
use portcullis::denial::Fault;
use portcullis::gate::Gate;
use portcullis::lease::CallId;
use portcullis::lookup::{Came, Errand, LookUp};
use portcullis::memory::Memory;
use portcullis::policy::Policy;
use portcullis::request::Request;
use portcullis::ticket::{Body, Ticket};
use portcullis::workspace::call::Answer;

use crate::object::Object;
use crate::random::Random;
use crate::reference::{ADMIN, ALLOW, Case, PREFLIGHT, USAGE, World};
use crate::spell::Root;
use crate::world::Key;

/// An isolate, and the objects of all workspaces.
#[derive(Debug)]
pub struct Core {
    gate: Gate,
    memory: Memory,
    objects: BTreeMap<String, Object>,
    random: Random,
}

impl Core {
    pub fn new(world: &World, now: u64) -> Self {
        let policy = Policy::from_json(&world.policy.json(&world.roots)).unwrap();
        let base64 = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
        let root = |own: &Root| format!("v{}:{}", own.version, base64(&own.secret));
        let roots: Vec<_> = world.roots.iter().map(root).collect();
        let names = &world.policy.static_keys;
        let names: Vec<_> = names.iter().map(|own| format!("{}:{}", own.name, own.text)).collect();
        let built = world.policy.built;
        let gate = Gate::new(policy, &roots.join(","), &names.join(","), built).unwrap();
        let (memory, objects) = (Memory::default(), BTreeMap::new());
        let mut own = Self { gate, memory, objects, random: Random::new(now) };
        for key in world.keys.values() {
            own.put(world, key, now);
        }
        own
    }

    /// A new isolate, which knows nothing.
    pub fn forget(&mut self) {
        self.memory = Memory::default();
    }

    /// Makes the Workspace hold this version of a key.
    pub fn put(&mut self, world: &World, key: &Key, now: u64) {
        let workspace = key.workspace();
        if !world.opened.contains(workspace) {
            return;
        }
        if !self.objects.contains_key(workspace) {
            self.objects.insert(workspace.to_owned(), Object::default());
            let opened = self.call(workspace, &format!("open v=1 workspace={workspace}"), now);
            assert_eq!(opened, Answer::Done);
        }
        let replaces = match key.version - 1 {
            0 => String::new(),
            version => format!(" replaces={version}"),
        };
        let text = format!("put v=1{replaces}\n{}", key.json(&world.roots, &world.policy));
        let answer = self.call(workspace, &text, now);
        assert!(matches!(answer, Answer::Written { .. }), "{answer:?}: {text}");
    }

    fn call(&mut self, workspace: &str, text: &str, now: u64) -> Answer {
        let object = self.objects.get_mut(workspace).unwrap();
        let effect = object.call(text, &self.gate, Now::from_millis(now));
        object.commit(&effect);
        effect.answer
    }

    pub fn decide(&mut self, case: &Case<'_>) -> String {
        let (facts, now) = (case.sent.facts(), Now::from_millis(case.now));
        let Some(request) = Request::parse(&facts) else { return "BAD_REQUEST".to_owned() };
        if self.gate.fit_at(now).is_err() {
            return Fault::Unfit.wire(0).code.to_owned();
        }
        let mut ticket = Ticket::default();
        for _ in 0..32 {
            let need = match decide(&request, &self.gate, &mut self.memory, &mut ticket, now) {
                Decision::Allow(_) => return ALLOW.to_owned(),
                Decision::Deny(denial) => return denial.code().to_owned(),
                Decision::Fault(fault) => return fault.wire(0).code.to_owned(),
                Decision::Admin => return ADMIN.to_owned(),
                Decision::Usage(_) => return USAGE.to_owned(),
                Decision::Preflight(_) => return PREFLIGHT.to_owned(),
                Decision::Need(need) => need,
            };
            ticket.drop_body();
            let id = CallId::new(self.random.id());
            let begun = LookUp::begin(need, &mut ticket, id, &self.gate, &mut self.memory, now);
            let Some((look_up, errand)) = begun else { continue };
            let said = self.run(&errand, case);
            let came = match (&errand, &said) {
                (Errand::Body { limit }, _) => Came::Body(match &case.sent.body {
                    Some(body) if body.len() <= *limit as usize => Body::Read(body.clone()),
                    Some(_) => Body::TooLong,
                    None => Body::Read(Vec::new()),
                }),
                (_, Said::Text(text)) => Came::Text(text),
                (_, Said::NoRow) => Came::NoRow,
                (_, Said::Nothing) => Came::Nothing,
            };
            look_up.end(came, &mut ticket, &self.gate, &mut self.memory, now);
        }
        "asks for ever".to_owned()
    }

    fn run(&mut self, errand: &Errand, case: &Case<'_>) -> Said {
        let faults = case.faults;
        match errand {
            Errand::Read { .. } if faults.kv => Said::Nothing,
            Errand::Read { name, .. } => match case.world.kv.get(name) {
                Some(row) => Said::Text(row.text.clone()),
                None => Said::NoRow,
            },
            Errand::Call { .. } if faults.workspace => Said::Nothing,
            Errand::Call { workspace, text, .. } => {
                let workspace = workspace.as_str().to_owned();
                if !self.objects.contains_key(&workspace) {
                    self.objects.insert(workspace.clone(), Object::default());
                }
                Said::Text(self.call(&workspace, text, case.now).print())
            }
            Errand::Fetch { .. } if faults.issuer => Said::Nothing,
            Errand::Fetch { .. } => Said::Text(JWKS.to_owned()),
            Errand::Verify { .. } => Said::Text((!faults.forged).to_string()),
            Errand::Body { .. } | Errand::Wait { .. } => Said::Nothing,
        }
    }
}

enum Said {
    Text(String),
    NoRow,
    Nothing,
}

const JWKS: &str = r#"{"keys": [{"kty": "OKP", "kid": "key", "crv": "Ed25519", "alg": "EdDSA",
    "x": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"}]}"#;
