//! URIs of resources, and templates of them: the closed part of RFC 3986 and RFC 6570 that is served.
//!
//! A URI is `scheme://authority`, and behind it a path or nothing. What begins with the same scheme and authority, its space, is of one
//! component, so no template of another can stand for it. A template has variables in its path, at most one in a segment, so that a URI
//! fits it in one way or not at all.

use std::collections::BTreeSet;

/// Bytes of a URI: more than a path of names needs, and a client repeats it in a header.
pub(super) const URI_BYTES: usize = 1024;

/// Schemes that mean something to clients by themselves: these they would read without asking the server.
const TAKEN_SCHEMES: [&str; 5] = ["http", "https", "file", "data", "javascript"];

/// The variables of a template.
const VARIABLES: usize = 16;

/// The characters of a path beside letters, digits and what is percent-encoded.
const PATH: &[u8] = b"-._~!$&'()*+,;=:@/";

/// A template of URIs.
#[derive(Clone, Debug)]
pub(super) struct Template {
    space: String,
    /// The segments of its path; the text before the first slash is the space.
    segments: Vec<Segment>,
}

#[derive(Clone, Debug)]
enum Segment {
    Fixed(String),
    /// A variable with what stands before and after it.
    Variable(String, String),
}

/// Where a URI begins: its scheme and authority. Of what is none, nothing.
pub(super) fn space(uri: &str) -> Option<&str> {
    let authority = uri.find("://")? + 3;
    let end = uri[authority..].find('/').map_or(uri.len(), |path| authority + path);
    Some(&uri[..end])
}

/// Whether this is a URI that can be served; else what is wrong with it.
pub(super) fn check(uri: &str) -> Result<(), String> {
    let path = path_of(uri)?;
    check_path(path)
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let path = path_of(text)?;
        let mut names = BTreeSet::new();
        let segments =
            path.split('/').skip(1).map(|segment| Segment::parse(segment, &mut names)).collect::<Result<Vec<_>, _>>()?;
        if names.is_empty() || names.len() > VARIABLES {
            return Err(format!("it has {} variables; a template needs 1 to {VARIABLES}", names.len()));
        }
        Ok(Self { space: space(text).unwrap_or_default().to_owned(), segments })
    }

    /// Whether it stands for this URI.
    pub(super) fn fits(&self, uri: &str) -> bool {
        let Some(path) = uri.strip_prefix(&self.space).and_then(|path| path.strip_prefix('/')) else { return false };
        let mut segments = path.split('/');
        self.segments.iter().all(|segment| segments.next().is_some_and(|text| segment.fits(text))) && segments.next().is_none()
    }
}

impl Segment {
    fn parse<'t>(text: &'t str, names: &mut BTreeSet<&'t str>) -> Result<Self, String> {
        let Some((before, rest)) = text.split_once('{') else {
            check_path(text)?;
            return Ok(Self::Fixed(text.to_owned()));
        };
        let (name, after) = rest.split_once('}').ok_or_else(|| format!("a brace is open in {text:?}"))?;
        if after.contains('{') {
            return Err(format!("two variables in one segment, {text:?}"));
        }
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(format!("{{{name}}} is no variable: only {{name}} is known, of [A-Za-z0-9_]"));
        }
        if !names.insert(name) {
            return Err(format!("the variable {{{name}}} stands twice"));
        }
        check_path(before)?;
        check_path(after)?;
        Ok(Self::Variable(before.to_owned(), after.to_owned()))
    }

    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Fixed(fixed) => fixed == text,
            Self::Variable(before, after) => {
                let value = text.strip_prefix(before.as_str()).and_then(|rest| rest.strip_suffix(after.as_str()));
                // Nor may it be a step in a path once it is decoded.
                let is_step = |value: &str| matches!(&*value.to_ascii_lowercase().replace("%2e", "."), "." | "..");
                value.is_some_and(|value| !value.is_empty() && is_made_of(value, b"-._~") && !is_step(text))
            }
        }
    }
}

/// The path of a URI or a template, whose scheme and authority are checked.
fn path_of(uri: &str) -> Result<&str, String> {
    if uri.len() > URI_BYTES {
        return Err(format!("it has {} bytes; {URI_BYTES} is the most", uri.len()));
    }
    let (scheme, rest) = uri.split_once("://").ok_or("it is not scheme://authority/path")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+.-".contains(&byte));
    if !is_scheme {
        return Err(format!("its scheme {scheme:?} is not of [a-z][a-z0-9+.-]*"));
    }
    if TAKEN_SCHEMES.contains(&scheme) {
        return Err(format!("its scheme {scheme:?} is one that clients read by themselves; take one of your own"));
    }
    let is_authority = !authority.is_empty()
        && authority.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte));
    if !is_authority {
        return Err(format!("its authority {authority:?}, between :// and the next slash, is not of [a-z0-9._-]"));
    }
    Ok(path)
}

/// Checks a path, or a part of one.
fn check_path(path: &str) -> Result<(), String> {
    if path.split('/').any(|segment| segment == "." || segment == "..") {
        return Err("its path has a segment `.` or `..`, which clients take away".to_owned());
    }
    if is_made_of(path, PATH) { Ok(()) } else { Err(format!("its path is not of [A-Za-z0-9{}] and %XX", PATH.escape_ascii())) }
}

/// Whether a text is made of ASCII letters and digits, of these characters, and of percent-encoded bytes.
fn is_made_of(text: &str, others: &[u8]) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let fits = match byte {
            b'%' => [bytes.next(), bytes.next()].iter().all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit())),
            byte => byte.is_ascii_alphanumeric() || others.contains(&byte),
        };
        if !fits {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_a_scheme_an_authority_and_a_path() {
        for uri in ["test://static-text", "sandbar://explain/", "x+y://a.b_c/d/e-f.md;v=1/%7E", "docs://a/b//c"] {
            assert_eq!(check(uri), Ok(()), "{uri}");
        }
        for (uri, said) in [
            ("static-text", "is not scheme://"),
            ("urn:x:y", "is not scheme://"),
            ("Test://a", "scheme"),
            ("://a", "scheme"),
            ("https://example.com/a", "by themselves"),
            ("file:///etc/passwd", "by themselves"),
            ("test:///a", "authority"),
            ("test://A/b", "authority"),
            ("test://a:80/b", "authority"),
            ("test://a?b", "authority"),
            ("test://a/b?c", "path"),
            ("test://a/b#c", "path"),
            ("test://a/é", "path"),
            ("test://a/%7", "path"),
            ("test://a/{b}", "path"),
            ("test://a/../b", "`..`"),
        ] {
            let words = check(uri).expect_err(uri);
            assert!(words.contains(said), "{uri}: {words}");
        }
        let long = format!("test://a/{}", "b".repeat(URI_BYTES));
        assert!(check(&long).is_err_and(|words| words.contains("1024 is the most")));
    }

    #[test]
    fn what_begins_alike_is_of_one_component() {
        for (uri, begins) in [
            ("test://static-text", Some("test://static-text")),
            ("test://template/7/data", Some("test://template")),
            ("test://template/", Some("test://template")),
            ("test:template", None),
            ("", None),
        ] {
            assert_eq!(space(uri), begins, "{uri}");
        }
    }

    #[test]
    fn a_template_has_variables_in_its_path_alone() {
        let fits = |template: &str, uri: &str| Template::parse(template).expect(template).fits(uri);
        for (template, uri) in [
            ("test://template/{id}/data", "test://template/123/data"),
            ("test://t/{id}", "test://t/a%20b~._-"),
            ("test://t/v-{id}.md", "test://t/v-7.md"),
            ("test://t/v-{id}.md", "test://t/v-.md.md"),
            ("test://t/{a}/{b}", "test://t/1/2"),
        ] {
            assert!(fits(template, uri), "{template} {uri}");
        }
        for (template, uri) in [
            ("test://template/{id}/data", "test://template/123/data/"),
            ("test://template/{id}/data", "test://template/1/2/data"),
            ("test://template/{id}/data", "test://template//data"),
            ("test://template/{id}/data", "test://template2/1/data"),
            ("test://t/{id}", "test://t/a%2"),
            ("test://t/{id}", "test://t/é"),
            ("test://t/{id}", "test://t/a?b"),
            ("test://t/v-{id}.md", "test://t/v-.md"),
            ("test://t/aa{id}aa", "test://t/aaa"),
            ("test://t/{a}/{b}", "test://t/1"),
        ] {
            assert!(!fits(template, uri), "{template} {uri}");
        }
        for (template, said) in [
            ("test://{host}/a", "authority"),
            ("{scheme}://a/b", "scheme"),
            ("test://t/a", "has 0 variables"),
            ("test://t/{a}{b}", "two variables"),
            ("test://t/{a}/{a}", "stands twice"),
            ("test://t/{+a}", "is no variable"),
            ("test://t/{a*}", "is no variable"),
            ("test://t/{}", "is no variable"),
            ("test://t/{a", "open"),
            ("test://t/a}", "path"),
            ("test://t/{a}?b", "path"),
        ] {
            let words = Template::parse(template).expect_err(template);
            assert!(words.contains(said), "{template}: {words}");
        }
    }
}
