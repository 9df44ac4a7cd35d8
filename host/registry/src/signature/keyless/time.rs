//! Times as the formats of Sigstore have them, in seconds since 1970.

/// `2021-01-12T11:53:27.000Z`: RFC 3339, at UTC.
pub(super) fn rfc3339(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let digits: String = [date, time.split('.').next()?].concat().chars().filter(|letter| !"-:".contains(*letter)).collect();
    seconds(&digits)
}

/// `20210112115327Z`: a GeneralizedTime, with or without parts of a second.
pub(super) fn generalized(text: &str) -> Option<i64> {
    seconds(text.strip_suffix('Z')?.split('.').next()?)
}

/// `YYYYMMDDhhmmss`.
fn seconds(digits: &str) -> Option<i64> {
    if digits.len() != 14 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| digits[range].parse::<i64>().ok();
    let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
    let (hour, minute, second) = (part(8..10)?, part(10..12)?, part(12..14)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Years that begin in March have their odd day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (month * 153 + 2) / 5 + day - 1;
    Some((days - 719_468) * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_so_many_seconds_after_1970() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T12:00:00.999Z", Some(951_825_600)),
            ("2021-01-12T11:53:27.000Z", Some(1_610_452_407)),
            ("2100-03-01T00:00:00Z", Some(4_107_542_400)),
            ("2021-01-12T11:53:27+01:00", None),
            ("2021-13-12T11:53:27Z", None),
            ("2021-01-12", None),
            ("", None),
        ] {
            assert_eq!(rfc3339(text), seconds, "{text}");
        }
        assert_eq!(generalized("20210112115327Z"), Some(1_610_452_407));
        assert_eq!(generalized("20210112115327.5Z"), Some(1_610_452_407));
        assert_eq!(generalized("202101121153Z"), None);
    }
}
