//! The table, and the statistics behind it.

use std::fmt;
use std::time::{Duration, Instant};

/// The rows so far.
#[derive(Default)]
pub(crate) struct Table(Vec<[String; 4]>);

impl Table {
    /// Adds a row: what was measured, what came out, what is promised, and whether it holds.
    pub(crate) fn row(&mut self, what: &str, measured: String, promise: &str, holds: bool) {
        eprintln_row(what, &measured);
        self.0.push([what.to_owned(), measured, promise.to_owned(), if holds { "yes" } else { "NO" }.to_owned()]);
    }
}

/// A row as soon as it is known: a run takes minutes.
#[allow(clippy::print_stderr, reason = "progress of a long run")]
fn eprintln_row(what: &str, measured: &str) {
    eprintln!("{what}: {measured}");
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["what", "measured", "reach", "holds"].map(str::to_owned);
        let rows: Vec<&[String; 4]> = std::iter::once(&head).chain(&self.0).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2), width(3)];
        for (index, row) in rows.iter().enumerate() {
            for (cell, width) in row.iter().zip(widths) {
                write!(f, "| {cell:width$} ")?;
            }
            writeln!(f, "|")?;
            if index == 0 {
                writeln!(f, "|{}", widths.map(|width| format!("{}|", "-".repeat(width + 2))).concat())?;
            }
        }
        Ok(())
    }
}

/// The middle of some durations.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// The middle of some numbers.
pub(crate) fn median_of(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

/// The time that 99 of 100 stay within.
pub(crate) fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

/// Runs two things in turn and returns the median time of each. The first rounds warm up and do not count.
pub(crate) async fn in_turn<A, B>(rounds: usize, mut one: impl FnMut() -> A, mut other: impl FnMut() -> B) -> (Duration, Duration)
where
    A: Future<Output = ()>,
    B: Future<Output = ()>,
{
    let warm_up = (rounds / 5).max(3);
    let (mut ones, mut others) = (Vec::with_capacity(rounds), Vec::with_capacity(rounds));
    for round in 0..warm_up + rounds {
        let began = Instant::now();
        one().await;
        let middle = Instant::now();
        other().await;
        if round >= warm_up {
            ones.push(middle - began);
            others.push(middle.elapsed());
        }
    }
    (median(ones), median(others))
}

/// Microseconds, for a cell.
pub(crate) fn us(time: Duration) -> String {
    format!("{:.1} us", time.as_secs_f64() * 1e6)
}

/// Milliseconds, for a cell.
pub(crate) fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// Megabytes (of a million bytes), for a cell.
pub(crate) fn mb(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
