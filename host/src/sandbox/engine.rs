//! The engine: how components are compiled, where instances live, and how many calls run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use wasmtime::{Cache, CacheConfig, Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::error::CallError;
use super::queue::Queue;
use super::slots::Slots;
use super::threads::Processors;
use super::ticker::{Ticker, Ticking};
use crate::policy::MOST_TABLES;

/// How long a call waits for a slot before it is told that the server is busy: longer than a burst of ordinary calls takes, short
/// enough that a model still gets an answer.
const SLOT_WAIT: Duration = Duration::from_secs(5);

/// When a client that was told "busy" should try again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Bytes of a slot's memory that stay resident between two calls: what a Rust guest touches, so that the next one faults no pages.
const KEEP_RESIDENT: usize = 1024 * 1024;

/// Core instances, memories and tables that one component may have: a Rust component has three, one and two of them, a composed one
/// a multiple, an interpreter with its libraries some dozens of instances around one memory. There is room for as many in every
/// slot, or one component of many parts would take the room of others.
const CORE_INSTANCES: u32 = 64;
const MEMORIES: u32 = 8;
const TABLES: u32 = 16;

/// Bytes of one component's instance metadata; the largest known component (a Python interpreter) needs a quarter of it.
const INSTANCE_METADATA: usize = 1024 * 1024;

/// Bytes of stack for wasm, and for a fiber that also runs host functions.
const WASM_STACK: usize = 512 * 1024;
const FIBER_STACK: usize = 2 * 1024 * 1024;

/// How an engine is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many calls run at once.
    pub slots: Slots,
    /// The largest linear memory that any call may have, in bytes.
    pub memory: u64,
    /// Where compiled components are kept; none: nowhere. The directory has to belong to this user alone: what lies in it is run.
    pub cache: Option<PathBuf>,
}

/// Compiles components and runs their calls.
pub struct Engine {
    wasmtime: wasmtime::Engine,
    ticker: Ticker,
    slots: Arc<Semaphore>,
    slot_count: usize,
    processors: Processors,
}

/// A slot that a running call holds.
pub(super) struct Slot {
    _turn: OwnedSemaphorePermit,
    _slot: OwnedSemaphorePermit,
    _ticking: Ticking,
}

impl Engine {
    /// Sets up the engine, its pool and its clock.
    pub fn new(options: &Options) -> anyhow::Result<Self> {
        let wasmtime = pooled_or_plain(options)?;
        Ok(Self {
            ticker: Ticker::start(&wasmtime).context("the epoch thread cannot be started")?,
            wasmtime,
            slots: Arc::new(Semaphore::new(options.slots.count())),
            slot_count: options.slots.count(),
            processors: Processors::all_but_one(),
        })
    }

    pub(super) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.wasmtime
    }

    /// The processors that guests which compute for long share.
    pub(super) fn processors(&self) -> &Processors {
        &self.processors
    }

    /// The queue of a component of which `calls` may run at once. By default that is half of the slots, so that no component can
    /// take them all.
    pub(super) fn queue(&self, calls: Option<u32>) -> Queue {
        let most = calls.map_or(self.slot_count.div_ceil(2), |calls| usize::try_from(calls).unwrap_or(usize::MAX));
        Queue::new(most.clamp(1, self.slot_count))
    }

    /// Waits for a slot, but not for long.
    pub(super) async fn slot(&self, queue: &Queue) -> Result<Slot, CallError> {
        let patience = Instant::now() + SLOT_WAIT;
        let turn = timeout_at(patience, queue.turn()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(CallError::ToolBusy { calls: queue.most(), retry_after: RETRY_AFTER });
        };
        match timeout_at(patience, self.slots.clone().acquire_owned()).await {
            Ok(Ok(slot)) => Ok(Slot { _turn: turn, _slot: slot, _ticking: self.ticker.run() }),
            Ok(Err(_)) | Err(_) => Err(CallError::Busy { slots: self.slot_count, retry_after: RETRY_AFTER }),
        }
    }
}

/// A pool makes a fresh instance three times cheaper, but reserves 4 GiB of address space for each memory. Where the machine has
/// not got that (a small virtual address space, a ulimit), instances are made on demand.
fn pooled_or_plain(options: &Options) -> anyhow::Result<wasmtime::Engine> {
    let mut config = config(options)?;
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(options)));
    match wasmtime::Engine::new(&config) {
        Ok(engine) => Ok(engine),
        Err(error) => {
            tracing::warn!("no pool of instances: {error:#}; each call makes its own, which takes some 20 us more");
            config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
            wasmtime::Engine::new(&config).map_err(|error| anyhow::anyhow!("wasmtime cannot be started: {error:#}"))
        }
    }
}

fn config(options: &Options) -> anyhow::Result<Config> {
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.epoch_interruption(true);
    config.max_wasm_stack(WASM_STACK);
    config.async_stack_size(FIBER_STACK);
    if let Some(directory) = &options.cache {
        config.cache(Some(open_cache(directory)?));
    }
    Ok(config)
}

fn open_cache(directory: &std::path::Path) -> anyhow::Result<Cache> {
    let mut config = CacheConfig::new();
    config.with_directory(directory);
    Cache::new(config).map_err(|error| anyhow::anyhow!("{error:#}")).with_context(|| {
        format!(
            "the compile cache {} cannot be used; name a directory that this user can write to with --cache-dir, or go without with --cache-dir none",
            directory.display()
        )
    })
}

fn pool(options: &Options) -> PoolingAllocationConfig {
    let slots = u32::try_from(options.slots.count()).unwrap_or(u32::MAX);
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
        .max_memory_size(usize::try_from(options.memory).unwrap_or(usize::MAX))
        .table_elements(MOST_TABLES as usize)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(4096)
        .pagemap_scan(Enabled::Auto);
    pool
}
