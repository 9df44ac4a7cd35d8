//! Amounts as Kubernetes writes them: `250m`, `1.5`, `1Gi`, `129M`, `1e3`.

use std::cmp::Ordering;
use std::fmt::{self, Write};
use std::iter::Sum;
use std::ops::{Add, Sub};

use super::written::written;

/// An amount of processors, bytes, pods and so on. It is exact to a thousandth, to which what is finer is rounded up, and what is
/// too large is the largest. It is written as kubectl writes it, in the units that it was read in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quantity {
    thousandths: i128,
    /// In units of 1024.
    is_binary: bool,
}

/// Bytes of a quantity's text at most: more digits than there is room for.
const TEXT_MAX: usize = 64;

/// The units above one. The first is `k` where it is not binary.
const LARGE: [u8; 6] = *b"KMGTPE";

impl Quantity {
    /// The amount that this text is; none where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_ascii();
        if text.len() > TEXT_MAX {
            return None;
        }
        let (is_negative, text) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let end = text.bytes().position(|byte| !byte.is_ascii_digit() && byte != b'.').unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
            return None;
        }
        // More digits than that are of no account, on this side or on that.
        let fraction = if whole.len() > 20 { "" } else { &fraction[..fraction.len().min(18)] };
        let (scale, is_binary) = scale(unit)?;
        // What is behind the point makes the power of ten smaller.
        let tens = scale.tens + 3 - i32::try_from(fraction.len()).ok()?;
        let digits = whole.bytes().chain(fraction.bytes());
        let digits = digits.fold(0_u128, |sum, digit| sum.saturating_mul(10).saturating_add(u128::from(digit - b'0')));
        let large = digits.saturating_mul(1 << scale.twos);
        let power = 10_u128.saturating_pow(tens.unsigned_abs());
        let thousandths = if tens < 0 { large.div_ceil(power) } else { large.saturating_mul(power) };
        let thousandths = i128::try_from(thousandths).unwrap_or(i128::MAX);
        Some(Self { thousandths: if is_negative { -thousandths } else { thousandths }, is_binary })
    }

    /// So many thousandths.
    pub const fn from_thousandths(thousandths: i128) -> Self {
        Self { thousandths, is_binary: false }
    }

    /// How many thousandths it is.
    pub const fn thousandths(self) -> i128 {
        self.thousandths
    }
}

/// What a unit stands for: powers of ten and of two.
struct Scale {
    tens: i32,
    twos: u32,
}

fn scale(unit: &str) -> Option<(Scale, bool)> {
    let tens = |tens| Some((Scale { tens, twos: 0 }, false));
    match unit.as_bytes() {
        [] => tens(0),
        b"n" => tens(-9),
        b"u" => tens(-6),
        b"m" => tens(-3),
        b"k" => tens(3),
        [b'e' | b'E', rest @ ..] if !rest.is_empty() && *rest != [b'i'] => {
            let exponent: i32 = unit[1..].parse().ok()?;
            // More than there is room for, either way.
            tens(exponent.clamp(-99, 99))
        }
        [letter, binary @ ..] => {
            let power = LARGE.iter().position(|large| large == letter)?;
            match binary {
                b"i" => Some((Scale { tens: 0, twos: 10 * (power as u32 + 1) }, true)),
                [] if *letter != b'K' => tens(3 * (power as i32 + 1)),
                _ => None,
            }
        }
    }
}

impl PartialEq for Quantity {
    /// `1024` is `1Ki`.
    fn eq(&self, other: &Self) -> bool {
        self.thousandths == other.thousandths
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.thousandths.cmp(&other.thousandths)
    }
}

impl Add for Quantity {
    type Output = Self;

    /// Both together, in the units of the first that is not nothing.
    fn add(self, other: Self) -> Self {
        let is_binary = if self.thousandths == 0 { other.is_binary } else { self.is_binary };
        Self { thousandths: self.thousandths.saturating_add(other.thousandths), is_binary }
    }
}

impl Sub for Quantity {
    type Output = Self;

    /// What is left, in the units of the first that is not nothing.
    fn sub(self, other: Self) -> Self {
        let is_binary = if self.thousandths == 0 { other.is_binary } else { self.is_binary };
        Self { thousandths: self.thousandths.saturating_sub(other.thousandths), is_binary }
    }
}

impl Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(quantities: I) -> Self {
        quantities.fold(Self::default(), Self::add)
    }
}

impl fmt::Display for Quantity {
    /// Exactly, in the largest unit that it is a whole number of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut number = self.thousandths.unsigned_abs();
        // 0 is thousandths, 1 is ones, and above are the letters.
        let (mut power, mut step) = (0, 1000);
        while number != 0 && number.is_multiple_of(step) && power <= LARGE.len() {
            number /= step;
            power += 1;
            // As kubectl has it: what is less than 1024 has no binary unit.
            step = if self.is_binary { 1024 } else { 1000 };
        }
        if self.thousandths < 0 {
            f.write_char('-')?;
        }
        // The formatting of 128 bits would be much code for more than there is of anything.
        fmt::Display::fmt(&u64::try_from(number).unwrap_or(u64::MAX), f)?;
        match (number, power, self.is_binary) {
            (0, ..) | (_, 1, _) => Ok(()),
            (_, 0, _) => f.write_char('m'),
            (_, 2, false) => f.write_char('k'),
            (_, power, is_binary) => {
                f.write_char(LARGE[power - 2].into())?;
                if is_binary { f.write_char('i') } else { Ok(()) }
            }
        }
    }
}

written!(Quantity, "it is no quantity");

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn quantity(text: &str) -> Quantity {
        Quantity::parse(text).unwrap_or_else(|| panic!("{text} is a quantity"))
    }

    #[test]
    fn every_form_of_kubernetes_is_read() {
        for (text, thousandths) in [
            ("0", 0),
            ("100m", 100),
            ("1.5", 1_500),
            (".5", 500),
            ("2.", 2_000),
            ("-250m", -250),
            ("+1", 1_000),
            (" 1 ", 1_000),
            ("1k", 1_000_000),
            ("1Ki", 1_024_000),
            ("0.5Gi", 536_870_912_000),
            ("1Gi", 1_073_741_824_000),
            ("128974848", 128_974_848_000),
            ("129M", 129_000_000_000),
            ("1e3", 1_000_000),
            ("1E3", 1_000_000),
            ("12e-1", 1_200),
            ("1E", 1_000_000_000_000_000_000_000),
            ("1Ei", 1_152_921_504_606_846_976_000),
            ("12345678n", 13),
            ("1n", 1),
            ("1500u", 2),
            ("0.0001", 1),
            ("1e-99", 1),
            ("1.2000000000000000000000000000000000000000000000000000000001", 1_200),
            ("123456789012345678901.5", 123_456_789_012_345_678_901_000),
        ] {
            assert_eq!(quantity(text).thousandths(), thousandths, "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_none() {
        let long = "1".repeat(65);
        for text in [
            "", " ", "-", ".", "1.2.3", "Gi", "1 Gi", "1KI", "1K", "1mi", "1ki", "1Mib", "1x", "1e", "1e1.5", "--1", "NaN", "ä",
            "1ä", &long,
        ] {
            assert_eq!(Quantity::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_too_large_is_the_largest() {
        for text in ["1e99", "1e999999", &"9".repeat(64), "99999999999999999999999999999999Ei"] {
            assert_eq!(Quantity::parse(text).map(Quantity::thousandths), Some(i128::MAX), "{text}");
        }
        assert_eq!(quantity("-1e99").thousandths(), -i128::MAX);
        assert_eq!(quantity("0e99").thousandths(), 0);
        assert_eq!((quantity("1e99") + quantity("1")).thousandths(), i128::MAX);
        assert!(!quantity("1e99").to_string().is_empty());
    }

    #[test]
    fn nothing_that_is_nearly_a_quantity_is_too_much() {
        for text in ["-123456789012345678901234567890.5e-17", "99999999999999999999.99999999999999999999Ei", "+1.0000000000001n"]
        {
            for (at, _) in text.char_indices() {
                for other in ["", "9", "0", "-", ".", "e", "E", "i", "m", "ä", "99999999999"] {
                    let text = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                    if let Some(quantity) = Quantity::parse(&text) {
                        assert!((quantity + quantity).to_string().len() < 30, "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn it_is_written_as_kubectl_does() {
        for (text, written) in [
            ("0", "0"),
            ("0Gi", "0"),
            ("250m", "250m"),
            ("0.25", "250m"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("-1.5", "-1500m"),
            ("2000", "2k"),
            ("129M", "129M"),
            ("128974848", "128974848"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("16392848Ki", "16392848Ki"),
            ("0.5Ki", "512"),
            ("1Ei", "1Ei"),
            ("1e3", "1k"),
        ] {
            assert_eq!(quantity(text).to_string(), written, "{text}");
        }
    }

    #[test]
    fn quantities_compare_and_add_up() {
        assert_eq!(quantity("1Ki"), quantity("1024"));
        assert!(quantity("1Gi") > quantity("1G") && quantity("999m") < quantity("1"));
        let sum = |texts: &[&str]| texts.iter().map(|text| quantity(text)).sum::<Quantity>().to_string();
        assert_eq!(sum(&["250m", "750m", "2"]), "3");
        assert_eq!(sum(&["512Mi", "512Mi"]), "1Gi");
        assert_eq!(sum(&[]), "0");
        assert_eq!((quantity("1Gi") - quantity("512Mi")).to_string(), "512Mi");
        assert_eq!((quantity("0") - quantity("-1e99")).thousandths(), i128::MAX);
    }

    #[test]
    fn json_has_it_as_a_text_or_as_a_number() {
        let read = |json: serde_json::Value| serde_json::from_str::<Quantity>(&json.to_string());
        assert_eq!(read(json!("250m")).expect("a text"), quantity("250m"));
        assert_eq!(read(json!(2)).expect("a number"), quantity("2"));
        assert_eq!(read(json!(0.5)).expect("a number"), quantity("500m"));
        assert!(read(json!("much")).is_err() && read(json!({})).is_err() && read(json!(null)).is_err());
        assert_eq!(serde_json::to_value(quantity("1024Mi")).expect("JSON"), json!("1Gi"));
        #[derive(serde::Deserialize)]
        struct Resources {
            #[expect(dead_code, reason = "only its path is looked at")]
            cpu: Quantity,
        }
        assert_eq!(crate::fields::of::<Resources>(), Some(vec!["cpu".to_owned()]));
    }
}
