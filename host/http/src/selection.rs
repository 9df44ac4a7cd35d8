//! Which tools a client wants to see: headers with the names that other servers have for them, and parameters of the query for clients
//! that can set no header. Each takes away from what the others leave.

use http::{HeaderMap, StatusCode};
use sandbar_policy::{Caller, Selection};

use super::rejection::Rejection;

const TOOLS: &str = "x-mcp-tools";
const PACKS: &str = "x-mcp-toolsets";

/// What the parameters of the query begin with.
const TOOLS_PARAMETER: &str = "tools=";
const PACKS_PARAMETER: &str = "toolsets=";

/// Bytes of all names, as they are written: some hundred tools.
const MOST_BYTES: usize = 4 * 1024;

/// The caller, who sees no other tools than the request selects.
pub(super) fn narrowed(mut caller: Caller, headers: &HeaderMap, query: Option<&str>) -> Result<Caller, Rejection> {
    // A list may stand in several headers of one name.
    let of_headers = |name: &str| headers.get_all(name).iter().map(|value| value.as_bytes()).collect::<Vec<_>>();
    let of_query = |parameter: &str| {
        let values = query.into_iter().flat_map(|query| query.split('&')).filter_map(|part| part.strip_prefix(parameter));
        values.map(str::as_bytes).collect::<Vec<_>>()
    };
    let [in_headers, in_query] = [[of_headers(TOOLS), of_headers(PACKS)], [of_query(TOOLS_PARAMETER), of_query(PACKS_PARAMETER)]];
    let bytes: usize = in_headers.iter().chain(&in_query).flatten().map(|value| value.len()).sum();
    if bytes > MOST_BYTES {
        let words = format!(
            "the names of tools and packs in {TOOLS}, {PACKS} and the query have {bytes} bytes, and {MOST_BYTES} is the most: name packs \
             instead of their tools"
        );
        return Err(Rejection::of_http(StatusCode::BAD_REQUEST, words));
    }
    for [tools, packs] in [in_headers.map(|list| joined(&list)), in_query.map(|list| decoded(&list))] {
        if let Some(selection) = Selection::of(&tools, &packs) {
            caller.select(selection);
        }
    }
    Ok(caller)
}

/// One list of several. What is no text names nothing.
fn joined(lists: &[&[u8]]) -> String {
    String::from_utf8_lossy(&lists.join(&b',')).into_owned()
}

/// The same of values of a query.
fn decoded(lists: &[&[u8]]) -> String {
    let lists: Vec<_> = lists.iter().map(|list| percent_encoding::percent_decode(list).decode_utf8_lossy()).collect();
    lists.join(",").replace('+', " ")
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use sandbar_policy::Identity;

    use super::*;

    /// Which of `a`, `b` and `c` in the pack `p`, and `x` in none, a request with these headers and this query sees.
    fn seen(headers: &[(&'static str, &'static str)], query: Option<&str>) -> String {
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let caller = narrowed(Caller::new(Identity::Anonymous), &headers.collect(), query);
        let caller = caller.unwrap_or_else(|refused| panic!("{}", refused.error.error.message));
        let tools = [("a", Some("p")), ("b", Some("p")), ("c", Some("p")), ("x", None)];
        tools.into_iter().filter(|(tool, pack)| caller.selects(tool, *pack)).map(|(tool, _)| tool).collect()
    }

    #[test]
    fn headers_and_query_take_away_and_never_give() {
        assert_eq!(seen(&[], None), "abcx");
        assert_eq!(seen(&[("x-mcp-tools", "a, x")], None), "ax");
        assert_eq!(seen(&[("x-mcp-tools", "x"), ("x-mcp-toolsets", "p")], None), "abcx", "names add up in one place");
        assert_eq!(seen(&[("x-mcp-tools", "a"), ("x-mcp-tools", "b")], None), "ab", "a list may be in several headers");
        assert_eq!(seen(&[], Some("toolsets=p")), "abc");
        assert_eq!(seen(&[], Some("watch=true&tools=a%2Cc&tools=x&other=b")), "acx");
        assert_eq!(seen(&[("x-mcp-tools", "a,b")], Some("tools=b,c")), "b", "and what both leave is left of two");
        assert_eq!(seen(&[("x-mcp-toolsets", "all")], Some("tools=b")), "b");
        assert_eq!(seen(&[("x-mcp-tools", "none")], None), "", "an unknown name is one that is not there");
        for (headers, query) in [(&[("x-mcp-tools", "")][..], None), (&[], Some("tools=&toolsets")), (&[], Some("mytools=a"))] {
            assert_eq!(seen(headers, query), "abcx", "{query:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_is_read() {
        let query = |bytes: usize| format!("tools={}", "a,".repeat(bytes / 2));
        assert_eq!(seen(&[], Some(&query(MOST_BYTES))), "a");
        for query in [query(MOST_BYTES + 2), format!("{}&{}", query(MOST_BYTES), "toolsets=p")] {
            let refused = narrowed(Caller::new(Identity::Anonymous), &HeaderMap::new(), Some(&query)).expect_err("too long");
            assert_eq!(refused.status, StatusCode::BAD_REQUEST);
            assert!(refused.error.error.message.contains("4096 is the most"), "{}", refused.error.error.message);
        }
        let other = format!("token={}", "a".repeat(10 * MOST_BYTES));
        assert_eq!(seen(&[], Some(&other)), "abcx", "what is not for us is not counted");
    }
}
