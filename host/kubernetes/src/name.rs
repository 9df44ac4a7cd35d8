//! Names that may be in a URL. Each is checked once; its type then guarantees that it is valid.
//!
//! A name that leads to another path than its own would bypass the grant, so the rules here are no looser than the API server's,
//! and `request` percent-encodes even valid names.

use sandbar_policy::{SUBDOMAIN_MAX, is_label, is_subdomain};

use super::error::{Code, Error};
use super::types::Resource;

/// Characters of a refused value that a message quotes.
const QUOTE_MAX: usize = 80;

/// A namespace's name: an RFC 1123 label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Namespace(String);

/// The name of an object of any kind: one path segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ObjectName(String);

/// A container's name: an RFC 1123 label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Container(String);

impl Namespace {
    /// Parses a name, or says what is wrong with it.
    pub(super) fn parse(name: &str) -> Result<Self, Error> {
        if name.is_empty() {
            return Err(Error::new(Code::Invalid, "namespace is required"));
        }
        if !is_label(name) {
            return Err(refused("namespace", name, "lower-case letters, digits and `-`, 63 characters at most"));
        }
        Ok(Self(name.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl ObjectName {
    /// Parses a name, or says what is wrong with it.
    ///
    /// Each kind has its own rule in Kubernetes; the loosest (RBAC's) is "one path segment". `?`, `#` and `\` are refused as
    /// well: no real name has them, and a name that has them is an attack.
    pub(super) fn parse(name: &str) -> Result<Self, Error> {
        if name.is_empty() {
            return Err(Error::new(Code::Invalid, "name is required"));
        }
        let forbidden = |c: char| matches!(c, '/' | '%' | '?' | '#' | '\\') || c.is_control() || c.is_whitespace();
        let hidden = sandbar_text::clean(name) != name;
        if name == "." || name == ".." || name.len() > SUBDOMAIN_MAX || name.contains(forbidden) || hidden {
            return Err(refused(
                "name",
                name,
                "one path segment of 253 bytes at most, without white space, `/`, `%`, `?`, `#` and `\\`, and neither `.` nor `..`",
            ));
        }
        Ok(Self(name.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Container {
    /// Parses a name, or says what is wrong with it.
    pub(super) fn parse(name: &str) -> Result<Self, Error> {
        if !is_label(name) {
            return Err(refused("container", name, "lower-case letters, digits and `-`, 63 characters at most"));
        }
        Ok(Self(name.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Refuses a resource with an invalid group, version or plural.
pub(super) fn check_resource(of: &Resource) -> Result<(), Error> {
    if let Some((parent, child)) = of.plural.split_once('/') {
        return Err(Error::new(
            Code::Invalid,
            format!(
                "{} is a subresource, and those cannot be read; read {} instead (pods/log is read through `logs`)",
                quote(&format!("{parent}/{child}")),
                quote(parent)
            ),
        ));
    }
    if !is_label(&of.plural) {
        return Err(refused("resource", &of.plural, "the plural name in lower case, `deployments` for example"));
    }
    if !of.group.is_empty() && !is_subdomain(&of.group) {
        return Err(refused("API group", &of.group, "a DNS name such as `apps` or `coder.com`, and empty for the core group"));
    }
    if !of.version.is_empty() && !is_label(&of.version) {
        return Err(refused("version", &of.version, "a name such as `v1`, and empty for the preferred version"));
    }
    Ok(())
}

/// A value in back quotes for a message: short, and without invisible characters.
pub(super) fn quote(value: &str) -> String {
    // Cut before it is cleaned, which costs time and memory; invisible characters do not count towards the limit.
    let (start, is_cut) = first(value, 16 * QUOTE_MAX);
    let clean = sandbar_text::clean_line(start, start.len());
    match first(&clean, QUOTE_MAX) {
        (start, false) if !is_cut => format!("`{start}`"),
        (start, _) => format!("`{start}…`"),
    }
}

/// The first characters of a text, and whether there are more.
fn first(text: &str, characters: usize) -> (&str, bool) {
    text.char_indices().nth(characters).map_or((text, false), |(end, _)| (&text[..end], true))
}

fn refused(what: &str, value: &str, rule: &str) -> Error {
    Error::new(Code::Invalid, format!("{} is not a valid {what}: it has to be {rule}", quote(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_real_objects_have_are_taken() {
        for name in ["web-0", "system:node", "acme.alice.dev-box", "kube-root-ca.crt", "A_b~c", &"x".repeat(253)] {
            assert!(ObjectName::parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_name_that_leaves_its_segment_is_refused_and_named() {
        for name in ["..", ".", "../secrets", "a/b", "a%2fb", "a?watch=true", "a#b", "a\\b", "a b", "a\nb", "a\u{202e}b"] {
            let error = ObjectName::parse(name).expect_err(name);
            assert_eq!(error.code, Code::Invalid);
            assert!(error.message.contains(&quote(name)), "{}", error.message);
        }
        assert!(ObjectName::parse(&"x".repeat(254)).is_err());
        assert_eq!(ObjectName::parse("").expect_err("empty").message, "name is required");
    }

    #[test]
    fn a_quote_is_cut() {
        assert_eq!(quote("a\u{200b}b"), "`ab`");
        let long = format!("`{}…`", "é".repeat(QUOTE_MAX));
        assert_eq!(quote(&"é".repeat(QUOTE_MAX)), long.replace('…', ""));
        assert_eq!(quote(&"é".repeat(QUOTE_MAX + 1)), long);
        assert_eq!(quote(&"é\u{200b}".repeat(1_000_000)), long);
        assert_eq!(quote(&"\u{200b}".repeat(1_000_000)), "`…`");
    }

    #[test]
    fn a_namespace_is_a_label() {
        assert!(Namespace::parse("team-a").is_ok());
        for name in ["Team", "team_a", "-a", "a-", "a.b", "team-a/pods", "..", "a%2f", &"x".repeat(64)] {
            assert_eq!(Namespace::parse(name).expect_err(name).code, Code::Invalid);
        }
        assert_eq!(Namespace::parse("").expect_err("empty").message, "namespace is required");
    }

    #[test]
    fn a_subresource_is_refused_with_what_to_read_instead() {
        let of = |group: &str, version: &str, plural: &str| Resource {
            group: group.into(),
            version: version.into(),
            plural: plural.into(),
        };
        let error = check_resource(&of("", "v1", "pods/proxy")).expect_err("subresource");
        assert_eq!(
            error.message,
            "`pods/proxy` is a subresource, and those cannot be read; read `pods` instead (pods/log is read through `logs`)"
        );
        assert!(check_resource(&of("coder.com", "v1alpha1", "codercontrolplanes")).is_ok());
        for bad in [of("../apis", "v1", "pods"), of("", "v1?", "pods"), of("", "v1", "Pods"), of("", "v1", "")] {
            assert_eq!(check_resource(&bad).expect_err("malformed").code, Code::Invalid);
        }
    }
}
