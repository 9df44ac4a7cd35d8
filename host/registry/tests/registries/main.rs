//! What registries do, and what becomes of it: made-up ones that lie, and a real one.

mod answers;
mod cosign;
mod fake;
#[cfg(feature = "keyless")]
mod keyless;
mod logins;
mod proxies;
mod pulling;
mod real;
mod redirects;
mod signatures;
