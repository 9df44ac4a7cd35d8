//! Bindings that wasmtime generates for the interfaces that components import. Nothing outside `capability` names these types.
#![allow(missing_docs, reason = "the documentation is in the WIT")]
#![allow(unsafe_code, reason = "generated")]
#![allow(unreachable_pub, clippy::all, reason = "generated")]

wasmtime::component::bindgen!({
    path: ["../../wit/tool", "../../wit/kubernetes"],
    inline: "
        package sandbar:host@0.1.0;

        world every-capability {
            import sandbar:tool/context@0.1.0;
            import sandbar:tool/caller@0.1.0;
            import sandbar:tool/logging@0.1.0;
            import sandbar:kubernetes/read@0.1.0;
            import sandbar:kubernetes/logs@0.1.0;
            import sandbar:kubernetes/health@0.1.0;
            import sandbar:kubernetes/table@0.1.0;
            import sandbar:kubernetes/read-many@0.1.0;
            import sandbar:kubernetes/logs-many@0.1.0;
            import sandbar:kubernetes/discovery@0.1.0;
        }
    ",
    imports: {
        "sandbar:kubernetes/read": async,
        "sandbar:kubernetes/logs": async,
        "sandbar:kubernetes/health": async,
        "sandbar:kubernetes/table": async,
        "sandbar:kubernetes/read-many": async,
        "sandbar:kubernetes/logs-many": async,
        "sandbar:kubernetes/discovery": async,
    },
});
