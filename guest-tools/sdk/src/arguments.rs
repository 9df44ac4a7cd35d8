//! Arguments of a tool that are names and other words: white space around them is nobody's intention, and an empty one is absent.

use crate::Error;

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
    }
}
