//! Where spans are sent, and what goes with them: what sandbar.yaml says, and where it says nothing the variables for it.

use std::path::PathBuf;

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use super::environment::Environment;
use super::sampler::Sampler;

/// Where the spans are below the address of a collector.
const PATH: &str = "/v1/traces";

/// Bytes of a list of headers, and of one of attributes.
pub(super) const LIST_BYTES: usize = 16 * 1024;

/// Where spans are sent, and what goes with them.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The whole address, path included.
    pub address: String,
    /// A file with headers, each as `name=value` with a comma or a line break behind it; it goes before the variable's.
    pub headers_file: Option<PathBuf>,
    /// Headers, as the variable has them. They are most often secret.
    pub headers: SecretList,
    /// Whose certificates count, as PEM; none: those of this machine.
    pub authorities_file: Option<PathBuf>,
    /// Which calls have spans.
    pub sampler: Sampler,
    /// What is said of this server with all of its spans, by key.
    pub resource: Vec<(String, String)>,
}

/// A list of names and values that is not shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretList(pub(super) String);

impl std::fmt::Debug for SecretList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretList")
    }
}

impl Settings {
    /// Those for a collector at this address: with `/v1/traces` at its end, unless that is there.
    pub fn towards(endpoint: &str, environment: &Environment) -> Result<Self, String> {
        let address = endpoint.trim_end_matches('/');
        let end = if address.ends_with(PATH) { "" } else { PATH };
        Self::at(&format!("{address}{end}"), environment)
    }

    /// Those of the variables alone; none where they name no collector.
    pub fn of(environment: &Environment) -> Option<Result<Self, String>> {
        match (&environment.traces_endpoint, &environment.endpoint) {
            // By the specification it is taken as it is.
            (Some(address), _) => Some(Self::at(address, environment)),
            (None, Some(endpoint)) => Some(Self::towards(endpoint, environment)),
            (None, None) => None,
        }
    }

    fn at(address: &str, environment: &Environment) -> Result<Self, String> {
        let uri = address.parse::<http::Uri>().ok();
        let uri = uri.filter(|uri| uri.scheme_str().is_some_and(|scheme| ["http", "https"].contains(&scheme)));
        let authority = uri.as_ref().and_then(http::Uri::authority);
        // What stands before an @ may be a password, and what behind a ? or a # a key.
        let shown = address.rsplit_once('@').map_or(address, |(_, host)| host);
        let shown = shown.split_once(['?', '#']).map_or(shown, |(path, _)| path);
        let authority = authority.ok_or_else(|| format!("{shown:?} is no http:// or https:// address"))?;
        if authority.as_str().contains('@') {
            return Err("the address of a collector has no name and no password in it: put them into a header".to_owned());
        }
        // It may be a key, and the address is in the log.
        if address.contains(['?', '#']) {
            return Err("the address of a collector has no query and no fragment: put what is in them into a header".to_owned());
        }
        Ok(Self {
            address: address.to_owned(),
            headers_file: None,
            headers: environment.headers.clone(),
            authorities_file: environment.authorities_file.clone(),
            sampler: environment.sampler,
            resource: environment.resource.clone(),
        })
    }
}

/// The headers in a list. An error never says what is in it.
pub(super) fn headers(list: &str) -> Result<HeaderMap, &'static str> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs(list)? {
        let name = HeaderName::try_from(name).map_err(|_| "a header has a name that none can have")?;
        let mut value = HeaderValue::try_from(value).map_err(|_| "a header has a value that none can have")?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The entries `name=value` of a list, between commas or line breaks; a value is percent-encoded, as in W3C Baggage.
pub(super) fn pairs(list: &str) -> Result<Vec<(String, String)>, &'static str> {
    if list.len() > LIST_BYTES {
        return Err("the list has more than 16 KiB");
    }
    let entries = list.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
    let pair = |entry: &str| {
        let (name, value) = entry.split_once('=').ok_or("an entry is not `name=value`")?;
        let decode = |text: &str| percent_decode_str(text.trim()).decode_utf8().map(String::from);
        match (decode(name), decode(value)) {
            (Ok(name), Ok(value)) if !name.is_empty() => Ok((name, value)),
            _ => Err("an entry is not `name=value`, percent-encoded UTF-8"),
        }
    };
    entries.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_path_once() {
        let address = |endpoint: &str| Settings::towards(endpoint, &Environment::default()).map(|settings| settings.address);
        for (endpoint, whole) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("http://collector:4318/", "http://collector:4318/v1/traces"),
            ("https://otlp.example.com/here/", "https://otlp.example.com/here/v1/traces"),
            ("https://otlp.example.com/here/v1/traces", "https://otlp.example.com/here/v1/traces"),
        ] {
            assert_eq!(address(endpoint).as_deref(), Ok(whole));
        }
        for wrong in ["", "collector:4318", "grpc://collector:4317", "http://", "http://a b"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
        for with_password in [
            "http://me:hunter2@collector:4318",
            "http://me:hunter2 @collector:4318",
            "me:hunter2@collector",
            "http://collector:4318/?key=hunter2",
            "collector/?key=hunter2",
            "http://collector:4318/#hunter2",
        ] {
            let words = address(with_password).expect_err("a password");
            assert!(!words.contains("hunter2"), "{words}");
        }
    }

    #[test]
    fn lists_are_read_as_baggage_and_what_is_wrong_is_not_shown() {
        let read = headers("api-key=a%20b%3D, x-scope = 7 \nthird=,").expect("right");
        let of = |name: &str| read.get(name).map(|value| (value.to_str().unwrap().to_owned(), value.is_sensitive()));
        assert_eq!(of("api-key"), Some(("a b=".to_owned(), true)));
        assert_eq!((of("x-scope"), of("third")), (Some(("7".to_owned(), true)), Some((String::new(), true))));
        for wrong in ["hunter2", "=hunter2", "a b=hunter2", "a=%ff", "a=hunter2%0A", &format!("a={}", "x".repeat(LIST_BYTES))] {
            let words = headers(wrong).expect_err(wrong);
            assert!(!words.contains("hunter2"), "{words}");
        }
    }
}
