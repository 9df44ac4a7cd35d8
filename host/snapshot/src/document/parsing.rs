//! The memory that a document takes while it is parsed.

use serde::de::Error;

use crate::room::Room;

/// Bytes of memory for one parsed object: eight times its limit as text.
pub(super) const PARSED_BYTES: usize = 64 << 20;

/// Bytes of a value beside its text: itself, and its entry in a map.
const VALUE_BYTES: usize = 128;

/// The memory of a document that is being parsed.
pub(super) struct Parsing {
    pub(super) room: Room,
    /// Bytes left for the current object.
    pub(super) left: usize,
    /// Why parsing was stopped, if not by the parser.
    why: Option<String>,
}

impl Parsing {
    /// Stops parsing.
    pub(super) fn refuse<E: Error>(&mut self, why: String) -> E {
        self.why = Some(why);
        E::custom("")
    }

    pub(super) fn spend<E: Error>(&mut self, text: usize) -> Result<(), E> {
        match self.left.checked_sub(VALUE_BYTES + text) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(self.refuse(format!("one object in it takes more than {} MiB of memory", PARSED_BYTES >> 20))),
        }
    }
}

/// Gives back the memory of a document that could not be read.
pub(super) fn within<T, E>(room: &mut Room, read: impl FnOnce(&mut Parsing) -> Result<T, E>) -> Result<T, (E, Option<String>)> {
    let mut parsing = Parsing { room: *room, left: PARSED_BYTES, why: None };
    match read(&mut parsing) {
        Ok(read) => {
            *room = parsing.room;
            Ok(read)
        }
        Err(error) => Err((error, parsing.why)),
    }
}
