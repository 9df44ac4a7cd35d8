//! Whether there is memory for calls.

use std::sync::Arc;

use sandbar_sandbox::{Slots, available_memory};

use super::finding::{Finding, about};
use super::subject::Subject;

pub(super) async fn look(subject: Arc<Subject>) -> Vec<Finding> {
    let (available, largest) = (available_memory(), subject.config.largest_memory());
    let slots = Slots::for_memory(available, largest);
    let words = format!(
        "{} for this process, of which {} calls at once may have {} each",
        about(available),
        slots.count(),
        about(largest)
    );
    vec![match slots.are_least() {
        true => Finding::warn(format!(
            "{words}: a slow call holds up all others, and together they may take more than there is; give the process more memory, or lower \
             `limits.memory`"
        )),
        false => Finding::ok(words),
    }]
}
