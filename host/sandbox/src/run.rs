//! One call: a fresh instance, its limits, and the outcome.

use std::pin::pin;
use std::sync::Arc;

use sandbar_policy::{Account, Budget, Limits};
use sandbar_processor::{Failed, yield_cpu};
use sandbar_spans::Part;
use wasmtime::{Store, Trap, UpdateDeadline, WasmBacktrace};

use super::component::{Component, Exports};
use super::crash;
use super::engine::{Engine, Slot};
use super::error::CallError;
use super::logging::log_line;
use super::memory::Refused;
use super::queue::Queue;
use super::state::StoreData;

/// What a component is asked for: one of its exported functions, with what it is given.
#[derive(Clone, Debug)]
pub enum Ask {
    /// What it serves and what it asks for.
    Manifest,
    /// To run a tool.
    Tool {
        /// The tool's name.
        name: String,
        /// Its arguments, as JSON.
        arguments: String,
    },
    /// To fill in a prompt.
    Prompt {
        /// The prompt's name.
        name: String,
        /// Its arguments, as JSON.
        arguments: String,
    },
    /// To read a resource.
    Resource {
        /// Which one.
        uri: String,
    },
}

/// A component's answer, or its failure in its own words.
pub type GuestResult = Result<String, String>;

impl<T: Send + 'static> Component<T> {
    /// The name that it was loaded under.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Calls the component's `manifest`: the tools that it serves. Its time begins, with the budget and the data that `begin` makes, when
    /// there is a slot. It is the server that asks.
    pub async fn manifest(&self, engine: &Engine, begin: impl FnOnce() -> (Arc<Budget>, T)) -> Result<String, CallError> {
        let slot = engine.slot(&[&self.queue], &Account::Operator).await?;
        let (budget, data) = begin();
        let (component, in_call) = (self.clone(), budget.clone());
        let asking = async move { component.ask(in_call, data, Ask::Manifest).await?.map_err(CallError::Script) };
        self.run_in(slot, engine, &budget, asking).await
    }

    /// Runs a whole call, the guest and the host's work for it, once there is a slot: within its time, on its own processor time.
    /// The slot is held until the work has ended, even if the caller has gone. Dropping the future stops the work. `others` are the queues
    /// that the call stands in before that of its component, the narrowest first: whoever waits in it takes no turn of a wider one.
    pub async fn run<R, F>(&self, engine: &Engine, others: &[Queue], budget: &Budget, work: F) -> Result<R, CallError>
    where
        R: Send + 'static,
        F: Future<Output = Result<R, CallError>> + Send + 'static,
    {
        let queues: Vec<&Queue> = others.iter().chain([&self.queue]).collect();
        let waiting = budget.enter(|| Part::Wait);
        let slot = engine.slot(&queues, budget.account()).await?;
        drop(waiting);
        self.run_in(slot, engine, budget, work).await
    }

    async fn run_in<R, F>(&self, slot: Slot, engine: &Engine, budget: &Budget, work: F) -> Result<R, CallError>
    where
        R: Send + 'static,
        F: Future<Output = Result<R, CallError>> + Send + 'static,
    {
        let _instance = budget.enter(|| Part::Instance);
        let call = async move {
            let _slot = slot;
            work.await
        };
        let running = pin!(engine.processors().run(budget.meter(), &self.estimate, call));
        match tokio::time::timeout_at(budget.deadline().into(), running).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(Failed)) => {
                tracing::error!(component = %self.name, "the host failed in a call");
                Err(CallError::Host)
            }
            Err(_) => Err(CallError::Time(budget.limits().time)),
        }
    }

    /// Calls one of its exports, inside [`Self::run`]. Imported functions work on `data`.
    pub async fn ask(&self, budget: Arc<Budget>, data: T, ask: Ask) -> Result<GuestResult, CallError> {
        let most = budget.limits().result;
        let mut store = store(self, budget, data);
        let outcome = in_store(self, &mut store, ask).await;
        let outcome = outcome.map_err(|error| explain(self, &store, &error));
        drop(store);
        match outcome? {
            Ok(answer) | Err(answer) if answer.len() as u64 > most => Err(CallError::Result { limit: most }),
            answer => Ok(answer),
        }
    }
}

async fn in_store<T: Send + 'static>(
    component: &Component<T>,
    store: &mut Store<StoreData<T>>,
    ask: Ask,
) -> wasmtime::Result<GuestResult> {
    let instance = component.pre.instantiate_async(&mut *store).await?;
    if let Some(script) = &component.script
        && let Err(words) = script.begin(&mut *store, &instance).await?
    {
        return Ok(Err(words));
    }
    let Exports { tools, prompts, resources } = &component.exports;
    let missing = |name: &str| wasmtime::Error::msg(format!("it does not export {name}"));
    match ask {
        Ask::Manifest => {
            // What is wrong with the types of the others is found now, and not by whoever asks for them.
            prompts.as_ref().map(|prompts| prompts.load(&mut *store, &instance)).transpose()?;
            resources.as_ref().map(|resources| resources.load(&mut *store, &instance)).transpose()?;
            tools.load(&mut *store, &instance)?.call_manifest(store).await.map(Ok)
        }
        Ask::Tool { name, arguments } => tools.load(&mut *store, &instance)?.call_call(store, &name, &arguments).await,
        Ask::Prompt { name, arguments } => {
            let prompts = prompts.as_ref().ok_or_else(|| missing("prompts"))?.load(&mut *store, &instance)?;
            prompts.call_get(store, &name, &arguments).await
        }
        Ask::Resource { uri } => {
            let resources = resources.as_ref().ok_or_else(|| missing("resources"))?.load(&mut *store, &instance)?;
            resources.call_read(store, &uri).await
        }
    }
}

/// A store with every limit in place.
fn store<T: Send + 'static>(component: &Component<T>, budget: Arc<Budget>, data: T) -> Store<StoreData<T>> {
    let mut store = Store::new(component.pre.engine(), StoreData::new(component.name.clone(), budget.clone(), data));
    let limits = budget.limits();
    store.limiter(|state| &mut state.memory);
    store.set_max_component_handles(usize::try_from(limits.handles).unwrap_or(usize::MAX));
    store.set_hostcall_fuel(usize::try_from(limits.result.saturating_add(limits.passed)).unwrap_or(usize::MAX));
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        // The deadline is checked here, too: the runtime that keeps it may be late on a busy machine.
        if budget.is_over() {
            return Ok(UpdateDeadline::Interrupt);
        }
        let meter = budget.meter();
        if meter.is_alone() {
            yield_cpu();
        }
        Ok(if meter.is_due() { UpdateDeadline::Yield(1) } else { UpdateDeadline::Continue(1) })
    });
    store
}

/// Logs where a guest crashed. Function names are the guest's words, so they count against its quota of log.
fn log_crash(component: &str, budget: &Budget, error: &wasmtime::Error) {
    if let Some(words) = log_line(component, budget, crash::describe(error), crash::DESCRIPTION_BYTES) {
        tracing::warn!(component, "a tool crashed: {words}");
    }
}

/// Names the limit or fault that ended a guest.
fn explain<T>(component: &Component<T>, store: &Store<StoreData<T>>, error: &wasmtime::Error) -> CallError {
    let budget = &store.data().budget;
    let limits: &Limits = budget.limits();
    let trap = error.downcast_ref::<Trap>();
    if trap == Some(&Trap::Interrupt) {
        return if budget.meter().is_over(limits.cpu) { CallError::Cpu(limits.cpu) } else { CallError::Time(limits.time) };
    }
    if trap == Some(&Trap::StackOverflow) {
        return CallError::Stack { limit: limits.stack };
    }
    match store.data().memory.refused() {
        Some(Refused::Memory { wanted, limit }) => return CallError::Memory { wanted, limit },
        Some(Refused::Table { wanted, limit }) => return CallError::Table { wanted, limit },
        None => {}
    }
    // Without its context, which holds names from the guest.
    let text = error.root_cause().to_string();
    // wasmtime has no types for these two; tests hold the wording.
    if text.contains("fuel allocated for hostcalls") {
        // The error carries the guest's frames only while the guest runs; its result is read after it has returned.
        let in_guest = error.downcast_ref::<WasmBacktrace>().is_some_and(|trace| !trace.frames().is_empty());
        let limit = limits.result;
        return if in_guest {
            CallError::Passed { limit: limit.saturating_add(limits.passed) }
        } else {
            CallError::Result { limit }
        };
    }
    if text.contains("store handle limit exceeded") {
        return CallError::Handles { limit: limits.handles };
    }
    log_crash(&component.name, budget, error);
    CallError::Trap(trap.map_or_else(|| error.root_cause().to_string(), Trap::to_string))
}
