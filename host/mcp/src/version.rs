//! The versions of the protocol, and the two eras that they fall into.

use rmcp::model::ProtocolVersion;

/// A protocol version that this server speaks. Later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// The first one.
    V2024_11_05,
    /// The first one over HTTP as it is today.
    V2025_03_26,
    /// The first one whose requests name it in a header.
    V2025_06_18,
    /// The first one that shows a model what was wrong with its arguments.
    V2025_11_25,
    /// The first one without sessions.
    V2026_07_28,
}

/// What a request has to contain, and how it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Era {
    /// A client begins with `initialize`, has a session from then on, and cancels a call by a notification.
    Legacy,
    /// Every request stands alone, and a client cancels a call by leaving.
    Modern,
}

impl Version {
    /// All of them, the oldest first.
    pub const ALL: [Self; 5] = [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];

    /// The newest one that begins with `initialize`.
    pub const NEWEST_LEGACY: Self = Self::V2025_11_25;

    /// The version of a legacy request that names none, by the specification.
    pub const ASSUMED: Self = Self::V2025_03_26;

    /// Parses a version; none if this server does not speak it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text)
    }

    /// The version as it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The era that it belongs to.
    pub fn era(self) -> Era {
        if self < Self::V2026_07_28 { Era::Legacy } else { Era::Modern }
    }

    /// The version for a client that asks for `asked` in `initialize`: the same, or the newest that has `initialize`.
    pub(super) fn negotiated(asked: &str) -> Self {
        Self::parse(asked).filter(|version| version.era() == Era::Legacy).unwrap_or(Self::NEWEST_LEGACY)
    }
}

impl From<Version> for ProtocolVersion {
    fn from(version: Version) -> Self {
        match version {
            Version::V2024_11_05 => Self::V_2024_11_05,
            Version::V2025_03_26 => Self::V_2025_03_26,
            Version::V2025_06_18 => Self::V_2025_06_18,
            Version::V2025_11_25 => Self::V_2025_11_25,
            Version::V2026_07_28 => Self::V_2026_07_28,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_that_the_protocol_has_is_spoken() {
        let known: Vec<_> = ProtocolVersion::KNOWN_VERSIONS.to_vec();
        assert_eq!(Version::ALL.map(ProtocolVersion::from).to_vec(), known);
        for (version, known) in Version::ALL.into_iter().zip(known) {
            assert_eq!((version.as_str(), Version::parse(known.as_str())), (known.as_str(), Some(version)));
            assert_eq!(version.era() == Era::Legacy, known.has_initialize());
        }
    }

    #[test]
    fn initialize_ends_with_a_version_that_begins_so() {
        for (asked, spoken) in [
            ("2024-11-05", Version::V2024_11_05),
            ("2025-06-18", Version::V2025_06_18),
            ("2026-07-28", Version::V2025_11_25),
            ("1999-01-01", Version::V2025_11_25),
            ("", Version::V2025_11_25),
        ] {
            assert_eq!(Version::negotiated(asked), spoken, "{asked}");
        }
    }
}
