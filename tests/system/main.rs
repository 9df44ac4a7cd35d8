//! Tests of the whole system, by topic: the real binary, a real API server, real HTTP.
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

mod access;
mod aggregation;
mod attacks;
mod audit;
mod bad_input;
mod clean_text;
mod cli;
mod clients;
mod coder_more;
mod components;
mod configuration;
mod conformance;
mod connect;
mod deploy;
mod faults;
mod front_proxy;
mod hints;
mod identity;
mod impersonation;
mod kubeconfigs;
mod kubernetes_pack;
mod live;
mod logins;
mod logs;
mod oidc;
mod packs;
mod paging;
mod protocol;
mod rights;
mod secrets;
mod security_page;
mod selection;
mod tls;
mod tool_access;
mod tools;
