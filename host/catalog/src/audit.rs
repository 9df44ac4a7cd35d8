//! The audit trail: a line of the log for each call, with what it did and nothing of what it read or said.

use std::time::Duration;

use sandbar_policy::{Budget, Caller, Proof};
use sandbar_text::{clean_line, identifier};

use super::event::NAME_BYTES;
use super::observer::{EndedCall, Observer};
use super::offer::Offer;

/// Bytes of all groups of a caller.
const GROUPS_BYTES: usize = 2 * 1024;

/// The name of the event of a call that is not let in. Its message and its target are those of any call.
pub const NOT_LET_IN: &str = "call that is not let in";

/// Writes each call to the log.
pub(super) struct AuditLog;

impl Observer for AuditLog {
    fn ended(&self, call: &EndedCall<'_>) {
        if call.is_let_in { let_in(call) } else { not_let_in(call) }
    }
}

fn let_in(call: &EndedCall<'_>) {
    let budget = call.run.map(|run| run.budget);
    let name = clean_line(call.name, NAME_BYTES);
    tracing::info!(
        target: "sandbar::audit",
        caller = %call.caller.identity(),
        groups = groups(call.caller),
        proof = call.caller.identity().proof().map(tracing::field::display),
        issuer = call.caller.identity().proof().and_then(Proof::issuer),
        client = call.caller.client(),
        tool = (call.offer == Offer::Tool).then_some(&*name),
        prompt = (call.offer == Offer::Prompt).then_some(&*name),
        resource = (call.offer == Offer::Resource).then_some(&*name),
        component = call.run.and(call.component).map(|component| &**component),
        digest = call.run.map(|run| run.digest),
        argument_bytes = call.argument_bytes,
        cluster = call.run.and_then(|run| run.cluster),
        rights = call.run.map(|run| run.rights),
        reviews = budget.map(Budget::reviews),
        namespaces = budget.map(Budget::namespaces),
        requests = budget.map(Budget::requests),
        read_bytes = budget.map(Budget::read),
        result_bytes = call.run.map(|run| run.result_bytes),
        outcome = call.outcome.as_str(),
        ms = milliseconds(call.took),
        cpu_ms = budget.map(|budget| milliseconds(budget.meter().last_spent())),
        "call"
    );
}

/// Writes the event of a call that is not let in, because there are too many: so there can be many of these as well, and whoever writes the
/// log may count them together.
fn not_let_in(call: &EndedCall<'_>) {
    let name = clean_line(call.name, NAME_BYTES);
    tracing::info!(
        name: NOT_LET_IN,
        target: "sandbar::audit",
        caller = %call.caller.identity(),
        client = call.caller.client(),
        tool = (call.offer == Offer::Tool).then_some(&*name),
        prompt = (call.offer == Offer::Prompt).then_some(&*name),
        resource = (call.offer == Offer::Resource).then_some(&*name),
        argument_bytes = call.argument_bytes,
        outcome = call.outcome.as_str(),
        ms = milliseconds(call.took),
        "call"
    );
}

/// The caller's groups, as far as there is room for them. None of them can look like two, or like another.
fn groups(caller: &Caller) -> Option<String> {
    let user = caller.identity().user()?;
    let mut all = String::new();
    for group in &user.groups {
        all += if all.is_empty() { "" } else { "," };
        let group = identifier(group, Some(','));
        if all.len() + group.len() > GROUPS_BYTES {
            all += "…";
            break;
        }
        all += &group;
    }
    Some(all)
}

fn milliseconds(duration: Duration) -> f64 {
    // Microseconds are as fine as these clocks are worth.
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sandbar_policy::{Identity, User};

    use super::*;

    fn groups_of(groups: &[&str]) -> String {
        let groups = groups.iter().map(|&group| group.to_owned()).collect();
        let user = User { groups, ..User::anonymous() };
        super::groups(&Caller::new(Identity::User(Arc::new(user), Proof::FrontProxy))).expect("a user")
    }

    #[test]
    fn no_group_looks_like_another_or_like_two() {
        assert_eq!(groups_of(&["a", "b c"]), "a,b c");
        assert_eq!(groups_of(&["x,system:masters", "\u{200b}system:masters"]), "x\\u{2c}system:masters,\\u{200b}system:masters");
        let many = groups_of(&["x".repeat(1000).as_str(); 5]);
        assert!(many.ends_with("x,…") && many.len() < GROUPS_BYTES + 8, "{}", many.len());
        assert_eq!(groups_of(&["x".repeat(3000).as_str()]), "…");
    }
}
