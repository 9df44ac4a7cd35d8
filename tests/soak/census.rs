//! What a server holds, looked at all the while: at the end beside the beginning, and whether it grows in between. A run says so only of its own
//! time; what a week would have come to is printed beside it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sandbar_tests::process::Holdings;
use sandbar_tests::sandbar::Server;

use crate::scrape::Scrape;

/// Files: connections to the API server are kept for a while after an answer. Threads: tokio keeps a few for files and names, and lets
/// them go when nothing comes. Memory: the allocator keeps what it once had, and so does the pool of instances: 1 MiB for each slot that
/// was ever used. A leak of 1 KiB for each call is more after half an hour.
pub(crate) const MORE: Holdings = Holdings { memory: 96 << 20, files: 16, threads: 8 };

/// What a team's assistants come to in a week: 10 clients, each with a call every 10 s.
const WEEK: f64 = 10.0 * 7.0 * 24.0 * 60.0 * 6.0;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(5);

/// The part of a run before it is judged: by then whatever is made once, or kept from then on, has been.
const WARM_UP: f64 = 1.0 / 3.0;

/// Parts of what is judged. Of each the least counts, since work that is under way comes and goes.
const WINDOWS: usize = 8;

/// Looks that a judged part has at least.
const LEAST_LOOKS: usize = 3 * WINDOWS;

/// One look at a server.
#[derive(Clone, Copy, Debug)]
struct Look {
    /// Minutes since the beginning.
    minutes: f64,
    holdings: Holdings,
    /// Series of metrics.
    series: usize,
    /// Calls that have ended.
    calls: f64,
}

/// All looks at one server.
pub(crate) struct Looks {
    name: &'static str,
    looks: Vec<Look>,
}

/// Looks at a server until the end; its metrics are at this port.
pub(crate) async fn look_until(end: Instant, name: &'static str, server: Arc<Server>, port: SocketAddr) -> Looks {
    let began = Instant::now();
    let mut looks = Vec::new();
    while Instant::now() < end {
        let scrape = Scrape::of(&server, port).await;
        let minutes = began.elapsed().as_secs_f64() / 60.0;
        looks.push(Look { minutes, holdings: Holdings::of(server.id()), series: scrape.series(), calls: scrape.calls() });
        tokio::time::sleep(INTERVAL).await;
    }
    Looks { name, looks }
}

/// Something that may not grow.
struct Quantity {
    name: &'static str,
    /// How much more there may be at the end of what is judged than at its beginning, by the line through the least of each window.
    most: f64,
    of: fn(&Look) -> f64,
    unit: fn(f64) -> String,
}

/// Memory: half of what [`MORE`] allows, in half of the run's time. Series: an outcome that is rare may be seen for the first time.
const QUANTITIES: [Quantity; 4] = [
    Quantity { name: "memory", most: (MORE.memory / 2) as f64, of: |look| look.holdings.memory as f64, unit: mebibytes },
    Quantity { name: "files", most: MORE.files as f64, of: |look| look.holdings.files as f64, unit: number },
    Quantity { name: "threads", most: MORE.threads as f64, of: |look| look.holdings.threads as f64, unit: number },
    Quantity { name: "series", most: 24.0, of: |look| look.series as f64, unit: number },
];

fn mebibytes(bytes: f64) -> String {
    format!("{:+.1} MiB", bytes / f64::from(1 << 20))
}

fn number(number: f64) -> String {
    format!("{number:+.1}")
}

impl Looks {
    /// Fails where something has grown. A run that was too short to say so is not judged.
    pub(crate) fn check(&self) {
        let judged = self.judged();
        if judged.len() < LEAST_LOOKS {
            println!("{}: {} looks are too few to judge by", self.name, judged.len());
            return;
        }
        for Quantity { name, most, of, unit } in &QUANTITIES {
            let grown = growth(judged, *of);
            assert!(grown <= *most, "{}: {name} grow by {}, and {} is the most\n{self}", self.name, unit(grown), unit(*most));
        }
    }

    fn judged(&self) -> &[Look] {
        let from = self.looks.last().map_or(0.0, |last| last.minutes * WARM_UP);
        &self.looks[self.looks.partition_point(|look| look.minutes < from)..]
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> f64 {
        self.looks.last().map_or(0.0, |last| last.calls)
    }
}

/// How much more there is at the end than at the beginning, by the least squares through the least of each window.
fn growth(looks: &[Look], of: fn(&Look) -> f64) -> f64 {
    let least: Vec<(f64, f64)> = looks
        .chunks(looks.len().div_ceil(WINDOWS))
        .filter_map(|window| {
            let least = window.iter().min_by(|one, other| of(one).total_cmp(&of(other)))?;
            Some((window[window.len() / 2].minutes, of(least)))
        })
        .collect();
    let count = least.len() as f64;
    let mean = |values: &dyn Fn(&(f64, f64)) -> f64| least.iter().map(values).sum::<f64>() / count;
    let (middle, level) = (mean(&|(minutes, _)| *minutes), mean(&|(_, value)| *value));
    let spread: f64 = least.iter().map(|(minutes, _)| (minutes - middle).powi(2)).sum();
    let together: f64 = least.iter().map(|(minutes, value)| (minutes - middle) * (value - level)).sum();
    let time = looks[looks.len() - 1].minutes - looks[0].minutes;
    if spread > 0.0 { together / spread * time } else { 0.0 }
}

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(first), Some(last)) = (self.looks.first(), self.looks.last()) else {
            return write!(f, "{}: nobody has looked", self.name);
        };
        let share = 100.0 * self.calls() / WEEK;
        writeln!(f, "{}: {} calls in {:.1} minutes, {share:.1} % of a week's {WEEK}", self.name, last.calls, last.minutes)?;
        writeln!(f, "  first look: {}, {} series", first.holdings, first.series)?;
        writeln!(f, "  last look:  {}, {} series", last.holdings, last.series)?;
        let judged = self.judged();
        if judged.len() < LEAST_LOOKS {
            return Ok(());
        }
        let (from, calls) = (judged[0], last.calls - judged[0].calls);
        for Quantity { name, most, of, unit } in &QUANTITIES {
            let grown = growth(judged, *of);
            let (most, week) = (unit(*most), unit(grown / calls.max(1.0) * WEEK));
            let time = last.minutes - from.minutes;
            writeln!(
                f,
                "  {name}: {} in the last {time:.1} minutes (at most {most}); at that, {week} in a week's calls",
                unit(grown)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(count: u32, memory: impl Fn(u32) -> u64) -> Looks {
        let look = |number| Look {
            minutes: f64::from(number),
            holdings: Holdings { memory: memory(number), files: 10, threads: 5 },
            series: 100,
            calls: f64::from(number) * 1_000.0,
        };
        Looks { name: "server", looks: (0..count).map(look).collect() }
    }

    #[test]
    fn what_comes_and_goes_is_no_growth_and_what_only_comes_is() {
        let mib = 1 << 20;
        looks(90, |number| (200 + u64::from(number * 37 % 50)) * mib).check();
        // All of it before what is judged.
        looks(90, |number| u64::from(number.min(29) * 20) * mib).check();
        let leak = looks(90, |number| (200 + u64::from(number) + u64::from(number * 37 % 20)) * mib);
        let failed = std::panic::catch_unwind(|| leak.check()).expect_err("it grows");
        let words = failed.downcast_ref::<String>().expect("words");
        assert!(words.contains("memory grow by +5") && words.contains("+48.0 MiB is the most"), "{words}");
    }
}
