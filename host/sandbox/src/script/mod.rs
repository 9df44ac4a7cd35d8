//! Scripts: JavaScript that runs in an engine, which is a component like others. Each instance of the engine evaluates the script before it is
//! asked anything, so nothing of one call is there in the next.

use std::sync::Arc;

use wasmtime::component::{Instance, Linker, TypedFunc};
use wasmtime::{AsContextMut, Store};

use super::imports::Imports;
use super::state::StoreData;

pub(super) use begun::begun;

mod begun;

/// What makes a script's exports those of a component. It stands behind the script, so that lines keep their numbers.
const EPILOGUE: &str = r#"
;import * as $script from "componentize-qjs:user.js";
const { tools: $tools, prompts: $prompts, resources: $resources } = sandbarExports($script);
export { $tools as tools, $prompts as prompts, $resources as resources };
"#;

/// What the engine calls a script, in stacks.
const MODULE: &str = "componentize-qjs:user.js";

/// The interface by which the engine asks for modules of a script. There are none.
pub(super) const LOADER: &str = "local:init/module-loader";

/// The interface that a component asks for by importing it. The engine does, and its script does not by that.
const CALLER: &str = "sandbar:tool/caller";

/// A script. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// What stacks call it.
    name: Arc<str>,
    /// What tells its name to what it finds.
    named: Arc<str>,
    /// With what stands behind it.
    text: Arc<str>,
}

impl Script {
    pub(super) fn new(name: &str, text: &str) -> Self {
        let named = format!("globalThis.sandbarScript = {};", serde_json::Value::from(name));
        Self { name: name.into(), named: named.into(), text: format!("{text}{EPILOGUE}").into() }
    }

    /// Evaluates it in a new instance; else what is wrong with it.
    pub(super) async fn begin<T: Send + 'static>(
        &self,
        store: &mut Store<StoreData<T>>,
        instance: &Instance,
    ) -> wasmtime::Result<Result<(), String>> {
        let init = init(&mut *store, instance)?;
        let (outcome,) = init.call_async(store, (&self.named, &self.text, None, false)).await?;
        Ok(outcome.map_err(|words| self.explained(&words)))
    }

    /// The engine's words for what is wrong with it, less those about the engine.
    fn explained(&self, words: &str) -> String {
        let words = PREAMBLES.iter().fold(words.replace(MODULE, &self.name), |words, preamble| words.replacen(preamble, "", 1));
        format!("the script cannot be run: {}", words.trim_start())
    }
}

/// The export of the engine that evaluates a text, and then a script, which may have another name than [`MODULE`]; and whether to do without
/// the collection of garbage.
type Init<'a> = TypedFunc<(&'a str, &'a str, Option<&'a str>, bool), (Result<(), String>,)>;

fn init<'a>(store: impl AsContextMut, instance: &Instance) -> wasmtime::Result<Init<'a>> {
    instance.get_typed_func(store, "init")
}

/// What the engine says before what is wrong.
const PREAMBLES: [&str; 3] = [
    "Failed to declare JavaScript module:",
    "Failed to evaluate user JavaScript module:",
    "Failed to finish JavaScript module evaluation:",
];

/// What a script asks for, of what its engine imports.
pub(super) fn asked(engine: &Imports) -> Imports {
    let mut asked = engine.clone();
    asked.interfaces.remove(CALLER);
    asked
}

/// Whether an import is the engine's question for modules.
pub(super) fn is_loader(import: &str) -> bool {
    import == LOADER
}

/// Answers the engine's question for modules.
pub(super) fn add_to_linker<T: Send + 'static>(linker: &mut Linker<StoreData<T>>) -> wasmtime::Result<()> {
    let mut loader = linker.instance(LOADER)?;
    loader.func_wrap("resolve", |_, (_, name): (String, String)| {
        let own = name == MODULE;
        Ok((own.then_some(name).ok_or_else(|| "a script is one file, and there are no modules to import".to_owned()),))
    })?;
    loader.func_wrap("load", |_, (_,): (String,)| Ok((Err::<String, _>("there are no modules".to_owned()),)))
}
