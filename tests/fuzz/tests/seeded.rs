//! A fixed number of executions of each target, the same ones each time, and every input that once was a finding.
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the answer")]
#![allow(clippy::print_stderr, reason = "an input that is a finding has to be seen")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use sandbar_fuzz::{Mutator, TARGETS, Target};

/// Runs one input, and shows it where it is a finding.
fn run(target: &Target, input: &[u8]) {
    if let Err(finding) = catch_unwind(AssertUnwindSafe(|| (target.run)(input))) {
        eprintln!("the input for {}: \"{}\"", target.name, input.escape_ascii());
        std::panic::resume_unwind(finding);
    }
}

fn run_seeded(name: &str) {
    let target = Target::named(name).unwrap();
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "{name} has seeds");
    for seed in &seeds {
        run(target, seed);
    }
    let mut mutator = Mutator::new(seeds, 1);
    for _ in 0..target.executions {
        run(target, &mutator.next_input());
    }
}

/// A test for each target, so that they run side by side.
macro_rules! seeded {
    ($($name:ident)*) => {
        $(#[test] fn $name() { run_seeded(stringify!($name)); })*

        #[test]
        fn no_target_is_forgotten() {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

seeded!(message component manifest arguments result configuration clean snapshot object list log status discovery request token cursor table metadata many kinds certificate word selector selection reference artifact layer signature);

#[test]
fn what_once_was_a_finding_is_none_any_more() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/findings");
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let Some(target) = name.split('-').next().and_then(Target::named) else { continue };
        run(target, &std::fs::read(&file).unwrap());
    }
}

#[test]
fn the_same_number_gives_the_same_inputs() {
    let inputs = |number| {
        let mut mutator = Mutator::new(vec![b"seed".to_vec(), b"{}".to_vec()], number);
        (0..100).map(|_| mutator.next_input()).collect::<Vec<_>>()
    };
    assert_eq!(inputs(1), inputs(1));
    assert_ne!(inputs(1), inputs(2));
}
