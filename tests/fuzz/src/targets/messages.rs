//! What a client sends.

/// The body of a request: the host says itself what has to hold for any.
pub(super) fn message(bytes: &[u8]) {
    sandbar_mcp::check_body(bytes);
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_events","arguments":{"namespace":"team-a"},"_meta":{"progressToken":"p"}}}"#,
        r#"{"jsonrpc":"2.0","id":"a","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"\ud83d\ude00"}}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#,
        r#"[{"jsonrpc":"2.0","id":3,"result":{}},{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"m"}}]"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
