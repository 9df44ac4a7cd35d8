//! Numbers in messages.

/// A number of bytes as a limit is written: `8 MiB`, `64 KiB`.
pub(super) fn size(bytes: usize) -> String {
    if bytes < 1 << 20 { format!("{} KiB", bytes >> 10) } else { format!("{} MiB", bytes >> 20) }
}
