//! What `tests/fuzz` calls of this crate's inside. Not for anybody else.

use http::HeaderMap;
use sandbar_policy::Caller;

/// The caller, who sees no other tools than the request selects; none where it names too much.
pub fn narrowed(caller: Caller, headers: &HeaderMap, query: Option<&str>) -> Option<Caller> {
    super::selection::narrowed(caller, headers, query).ok()
}
