//! Arguments of a tool that are names and other words: white space around them is nobody's intention, and an empty one is absent.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::Error;

/// Which object: the arguments of a tool that answers with one. [`required`](Self::required) checks them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectKey {
    /// The namespace that it is in.
    #[schemars(description = "")]
    pub namespace: String,
    /// Its name.
    #[schemars(description = "")]
    pub name: String,
}

impl ObjectKey {
    /// The same without white space around. Fails where one of the two is empty.
    pub fn required(&self) -> Result<Self, Error> {
        Ok(Self { namespace: required("namespace", &self.namespace)?, name: required("name", &self.name)? })
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// An optional word; none where it is empty.
pub fn given(word: Option<String>) -> Option<String> {
    word.map(|word| word.trim().to_owned()).filter(|word| !word.is_empty())
}

/// A required word. Fails, in the words `namespace is required`, where it is empty.
pub fn required(argument: &str, word: &str) -> Result<String, Error> {
    match word.trim() {
        "" => Err(Error::invalid(format!("{argument} is required"))),
        word => Ok(word.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_trimmed_and_empty_ones_are_absent() {
        for (word, is) in
            [(None, None), (Some(""), None), (Some(" \n"), None), (Some(" a "), Some("a")), (Some("a b"), Some("a b"))]
        {
            assert_eq!(given(word.map(str::to_owned)).as_deref(), is, "{word:?}");
        }
        assert_eq!(required("name", " web-0\n"), Ok("web-0".to_owned()));
        assert_eq!(required("namespace", " ").expect_err("empty").to_string(), "namespace is required");
        let key = |namespace: &str, name: &str| {
            ObjectKey { namespace: namespace.to_owned(), name: name.to_owned() }
                .required()
                .map_or_else(|error| error.to_string(), |key| key.to_string())
        };
        assert_eq!(
            (key(" team-a", "web\n"), key("", ""), key("team-a", " ")),
            ("team-a/web".to_owned(), "namespace is required".to_owned(), "name is required".to_owned())
        );
    }
}
