//! The lease protocol in the small, every way it can go: two isolates of which one has a slow
//! clock, a limit of a few requests, messages late, lost or doubled, a crash, a revocation. The
//! Workspace and the wallets are the real ones; the network and time are the model's.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use portcullis::clock::Now;
use portcullis::gate::Gate;
use portcullis::lease::{CallId, Pool, Report, Wallet};
use portcullis::policy::Period;
use portcullis::record::Status;
use portcullis::workspace::call::{self, Admit, Answer, Call, Told};

use super::deployment::{self, Key, Rules, WORKSPACE};
use super::object::{Effect, Object};

#[derive(Clone, Debug)]
struct State {
    step: u64,
    object: Rc<Object>,
    wallets: [Wallet; 2],
    /// The message each waits for, and how often it may still ask.
    waits: [(Option<usize>, u8); 2],
    messages: Vec<Message>,
    crashes: u8,
    effective_by: Option<u64>,
    /// When windows opened, and the requests admitted, by their instant.
    windows: Vec<u64>,
    admitted: Vec<u64>,
}

#[derive(Clone, Debug)]
struct Message {
    from: usize,
    id: CallId,
    ahead: bool,
    text: String,
    reports: Vec<Report>,
    sent: u64,
    /// How often it may still come to the object.
    runs: u8,
    /// The answer, and when it was first given.
    answer: Option<(Answer, u64)>,
}

/// What the search knows besides the state.
struct Search {
    gate: Rc<Gate>,
    key: Key,
    requests: u32,
    /// A budget in the place of the limit: it pays for so many requests in each of two days.
    paid: bool,
    done: HashMap<u64, Rc<(Effect, Object)>>,
}

#[test]
fn every_way_of_the_lease_protocol() {
    let (requests, steps, asks) = (2, 2, 1);
    let states = explore(requests, steps, asks, false);
    println!("limit {requests}, {steps} steps, {asks} asks: {states} states");
    assert!(states > 1_000);
}

/// The same with a budget, of which a day ends between the first two steps.
#[test]
fn every_way_of_a_budget() {
    let states = explore(2, 2, 1, true);
    println!("a budget of 2 requests a day: {states} states");
    assert!(states > 1_000);
}

fn explore(requests: u32, steps: u64, asks: u8, paid: bool) -> usize {
    let coins = u64::from(requests) * u64::from(COST) + 1;
    let product = paid.then_some(((100, 60, 100), coins));
    let rules = Rules { lease_seconds: 1, product, ..deployment::LEASE };
    let key = deployment::keys()[0].clone();
    let gate = deployment::gate(&rules);
    let mut search = Search { gate, key, requests, paid, done: HashMap::new() };
    let first = search.first(asks);
    let mut seen = HashSet::from([digest(&first)]);
    let mut queue = vec![first];
    while let Some(state) = queue.pop() {
        for next in search.next(&state, steps) {
            // Each step, not each state: another way to the same state may have been right.
            search.check(&next, &state);
            if seen.insert(digest(&next)) {
                queue.push(next);
            }
        }
    }
    seen.len()
}

impl Search {
    fn first(&mut self, asks: u8) -> State {
        let limits = deployment::limits((self.requests, 2, self.requests));
        let document = Box::new(self.key.document(Some(limits).filter(|_| !self.paid)));
        let mut object = Object::default();
        for call in
            [Call::Open { workspace: WORKSPACE.to_owned() }, Call::Put { document, replaces: 0 }]
        {
            let effect = object.call(&call.print(), &self.gate, Now::from_millis(START));
            object.commit(&effect);
        }
        State {
            step: 0,
            object: Rc::new(object),
            wallets: Default::default(),
            waits: [(None, asks); 2],
            messages: Vec::new(),
            crashes: 1,
            effective_by: None,
            windows: Vec::new(),
            admitted: Vec::new(),
        }
    }

    fn next(&mut self, state: &State, steps: u64) -> Vec<State> {
        let mut found = Vec::new();
        let mut add = |change: &mut dyn FnMut(&mut State)| {
            let mut next = state.clone();
            change(&mut next);
            found.push(next);
        };
        if state.step < steps {
            add(&mut |next| next.step += 1);
        }
        for isolate in 0..2 {
            let now = local(isolate, state.step);
            if let (None, 1..) = state.waits[isolate] {
                for ahead in [false, true] {
                    add(&mut |next| self.ask(next, isolate, ahead));
                }
            }
            if state.waits[isolate].0.is_some() {
                add(&mut |next| next.waits[isolate].0 = None);
            }
            if state.wallets[isolate].left(self.pool(), now) > 0 {
                add(&mut |next| {
                    next.wallets[isolate].spend(self.pool(), 1, now);
                    next.admitted.push(time(next.step));
                });
            }
            if state.crashes > 0 {
                add(&mut |next| {
                    next.crashes -= 1;
                    next.wallets[isolate] = Wallet::default();
                    next.waits[isolate].0 = None;
                });
            }
        }
        for at in 0..state.messages.len() {
            let message = &state.messages[at];
            if message.runs > 0 {
                add(&mut |next| self.run(next, at));
            }
            if message.answer.is_some() && state.waits[message.from].0 == Some(at) {
                add(&mut |next| receive(next, self.pool(), at));
            }
        }
        if state.effective_by.is_none() && state.step > 0 {
            let (kid, status) = (self.key.kid.to_string(), Status::Revoked);
            let text = Call::SetStatus { kid, status }.print();
            add(&mut |next| {
                let answer = self.call(next, &text);
                let Answer::Written { effective_by, .. } = answer else { panic!("{answer:?}") };
                next.effective_by = Some(effective_by);
            });
        }
        found
    }

    fn pool(&self) -> Option<Pool> {
        self.paid.then_some(Pool { product: Some(0), cost: COST })
    }

    /// When what opened at `start` is over: a window, or the day.
    fn end(&self, start: u64) -> u64 {
        if self.paid { Period::Day.end(start / 1000) * 1000 } else { start + WINDOW }
    }

    fn ask(&self, state: &mut State, isolate: usize, ahead: bool) {
        let now = local(isolate, state.step);
        let number = u8::try_from(state.messages.len()).unwrap();
        let (id, reports) = (CallId::new([number; 16]), state.wallets[isolate].reports(now));
        let call = Call::Admit(Admit {
            id: id.clone(),
            kid: self.key.kid.to_string(),
            version: 1,
            coins: u32::from(!ahead),
            pool: self.paid.then(|| call::Pool { product: Some("paid".to_owned()), cost: COST }),
            want: 8,
            ahead,
            millis: LEASE,
            told: Told { reports: reports.clone(), ..Told::default() },
            once: None,
            settle: false,
        });
        let text = call.print();
        state.waits[isolate] = (Some(state.messages.len()), state.waits[isolate].1 - 1);
        let sent = now.millis();
        state.messages.push(Message {
            from: isolate,
            id,
            ahead,
            text,
            reports,
            sent,
            runs: 2,
            answer: None,
        });
    }

    fn run(&mut self, state: &mut State, at: usize) {
        let text = state.messages[at].text.clone();
        let answer = self.call(state, &text);
        let now = time(state.step);
        let message = &mut state.messages[at];
        message.runs -= 1;
        match &message.answer {
            Some((before @ Answer::Granted(_), _)) => assert_eq!(*before, answer, "the same again"),
            _ => message.answer = Some((answer.clone(), now)),
        }
        let open = state.windows.last().is_some_and(|start| now < self.end(*start));
        if matches!(answer, Answer::Granted(_)) && !open {
            state.windows.push(now);
        }
    }

    /// A call that comes to the object; what it does there depends on nothing else.
    fn call(&mut self, state: &mut State, text: &str) -> Answer {
        let mut hasher = DefaultHasher::new();
        (&state.object, text, state.step).hash(&mut hasher);
        let now = Now::from_millis(time(state.step));
        let gate = &self.gate;
        let done = self.done.entry(hasher.finish()).or_insert_with(|| {
            let mut object = (*state.object).clone();
            let effect = object.call(text, gate, now);
            object.commit(&effect);
            Rc::new((effect, object))
        });
        state.object = Rc::new(done.1.clone());
        done.0.answer.clone()
    }

    fn check(&self, state: &State, before: &State) {
        for start in &state.windows {
            let within = |at: &&u64| (*start..self.end(*start)).contains(*at);
            let count = state.admitted.iter().filter(within).count();
            assert!(count <= self.requests as usize, "{count} in a window: {state:#?}");
        }
        if state.admitted.len() > before.admitted.len() && state.waits == before.waits {
            let now = time(state.step);
            let in_window = state.windows.last().is_some_and(|start| now < self.end(*start));
            assert!(in_window, "a lease outlives its window: {state:#?}");
            assert!(state.effective_by.is_none_or(|by| now < by), "after effective_by: {state:#?}");
        }
    }
}

fn receive(state: &mut State, pool: Option<Pool>, at: usize) {
    let Message { from, id, ahead, reports, sent, answer, .. } = state.messages[at].clone();
    let (answer, given) = answer.unwrap();
    state.waits[from].0 = None;
    state.wallets[from].acknowledge(&reports);
    if let Answer::Granted(granted) = answer {
        let spent = u32::from(!ahead);
        state.wallets[from].granted(pool, id, &granted, spent, spent, Now::from_millis(sent));
        if !ahead {
            state.admitted.push(given);
        }
    }
}

fn digest(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.object.hash(&mut hasher);
    let State { step, wallets, waits, crashes, effective_by, windows, .. } = state;
    let mut admitted = state.admitted.clone();
    admitted.sort_unstable();
    let messages = &state.messages;
    format!("{step} {wallets:?} {waits:?} {messages:?}").hash(&mut hasher);
    (crashes, effective_by, windows, admitted).hash(&mut hasher);
    hasher.finish()
}

fn time(step: u64) -> u64 {
    START + step * STEP
}

/// The second isolate's clock is two hundredths slow.
fn local(isolate: usize, step: u64) -> Now {
    let slow = if isolate == 1 { step * STEP / 50 } else { 0 };
    Now::from_millis(time(step) - slow)
}

/// A second before a day ends.
const START: u64 = 1_800_057_599_000;
const STEP: u64 = 1_000;
const LEASE: u64 = 1_000;
const WINDOW: u64 = 2_000;
const COST: u32 = 3;
