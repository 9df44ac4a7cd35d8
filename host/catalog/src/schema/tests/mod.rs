//! Schemas that are traps, and honest ones that have to pass.

mod checking;
mod cost;
mod generators;
mod oracle;
mod reading;

use serde_json::{Value, json};

use super::*;

/// A compiled schema.
fn compiled(schema: &Value) -> Schema {
    Schema::compile(schema).unwrap_or_else(|fault| panic!("{schema}: {fault}"))
}

/// Why a schema is refused.
fn refused(schema: &Value) -> String {
    Schema::compile(schema).expect_err(&schema.to_string())
}

/// SplitMix64: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).expect("below the bound")
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}
