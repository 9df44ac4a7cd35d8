//! Memory of one instance: the sum of its linear memories, and of its tables.

use wasmtime::ResourceLimiter;

use super::pools::{CORE_INSTANCES, MEMORIES, TABLES};

/// The first growth beyond a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Linear memory, in bytes.
    Memory { wanted: u64, limit: u64 },
    /// Table entries.
    Table { wanted: u64, limit: u64 },
}

/// Counts what an instance has, and keeps the first refusal: the guest sees only a failed `memory.grow` and traps somewhere else,
/// so without this an out-of-memory would show as `unreachable`.
#[derive(Debug)]
pub(super) struct Memory {
    limit: u64,
    bytes: u64,
    tables: u64,
    entries: u64,
    refused: Option<Refused>,
    /// Size of the last growth, of a memory and of a table: given back if wasmtime cannot grow it after all.
    last_bytes: u64,
    last_entries: u64,
}

impl Memory {
    /// An instance with nothing yet, out of `limit` bytes and of `tables` entries.
    pub(super) fn new(limit: u64, tables: u32) -> Self {
        Self { limit, bytes: 0, tables: tables.into(), entries: 0, refused: None, last_bytes: 0, last_entries: 0 }
    }

    /// The first refusal, if there was one.
    pub(super) fn refused(&self) -> Option<Refused> {
        self.refused
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current) as u64;
        // A guest can ask for any number.
        let wanted = self.bytes.saturating_add(more);
        if wanted > self.limit {
            self.refused.get_or_insert(Refused::Memory { wanted, limit: self.limit });
            return Ok(false);
        }
        (self.bytes, self.last_bytes) = (wanted, more);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.bytes -= std::mem::take(&mut self.last_bytes);
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current) as u64;
        let wanted = self.entries.saturating_add(more);
        if wanted > self.tables {
            self.refused.get_or_insert(Refused::Table { wanted, limit: self.tables });
            return Ok(false);
        }
        (self.entries, self.last_entries) = (wanted, more);
        Ok(true)
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.entries -= std::mem::take(&mut self.last_entries);
        Ok(())
    }

    // A pool has these limits itself. They are for a machine without the address space for one.

    fn instances(&self) -> usize {
        CORE_INSTANCES as usize
    }

    fn memories(&self) -> usize {
        MEMORIES as usize
    }

    fn tables(&self) -> usize {
        TABLES as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_summed() {
        let mut memory = Memory::new(100, 0);
        assert!(memory.memory_growing(0, 60, None).expect("no trap"));
        assert!(!memory.memory_growing(0, 60, None).expect("no trap"), "a second memory does not start anew");
        assert_eq!(memory.refused(), Some(Refused::Memory { wanted: 120, limit: 100 }));
        assert!(memory.memory_growing(60, 100, None).expect("no trap"), "what still fits is given");
    }

    #[test]
    fn no_number_leads_around_the_limit() {
        let mut memory = Memory::new(100, 100);
        assert!(memory.memory_growing(0, 60, None).expect("no trap") && memory.table_growing(0, 60, None).expect("no trap"));
        for wanted in [usize::MAX, usize::MAX - 65_535, usize::MAX - 59] {
            assert!(!memory.memory_growing(0, wanted, None).expect("no trap"), "{wanted}");
            assert!(!memory.table_growing(0, wanted, None).expect("no trap"), "{wanted}");
        }
        assert!(!memory.memory_growing(0, 60, None).expect("no trap") && !memory.table_growing(0, 60, None).expect("no trap"));
    }

    #[test]
    fn what_could_not_be_grown_is_given_back() {
        let mut memory = Memory::new(100, 100);
        assert!(memory.memory_growing(0, 60, None).expect("no trap") && memory.table_growing(0, 60, None).expect("no trap"));
        let failed = || wasmtime::Error::msg("the system has none");
        memory.memory_grow_failed(failed()).expect("no trap");
        memory.table_grow_failed(failed()).expect("no trap");
        assert!(memory.memory_growing(0, 100, None).expect("no trap") && memory.table_growing(0, 100, None).expect("no trap"));
    }
}
