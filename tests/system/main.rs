//! Tests of the whole system, by topic: the real binary, a real API server, real HTTP.

mod cli;
mod components;
mod protocol;
