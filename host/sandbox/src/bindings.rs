//! Bindings that wasmtime generates for the interfaces that components export.
#![allow(missing_docs, reason = "the documentation is in the WIT")]
#![allow(unsafe_code, reason = "generated")]
#![allow(unreachable_pub, clippy::all, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../../wit/tool",
    inline: "
        package sandbar:host@0.1.0;

        world exported {
            export sandbar:tool/tools@0.1.0;
            export sandbar:tool/prompts@0.1.0;
            export sandbar:tool/resources@0.1.0;
        }
    ",
    exports: { default: async },
});
