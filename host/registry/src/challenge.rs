//! `WWW-Authenticate`: how a registry wants to know who asks (RFC 9110).

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// Bytes of such a header that are looked at.
const HEADER_BYTES: usize = 4096;

/// How a registry wants to know who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// By a token, which is to be had at an address.
    Bearer { realm: String, service: Option<String> },
    /// By name and password.
    Basic,
}

impl Challenge {
    /// The challenge that is answered: a token where there is one, since it says less about who asks.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let challenges: Vec<Self> = values.filter(|value| value.len() <= HEADER_BYTES).flat_map(challenges).collect();
        let bearer = challenges.iter().find(|challenge| matches!(challenge, Self::Bearer { .. }));
        bearer.or(challenges.first()).cloned()
    }
}

/// The challenges of one header that are known.
fn challenges(header: &str) -> Vec<Challenge> {
    let mut found = Vec::new();
    let mut scheme = String::new();
    let (mut realm, mut service) = (None, None);
    let mut rest = header;
    let mut end = |scheme: &str, realm: Option<String>, service: Option<String>| match (scheme, realm) {
        ("bearer", Some(realm)) => found.push(Challenge::Bearer { realm, service }),
        ("basic", _) => found.push(Challenge::Basic),
        _ => {}
    };
    loop {
        // An equals sign by itself ends what another scheme says of itself in base64.
        rest = rest.trim_start_matches([' ', '\t', ',', '=']);
        let word = rest.len() - rest.trim_start_matches(is_token).len();
        if word == 0 {
            break;
        }
        let (name, after) = rest.split_at(word);
        let name = name.to_ascii_lowercase();
        let Some(value) = after.trim_start().strip_prefix('=') else {
            end(&scheme, realm.take(), service.take());
            (scheme, rest) = (name, after);
            continue;
        };
        let value = value.trim_start();
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let (value, after) = value.split_at(value.len() - value.trim_start_matches(is_token).len());
                (value.to_owned(), after)
            }
        };
        rest = after;
        match name.as_str() {
            "realm" => realm = realm.or(Some(value)),
            "service" => service = service.or(Some(value)),
            _ => {}
        }
    }
    end(&scheme, realm, service);
    found
}

fn is_token(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter)
}

/// What is between quotes, and what follows.
fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            letter => value.push(letter),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[&str]) -> Option<Challenge> {
        let mut map = HeaderMap::new();
        for header in headers {
            map.append(WWW_AUTHENTICATE, header.parse().expect("a header"));
        }
        Challenge::read(&map)
    }

    #[test]
    fn a_token_is_preferred_wherever_it_stands() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) })
        };
        let hub = r#"Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a:pull,push""#;
        assert_eq!(read(&[hub]), bearer("https://auth.example/token", Some("registry.example")));
        assert_eq!(read(&["Basic realm=\"x\"", hub]), bearer("https://auth.example/token", Some("registry.example")));
        assert_eq!(
            read(&[&format!("Basic realm=\"a, b\", {hub}")]),
            bearer("https://auth.example/token", Some("registry.example"))
        );
        assert_eq!(read(&[r#"bearer  realm = "https://a/\"b\\" , error=x"#]), bearer(r#"https://a/"b\"#, None));
        assert_eq!(read(&["Negotiate abc==, BASIC realm=x"]), Some(Challenge::Basic));
        assert_eq!(read(&["Basic"]), Some(Challenge::Basic));
    }

    #[test]
    fn what_is_no_challenge_is_none() {
        for header in ["", "Bearer", "Bearer service=\"x\"", "Digest realm=\"x\"", "\"", "=x", "Bearer realm"] {
            assert_eq!(read(&[header]), None, "{header}");
        }
        assert_eq!(read(&[&format!("Bearer realm=\"{}\"", "x".repeat(5000))]), None);
        assert_eq!(read(&[]), None);
    }
}
