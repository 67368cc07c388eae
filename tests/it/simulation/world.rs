//! Everything that happens, in the order of time; what happens at once, in the order it was set.

use std::collections::BTreeMap;
use std::rc::Rc;

use portcullis::gate::Gate;
use portcullis::lookup::Came;

use super::calls::Call;
use super::deployment::{self, Key, Path};
use super::isolate::Isolate;
use super::kv::Kv;
use super::ledger::Ledger;
use super::lookup::{Request, Task};
use super::object::Object;
use super::plan::{Faults, Operation, Plan, START};
use super::random::Random;

/// What happens.
#[derive(Debug)]
pub enum Event {
    Arrive { isolate: usize, key: usize, path: Path, probe: bool },
    Waited { task: Task },
    Read { task: Task, value: Result<Option<String>, ()> },
    Deliver { call: usize, attempt: usize },
    Answered { task: Task, said: Option<String> },
    Reply { call: usize, attempt: usize, text: Option<String> },
    Late { call: usize, attempt: usize },
    Operate(Operation),
    Crash(usize),
    Step { isolate: usize, millis: u64 },
    Alarm,
    Copied { batch: usize, name: String, value: String, version: (String, u64) },
    Calm,
}

/// How many copies are awaited, those done, and whether one failed.
type Batch = (usize, Vec<(String, u64)>, bool);

/// The state of a schedule.
pub struct World {
    pub gate: Rc<Gate>,
    pub keys: Rc<Vec<Key>>,
    pub plan: Plan,
    pub faults: Faults,
    pub random: Random,
    /// The true time.
    pub now: u64,
    queue: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    end: u64,
    pub isolates: Vec<Isolate>,
    pub kv: Kv,
    pub object: Object,
    /// Copies under way.
    pub batches: Vec<Batch>,
    pub requests: Vec<Request>,
    pub calls: Vec<Call>,
    pub ledger: Ledger,
}

impl World {
    pub fn new(plan: Plan, random: Random) -> Self {
        let isolates = plan.clocks.iter();
        let mut world = Self {
            gate: deployment::gate(&plan.rules),
            keys: deployment::keys(),
            faults: plan.faults,
            random,
            now: START,
            queue: BTreeMap::new(),
            sequence: 0,
            end: 0,
            isolates: isolates
                .map(|clock| Isolate { clock: *clock, ..Isolate::default() })
                .collect(),
            kv: Kv::default(),
            object: Object::default(),
            batches: Vec::new(),
            requests: Vec::new(),
            calls: Vec::new(),
            ledger: Ledger::new(plan.limits.len()),
            plan,
        };
        world.open();
        world.prepare();
        world
    }

    /// Plays it to its end, probes included.
    pub fn run(&mut self) {
        while let Some(((at, _), event)) = self.queue.pop_first() {
            if at > self.end {
                break;
            }
            self.now = at;
            self.ledger.hear(at, || format!("{event:?}"));
            self.happen(event);
        }
    }

    pub fn after(&mut self, millis: u64, event: Event) {
        self.at(self.now + millis, event);
    }

    pub fn at(&mut self, time: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((time, self.sequence), event);
    }

    pub fn delay(&mut self) -> u64 {
        let (low, high) = self.faults.delay;
        self.random.between(low, high)
    }

    fn prepare(&mut self) {
        for at in 0..self.plan.operations.len() {
            let (time, operation) = self.plan.operations[at];
            self.at(time, Event::Operate(operation));
        }
        for at in 0..self.plan.arrivals.len() {
            let (time, isolate, key, path) = self.plan.arrivals[at];
            self.at(time, Event::Arrive { isolate, key, path, probe: false });
        }
        for at in 0..self.plan.crashes.len() {
            let (time, isolate) = self.plan.crashes[at];
            self.at(time, Event::Crash(isolate));
        }
        for at in 0..self.plan.steps.len() {
            let (time, isolate, millis) = self.plan.steps[at];
            self.at(time, Event::Step { isolate, millis });
        }
        let calm = self.plan.calm;
        self.at(calm, Event::Calm);
        // A probe each, so far apart that a quota is there for each.
        let mut at = calm + PROBE_AFTER;
        for key in 0..self.plan.limits.len() {
            for isolate in 0..self.isolates.len() {
                self.at(at, Event::Arrive { isolate, key, path: Path::Plain, probe: true });
                at += PROBE_EVERY;
            }
        }
        self.end = at;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { isolate, key, path, probe } => {
                self.arrive(isolate, key, path, probe);
            }
            Event::Waited { task } => self.resume(&task, Came::Nothing),
            Event::Read { task, value } => {
                let came = match &value {
                    Ok(Some(value)) => Came::Text(value),
                    Ok(None) => Came::NoRow,
                    Err(()) => Came::Nothing,
                };
                self.resume(&task, came);
            }
            Event::Answered { task, said } => {
                self.resume(&task, said.as_deref().map_or(Came::Nothing, Came::Text));
            }
            Event::Deliver { call, attempt } => self.deliver(call, attempt),
            Event::Reply { call, attempt, text } => self.reply(call, attempt, text),
            Event::Late { call, attempt } => self.lose(call, attempt),
            Event::Operate(operation) => self.operate(operation),
            Event::Crash(isolate) => self.isolates[isolate].crash(),
            Event::Step { isolate, millis } => {
                // Seen by the isolate, which looks at its clock just before and soon after: one that
                // is idle for longer than the step cannot see it.
                let soon = self.random.between(0, millis / 2);
                let key = self.random.below(self.plan.limits.len());
                self.arrive(isolate, key, Path::Plain, false);
                self.isolates[isolate].clock.offset -= i64::try_from(millis).unwrap();
                self.after(soon, Event::Arrive { isolate, key, path: Path::Plain, probe: false });
            }
            Event::Alarm => self.alarm(),
            Event::Copied { batch, name, value, version } => {
                self.copied(batch, name, value, version);
            }
            Event::Calm => {
                self.faults = Faults { delay: (0, 10), kv_ttl: 1_000, ..Faults::default() };
            }
        }
    }
}

/// Copies in KV that failed are made again within this, and windows are over.
const PROBE_AFTER: u64 = 12_000;
const PROBE_EVERY: u64 = 12_500;
