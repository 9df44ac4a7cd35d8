//! Sandbar: an MCP server for Kubernetes whose tools are sandboxed WebAssembly components.
//!
//! `docs/architecture.md` is the map. The modules are the way of one call, each knows only its right-hand neighbour:
//! `http` → `mcp` → `catalog` → `sandbox` → (component) → `capability` → `kubernetes`; `policy` is plain data for all of them, and
//! `processor` shares out what they compute.

pub mod capability;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod files;
pub mod http;
pub mod kubernetes;
pub mod mcp;
pub mod policy;
pub mod processor;
pub mod rbac;
pub mod sandbox;
pub mod size;
