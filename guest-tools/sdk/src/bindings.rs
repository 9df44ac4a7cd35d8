//! The contract as Rust: generated from the WIT packages, everything importable at once.
//!
//! A component imports only the functions that its code reaches, so one world with every capability costs nothing: what a tool
//! does not call is not in its import section, and the import section is its request for permission.

// Generated code: the canonical ABI is pointers and lengths, and nothing of it is public but through the modules of this crate.
#![allow(unsafe_code, missing_docs, unreachable_pub, clippy::all, clippy::undocumented_unsafe_blocks)]

wit_bindgen::generate!({
    path: ["wit/tool", "wit/kubernetes"],
    inline: "
        package sandbar:sdk;

        world guest {
            import sandbar:tool/context@0.1.0;
            import sandbar:tool/logging@0.1.0;
            import sandbar:tool/caller@0.1.0;
            import sandbar:kubernetes/read@0.1.0;
            import sandbar:kubernetes/logs@0.1.0;
            import sandbar:kubernetes/health@0.1.0;
            import sandbar:kubernetes/table@0.1.0;
            import sandbar:kubernetes/read-many@0.1.0;
            import sandbar:kubernetes/logs-many@0.1.0;
            import sandbar:kubernetes/discovery@0.1.0;
            export sandbar:tool/tools@0.1.0;
            export sandbar:tool/prompts@0.1.0;
            export sandbar:tool/resources@0.1.0;
        }
    ",
    world: "sandbar:sdk/guest",
    pub_export_macro: true,
    export_macro_name: "export_bindings",
    generate_all,
});
