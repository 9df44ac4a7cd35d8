//! The compiling process: the server's end of it, and its own.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getpriority_process, getrlimit, setpriority_process, setrlimit};
use sandbar_processor::NICENESS;
use sandbar_text::beginning;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::Compiler;
use super::folder::{self, IMPORTS_BYTES};
use crate::binary::Binary;
use crate::error::{CompileError, LoadError, short};
use crate::features::Tasks;
use crate::imports::Imports;
use crate::pools;
use crate::script;

/// Processor time of one process: for one third-party component, or for all bundled ones. A Python interpreter or a JavaScript
/// engine takes 15 s.
const CPU: Duration = Duration::from_secs(60);

/// Wall-clock time of a process. For this long at most, a third-party component holds slots that calls could have, and other
/// components wait; running calls go on.
const TIME: Duration = Duration::from_secs(300);

/// Bytes of one file that the process may write: a compiled component.
const FILE_BYTES: u64 = 256 * 1024 * 1024;

/// Bytes of address space beyond the limit of memory: the binary itself, stacks, and reservations that are never used.
const ADDRESSES: u64 = 1024 * 1024 * 1024;

/// Each further thread compiles less, and has memory of its own.
const THREADS: usize = 4;

/// Settings of jemalloc for a process with little memory: free pages go back at once, and no address space is kept. By default a
/// large component takes half as much again.
const ALLOCATOR: (&str, &str) = ("_RJEM_MALLOC_CONF", "retain:false,narenas:1,dirty_decay_ms:0,muzzy_decay_ms:0");

/// Bytes of a reply about one component, without its imports: more than the server shows.
const WORDS: usize = 4096;

/// The file for the standard error of a process.
const LAST_WORDS: &str = "last-words";

/// What one process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Bytes of memory; none: unlimited.
    pub memory: Option<u64>,
}

/// Header of one component, sent before its bytes.
#[derive(Serialize, Deserialize)]
struct Request {
    name: String,
    bytes: u64,
    /// Whether it is the engine of scripts, which begins before it is compiled.
    begins: bool,
}

/// The outcome for one component.
#[derive(Serialize, Deserialize)]
enum Reply {
    /// It is stored in the process's folder, under its name.
    Compiled(Imports),
    /// It cannot be compiled; why.
    Refused(String),
    /// There was too little memory.
    NoMemory,
    /// The compiler's result is not where it is expected.
    NotKept,
}

/// Compiles components in a process, one after the other until one fails, and takes over the results. Each comes with the name of
/// its entry in the folder.
pub(crate) async fn compile(
    Compiler { program, folder }: &Compiler,
    components: &[(String, Binary)],
    bounds: CompileLimits,
) -> Result<(), CompileError> {
    if components.is_empty() {
        return Ok(());
    }
    let now = |error: io::Error| CompileError::Now(format!("{}: {error}", folder.path().display()));
    let scratch = folder.scratch().map_err(now)?;
    let last_words = scratch.path().join(LAST_WORDS);
    let mut command = Command::new(program);
    command.env_clear().arg("compile-process").arg(scratch.path());
    if let Some(memory) = bounds.memory {
        command.arg(memory.to_string()).env(ALLOCATOR.0, ALLOCATOR.1);
    }
    command.kill_on_drop(true).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(std::fs::File::create(&last_words).map_err(now)?);
    let mut child = command.spawn().map_err(|error| CompileError::Now(format!("no process can be started: {error}")))?;
    let conversation = async {
        let mut pipes = Pipes::with(&mut child).ok_or_else(|| CompileError::Now("the process has no pipes".to_owned()))?;
        for (name, component) in components {
            let Ok(reply) = pipes.request(name, component).await else { return Ok(false) };
            match reply {
                Reply::Compiled(imports) => folder.take(scratch.path(), name, &imports).map_err(now)?,
                Reply::Refused(words) => return Err(CompileError::Refused(short(words))),
                Reply::NoMemory => {
                    let crashed = || CompileError::Crashed("it found no memory".to_owned());
                    return Err(bounds.memory.map_or_else(crashed, CompileError::Memory));
                }
                Reply::NotKept => {
                    return Err(CompileError::Now(format!(
                        "what it is compiled to cannot be written to {}; is there room?",
                        folder.path().display()
                    )));
                }
            }
        }
        Ok(true)
    };
    let outcome = tokio::time::timeout(TIME, conversation).await.map_err(|_| CompileError::Time(TIME))?;
    if outcome? {
        return Ok(());
    }
    // The process has closed its end of the pipes, so it has ended or is about to.
    let ended = tokio::time::timeout(TIME, child.wait()).await.map_err(|_| CompileError::Time(TIME))?;
    let said = sandbar_files::read_beginning(&last_words, 4096).unwrap_or_default();
    let ended = ended.map_err(|error| CompileError::Now(format!("its process cannot be waited for: {error}")))?;
    Err(explain(ended, &String::from_utf8_lossy(&said), bounds))
}

/// The pipes to a process.
struct Pipes<'c> {
    to: &'c mut ChildStdin,
    from: tokio::io::BufReader<&'c mut ChildStdout>,
}

impl<'c> Pipes<'c> {
    fn with(child: &'c mut Child) -> Option<Self> {
        let (to, from) = (child.stdin.as_mut()?, child.stdout.as_mut()?);
        Some(Self { to, from: tokio::io::BufReader::new(from) })
    }

    /// Sends one component and waits for the outcome.
    async fn request(&mut self, name: &str, component: &Binary) -> io::Result<Reply> {
        let bytes: &[u8] = component;
        let request = Request { name: name.to_owned(), bytes: bytes.len() as u64, begins: component.is_engine() };
        let mut request = serde_json::to_vec(&request)?;
        request.push(b'\n');
        self.to.write_all(&request).await?;
        self.to.write_all(bytes).await?;
        self.to.flush().await?;
        let mut line = Vec::new();
        (&mut self.from).take(2 * IMPORTS_BYTES as u64).read_until(b'\n', &mut line).await?;
        Ok(serde_json::from_slice(&line)?)
    }
}

/// Why a process has ended early. A limit ends it by a signal, or by a failed allocation, which Rust's runtime reports before it
/// aborts.
fn explain(ended: ExitStatus, said: &str, bounds: CompileLimits) -> CompileError {
    const SIGABRT: i32 = 6;
    const SIGKILL: i32 = 9;
    const SIGXCPU: i32 = 24;
    const SIGXFSZ: i32 = 25;
    let no_memory = ["memory allocation of", "Cannot allocate memory", "Resource temporarily unavailable"];
    match (ended.signal(), bounds.memory) {
        (Some(SIGXCPU), _) => CompileError::Cpu(CPU),
        (Some(SIGXFSZ), _) => CompileError::Size(FILE_BYTES),
        (Some(SIGABRT), _) if said.contains("has overflowed its stack") => CompileError::Depth,
        // Nobody else sends it but the kernel, when the container is out of memory.
        (Some(SIGKILL), Some(memory)) => CompileError::Memory(memory),
        (_, Some(memory)) if no_memory.iter().any(|words| said.contains(words)) => CompileError::Memory(memory),
        _ => CompileError::Crashed(ended.to_string()),
    }
}

/// The process's main function: compiles components from standard input into `folder`. It exits when its input ends, even during
/// a compilation: nobody waits for that any more, as when the server was killed.
pub fn run(folder: &Path, bounds: CompileLimits) -> io::Result<()> {
    bound(bounds)?;
    let threads = std::thread::available_parallelism().map_or(1, |all| all.get().min(THREADS));
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(io::Error::other)?;
    let process = CompilerProcess::new(folder).map_err(|error| io::Error::other(format!("{error:#}")))?;
    let (hand_over, components) = mpsc::sync_channel(0);
    let folder = folder.to_owned();
    std::thread::Builder::new().name("requests".to_owned()).spawn(move || {
        let mut requests = BufReader::new(io::stdin());
        loop {
            match next(&mut requests) {
                Ok(None) => {
                    // A server that lives has taken its results; for one that does not they are useless.
                    let _ = std::fs::remove_dir_all(&folder);
                    std::process::exit(0);
                }
                Ok(Some(component)) => drop(hand_over.send(Ok(component))),
                Err(error) => return drop(hand_over.send(Err(error))),
            }
        }
    })?;
    let mut replies = io::stdout().lock();
    for component in components {
        let (Request { name, begins, .. }, component) = component?;
        let mut reply = serde_json::to_vec(&process.compile(&name, &component, begins))?;
        reply.push(b'\n');
        replies.write_all(&reply)?;
        replies.flush()?;
    }
    Ok(())
}

/// The next component and its header; none at the end.
fn next(requests: &mut impl BufRead) -> io::Result<Option<(Request, Vec<u8>)>> {
    let mut line = Vec::new();
    if requests.take(WORDS as u64).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let request: Request = serde_json::from_slice(&line)?;
    let mut component = vec![0; usize::try_from(request.bytes).map_err(io::Error::other)?];
    requests.read_exact(&mut component)?;
    Ok(Some((request, component)))
}

/// Limits this process, before it reads untrusted bytes.
fn bound(bounds: CompileLimits) -> io::Result<()> {
    // If memory runs out all the same, the kernel is to end this process first. The file does not exist everywhere.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let limit = |resource, most: u64, grace: u64| {
        // The server may run under a lower hard limit, which nobody may raise.
        let ceiling = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        // With one limit for both, the kernel sends no SIGXCPU, which names the cause.
        let current = most.min(ceiling.saturating_sub(grace));
        let limit = Rlimit { current: Some(current), maximum: Some(most.saturating_add(grace).min(ceiling)) };
        setrlimit(resource, limit)
    };
    limit(Resource::Core, 0, 0)?;
    limit(Resource::Fsize, FILE_BYTES, 0)?;
    // The hard limit comes seconds later, for a process that ignores the signal of the soft one.
    limit(Resource::Cpu, CPU.as_secs(), 5)?;
    if let Some(memory) = bounds.memory {
        // Third-party components get the priority of guests that compute for long. Bundled ones do not, since the start waits for
        // them. Priority cannot be raised, so a server with a lower one keeps it; where lowering is forbidden, the process
        // competes as an equal.
        let _ = getpriority_process(None).and_then(|nice| setpriority_process(None, nice.max(NICENESS)));
        // macOS refuses the one and keeps to neither, so there its time is what bounds it.
        if cfg!(target_os = "linux") {
            limit(Resource::Data, memory, 0)?;
            limit(Resource::As, memory.saturating_add(ADDRESSES), 0)?;
        }
    }
    Ok(())
}

/// The compiling process.
struct CompilerProcess {
    folder: PathBuf,
    engines: BTreeMap<Tasks, Engines>,
}

struct Engines {
    compiles: wasmtime::Engine,
    /// Has the settings of the server's engines, and so the names that their cache uses.
    loads: wasmtime::Engine,
}

impl CompilerProcess {
    fn new(folder: &Path) -> anyhow::Result<Self> {
        let engine = |config: &wasmtime::Config| wasmtime::Engine::new(config).map_err(|error| anyhow::anyhow!("{error:#}"));
        let cache = pools::open_cache(folder)?;
        let engines = Tasks::ALL.map(|tasks| -> anyhow::Result<_> {
            let mut config = pools::config(tasks);
            config.cache(Some(cache.clone()));
            let compiles = engine(&config)?;
            config.enable_compiler(false);
            Ok((tasks, Engines { compiles, loads: engine(&config)? }))
        });
        Ok(Self { folder: folder.to_owned(), engines: engines.into_iter().collect::<anyhow::Result<_>>()? })
    }

    fn compile(&self, name: &str, component: &[u8], begins: bool) -> Reply {
        let imports = match if begins { Imports::of_engine(component) } else { Imports::of(component) } {
            Ok(imports) => imports,
            Err(error) => return Reply::Refused(text(&error)),
        };
        let written = serde_json::to_vec(&imports).map_or(usize::MAX, |text| text.len());
        if written > IMPORTS_BYTES {
            return Reply::Refused(text(&LoadError::Names { bytes: written, most: IMPORTS_BYTES }));
        }
        let begun = match begins.then(|| script::begun(component)).transpose() {
            Ok(begun) => begun,
            Err(error) => return Reply::Refused(text(&format_args!("{error:#}"))),
        };
        let compiled = begun.as_deref().unwrap_or(component);
        let Engines { compiles, loads } = &self.engines[&Tasks::of(component)];
        if let Err(error) = wasmtime::component::Component::new(compiles, compiled) {
            let words = text(&format_args!("{error:#}"));
            let no_memory = error.is::<wasmtime::OutOfMemory>() || words.contains("Cannot allocate memory");
            return if no_memory { Reply::NoMemory } else { Reply::Refused(text(&LoadError::Malformed(words))) };
        }
        // What an engine has become when it has begun, it is compiled to: the server knows it as it was.
        let [from, to] = &[folder::name(compiles, compiled), folder::name(loads, component)];
        match folder::rename(&self.folder, from, to) {
            Some(()) if to == name => Reply::Compiled(imports),
            _ => Reply::NotKept,
        }
    }
}

/// Cut to what the server shows.
fn text(words: &impl std::fmt::Display) -> String {
    beginning(words, WORDS).0
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use sandbar_policy::Limits;

    use super::folder::Folder;
    use super::*;
    use crate::{Artifact, Engine, EngineOptions, Slots};

    /// A tool with so many tables.
    fn with_tables(count: u32) -> Binary {
        let tables: String = (0..count).map(|n| format!("(core instance $table{n} (instantiate $table))")).collect();
        let text = format!(
            r#"(component (core module $table (table 1 funcref)) {tables}
                (core module $m (memory (export "m") 1) (func (export "f") (result i32) unreachable))
                (core instance $i (instantiate $m)) (alias core export $i "m" (core memory $m))
                (func $manifest (result string) (canon lift (core func $i "f") (memory $m)))
                (instance $tools (export "manifest" (func $manifest)))
                (export "sandbar:tool/tools@0.1.0" (instance $tools)))"#
        );
        Binary::new(wat::parse_str(&text).unwrap_or_else(|error| panic!("{text}: {error}")))
    }

    #[tokio::test]
    async fn what_takes_more_than_a_slot_has_is_told_so_and_not_compiled_again() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = Arc::new(Folder::kept(&root.path().join("cache")).expect("made"));
        // Whatever asks for a process fails.
        let compiler = Compiler { program: root.path().join("no such program"), folder: folder.clone() };
        let Limits { memory, stack, .. } = Limits::default();
        let options = EngineOptions { slots: Slots::for_memory(0, memory), memory, stack, compiler: Some(compiler) };
        let engine = Engine::new(&options).expect("an engine");
        let load = |binary: &Binary| Artifact::load(&engine, "t", binary, stack);
        let entry = |binary: &Binary| folder::name(&engine.of(binary, stack).expect("there"), binary);
        // What the process does, and what the server does with that.
        let compile = |binary: &Binary| {
            let scratch = folder.scratch().expect("made");
            let reply = CompilerProcess::new(scratch.path()).expect("engines").compile(&entry(binary), binary, false);
            let Reply::Compiled(imports) = reply else { panic!("{}", serde_json::json!(reply)) };
            folder.take(scratch.path(), &entry(binary), &imports).expect("taken");
        };

        let [fitting, greedy] = [pools::TABLES, pools::TABLES + 1].map(with_tables);
        for binary in [&fitting, &greedy] {
            assert!(load(binary).expect("a component").is_none(), "it is not compiled yet");
            compile(binary);
        }
        assert!(load(&fitting).expect("within its share").is_some());
        for _ in 0..2 {
            let refused = load(&greedy).map(drop).expect_err("more than its share").to_string();
            assert!(refused.contains("17 tables"), "{refused}");
            assert_eq!(engine.compile(greedy.clone()).await, Ok(()), "there is nothing to compile");
        }

        // What is only damaged is compiled again.
        let version = fs::read_dir(folder.path().join("modules")).expect("there").next().expect("one").expect("there").path();
        fs::write(version.join(entry(&greedy)), "damaged").expect("written");
        assert!(load(&greedy).expect("a component").is_none());
        assert!(matches!(engine.compile(greedy.clone()).await, Err(CompileError::Now(_))));
    }
}
