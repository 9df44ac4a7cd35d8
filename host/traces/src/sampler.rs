//! Which calls have spans: what their callers have decided, and a share of the rest.

use sandbar_spans::{Sampled, TraceId};

/// Decides which calls have spans.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// Whether the decision of a caller counts who traces its calls.
    pub follows_caller: bool,
    /// The share of the others, from 0 to 1.
    pub share: f64,
}

impl Default for Sampler {
    /// What the caller has decided, and else all.
    fn default() -> Self {
        Self { follows_caller: true, share: 1.0 }
    }
}

impl Sampler {
    /// By an id of this server's own: a caller could choose one that is always in the share.
    pub(super) fn decide(&self, id: TraceId, decided: Option<Sampled>) -> Sampled {
        if let Some(decided) = decided.filter(|_| self.follows_caller) {
            return decided;
        }
        // Both are exact: there are 56 random bits, and a share's 53 are multiplied with a power of two.
        let below = (self.share * (1_u64 << 56) as f64) as u64;
        if id.randomness() < below { Sampled::Yes } else { Sampled::No }
    }
}

#[cfg(test)]
mod tests {
    use sandbar_spans::{Trace, TraceParent};

    use super::*;

    #[test]
    fn a_share_is_about_that_and_none_and_all_are_exact() {
        let of = |share: f64| {
            let sampler = Sampler { follows_caller: true, share };
            let begin = |_| Trace::begin(None, |id, decided| sampler.decide(id, decided)).expect("random numbers");
            (0..4_000).map(begin).filter(Trace::is_sampled).count()
        };
        assert_eq!((of(0.0), of(1.0)), (0, 4_000));
        // Six standard deviations on either side.
        assert!((240..=560).contains(&of(0.1)), "{}", of(0.1));
    }

    #[test]
    fn the_caller_decides_where_it_is_asked() {
        for (flag, follows_caller, share, is_sampled) in
            [("01", true, 0.0, true), ("00", true, 1.0, false), ("01", false, 0.0, false), ("00", false, 1.0, true)]
        {
            let parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flag}");
            let parent = TraceParent::parse(&parent, None).expect("right");
            let sampler = Sampler { follows_caller, share };
            let trace = Trace::begin(Some(&parent), |id, decided| sampler.decide(id, decided)).expect("random numbers");
            assert_eq!(trace.is_sampled(), is_sampled, "{flag} {sampler:?}");
        }
        // Nor does its id, where the caller is not asked.
        let parent = TraceParent::parse("00-4bf92f3577b34da6a300000000000000-00f067aa0ba902b7-01", None).expect("right");
        let sampler = Sampler { follows_caller: false, share: 1e-9 };
        let trace = Trace::begin(Some(&parent), |id, decided| sampler.decide(id, decided)).expect("random numbers");
        assert!(!trace.is_sampled());
    }
}
