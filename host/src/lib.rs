//! Sandbar: an MCP server for Kubernetes whose tools are sandboxed WebAssembly components.
//!
//! `docs/architecture.md` is the map. The modules are the way of one call, each knows only its right-hand neighbour:
//! `http` → `mcp` → `catalog` → `sandbox` → (component) → `capability` → `kubernetes`; `policy` is plain data for all of them.

pub mod kubernetes;
pub mod policy;
