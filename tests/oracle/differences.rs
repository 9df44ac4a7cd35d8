//! Where Sandbar's answers differ from rmcp's on purpose.

use sandbar_tests::mcp::MODERN;
use serde_json::Value;

use super::Outcome;
use super::generator::Case;

/// One difference.
pub(crate) struct Difference {
    pub(crate) why: &'static str,
    /// Whether it explains these answers: Sandbar's, and rmcp's.
    pub(crate) is_it: fn(&Case, &Outcome, &Outcome) -> bool,
}

/// The differences. The first that applies explains.
pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        why: "rmcp wants both of MCP's types in Accept by name; whoever admits JSON, or takes events, is served",
        is_it: |_, _, rmcps| rmcps.status == 406,
    },
    Difference {
        why: "nothing that is sent as another type than JSON is read, in words; rmcp says it in plain text",
        is_it: |_, ours, rmcps| ours.status == 415 && rmcps.message.is_none(),
    },
    Difference {
        why: "a body without a type is taken for JSON",
        is_it: |case, _, rmcps| case.header("content-type").is_empty() && rmcps.status == 415,
    },
    Difference {
        why: "a header that stands twice is refused, whichever rmcp looks at",
        is_it: |case, ours, _| {
            let twice = |name: &&str| case.header(name).len() > 1;
            ours.code() == Some(-32020) && ["mcp-protocol-version", "mcp-method", "mcp-name"].iter().any(twice)
                || ours.status == 415 && twice(&"content-type")
        },
    },
    Difference {
        why: "what two readers read differently is no JSON: a key twice, numbers beyond all, a lone surrogate",
        is_it: |_, ours, _| ours.code() == Some(-32700),
    },
    Difference {
        why: "a body that is no message gets JSON-RPC's code in JSON; rmcp says 415 in plain text",
        is_it: |_, ours, rmcps| rmcps.status == 415 && ours.status == 400 && [Some(-32600), Some(-32602)].contains(&ours.code()),
    },
    Difference {
        why: "an id has to come back as it was sent, so a number with a fraction is none, though it may stand for an integer",
        is_it: |case, ours, _| ours.code() == Some(-32600) && case.at("/id").is_some_and(|id| id.is_f64()),
    },
    Difference {
        why: "a method of more than 128 bytes is none",
        is_it: |case, ours, _| ours.code() == Some(-32600) && case.method().len() > 128,
    },
    Difference {
        why: "a version that nobody speaks is said in JSON, with those that are spoken; rmcp says it in plain text, or in another order",
        is_it: |_, ours, _| ours.status == 400 && ours.code() == Some(-32022),
    },
    Difference {
        why: "a handshake needs a version and nothing else, and its header is of the past",
        is_it: |case, ours, _| case.method() == "initialize" && ours.is_served(),
    },
    Difference {
        why: "a handshake without a version is told so",
        is_it: |case, ours, _| case.method() == "initialize" && (ours.status, ours.code()) == (400, Some(-32602)),
    },
    Difference {
        why: "a list of nothing is what PHP sends for no parameters and no arguments; rmcp takes the body for no message, or the method for an \
              unknown one",
        is_it: |case, ours, rmcps| {
            let nothing = Some(Value::Array(Vec::new()));
            let places = ["/params", "/params/_meta", "/params/arguments"];
            ours.is_served() && !rmcps.is_served() && places.iter().any(|place| case.at(place) == nothing)
        },
    },
    Difference {
        why: "parameters of the wrong shape are named, where rmcp takes the method for an unknown one, passes them over, or has no words",
        is_it: |_, ours, rmcps| {
            let is_passed_over = rmcps.is_served() || rmcps.code() == Some(-32002);
            ours.code() == Some(-32602) && (rmcps.code() == Some(-32601) || is_passed_over || rmcps.message.is_none())
        },
    },
    Difference {
        why: "a request that says nothing of its version in the modern era, or something malformed, is told what it lacks before anything else",
        is_it: |_, ours, rmcps| {
            (ours.status, ours.code()) == (400, Some(-32602)) && [Some(-32020), Some(-32602)].contains(&rmcps.code())
        },
    },
    Difference {
        why: "what names of the two eras do not agree is told first",
        is_it: |_, ours, _| (ours.status, ours.code()) == (400, Some(-32020)),
    },
    Difference {
        why: "a notification is taken with parameters of any object, and refused with others",
        is_it: |case, ours, _| case.at("/id").is_none() && (ours.status == 202 || ours.code() == Some(-32602)),
    },
    Difference {
        why: "an era follows from the version alone: a method that it does not have is 404 in the modern one and 200 in the other",
        is_it: |case, ours, rmcps| {
            let modern = case.header("mcp-protocol-version").first() == Some(&MODERN);
            ours.code() == Some(-32601) && ours.status == if modern { 404 } else { 200 } && rmcps.status != ours.status
        },
    },
];
