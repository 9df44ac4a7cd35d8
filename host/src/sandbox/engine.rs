//! The engine: what compiles components, and how many calls run.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::error::CallError;
use super::pools::{Options, Pools};
use super::queue::Queue;
use super::ticker::{Ticker, Ticking};
use crate::processor::{Processors, lower_priority};

/// How long a call waits for a slot before it is told that the server is busy: longer than a burst of ordinary calls takes, short
/// enough that a model still gets an answer.
const SLOT_WAIT: Duration = Duration::from_secs(5);

/// When a client that was told "busy" should try again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Compiles components and runs their calls.
pub struct Engine {
    pools: Arc<Pools>,
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
    /// Sets up the engine, the pool of those components that have the stack of `options`, and the clock.
    pub fn new(options: &Options) -> anyhow::Result<Self> {
        // Calls go before compiling. There is one such pool for the process, so a second engine finds it made.
        let _ = rayon::ThreadPoolBuilder::new().start_handler(|_| lower_priority()).build_global();
        let pools = Arc::new(Pools::new(options)?);
        let ticking = pools.clone();
        Ok(Self {
            ticker: Ticker::start(move || ticking.advance()).context("the epoch thread cannot be started")?,
            pools,
            slots: Arc::new(Semaphore::new(options.slots.count())),
            slot_count: options.slots.count(),
            processors: Processors::all_but_one(),
        })
    }

    /// Where components with so many bytes of stack are compiled and run.
    pub(super) fn with_stack(&self, bytes: u64) -> anyhow::Result<wasmtime::Engine> {
        self.pools.with_stack(bytes)
    }

    /// The processors that calls which compute for long share.
    pub(crate) fn processors(&self) -> &Processors {
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
