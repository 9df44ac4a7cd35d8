//! Kubernetes names that are DNS names: of namespaces, resources and API groups.

/// RFC 1123: a label has 63 characters at most.
pub const LABEL_MAX: usize = 63;

/// RFC 1123: a subdomain has 253 characters at most; Kubernetes holds object names to the same.
pub const SUBDOMAIN_MAX: usize = 253;

/// RFC 1123: `[a-z0-9]([-a-z0-9]*[a-z0-9])?`, 63 characters at most.
pub fn is_label(text: &str) -> bool {
    let ends = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    bytes.len() <= LABEL_MAX
        && ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|&b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// RFC 1123: labels with dots between them, 253 characters at most.
pub fn is_subdomain(text: &str) -> bool {
    text.len() <= SUBDOMAIN_MAX && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_lower_case_and_has_no_dot() {
        for label in ["a", "team-a", "0", &"x".repeat(63)] {
            assert!(is_label(label), "{label}");
        }
        for text in ["", "Team", "team_a", "-a", "a-", "a.b", "a/b", "*", "é", &"x".repeat(64)] {
            assert!(!is_label(text), "{text}");
        }
        assert!(is_subdomain("rbac.authorization.k8s.io") && is_subdomain("apps"));
        assert!(!is_subdomain("") && !is_subdomain("a..b") && !is_subdomain("apps/v1"));
    }
}
