//! Tests of the whole system, by topic: the real binary, a real API server, real HTTP.

mod access;
mod cli;
mod components;
mod faults;
mod protocol;
