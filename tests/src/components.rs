//! Test components.
