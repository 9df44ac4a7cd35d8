//! Gives a tool the beginning of its heap with its memory.
//!
//! Rust's allocator asks for memory once it first allocates, as every call does. That costs a call two changes of what its memory may be
//! used for, one to grow and one to make it small again for the next, and each of them interrupts all processors. So the memory is larger
//! from the start, and in the place of `memory.grow` stands a function that hands out what is there before it asks for more. The tool
//! cannot tell: what it is told of its memory is what it was handed.

use std::convert::Infallible;
use std::error::Error;

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, Function, FunctionSection, GlobalSection, GlobalType, Instruction, MemorySection, Module,
    TypeSection, ValType,
};
use wasmparser::{
    CodeSectionReader, FunctionSectionReader, GlobalSectionReader, MemorySectionReader, Operator, Parser, Payload, TypeRef,
    TypeSectionReader,
};

/// Pages of the heap that a memory begins with, of 64 KiB each: what a call takes that answers with some hundred objects.
const PAGES: u64 = 8;

/// What is added to a module, by the indices that it gets: behind what is there, so that nothing else gets another one.
struct Heap {
    /// The type of the function that stands for `memory.grow`.
    kind: u32,
    /// That function.
    grow: u32,
    /// The global with the pages that the module was handed.
    handed: u32,
    /// The pages that it begins with.
    begins: u64,
}

/// The module of a tool, with its heap in its memory.
///
/// # Errors
/// It has no memory of its own, or several, or none that can grow.
pub(crate) fn in_memory(module: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut with_heap = Module::new();
    let mut heap = Heap::of(module)?;
    heap.parse_core_module(&mut with_heap, Parser::new(0), module).map_err(|error| error.to_string())?;
    Ok(with_heap.finish())
}

impl Heap {
    fn of(module: &[u8]) -> Result<Self, Box<dyn Error>> {
        let (mut kind, mut grow, mut handed, mut memories) = (0, 0, 0, Vec::new());
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::TypeSection(types) => {
                    for group in types {
                        kind += u32::try_from(group?.types().len())?;
                    }
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        match import?.ty {
                            TypeRef::Func(_) | TypeRef::FuncExact(_) => grow += 1,
                            TypeRef::Global(_) => handed += 1,
                            TypeRef::Memory(memory) => memories.push(memory),
                            TypeRef::Table(_) | TypeRef::Tag(_) => {}
                        }
                    }
                    if !memories.is_empty() {
                        return Err("its memory is imported, so others can make it grow".into());
                    }
                }
                Payload::FunctionSection(functions) => grow += functions.count(),
                Payload::GlobalSection(globals) => handed += globals.count(),
                Payload::MemorySection(section) => memories = section.into_iter().collect::<Result<_, _>>()?,
                _ => {}
            }
        }
        match memories[..] {
            [memory] if !memory.memory64 && !memory.shared && memory.maximum.is_none() => {
                Ok(Self { kind, grow, handed, begins: memory.initial })
            }
            _ => Err("it has no single memory that can grow".into()),
        }
    }

    /// As `memory.grow`: takes the pages that are wanted, and returns how many there were, or -1.
    fn function(&self) -> Function {
        const WANTED: u32 = 0;
        const WERE: u32 = 1;
        const ARE: u32 = 2;
        let mut function = Function::new([(2, ValType::I32)]);
        let mut instructions = function.instructions();
        instructions.global_get(self.handed).local_tee(WERE).local_get(WANTED).i32_add().local_tee(ARE);
        // More than can be counted.
        instructions.local_get(WERE).i32_lt_u().if_(BlockType::Empty).i32_const(-1).return_().end();
        instructions.local_get(ARE).memory_size(0).i32_gt_u().if_(BlockType::Empty);
        instructions.local_get(ARE).memory_size(0).i32_sub().memory_grow(0);
        instructions.i32_const(-1).i32_eq().if_(BlockType::Empty).i32_const(-1).return_().end().end();
        instructions.local_get(ARE).global_set(self.handed).local_get(WERE).end();
        function
    }
}

type Done = Result<(), reencode::Error<Infallible>>;

impl Reencode for Heap {
    type Error = Infallible;

    fn parse_type_section(&mut self, types: &mut TypeSection, section: TypeSectionReader<'_>) -> Done {
        reencode::utils::parse_type_section(self, types, section)?;
        types.ty().function([ValType::I32], [ValType::I32]);
        Ok(())
    }

    fn parse_function_section(&mut self, functions: &mut FunctionSection, section: FunctionSectionReader<'_>) -> Done {
        reencode::utils::parse_function_section(self, functions, section)?;
        functions.function(self.kind);
        Ok(())
    }

    fn parse_memory_section(&mut self, memories: &mut MemorySection, section: MemorySectionReader<'_>) -> Done {
        for memory in section {
            let mut memory = self.memory_type(memory?)?;
            memory.minimum += PAGES;
            memories.memory(memory);
        }
        Ok(())
    }

    fn parse_global_section(&mut self, globals: &mut GlobalSection, section: GlobalSectionReader<'_>) -> Done {
        reencode::utils::parse_global_section(self, globals, section)?;
        let handed = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(handed, &ConstExpr::i32_const(self.begins as i32));
        Ok(())
    }

    fn parse_code_section(&mut self, code: &mut CodeSection, section: CodeSectionReader<'_>) -> Done {
        reencode::utils::parse_code_section(self, code, section)?;
        code.function(&self.function());
        Ok(())
    }

    fn instruction<'a>(&mut self, operator: Operator<'a>) -> Result<Instruction<'a>, reencode::Error<Infallible>> {
        Ok(match operator {
            Operator::MemoryGrow { .. } => Instruction::Call(self.grow),
            Operator::MemorySize { .. } => Instruction::GlobalGet(self.handed),
            operator => reencode::utils::instruction(self, operator)?,
        })
    }
}
