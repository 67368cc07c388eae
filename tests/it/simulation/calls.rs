//! Calls over the network as `ask` of `errands.mjs` makes them, and what the object does with them.

use portcullis::clock::Now;
use portcullis::lookup::Came;
use portcullis::workspace::call::{self, Answer};

use super::lookup::Task;
use super::object::Effect;
use super::world::{Event, World};

/// A call of an isolate.
#[derive(Debug)]
pub struct Call {
    task: Task,
    is_over: bool,
    text: String,
    begun: Now,
    attempt: usize,
}

impl World {
    pub fn call(&mut self, task: Task, text: String) {
        let begun = self.isolates[task.isolate].now(self.now);
        self.calls.push(Call { task, is_over: false, text, begun, attempt: 0 });
        self.attempt(self.calls.len() - 1);
    }

    fn attempt(&mut self, call: usize) {
        let Call { task, begun, attempt, .. } = &self.calls[call];
        let (begun, attempt) = (begun.millis(), *attempt);
        let now = self.isolates[task.isolate].now(self.now).millis();
        let share = u64::from(self.plan.rules.workspace_timeout) * [1, 2][attempt] / 2;
        let rest = (share + begun).saturating_sub(now);
        self.after(rest, Event::Late { call, attempt });
        let (lost, doubled) = (self.faults.lost, self.faults.doubled);
        if !self.random.chance(lost) {
            self.transmit(call, attempt);
        }
        if self.random.chance(doubled) {
            self.transmit(call, attempt);
        }
    }

    fn transmit(&mut self, call: usize, attempt: usize) {
        let late = self.faults.late;
        let extra = if self.random.chance(late) { self.random.between(500, 5_000) } else { 0 };
        let delay = self.delay() / 2 + extra;
        self.after(delay, Event::Deliver { call, attempt });
    }

    /// The call comes to the object.
    pub fn deliver(&mut self, call: usize, attempt: usize) {
        let text = self.calls[call].text.clone();
        let dies = self.faults.object_dies;
        let answer = if self.random.chance(dies) {
            if self.random.chance(500) {
                // After its transaction, before its answer.
                self.execute(&text);
            }
            None
        } else {
            Some(self.execute(&text).print())
        };
        let lost = self.faults.lost;
        if !self.random.chance(lost) {
            let delay = self.delay().div_ceil(2);
            self.after(delay, Event::Reply { call, attempt, text: answer });
        }
    }

    /// A call in one transaction of the object.
    pub fn execute(&mut self, text: &str) -> Answer {
        let effect = self.object.call(text, &self.gate, Now::from_millis(self.now));
        let before = self.object.alarm;
        self.object.commit(&effect);
        if self.object.alarm != before {
            let at = self.object.alarm.unwrap().max(self.now);
            self.at(at, Event::Alarm);
        }
        let call = call::Call::parse(text).unwrap();
        self.ledger.executed(self.now, &call, &effect);
        let Effect { answer, .. } = effect;
        assert!(!matches!(answer, Answer::Broken { .. } | Answer::Version { .. }), "{answer:?}");
        answer
    }

    pub fn reply(&mut self, call: usize, attempt: usize, text: Option<String>) {
        if self.is_awaited(call, attempt) {
            match text {
                Some(text) => self.end(call, Some(&text)),
                None => self.next(call),
            }
        }
    }

    pub fn lose(&mut self, call: usize, attempt: usize) {
        if self.is_awaited(call, attempt) {
            self.next(call);
        }
    }

    fn is_awaited(&self, call: usize, attempt: usize) -> bool {
        let Call { task, is_over, attempt: current, .. } = &self.calls[call];
        !is_over && *current == attempt && self.isolates[task.isolate].life == task.life
    }

    fn next(&mut self, call: usize) {
        self.calls[call].attempt += 1;
        match self.calls[call].attempt {
            1 => self.attempt(call),
            _ => self.end(call, None),
        }
    }

    fn end(&mut self, call: usize, answer: Option<&str>) {
        let Call { task, is_over, text, .. } = &mut self.calls[call];
        *is_over = true;
        let task = *task;
        if let (Some(request), Ok(call::Call::Admit(admit))) =
            (task.request, call::Call::parse(text))
            && answer.is_some_and(|answer| answer.starts_with("granted"))
        {
            self.requests[request].granted = Some(admit.id);
        }
        self.resume(&task, answer.map_or(Came::Nothing, Came::Text));
    }
}
