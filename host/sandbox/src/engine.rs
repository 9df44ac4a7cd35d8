//! The engine: the slots that calls run in, and compilation, which borrows the memory of slots.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use sandbar_policy::Account;
use sandbar_processor::{FairPermit, FairSemaphore, Processors, Share};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::binary::Binary;
use super::compile::{CompileLimits, Compiler, Folder, compile, entry_name};
use super::component::Code;
use super::error::{CallError, CompileError, LoadError};
use super::features::Tasks;
use super::pools::Pools;
use super::queue::{Line, Queue, Turn};
use super::slots::Slots;
use super::ticker::{Ticker, Ticking};

/// How long a call waits for a slot before it is told that the server is busy: longer than a burst of ordinary calls takes, short
/// enough that a model still gets an answer.
const SLOT_WAIT: Duration = Duration::from_secs(5);

/// When a client that was told "busy" should try again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The settings of an engine.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// How many calls run at once.
    pub slots: Slots,
    /// The largest linear memory that any call may have, in bytes.
    pub memory: u64,
    /// The stack of a call whose component has no other, in bytes.
    pub stack: u64,
    /// What compiles. Without one, since no folder can hold its results, this process does. No bound holds there, so it compiles
    /// bundled components alone.
    pub compiler: Option<Compiler>,
}

/// Runs the calls of components, and has them compiled.
pub struct Engine {
    pools: Arc<Pools>,
    ticker: Ticker,
    compiler: Option<Compiler>,
    /// What the engine of scripts is compiled to, by the bytes of stack.
    engines_of_scripts: std::sync::Mutex<BTreeMap<u64, Code>>,
    /// One component is compiled at a time.
    compiling: Mutex<()>,
    slots: FairSemaphore,
    size: Slots,
    /// Calls that wait for a turn or a slot.
    waiting: AtomicUsize,
    processors: Processors,
}

/// What is under way, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallsUnderWay {
    /// Calls that run.
    pub running: usize,
    /// Calls that wait for a turn among those of their component, or for a slot.
    pub waiting: usize,
    /// Calls that may run at once.
    pub slots: usize,
    /// Slots that are taken: by calls, and by the compiler, which borrows their memory.
    pub slots_taken: usize,
}

/// A call that waits, and is counted until this is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A slot that a running call holds.
pub(super) struct Slot {
    _turns: Vec<Turn>,
    _slot: FairPermit,
    _ticking: Ticking,
}

impl Engine {
    /// Sets up the engine, the pool for the default stack, and the epoch thread.
    pub fn new(options: &EngineOptions) -> anyhow::Result<Self> {
        let EngineOptions { slots, memory, stack, ref compiler } = *options;
        let pools = Arc::new(Pools::new(slots, memory, stack, compiler.as_ref().map(|compiler| compiler.folder.path()))?);
        let ticking = pools.clone();
        Ok(Self {
            ticker: Ticker::start(move || ticking.advance()).context("the epoch thread cannot be started")?,
            pools,
            compiler: compiler.clone(),
            engines_of_scripts: std::sync::Mutex::default(),
            compiling: Mutex::default(),
            // As many wait as there are turns in the queues of components.
            slots: FairSemaphore::new(Share::Half, slots.count(), usize::MAX),
            size: slots,
            waiting: AtomicUsize::new(0),
            processors: Processors::all_but_one(),
        })
    }

    /// The wasmtime engine for a component with `stack` bytes of stack.
    pub(super) fn of(&self, component: &[u8], stack: u64) -> Result<wasmtime::Engine, LoadError> {
        let tasks = Tasks::of(component);
        // The engine for the default stack and no tasks is there since the start, so it is one of these two.
        self.pools.engine(stack, tasks).map_err(|source| match self.pools.any(tasks) {
            Ok(_) => LoadError::Stack { stack, source },
            Err(source) => LoadError::NamesTasks(source),
        })
    }

    /// Whether a component is compiled, be it to more than a slot has room for.
    pub(super) fn has_compiled(&self, component: &[u8]) -> bool {
        let engine = self.pools.unpooled(Tasks::of(component));
        engine.and_then(|engine| wasmtime::component::Component::new(&engine, component)).is_ok()
    }

    /// The folder in which compiled components are kept, where there is one.
    pub fn folder(&self) -> Option<&Folder> {
        self.compiler.as_ref().map(|compiler| &*compiler.folder)
    }

    pub(super) fn engines_of_scripts(&self) -> MutexGuard<'_, BTreeMap<u64, Code>> {
        self.engines_of_scripts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn compiler(&self) -> Option<&Compiler> {
        self.compiler.as_ref()
    }

    /// Compiles those bundled components that are not compiled yet, in one process. They need little memory, and nothing is
    /// served without them, so they wait for no slot.
    pub async fn compile_bundled(&self, components: Vec<Binary>) -> Result<(), CompileError> {
        let Some(compiler) = &self.compiler else { return Ok(()) };
        let missing = self.missing(compiler, components).await?;
        compile(compiler, &missing, CompileLimits { memory: None }).await
    }

    /// Compiles a third-party component, unless it is compiled: one at a time, in the memory of slots that it holds meanwhile.
    pub async fn compile(&self, component: Binary) -> Result<(), CompileError> {
        let compiler = self.compiler.as_ref().ok_or(CompileError::Nowhere)?;
        let _turn = self.compiling.lock().await;
        let missing = self.missing(compiler, vec![component]).await?;
        let share = self.size.for_compiling();
        let mut room = Vec::new();
        for _ in 0..share.slots {
            // One by one: calls that come meanwhile do not wait until all of them are free.
            let slot = self.slots.acquire(&Account::Operator).await;
            room.push(slot.map_err(|_no_room| CompileError::Now("there are too many calls".to_owned()))?);
        }
        compile(compiler, &missing, CompileLimits { memory: Some(share.bytes) }).await
    }

    /// Those that are not compiled yet, each with the name of its entry in the folder. To hash and parse them takes a thread for
    /// what takes long.
    async fn missing(&self, compiler: &Compiler, components: Vec<Binary>) -> Result<Vec<(String, Binary)>, CompileError> {
        let (pools, folder) = (self.pools.clone(), compiler.folder.clone());
        let named = move |component: Binary| anyhow::Ok((entry_name(&pools.any(Tasks::of(&component))?, &component), component));
        let is_missing =
            move |named: &anyhow::Result<(String, Binary)>| !matches!(named, Ok((name, _)) if folder.find(name).is_some());
        let looking = spawn_blocking(move || components.into_iter().map(named).filter(is_missing).collect());
        looking.await.map_err(anyhow::Error::from).flatten().map_err(|error| CompileError::Now(format!("{error:#}")))
    }

    /// The processors that long-running calls share.
    pub fn processors(&self) -> &Processors {
        &self.processors
    }

    /// The queue of a component that runs `calls` at once: that of the component `before`, whose calls may still run, or else a new one.
    /// By default half of the slots are for it, so that no component can take them all.
    pub fn queue(&self, calls: Option<u32>, before: Option<&Queue>) -> Queue {
        let most = calls.map_or(half(self.size.count()), |calls| usize::try_from(calls).unwrap_or(usize::MAX));
        resized(before, Line::Component, most.clamp(1, self.size.count()))
    }

    /// The queue of one of several clusters: half of the slots are for it, so that one that does not answer leaves slots to the others.
    pub fn queue_of_cluster(&self) -> Queue {
        Queue::new(Line::Cluster, half(self.size.count()))
    }

    /// The queue of a component's calls to one of several clusters, `before` if they stood in one: half of the component's turns are for it,
    /// so that the component can go on elsewhere. Of one turn there is no half.
    pub fn queue_in_cluster(&self, component: &Queue, before: Option<&Queue>) -> Queue {
        resized(before, Line::ComponentInCluster, half(component.most()))
    }

    /// What is under way now.
    pub fn calls(&self) -> CallsUnderWay {
        CallsUnderWay {
            running: self.ticker.running(),
            waiting: self.waiting.load(Ordering::Relaxed),
            slots: self.size.count(),
            slots_taken: self.slots.taken(),
        }
    }

    /// Waits for a turn in each of these queues and then for a slot, up to [`SLOT_WAIT`].
    pub(super) async fn slot(&self, queues: &[&Queue], account: &Account) -> Result<Slot, CallError> {
        let _waiting = Waiting::begin(&self.waiting);
        let patience = Instant::now() + SLOT_WAIT;
        let mut turns = Vec::with_capacity(queues.len());
        for queue in queues {
            let turn = timeout_at(patience, queue.turn(account)).await.unwrap_or_else(|_late| Err(queue.why_not(account)));
            let busy = |why| CallError::QueueBusy { of: queue.of(), calls: queue.most(), why, retry_after: RETRY_AFTER };
            turns.push(turn.map_err(busy)?);
        }
        let slot =
            timeout_at(patience, self.slots.acquire(account)).await.unwrap_or_else(|_late| Err(self.slots.why_not(account)));
        let slot = slot.map_err(|why| CallError::Busy { slots: self.size.count(), why, retry_after: RETRY_AFTER })?;
        Ok(Slot { _turns: turns, _slot: slot, _ticking: self.ticker.run() })
    }
}

fn half(all: usize) -> usize {
    all.div_ceil(2)
}

/// The queue `before`, which runs `most` calls at once from now on, or else a new one.
fn resized(before: Option<&Queue>, of: Line, most: usize) -> Queue {
    match before {
        Some(queue) => {
            queue.resize(most);
            queue.clone()
        }
        None => Queue::new(of, most),
    }
}
