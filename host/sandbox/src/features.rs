//! The features of WebAssembly that a component may use: those that the toolchains of tools emit, by name, and none by wasmtime's
//! default.

use wasmparser::{
    BinaryReader, BinaryReaderError, CanonicalFunction, CanonicalOption, ComponentFuncType, ComponentType,
    ComponentTypeDeclaration, InstanceTypeDeclaration, Parser, Payload,
};
use wasmtime::{Config, WasmFeatures};

use super::error::LoadError;

/// The features that are on. All others are off, also those that a later wasmtime adds.
pub(super) const ON: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::CALL_INDIRECT_OVERLONG)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::BULK_MEMORY_OPT)
    .union(WasmFeatures::FLOATS)
    // Of fixed width, with the same results on every processor. The C libraries under Python and JavaScript are built with it.
    .union(WasmFeatures::SIMD)
    // For modules that are linked at load time, as those of Python are.
    .union(WasmFeatures::EXTENDED_CONST)
    // Each part of a composed component has a memory, and the adapters between them copy from one to another.
    .union(WasmFeatures::MULTI_MEMORY)
    .union(WasmFeatures::COMPONENT_MODEL)
    // Components of QuickJS import functions for asynchronous tasks and never call them. No task can be started: see `check`.
    .union(WasmFeatures::CM_ASYNC);

/// How deep components and types nest at most. Those of toolchains and of composed components do in a handful of levels; wasmparser's
/// validator stops at as many levels of types.
pub(super) const DEPTH: usize = 100;

/// How a declaration of a type begins in binary form, and how the types do that have declarations of their own: of components and of instances.
const DECLARED_TYPE: u8 = 0x01;
const DECLARING_TYPES: [u8; 2] = [0x41, 0x42];

/// Whether a component names built-ins for asynchronous tasks. Few do, and wasmtime's bookkeeping for tasks takes a fifth of a
/// short call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tasks {
    Unnamed,
    Named,
}

impl Tasks {
    pub(super) const ALL: [Self; 2] = [Self::Unnamed, Self::Named];

    /// Whether this component does. The result does not matter for malformed ones, which are refused elsewhere.
    pub(super) fn of(component: &[u8]) -> Self {
        let names = |part: Payload<'_>| {
            let Payload::ComponentCanonicalSection(functions) = part else { return false };
            functions.into_iter().flatten().any(|function| {
                use CanonicalFunction as Function;
                !matches!(
                    function,
                    Function::Lift { .. }
                        | Function::Lower { .. }
                        | Function::ResourceNew { .. }
                        | Function::ResourceDrop { .. }
                        | Function::ResourceRep { .. }
                )
            })
        };
        let is_named = Parser::new(0).parse_all(component).map_while(Result::ok).any(names);
        if is_named { Self::Named } else { Self::Unnamed }
    }
}

/// Turns on the features for such components, and all others off.
pub(super) fn choose(config: &mut Config, tasks: Tasks) {
    let on = match tasks {
        Tasks::Named => ON,
        Tasks::Unnamed => ON.difference(WasmFeatures::CM_ASYNC),
    };
    config.concurrency_support(tasks == Tasks::Named);
    config.wasm_features(WasmFeatures::all().difference(on), false);
    config.wasm_features(on, true);
}

/// Refuses whatever in a part of a component starts a task beside the call: asynchronous functions, and the built-ins for their tasks. Each
/// waiting task would need a stack of its own; each call has one, so that none can take another's.
pub(super) fn check(bytes: &[u8], part: &Payload<'_>) -> Result<(), LoadError> {
    match part {
        Payload::ComponentCanonicalSection(functions) => {
            for function in functions.clone() {
                check_function(&function.map_err(malformed)?)?;
            }
        }
        Payload::ComponentTypeSection(types) => {
            check_depth(bytes.get(types.range()).unwrap_or_default())?;
            for declared in types.clone() {
                check_type(&declared.map_err(malformed)?)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn malformed(error: BinaryReaderError) -> LoadError {
    LoadError::Malformed(error.to_string())
}

fn check_function(function: &CanonicalFunction) -> Result<(), LoadError> {
    use CanonicalFunction as Function;
    match function {
        Function::Lift { options, .. } | Function::Lower { options, .. } => {
            let refused = options.iter().find(|option| match option {
                CanonicalOption::UTF8
                | CanonicalOption::UTF16
                | CanonicalOption::CompactUTF16
                | CanonicalOption::Memory(_)
                | CanonicalOption::Realloc(_)
                | CanonicalOption::PostReturn(_) => false,
                CanonicalOption::Async | CanonicalOption::Callback(_) | CanonicalOption::CoreType(_) | CanonicalOption::Gc => {
                    true
                }
            });
            refused.map_or(Ok(()), |option| Err(asynchronous(&format!("{option:?}"))))
        }
        Function::ResourceNew { .. } | Function::ResourceDrop { .. } | Function::ResourceRep { .. } => Ok(()),
        // Imported by components of QuickJS. Without a task they have nothing to act on.
        Function::TaskCancel
        | Function::ContextGet { .. }
        | Function::ContextSet { .. }
        | Function::SubtaskDrop
        | Function::SubtaskCancel { async_: false }
        | Function::WaitableSetNew
        | Function::WaitableSetDrop
        | Function::WaitableJoin => Ok(()),
        other => Err(asynchronous(&format!("{other:?}"))),
    }
}

/// Refuses types that nest deeper than anybody's do, in one pass from declaration to declaration: wasmparser reads a type with a call
/// for each level of it, and so does whoever looks at it then.
fn check_depth(section: &[u8]) -> Result<(), LoadError> {
    let mut reader = BinaryReader::new(section, 0);
    // How many types, or declarations of a type, are to come of each that is open.
    let mut open = vec![reader.read_var_u32().map_err(malformed)?];
    while let Some(left) = open.last_mut() {
        let Some(less) = left.checked_sub(1) else {
            open.pop();
            continue;
        };
        *left = less;
        let is_declaration = open.len() > 1;
        if is_declaration {
            if next(&reader)? != DECLARED_TYPE {
                reader.read::<ComponentTypeDeclaration<'_>>().map_err(malformed)?;
                continue;
            }
            reader.read_u8().map_err(malformed)?;
        }
        if !DECLARING_TYPES.contains(&next(&reader)?) {
            reader.read::<ComponentType<'_>>().map_err(malformed)?;
            continue;
        }
        if open.len() > DEPTH {
            return Err(LoadError::Depth(DEPTH));
        }
        reader.read_u8().map_err(malformed)?;
        open.push(reader.read_var_u32().map_err(malformed)?);
    }
    Ok(())
}

/// The byte that comes next.
fn next(reader: &BinaryReader<'_>) -> Result<u8, LoadError> {
    reader.clone().read_u8().map_err(malformed)
}

/// Types nest in the declarations of instances and components, as deep as [`check_depth`] allows.
fn check_type(declared: &ComponentType<'_>) -> Result<(), LoadError> {
    match declared {
        ComponentType::Func(ComponentFuncType { async_: true, .. }) => Err(asynchronous("async func")),
        ComponentType::Func(_) | ComponentType::Defined(_) | ComponentType::Resource { .. } => Ok(()),
        ComponentType::Component(declarations) => declarations.iter().try_for_each(|declaration| match declaration {
            ComponentTypeDeclaration::Type(inner) => check_type(inner),
            _ => Ok(()),
        }),
        ComponentType::Instance(declarations) => declarations.iter().try_for_each(|declaration| match declaration {
            InstanceTypeDeclaration::Type(inner) => check_type(inner),
            _ => Ok(()),
        }),
    }
}

/// `what` is the debug form of one of wasmparser's variants.
fn asynchronous(what: &str) -> LoadError {
    LoadError::Asynchronous(what.split([' ', '(']).next().unwrap_or(what).to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::Imports;

    /// The decision about a feature of wasmparser's: on, or off, with something that uses it. A few have no text form yet, and
    /// two are parts of others.
    enum Decision {
        On,
        Off(&'static str),
        OffUnseen,
    }

    fn decisions() -> BTreeMap<&'static str, Decision> {
        use Decision::{Off, OffUnseen, On};
        BTreeMap::from([
            ("MUTABLE_GLOBAL", On),
            ("SATURATING_FLOAT_TO_INT", On),
            ("SIGN_EXTENSION", On),
            ("REFERENCE_TYPES", On),
            ("MULTI_VALUE", On),
            ("BULK_MEMORY", On),
            ("FLOATS", On),
            ("SIMD", On),
            ("EXTENDED_CONST", On),
            ("MULTI_MEMORY", On),
            ("COMPONENT_MODEL", On),
            ("CM_ASYNC", On),
            (
                "RELAXED_SIMD",
                Off("(module (func (param v128) (result v128)
                    (f32x4.relaxed_madd (local.get 0) (local.get 0) (local.get 0))))"),
            ),
            ("THREADS", Off("(module (memory 1 1 shared))")),
            ("SHARED_EVERYTHING_THREADS", Off("(module (global (shared i32) (i32.const 0)))")),
            ("TAIL_CALL", Off("(module (func $f return_call $f))")),
            ("EXCEPTIONS", Off("(module (tag))")),
            ("LEGACY_EXCEPTIONS", Off("(module (tag $e) (func try catch $e end))")),
            ("MEMORY64", Off("(module (memory i64 1))")),
            ("FUNCTION_REFERENCES", Off("(module (type $f (func)) (func (param (ref $f))))")),
            ("MEMORY_CONTROL", Off("(module (memory 1) (func (memory.discard (i32.const 0) (i32.const 0))))")),
            ("GC", Off("(module (type (struct)))")),
            ("GC_TYPES", Off("(module (func (param externref)))")),
            ("CUSTOM_PAGE_SIZES", Off("(module (memory 1 (pagesize 1)))")),
            ("STACK_SWITCHING", Off("(module (type $f (func)) (type (cont $f)))")),
            ("WIDE_ARITHMETIC", Off("(module (func (param i64) (result i64 i64) (i64.mul_wide_s (local.get 0) (local.get 0))))")),
            ("CUSTOM_DESCRIPTORS", OffUnseen),
            ("COMPACT_IMPORTS", OffUnseen),
            ("CM_VALUES", Off(r#"(component (import "v" (value string)))"#)),
            ("CM_NESTED_NAMES", OffUnseen),
            (
                "CM_ASYNC_STACKFUL",
                Off(r#"(component
                    (core module $m (func (export "f"))) (core instance $i (instantiate $m))
                    (func (export "f") async (canon lift (core func $i "f") async)))"#),
            ),
            ("CM_MORE_ASYNC_BUILTINS", Off("(component (core func (canon subtask.cancel async)))")),
            ("CM_THREADING", Off("(component (core func (canon thread.index)))")),
            ("CM_ERROR_CONTEXT", Off("(component (core func (canon error-context.drop)))")),
            ("CM_FIXED_LENGTH_LISTS", Off("(component (type (list u8 4)))")),
            ("CM_GC", OffUnseen),
            ("CM_MAP", Off("(component (type (map string u32)))")),
            ("CM64", OffUnseen),
            ("CM_IMPLEMENTS", OffUnseen),
            ("CM_CANON_NAMES", OffUnseen),
        ])
    }

    #[test]
    fn whoever_names_tasks_at_any_depth_has_them_accounted_for() {
        let of = |text: &str| Tasks::of(&wat::parse_str(text).expect("WAT"));
        assert_eq!(of("(component (type $r (resource (rep i32))) (core func (canon resource.new $r)))"), Tasks::Unnamed);
        for named in ["waitable-set.new", "task.cancel", "context.get i32 0"] {
            assert_eq!(of(&format!("(component (component (core func (canon {named}))))")), Tasks::Named, "{named}");
        }
        assert_eq!(Tasks::of(b"no component"), Tasks::Unnamed);
    }

    #[test]
    fn each_feature_that_there_is_is_decided() {
        let mut decisions = decisions();
        for (name, flag) in WasmFeatures::all().iter_names() {
            let decision = decisions.remove(name).unwrap_or_else(|| panic!("{name} is new: is it needed?"));
            match decision {
                Decision::On => assert!(ON.contains(flag), "{name}"),
                Decision::Off(_) | Decision::OffUnseen => assert!(!ON.intersects(flag), "{name}"),
            }
        }
        assert!(decisions.is_empty(), "there is no such feature: {:?}", decisions.keys());
    }

    #[test]
    fn what_is_off_is_refused() {
        let mut config = Config::new();
        choose(&mut config, Tasks::Named);
        let engine = wasmtime::Engine::new(&config).expect("an engine");
        let validate = |text: &str| {
            let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            // As components they are compiled, and as components alone.
            let component = if text.starts_with("(module") {
                wat::parse_str(format!("(component (core {}", &text[1..]) + ")").expect("a component")
            } else {
                bytes
            };
            wasmtime::component::Component::new(&engine, component).map(drop)
        };
        validate("(module (memory 1) (func (result i32) i32.const 0))").expect("what is plain is taken");
        for (name, decision) in decisions() {
            if let Decision::Off(text) = decision {
                assert!(validate(text).is_err(), "{name}: {text}");
            }
        }
    }

    /// A component with `beside` beside its exports.
    fn tool(beside: &str) -> Result<Imports, LoadError> {
        let text = format!(
            r#"(component {beside}
                (core module $m (memory (export "m") 1) (func (export "f") (result i32) unreachable))
                (core instance $i (instantiate $m)) (alias core export $i "m" (core memory $m))
                (func $manifest (result string) (canon lift (core func $i "f") (memory $m)))
                (instance $tools (export "manifest" (func $manifest)))
                (export "sandbar:tool/tools@0.1.0" (instance $tools)))"#
        );
        Imports::of(&wat::parse_str(&text).unwrap_or_else(|error| panic!("{text}: {error}")))
    }

    #[test]
    fn nothing_starts_a_task_beside_the_call() {
        tool("").expect("a plain tool");
        let lifts = |options: &str| {
            format!(
                r#"(component (core module $m (memory (export "m") 1) (func (export "f") (result i32) unreachable) (func (export "c") (param i32 i32 i32) (result i32) unreachable))
                    (core instance $i (instantiate $m)) (func (export "f") {options}))"#
            )
        };
        let import = r#"(import "f" (func $f))"#;
        let lowers = format!(r#"(component {import} (core func (canon lower (func $f) async)))"#);
        for (beside, named) in [
            (lifts(r#"async (canon lift (core func $i "f") async (callback (func $i "c")))"#), "async"),
            (lifts(r#"async (result u32) (canon lift (core func $i "f"))"#), "async"),
            (lowers, "Async"),
            (r#"(type (func async))"#.to_owned(), "async"),
            (r#"(type (instance (type (instance (type (func async))))))"#.to_owned(), "async"),
            (r#"(type (component (type (component (type (func async))))))"#.to_owned(), "async"),
            (r#"(import "i" (instance (type (func async))))"#.to_owned(), "async"),
            ("(core func (canon thread.yield))".to_owned(), "ThreadYield"),
            ("(core func (canon backpressure.inc))".to_owned(), "BackpressureInc"),
            ("(core func (canon task.return))".to_owned(), "TaskReturn"),
            ("(type $s (stream u8)) (core func (canon stream.new $s))".to_owned(), "StreamNew"),
            ("(type $f (future u8)) (core func (canon future.new $f))".to_owned(), "FutureNew"),
            (format!("(component $a (component $b {}))", "(core func (canon thread.yield))"), "ThreadYield"),
        ] {
            match tool(&beside) {
                Err(LoadError::Asynchronous(what)) => assert_eq!(what, named, "{beside}"),
                other => panic!("{beside}: {other:?}"),
            }
        }
    }

    #[test]
    fn types_that_nest_without_end_are_refused_before_they_are_read() {
        // As bytes: whoever writes them out from text has a stack, too.
        let nested = |kind: u8, depth: usize| {
            let mut section = vec![1];
            section.extend([kind, 1, DECLARED_TYPE].repeat(depth - 1));
            section.extend([kind, 0]);
            section
        };
        for kind in DECLARING_TYPES {
            check_depth(&nested(kind, DEPTH)).expect("as deep as they may be");
            for depth in [DEPTH + 1, 1_000_000] {
                assert!(matches!(check_depth(&nested(kind, depth)), Err(LoadError::Depth(DEPTH))), "{depth}");
            }
        }
        assert!(matches!(check_depth(&[1, 0x41]), Err(LoadError::Malformed(_))), "it ends where a number should be");
    }

    #[test]
    fn whatever_is_declared_beside_types_is_passed() {
        let all = r#"(type $t (record (field "a" u8)))
            (type (component
                (core type (module (import "m" "f" (func)) (export "g" (func))))
                (alias outer 1 $t (type $u))
                (import "A" (func (param "a" string)))
                (type (instance
                    (export "r" (type (sub resource)))
                    (type (func (param "x" u32) (result string)))
                    (type (component (import "c" (instance)) (type (instance)) (export "B" (func))))))
                (type (variant (case "a" u8) (case "B")))
                (export "e" (type (eq $u)))))"#;
        tool(all).expect("let in");
    }

    #[test]
    fn what_components_of_quickjs_import_is_let_in() {
        let functions = [
            "task.cancel",
            "context.get i32 0",
            "context.set i32 0",
            "subtask.drop",
            "subtask.cancel",
            "waitable-set.new",
            "waitable-set.drop",
            "waitable.join",
        ];
        let all: String = functions.iter().map(|function| format!("(core func (canon {function}))")).collect();
        tool(&format!("(component {all})")).expect("let in");
    }
}
