//! What a component asks the host for, beyond what it may have.

fn _todo() {}
