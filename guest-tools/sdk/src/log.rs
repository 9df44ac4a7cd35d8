//! Lines for the operator, in the server's log under the component's name. The client never sees them.

use crate::bindings::sandbar::tool::logging::Level;
use crate::host;

/// Steps inside a call.
pub fn trace(message: impl AsRef<str>) {
    host::log(Level::Trace, message.as_ref());
}

/// What a developer of the component wants to see.
pub fn debug(message: impl AsRef<str>) {
    host::log(Level::Debug, message.as_ref());
}

/// What an operator may want to see.
pub fn info(message: impl AsRef<str>) {
    host::log(Level::Info, message.as_ref());
}

/// Something is odd, the call goes on.
pub fn warn(message: impl AsRef<str>) {
    host::log(Level::Warn, message.as_ref());
}

/// Something failed.
pub fn error(message: impl AsRef<str>) {
    host::log(Level::Error, message.as_ref());
}
