//! Ratios of rounds, and the goals they are held against.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::contest::{BASELINE, GATE, HONO, HONO_FORWARD, JS, JS_WEBCRYPTO, Kind, PASS};
use crate::interval::{Interval, Judgement};

/// What was measured.
#[derive(Debug)]
pub struct Table {
    /// The table, ready to print.
    pub text: String,
    /// Goals whose 95 % interval lies on the wrong side.
    pub missed: Vec<String>,
}

impl Table {
    /// Fails if a goal was missed.
    pub fn judge(&self) -> Result<()> {
        ensure!(self.missed.is_empty(), "missed: {}", self.missed.join("; "));
        Ok(())
    }
}

/// One contender's turn of a round.
#[derive(Clone, Copy)]
pub struct Turn {
    /// Responses a second.
    pub rate: f64,
    /// Seconds of CPU a response.
    pub cpu: f64,
}

/// A round in one line.
pub fn turns_line(turns: &BTreeMap<&str, Turn>) -> String {
    let each = turns.iter().map(|(name, turn)| format!("{name} {:.0}/s", turn.rate));
    each.collect::<Vec<_>>().join(", ")
}

/// The medians of the rounds' ratios.
pub fn tabulate(rounds: &[BTreeMap<&str, Turn>], kind: Kind) -> Table {
    let series = |value: &dyn Fn(&BTreeMap<&str, Turn>) -> f64| {
        Interval::of(&rounds.iter().map(value).collect::<Vec<_>>()).unwrap_or(UNKNOWN)
    };
    let rate = |over: &'static str, under: &'static str| {
        series(&|turns| turns[over].rate / turns[under].rate)
    };
    // Nothing makes a turn quicker, and much makes it slower.
    let undisturbed = |name: &str| {
        let mut rates: Vec<f64> = rounds.iter().map(|turns| turns[name].rate).collect();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() * 3 / 4).copied().unwrap_or(f64::NAN)
    };
    let added = |turns: &BTreeMap<&str, Turn>, name: &str| turns[name].cpu - turns[BASELINE].cpu;
    let js = if rate(JS, JS_WEBCRYPTO).median >= 1.0 { JS } else { JS_WEBCRYPTO };
    let cpu = series(&|turns| added(turns, GATE) / added(turns, js));
    let mut rows = vec![
        (format!("throughput / {BASELINE}"), rate(GATE, BASELINE), Goal::AtLeast(0.92)),
        (format!("throughput / {js}"), rate(GATE, js), Goal::AtLeast(1.15)),
        (format!("CPU added to {BASELINE} / that {js} adds"), cpu, Goal::AtMost(0.5)),
        (format!("({js} / {BASELINE})"), rate(js, BASELINE), Goal::None),
        (format!("({PASS} / {BASELINE})"), rate(PASS, BASELINE), Goal::None),
        (
            format!("(CPU a request, {BASELINE}, µs)"),
            series(&|turns| turns[BASELINE].cpu * 1e6),
            Goal::None,
        ),
        (
            format!("(CPU added a request, {GATE}, µs)"),
            series(&|turns| added(turns, GATE) * 1e6),
            Goal::None,
        ),
        (
            format!("(CPU added a request, {js}, µs)"),
            series(&|turns| added(turns, js) * 1e6),
            Goal::None,
        ),
    ];
    for under in [BASELINE, js] {
        let ratio = undisturbed(GATE) / undisturbed(under);
        let ratio = Interval { median: ratio, low: ratio, high: ratio };
        rows.push((format!("(throughput / {under}, upper quartiles)"), ratio, Goal::None));
    }
    // It verifies no signatures.
    for peer in [HONO, HONO_FORWARD].into_iter().filter(|_| kind == Kind::Bearer) {
        rows.push((format!("throughput / {peer}"), rate(GATE, peer), Goal::AtLeast(1.15)));
        rows.push((format!("({peer} / {BASELINE})"), rate(peer, BASELINE), Goal::None));
    }
    let title = match kind {
        Kind::Bearer => "warm bearer request",
        Kind::Signed => "warm bearer request, signed (v1)",
    };
    table(title, rows)
}

/// The same of policies with few and many routes.
pub fn of_routes(rounds: &[BTreeMap<&str, Turn>], one: &str, many: &str) -> Table {
    let ratios: Vec<_> = rounds.iter().map(|turns| turns[many].rate / turns[one].rate).collect();
    let ratio = Interval::of(&ratios).unwrap_or(UNKNOWN);
    let name = format!("throughput, {many} / {one}");
    table("warm bearer request, by policy", vec![(name, ratio, Goal::AtLeast(0.97))])
}

fn table(title: &str, rows: Vec<(String, Interval, Goal)>) -> Table {
    let mut text = format!("{title:<48} {:>8}  {:>17}  goal", "median", "95 % interval");
    let mut missed = Vec::new();
    for (name, median, goal) in rows {
        let verdict = goal.verdict(&median);
        if verdict == MISSED {
            missed.push(format!("{title}: {name}"));
        }
        let Interval { median, low, high } = median;
        text.push_str(&format!(
            "\n{name:<48} {median:>8.3}  {low:>8.3}–{high:<8.3}  {goal} {verdict}"
        ));
    }
    Table { text, missed }
}

const MISSED: &str = "MISSED";
const UNKNOWN: Interval = Interval { median: f64::NAN, low: f64::NAN, high: f64::NAN };

enum Goal {
    AtLeast(f64),
    AtMost(f64),
    None,
}

impl Goal {
    /// What the whole interval says: where it holds the goal, the rounds do not tell.
    fn verdict(&self, median: &Interval) -> &'static str {
        let judgement = match *self {
            Self::AtLeast(goal) => median.at_least(goal),
            Self::AtMost(goal) => median.at_most(goal),
            Self::None => return "",
        };
        match judgement {
            Judgement::Holds => "met",
            Judgement::Undecided => "undecided",
            Judgement::Broken => MISSED,
        }
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast(goal) => write!(f, "≥ {goal}"),
            Self::AtMost(goal) => write!(f, "≤ {goal}"),
            Self::None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_inside_the_interval_is_neither_met_nor_missed() {
        let rounds = |ratios: &[f64]| -> Vec<BTreeMap<&str, Turn>> {
            let turn = |rate| Turn { rate, cpu: 0.0 };
            let round =
                |ratio: &f64| BTreeMap::from([("one", turn(100.0)), ("many", turn(100.0 * ratio))]);
            ratios.iter().map(round).collect()
        };
        for (ratios, verdict, judged) in [
            ([0.98, 0.99, 1.0], "met", true),
            ([0.9, 1.0, 1.1], "undecided", true),
            ([0.9, 0.91, 0.95], "MISSED", false),
        ] {
            let table = of_routes(&rounds(&ratios), "one", "many");
            assert!(table.text.ends_with(verdict), "{}", table.text);
            assert_eq!(table.judge().is_ok(), judged, "{}", table.text);
        }
        let cpu = Interval { median: 0.45, low: 0.4, high: 0.6 };
        assert_eq!(Goal::AtMost(0.5).verdict(&cpu), "undecided");
        assert_eq!(Goal::AtMost(0.6).verdict(&cpu), "met");
        assert_eq!(Goal::AtMost(0.3).verdict(&cpu), "MISSED");
        assert_eq!(Goal::AtMost(0.3).verdict(&UNKNOWN), "undecided");
    }
}
