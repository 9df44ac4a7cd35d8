//! Where instances live: a pool for each size of stack that components have, each with a wasmtime engine of its own, since wasmtime has
//! the stack as a property of an engine. Mostly there is one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use wasmtime::{Cache, CacheConfig, Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::compile::Compiler;
use super::features;
use super::slots::Slots;
use crate::policy::MOST_TABLES;

/// Bytes of a slot's memory that stay resident between two calls: what a Rust guest touches, so that the next one faults no pages.
const KEEP_RESIDENT: usize = 1024 * 1024;

/// Core instances, memories and tables that one component may have: a Rust component has three, one and two of them, a composed one
/// a multiple, an interpreter with its libraries some dozens of instances around one memory. There is room for as many in every
/// slot, or one component of many parts would take the room of others.
pub(super) const CORE_INSTANCES: u32 = 64;
pub(super) const MEMORIES: u32 = 8;
pub(super) const TABLES: u32 = 16;

/// Bytes of one component's instance metadata; the largest known component (a Python interpreter) needs a quarter of it.
const INSTANCE_METADATA: usize = 1024 * 1024;

/// Bytes of a stack beyond the component's part, for the host functions that it calls.
const HOST_STACK: usize = 1536 * 1024;

/// How an engine is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many calls run at once.
    pub slots: Slots,
    /// The largest linear memory that any call may have, in bytes.
    pub memory: u64,
    /// The stack of a call whose component has no other, in bytes.
    pub stack: u64,
    /// Who compiles components.
    pub compiler: Compiler,
}

/// The pools that there are by now.
pub(super) struct Pools {
    slots: Slots,
    memory: u64,
    stack: u64,
    /// Where compiled components are found. Without it the engines compile.
    cache: Option<Cache>,
    by_stack: Mutex<BTreeMap<u64, wasmtime::Engine>>,
}

impl Pools {
    /// One pool, of the stack in `options`.
    pub(super) fn new(options: &Options) -> anyhow::Result<Self> {
        let pools = Self {
            slots: options.slots,
            memory: options.memory,
            stack: options.stack,
            cache: options.compiler.folder().map(|folder| open_cache(folder.path())).transpose()?,
            by_stack: Mutex::default(),
        };
        pools.with_stack(options.stack)?;
        Ok(pools)
    }

    /// The engine for components with so many bytes of stack. Made when the first of them is loaded, and kept: what it reserves is
    /// address space.
    pub(super) fn with_stack(&self, bytes: u64) -> anyhow::Result<wasmtime::Engine> {
        if let Some(engine) = self.by_stack().get(&bytes) {
            return Ok(engine.clone());
        }
        // Not under the lock, which the clock needs. Whoever is second uses what the first has made.
        let engine = self.pooled_or_plain(usize::try_from(bytes).unwrap_or(usize::MAX))?;
        Ok(self.by_stack().entry(bytes).or_insert(engine).clone())
    }

    /// The engine of the stack that was first asked for: what a component is compiled to is the same for all of them.
    pub(super) fn any(&self) -> anyhow::Result<wasmtime::Engine> {
        self.with_stack(self.stack)
    }

    /// Moves the epoch of all of them on.
    pub(super) fn advance(&self) {
        self.by_stack().values().for_each(wasmtime::Engine::increment_epoch);
    }

    fn by_stack(&self) -> MutexGuard<'_, BTreeMap<u64, wasmtime::Engine>> {
        self.by_stack.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A pool makes a fresh instance three times cheaper, but reserves 4 GiB of address space for each memory. Where the machine has
    /// not got that (a small virtual address space, a ulimit), instances are made on demand.
    fn pooled_or_plain(&self, stack: usize) -> anyhow::Result<wasmtime::Engine> {
        let mut config = self.config(stack);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(self.pool()));
        match wasmtime::Engine::new(&config) {
            Ok(engine) => Ok(engine),
            Err(error) => {
                tracing::warn!("no pool of instances: {error:#}; each call makes its own, which takes some 20 us more");
                config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
                wasmtime::Engine::new(&config).map_err(|error| anyhow::anyhow!("wasmtime cannot be started: {error:#}"))
            }
        }
    }

    fn config(&self, stack: usize) -> Config {
        let mut config = config();
        config.max_wasm_stack(stack);
        config.async_stack_size(stack.saturating_add(HOST_STACK));
        // Not by mistake either: what is not in the cache is compiled by another process.
        config.enable_compiler(self.cache.is_none());
        config.cache(self.cache.clone());
        config
    }

    fn pool(&self) -> PoolingAllocationConfig {
        let slots = u32::try_from(self.slots.count()).unwrap_or(u32::MAX);
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(slots)
            .total_stacks(slots)
            .max_core_instances_per_component(CORE_INSTANCES)
            .total_core_instances(slots.saturating_mul(CORE_INSTANCES))
            .max_memories_per_component(MEMORIES)
            .total_memories(slots.saturating_mul(MEMORIES))
            .max_tables_per_component(TABLES)
            .total_tables(slots.saturating_mul(TABLES))
            .max_component_instance_size(INSTANCE_METADATA)
            .max_core_instance_size(INSTANCE_METADATA)
            .max_memory_size(usize::try_from(self.memory).unwrap_or(usize::MAX))
            .table_elements(MOST_TABLES as usize)
            .linear_memory_keep_resident(KEEP_RESIDENT)
            .table_keep_resident(4096)
            .pagemap_scan(Enabled::Auto);
        pool
    }
}

/// What the engines that run components have in common with the one that compiles them.
pub(super) fn config() -> Config {
    let mut config = Config::new();
    features::choose(&mut config);
    config.epoch_interruption(true);
    config
}

/// Wasmtime's cache in a folder.
pub(super) fn open_cache(folder: &Path) -> anyhow::Result<Cache> {
    let mut config = CacheConfig::new();
    config.with_directory(folder);
    Cache::new(config)
        .map_err(|error| anyhow::anyhow!("{error:#}"))
        .with_context(|| format!("the folder of compiled components {} cannot be used", folder.display()))
}
