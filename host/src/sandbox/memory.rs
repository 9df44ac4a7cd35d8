//! The memory of one instance: all linear memories together, and all tables together.

use wasmtime::ResourceLimiter;

use super::pools::{CORE_INSTANCES, MEMORIES, TABLES};

/// What went over its limit first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Linear memory, in bytes.
    Memory { wanted: u64, limit: u64 },
    /// Table entries.
    Table { wanted: u64, limit: u64 },
}

/// Counts what an instance has and remembers what it was refused: the guest sees only a failed `memory.grow` and traps somewhere
/// else, so without this an out-of-memory would show as `unreachable`.
#[derive(Debug)]
pub(super) struct Memory {
    limit: u64,
    bytes: u64,
    tables: u64,
    entries: u64,
    refused: Option<Refused>,
}

impl Memory {
    /// Nothing used yet, out of `limit` bytes and of `tables` entries.
    pub(super) fn new(limit: u64, tables: u32) -> Self {
        Self { limit, bytes: 0, tables: tables.into(), entries: 0, refused: None }
    }

    /// What was refused first, if anything was.
    pub(super) fn refused(&self) -> Option<Refused> {
        self.refused
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.bytes + (desired - current) as u64;
        if wanted > self.limit {
            self.refused.get_or_insert(Refused::Memory { wanted, limit: self.limit });
            return Ok(false);
        }
        self.bytes = wanted;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let wanted = self.entries + (desired - current) as u64;
        if wanted > self.tables {
            self.refused.get_or_insert(Refused::Table { wanted, limit: self.tables });
            return Ok(false);
        }
        self.entries = wanted;
        Ok(true)
    }

    // A pool refuses more than these by itself. They are for a machine without the address space for one.

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
}
