//! From a component's bytes to something that can be called.

use std::sync::Arc;

use sandbar_processor::CpuEstimate;
use wasmtime::component::{InstancePre, Linker};

use super::binary::Binary;
use super::bindings::exports::sandbar::tool::prompts::GuestIndices as PromptsIndices;
use super::bindings::exports::sandbar::tool::resources::GuestIndices as ResourcesIndices;
use super::bindings::exports::sandbar::tool::tools::GuestIndices as ToolsIndices;
use super::compile::{Compiler, entry_name};
use super::engine::Engine;
use super::error::{CompileError, LoadError, short};
use super::imports::{Imports, check_header};
use super::queue::Queue;
use super::script::{self, Script};
use super::state::StoreData;
use super::wasi;

/// A compiled component that is not linked with anything yet.
#[derive(Clone)]
pub struct Artifact {
    name: Arc<str>,
    digest: Arc<str>,
    /// What it asks for.
    imports: Arc<Imports>,
    /// What it is linked with.
    linked: Arc<Imports>,
    stack: u64,
    script: Option<Script>,
    compiled: wasmtime::component::Component,
}

/// What a component is compiled to. Cheap to clone.
#[derive(Clone)]
pub(super) struct Code {
    imports: Arc<Imports>,
    compiled: wasmtime::component::Component,
}

impl Code {
    /// What was compiled before, for `stack` bytes of stack; none if it was not. All scripts have one engine, which is loaded once.
    fn of(engine: &Engine, binary: &Binary, stack: u64) -> Result<Option<Self>, LoadError> {
        if !binary.is_engine() {
            return Self::load(engine, binary, stack);
        }
        if let Some(code) = engine.engines_of_scripts().get(&stack) {
            return Ok(Some(code.clone()));
        }
        let loaded = Self::load(engine, binary, stack)?;
        // Not under the lock while it is loaded. If two are, the first is used.
        Ok(loaded.map(|code| engine.engines_of_scripts().entry(stack).or_insert(code).clone()))
    }

    fn load(engine: &Engine, binary: &Binary, stack: u64) -> Result<Option<Self>, LoadError> {
        let wasmtime = engine.of(binary, stack)?;
        let loaded = |bytes: &[u8]| {
            let compiled = wasmtime::component::Component::new(&wasmtime, bytes);
            compiled.map_err(|error| LoadError::Malformed(short(format_args!("{error:#}"))))
        };
        let Some(Compiler { folder, .. }) = engine.compiler() else {
            let (imports, compiled) = if binary.is_engine() {
                let begun = script::begun(binary).map_err(|error| LoadError::Malformed(short(format_args!("{error:#}"))))?;
                (Imports::of_engine(binary)?, loaded(&begun)?)
            } else {
                (Imports::of(binary)?, loaded(binary)?)
            };
            return Ok(Some(Self { imports: Arc::new(imports), compiled }));
        };
        let entry = entry_name(&wasmtime, binary);
        let Some(imports) = folder.find(&entry).filter(Imports::are_known) else { return Ok(None) };
        match loaded(binary) {
            Ok(compiled) => {
                folder.loaded(&entry);
                Ok(Some(Self { imports: Arc::new(imports), compiled }))
            }
            // It asks for more than a slot has.
            Err(error) if engine.has_compiled(binary) => Err(error),
            Err(_) => {
                // Half of it may have been tidied away, or it is for another processor.
                folder.remove(&entry);
                Ok(None)
            }
        }
    }
}

/// A component that can be called. It is linked with what was granted and nothing else; in each call the host functions work on a
/// `T`.
pub struct Component<T: 'static> {
    pub(super) name: Arc<str>,
    pub(super) pre: InstancePre<StoreData<T>>,
    pub(super) exports: Exports,
    pub(super) queue: Queue,
    pub(super) estimate: CpuEstimate,
    /// What an instance evaluates first.
    pub(super) script: Option<Script>,
}

/// The interfaces that a component may export beside `tools`.
const PROMPTS: &str = "sandbar:tool/prompts@0.1.0";
const RESOURCES: &str = "sandbar:tool/resources@0.1.0";

/// Where a component has the interfaces that it exports.
#[derive(Clone)]
pub(super) struct Exports {
    pub(super) tools: ToolsIndices,
    pub(super) prompts: Option<PromptsIndices>,
    pub(super) resources: Option<ResourcesIndices>,
}

impl Exports {
    /// Each interface by itself, never a whole world: a later contract may add exports that this component lacks.
    fn of<T>(component: &InstancePre<StoreData<T>>) -> wasmtime::Result<Self> {
        let exports = |name: &str| component.component().get_export_index(None, name).is_some();
        Ok(Self {
            tools: ToolsIndices::new(component)?,
            prompts: exports(PROMPTS).then(|| PromptsIndices::new(component)).transpose()?,
            resources: exports(RESOURCES).then(|| ResourcesIndices::new(component)).transpose()?,
        })
    }
}

// Cheap, and without a bound on `T`.
impl<T> Clone for Component<T> {
    fn clone(&self) -> Self {
        let Self { name, pre, exports, queue, estimate, script } = self;
        let (name, pre, exports) = (name.clone(), pre.clone(), exports.clone());
        Self { name, pre, exports, queue: queue.clone(), estimate: estimate.clone(), script: script.clone() }
    }
}

impl<T> Component<T> {
    /// Where its calls wait for their turn.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Whether it exports the interface `prompts`.
    pub fn has_prompts(&self) -> bool {
        self.exports.prompts.is_some()
    }

    /// Whether it exports the interface `resources`.
    pub fn has_resources(&self) -> bool {
        self.exports.resources.is_some()
    }
}

/// An interface that a component may import. Its functions work on a `T` for each call.
pub struct Interface<T: 'static> {
    /// Package and name, without the version.
    pub name: &'static str,
    /// Adds its functions to a linker.
    pub link: fn(&mut Linker<StoreData<T>>) -> wasmtime::Result<()>,
}

/// Whether these are whole custom sections and nothing else.
fn are_custom(mut sections: &[u8]) -> bool {
    while let Some((0, rest)) = sections.split_first() {
        let mut reader = wasmparser::BinaryReader::new(rest, 0);
        let size = reader.read_var_u32().ok().and_then(|size| usize::try_from(size).ok());
        let Some(after) = size.and_then(|size| rest.get(reader.original_position()..)?.get(size..)) else { return false };
        sections = after;
    }
    sections.is_empty()
}

impl Artifact {
    /// Loads a component that was compiled before, for `stack` bytes of stack; none if it was not. `name` stands for it in logs
    /// and messages.
    pub fn load(engine: &Engine, name: &str, binary: &Binary, stack: u64) -> Result<Option<Self>, LoadError> {
        engine.compiler().ok_or(CompileError::Nowhere)?;
        Self::load_bundled(engine, name, binary, stack)
    }

    /// Reuses the compiled code of `before` for `after`. Returns whether it could: `after` must be `before` plus custom sections, which
    /// no compiler looks at, and the cache folder persistent.
    pub fn serves_for(engine: &Engine, before: &Binary, after: &Binary, stack: u64) -> bool {
        let Some(Compiler { folder, .. }) = engine.compiler().filter(|compiler| compiler.folder.is_kept()) else { return false };
        let only_describes = after.strip_prefix(&**before).is_some_and(are_custom);
        let entry = |binary: &Binary| engine.of(binary, stack).map(|wasmtime| entry_name(&wasmtime, binary));
        match (entry(before), entry(after)) {
            (Ok(from), Ok(to)) if only_describes => folder.alias(&from, &to).is_ok(),
            _ => false,
        }
    }

    /// Like [`Self::load`], for a bundled component, which is compiled in this process if there is no other way.
    pub fn load_bundled(engine: &Engine, name: &str, binary: &Binary, stack: u64) -> Result<Option<Self>, LoadError> {
        let Some(Code { imports: linked, compiled }) = Code::of(engine, binary, stack)? else { return Ok(None) };
        let (name, digest, script) = (name.into(), binary.digest().clone(), binary.runs().cloned());
        let imports = script.as_ref().map_or_else(|| linked.clone(), |_| Arc::new(script::asked(&linked)));
        Ok(Some(Self { name, digest, imports, linked, stack, script, compiled }))
    }

    /// Like [`Self::load`], but compiles it if need be. Takes milliseconds to seconds, and waits for the compilations before it.
    pub async fn compile(engine: &Engine, name: &str, binary: &Binary, stack: u64) -> Result<Self, LoadError> {
        check_header(binary)?;
        if let Some(artifact) = Self::load(engine, name, binary, stack)? {
            return Ok(artifact);
        }
        engine.compile(binary.clone()).await?;
        let lost = || CompileError::Now("what it was compiled to is gone again, or does not fit this engine".to_owned());
        Ok(Self::load(engine, name, binary, stack)?.ok_or_else(lost)?)
    }

    /// The name that it was loaded under.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// SHA-256 of its bytes, in hexadecimal.
    pub fn digest(&self) -> &Arc<str> {
        &self.digest
    }

    /// The bytes of stack that it was compiled for.
    pub fn stack(&self) -> u64 {
        self.stack
    }

    /// Whether it is a script, whose engine imports the whole contract whatever the script asks for.
    pub fn is_script(&self) -> bool {
        self.script.is_some()
    }

    /// What it imports and exports.
    pub fn imports(&self) -> &Imports {
        &self.imports
    }

    /// Links the component with the interfaces that were granted. Importing any other is an error. Its calls stand in
    /// `queue`.
    pub fn link<T: Send + 'static>(&self, granted: &[&Interface<T>], queue: Queue) -> Result<Component<T>, LoadError> {
        let link = |error: wasmtime::Error| LoadError::Link(short(format_args!("{error:#}")));
        let mut linker = Linker::<StoreData<T>>::new(self.compiled.engine());
        for name in self.linked.capabilities() {
            let granted = granted.iter().find(|interface| interface.name == name);
            let interface = granted.ok_or_else(|| LoadError::NotGranted(name.to_owned()))?;
            (interface.link)(&mut linker).map_err(link)?;
        }
        if !self.linked.wasi.is_empty() {
            wasi::add_to_linker(&mut linker).map_err(link)?;
        }
        if self.is_script() {
            script::add_to_linker(&mut linker).map_err(link)?;
        }
        let pre = linker.instantiate_pre(&self.compiled).map_err(link)?;
        let exports = Exports::of(&pre).map_err(link)?;
        let (name, script) = (self.name.clone(), self.script.clone());
        Ok(Component { name, pre, exports, queue, estimate: CpuEstimate::default(), script })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_that_only_describe_are_told_from_others() {
        let custom = b"\0\x09\x07versionx".as_slice();
        for sections in [b"".as_slice(), custom, &[custom, custom].concat(), b"\0\0", b"\0\x80\x00"] {
            assert!(are_custom(sections), "{sections:?}");
        }
        for sections in
            [b"\x01\0".as_slice(), &[custom, b"\x04\0"].concat(), &custom[..9], b"\0", b"\0\x80", b"\0\xff\xff\xff\xff\x0f"]
        {
            assert!(!are_custom(sections), "{sections:?}");
        }
    }
}
