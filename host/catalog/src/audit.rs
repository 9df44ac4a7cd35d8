//! The audit trail: one event for each call, with what it did and nothing of what it read or said.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sandbar_policy::{Budget, Caller, Proof};
use sandbar_sandbox::CallError;
use sandbar_text::{clean_line, identifier};

use super::answered::Answered;
use super::found::Found;
use super::offer::{Asked, Offer};

/// Bytes of a name: the longest that MCP allows a tool. A URI may be longer than what is kept of it.
const NAME_BYTES: usize = 128;

/// Bytes of a name that nothing has: it is the caller's word alone, as its own name is.
const CLAIMED_BYTES: usize = 64;

/// Bytes of all groups of a caller.
const GROUPS_BYTES: usize = 2 * 1024;

/// The name of the event of a call that is not let in. Its message and its target are those of any call.
pub const NOT_LET_IN: &str = "call that is not let in";

/// Writes the event of a call that is not let in, because there are too many: so there can be many of these as well, and whoever writes the
/// log may count them together.
pub(super) fn not_let_in(caller: &Caller, asked: &Asked) {
    let (offer, name) = (asked.offer(), clean_line(asked.bare_name(), NAME_BYTES));
    tracing::info!(
        name: NOT_LET_IN,
        target: "sandbar::audit",
        caller = %caller.identity(),
        client = caller.client(),
        tool = (offer == Offer::Tool).then_some(&*name),
        prompt = (offer == Offer::Prompt).then_some(&*name),
        resource = (offer == Offer::Resource).then_some(&*name),
        argument_bytes = asked.argument_bytes(),
        outcome = Outcome::Busy.as_str(),
        ms = 0.0,
        "call"
    );
}

/// The beginning of a name. It is cut before it is cleaned.
fn beginning(name: &str, most: usize) -> String {
    name[..name.floor_char_boundary(most)].to_owned()
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

/// The event of one call. It is written when this is dropped: also when the call is dropped before its end.
pub struct AuditEvent {
    began: Instant,
    /// From its beginning to its end; what comes after is its reader's time.
    took: Option<Duration>,
    caller: Caller,
    offer: Offer,
    name: String,
    argument_bytes: usize,
    ran: Option<Ran>,
    outcome: Outcome,
}

/// What is known once a component runs.
struct Ran {
    /// The component's name, and the digest of its bytes.
    component: Arc<str>,
    digest: Arc<str>,
    /// The name of the cluster, where there are several.
    cluster: Option<Arc<str>>,
    /// Whose rights count for what it reads.
    rights: &'static str,
    budget: Arc<Budget>,
    result_bytes: usize,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The component answered.
    Answered,
    /// The component answered that it failed.
    Failed,
    /// It was not run: nothing has this name, or the arguments do not fit.
    Refused,
    /// It was not run: its caller may not have this, as far as is known.
    Denied,
    /// There was no room for it.
    Busy,
    /// The component answered, and there was no room for its answer.
    GivenUp,
    /// The component answered, and its caller did not take all of the answer.
    Undelivered,
    /// The host ended it, and said why.
    Stopped(&'static str),
    /// The caller went away, or took the call back.
    Cancelled,
}

impl AuditEvent {
    /// Begins with a call that nobody has looked at yet.
    pub(super) fn begin(caller: &Caller, asked: &Asked) -> Self {
        let (offer, argument_bytes) = (asked.offer(), asked.argument_bytes());
        let name = beginning(asked.bare_name(), NAME_BYTES);
        let (caller, outcome) = (caller.clone(), Outcome::Cancelled);
        Self { began: Instant::now(), took: None, caller, offer, name, argument_bytes, ran: None, outcome }
    }

    /// It is known what is asked for. Of what fits a template only that is told: the rest is the caller's.
    pub(super) fn names(&mut self, found: &Found<'_>) {
        if let Found::Resource { declared, .. } = found {
            self.name = beginning(declared, NAME_BYTES);
        }
    }

    /// The call has come to its component.
    pub(super) fn runs(
        &mut self,
        component: &Arc<str>,
        digest: &Arc<str>,
        cluster: Option<Arc<str>>,
        rights: &'static str,
        budget: &Arc<Budget>,
    ) {
        let (component, digest, budget) = (component.clone(), digest.clone(), budget.clone());
        self.ran = Some(Ran { component, digest, cluster, rights, budget, result_bytes: 0 });
    }

    /// The component has returned so many bytes.
    pub(super) fn returned(&mut self, bytes: usize) {
        if let Some(ran) = &mut self.ran {
            ran.result_bytes = bytes;
        }
    }

    /// The call has ended.
    pub(super) fn end(&mut self, outcome: Outcome) {
        self.outcome = outcome;
        self.took = Some(self.began.elapsed());
    }

    /// Nothing has this name.
    pub(super) fn names_nothing(&mut self) {
        self.name.truncate(self.name.floor_char_boundary(CLAIMED_BYTES));
        self.end(Outcome::Refused);
    }

    /// What the call has used so far; none where no component ran.
    pub fn budget(&self) -> Option<&Budget> {
        self.ran.as_ref().map(|ran| &*ran.budget)
    }

    /// There was no room for the answer; its caller got words in its place.
    pub fn given_up(&mut self) {
        self.instead_of_answered(Outcome::GivenUp);
    }

    /// The caller did not take all of the answer.
    pub fn undelivered(&mut self) {
        self.instead_of_answered(Outcome::Undelivered);
    }

    /// What went wrong before says more than this.
    fn instead_of_answered(&mut self, outcome: Outcome) {
        if self.outcome == Outcome::Answered {
            self.outcome = outcome;
        }
    }
}

impl Drop for AuditEvent {
    fn drop(&mut self) {
        if self.took.is_none() && std::thread::panicking() {
            self.outcome = Outcome::Stopped("server fault");
        }
        let ran = self.ran.as_ref();
        let budget = ran.map(|ran| &*ran.budget);
        let name = clean_line(&self.name, NAME_BYTES);
        tracing::info!(
            target: "sandbar::audit",
            caller = %self.caller.identity(),
            groups = groups(&self.caller),
            proof = self.caller.identity().proof().map(tracing::field::display),
            issuer = self.caller.identity().proof().and_then(Proof::issuer),
            client = self.caller.client(),
            tool = (self.offer == Offer::Tool).then_some(&*name),
            prompt = (self.offer == Offer::Prompt).then_some(&*name),
            resource = (self.offer == Offer::Resource).then_some(&*name),
            component = ran.map(|ran| &*ran.component),
            digest = ran.map(|ran| &*ran.digest),
            argument_bytes = self.argument_bytes,
            cluster = ran.and_then(|ran| ran.cluster.as_deref()),
            rights = ran.map(|ran| ran.rights),
            reviews = budget.map(Budget::reviews),
            namespaces = budget.map(Budget::namespaces),
            requests = budget.map(Budget::requests),
            read_bytes = budget.map(Budget::read),
            result_bytes = ran.map(|ran| ran.result_bytes),
            outcome = self.outcome.as_str(),
            ms = milliseconds(self.took.unwrap_or_else(|| self.began.elapsed())),
            cpu_ms = budget.map(|budget| milliseconds(budget.meter().last_spent())),
            "call"
        );
    }
}

impl Outcome {
    /// The outcome of a call that came to an answer.
    pub(super) fn of(answer: &Answered) -> Self {
        if answer.is_success() { Self::Answered } else { Self::Failed }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Denied => "denied",
            Self::Busy => "busy",
            Self::GivenUp => "given up",
            Self::Undelivered => "undelivered",
            Self::Stopped(why) => why,
            Self::Cancelled => "cancelled",
        }
    }
}

impl From<&CallError> for Outcome {
    fn from(error: &CallError) -> Self {
        Self::Stopped(match error {
            CallError::Busy { .. } | CallError::QueueBusy { .. } => return Self::Busy,
            CallError::Time(_) => "limit time",
            CallError::Cpu(_) => "limit cpu",
            CallError::Memory { .. } => "limit memory",
            CallError::Stack { .. } => "limit stack",
            CallError::Table { .. } => "limit tables",
            CallError::Result { .. } => "limit result",
            CallError::Passed { .. } => "limit passed",
            CallError::Handles { .. } => "limit handles",
            CallError::Trap(_) | CallError::Script(_) => "crashed",
            CallError::Host => "server fault",
        })
    }
}

fn milliseconds(duration: Duration) -> f64 {
    // Microseconds are as fine as these clocks are worth.
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
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
