//! The value of a label that somebody else has chosen: the name of a component may be that of a file, and a source is a path.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};
use sandbar_text::identifier;

/// Such a value. As it was chosen here, so that a call finds its component; in a scrape with whatever could not be seen in it written out, so
/// that two that differ are two there, too.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Label(Arc<str>);

impl From<Arc<str>> for Label {
    fn from(chosen: Arc<str>) -> Self {
        Self(chosen)
    }
}

impl EncodeLabelValue for Label {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        identifier(&self.0, None).as_str().encode(encoder)
    }
}
