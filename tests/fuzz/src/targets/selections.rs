//! What a client chooses to see of the tools, in headers and in the query.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderValue};
use sandbar_http::fuzzing::narrowed;
use sandbar_policy::{Caller, Identity, Selection};

/// Tools and their packs.
const TOOLS: [(&str, Option<&str>); 5] =
    [("a", Some("p")), ("b", Some("p")), ("c", Some("q")), ("get_events", Some("coder")), ("x", None)];

/// Bytes of all names in one request.
const MOST: usize = 4096;

type Seen = BTreeSet<&'static str>;

fn seen_by(caller: &Caller) -> Seen {
    TOOLS.into_iter().filter(|(tool, pack)| caller.selects(tool, *pack)).map(|(tool, _)| tool).collect()
}

/// What a request with these headers and this query sees that otherwise would see what `first` leaves.
fn seen(first: Option<&str>, headers: &HeaderMap, query: Option<&str>) -> Option<Seen> {
    let mut caller = Caller::new(Identity::Anonymous);
    first.and_then(|tools| Selection::of(tools, "")).into_iter().for_each(|selection| caller.select(selection));
    narrowed(caller, headers, query).map(|caller| seen_by(&caller))
}

/// The lines are headers with tools, with packs, and the query. Each takes away, and no two give.
pub(super) fn selection(bytes: &[u8]) {
    let mut lines = bytes.split(|&byte| byte == b'\n');
    let (tools, packs) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let query = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let mut headers = HeaderMap::new();
    for (name, values) in [("x-mcp-tools", tools), ("x-mcp-toolsets", packs)] {
        // A list may stand in several headers.
        for value in values.split(|&byte| byte == b';').filter_map(|value| HeaderValue::from_bytes(value).ok()) {
            headers.append(name, value);
        }
    }
    let of_headers: usize = headers.values().map(HeaderValue::len).sum();
    let of_query = |begin: &str| query.split('&').filter_map(|part| part.strip_prefix(begin)).map(str::len).sum::<usize>();
    let bytes = of_headers + of_query("tools=") + of_query("toolsets=");
    let all = seen(None, &headers, Some(&query));
    assert_eq!(all.is_none(), bytes > MOST, "{bytes} bytes");
    let Some(all) = all else { return };
    let [by_headers, by_query] = [(&headers, None), (&HeaderMap::new(), Some(&*query))]
        .map(|(headers, query)| seen(None, headers, query).expect("a part of what is not too much"));
    assert_eq!(all, &by_headers & &by_query, "headers and query take away from each other");
    let before = Seen::from(["a", "c"]);
    assert_eq!(seen(Some("a,c"), &headers, Some(&query)), Some(&all & &before), "what was taken away stays so");
    // A request that names neither sees all, and one that names a tool sees no other.
    let named = |tools: &[u8]| {
        String::from_utf8_lossy(tools).split([',', ';']).map(|name| name.trim().to_owned()).collect::<BTreeSet<_>>()
    };
    let is_plain = |list: &[u8]| list.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"_,; ".contains(&byte));
    if is_plain(tools) && is_plain(packs) {
        let (tools, packs) = (named(tools), named(packs));
        let names_nothing = tools.iter().chain(&packs).all(String::is_empty);
        let is_everything = names_nothing || packs.contains("all") || packs.contains("default");
        let is_named =
            |(tool, pack): &(&str, Option<&str>)| tools.contains(*tool) || pack.is_some_and(|pack| packs.contains(pack));
        let expected: Seen = TOOLS.into_iter().filter(|tool| is_everything || is_named(tool)).map(|(tool, _)| tool).collect();
        assert_eq!(by_headers, expected, "{tools:?} {packs:?}");
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    [
        "a, x\n\n",
        "\np\ntools=b,c&watch=true",
        "a;b\nq;all\ntoolsets=p&tools=a%2Cc&tools=x&other=b",
        "none\ndefault\ntools=get_events+&toolsets=",
        " , ;\n\ntools=%ff%2",
        "get_events\ncoder\ntoolsets=coder&toolsets=q&tools",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into_iter()
    .chain([format!("{}\n\ntools={}", "a,".repeat(2047), "b").into_bytes(), format!("{}\np\n", "a,".repeat(2048)).into_bytes()])
    .collect()
}
