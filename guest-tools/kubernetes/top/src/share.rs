//! Which part of something is used, in percent.

use std::fmt;

/// A part in percent; none where one of the two amounts is not known, which is less than any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share(Option<i64>);

impl Share {
    pub(crate) fn of(part: Option<i128>, whole: Option<i128>) -> Self {
        let percent = |part: i128, whole: i128| (whole > 0).then(|| part.max(0).saturating_mul(100) / whole);
        let percent = part.zip(whole).and_then(|(part, whole)| percent(part, whole));
        Self(percent.map(|percent| i64::try_from(percent).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(percent) => write!(f, "{percent}"),
            None => f.write_str("-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn a_share_is_known_where_both_amounts_are() {
        for (part, whole, is) in
            [(Some(1), Some(3), "33"), (Some(9), Some(3), "300"), (None, Some(1), "-"), (Some(1), Some(0), "-")]
        {
            assert_eq!(Share::of(part, whole).to_string(), is);
        }
        assert!(Share::of(None, None) < Share::of(Some(0), Some(1)));
    }
}
