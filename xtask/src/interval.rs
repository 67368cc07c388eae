//! A median and where it lies, without assumptions on the distribution.

/// The median of some samples and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Half are below.
    pub median: f64,
    /// The lower end of the 95 % interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// What an interval says of a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// All of it is within the bound.
    Holds,
    /// The bound is inside it: more samples may tell.
    Undecided,
    /// None of it is within the bound.
    Broken,
}

impl Interval {
    /// Whether the median is at most this.
    pub fn at_most(&self, bound: f64) -> Judgement {
        if self.high <= bound {
            Judgement::Holds
        } else if self.low > bound {
            Judgement::Broken
        } else {
            Judgement::Undecided
        }
    }

    /// Whether the median is at least this.
    pub fn at_least(&self, bound: f64) -> Judgement {
        if self.low >= bound {
            Judgement::Holds
        } else if self.high < bound {
            Judgement::Broken
        } else {
            Judgement::Undecided
        }
    }

    /// By order statistics (normal approximation of the binomial ranks); `None` without samples.
    pub fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len();
        let last = count.checked_sub(1)?;
        let half = 1.96 * (count as f64).sqrt() / 2.0;
        let low = (count as f64 / 2.0 - half).floor().max(1.0) as usize - 1;
        let high = ((count as f64 / 2.0 + half).ceil() as usize).min(last);
        let median = (sorted[last / 2] + sorted[count / 2]) / 2.0;
        Some(Self { median, low: sorted[low], high: sorted[high] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_tables() {
        // n = 20: the 6th and the 15th are the usual ranks; ours are never narrower.
        let samples: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        let interval = Interval::of(&samples).unwrap();
        assert_eq!(interval.median, 10.5);
        assert!(interval.low <= 6.0 && interval.high >= 15.0, "{interval:?}");
        assert_eq!(Interval::of(&[2.0]), Some(Interval { median: 2.0, low: 2.0, high: 2.0 }));
        assert_eq!(Interval::of(&[]), None);
    }

    #[test]
    fn a_bound_inside_the_interval_is_undecided() {
        let interval = Interval { median: 2.0, low: 1.0, high: 3.0 };
        let judged = [0.9, 1.0, 2.0, 2.9, 3.0].map(|bound| interval.at_most(bound));
        let (broken, undecided) = (Judgement::Broken, Judgement::Undecided);
        assert_eq!(judged, [broken, undecided, undecided, undecided, Judgement::Holds]);
        let judged = [0.9, 1.0, 2.0, 3.0, 3.1].map(|bound| interval.at_least(bound));
        assert_eq!(judged, [Judgement::Holds, Judgement::Holds, undecided, undecided, broken]);
        let unknown = Interval { median: f64::NAN, low: f64::NAN, high: f64::NAN };
        assert_eq!((unknown.at_most(1.0), unknown.at_least(1.0)), (undecided, undecided));
    }
}
