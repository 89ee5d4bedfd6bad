//! Methods whose names say that they change something.

/// Whether the name of a method begins with a word for a change.
pub(crate) fn changes(method: &str) -> bool {
    let first = method.split('_').find(|part| !part.is_empty()).unwrap_or_default();
    let end = first.char_indices().skip(1).find(|(_, letter)| letter.is_ascii_uppercase());
    let word = end.map_or(first, |(end, _)| first.get(..end).unwrap_or(first));
    CHANGES.contains(&word.to_ascii_lowercase().as_str())
}

/// What services call what they do, as far as it changes something.
const CHANGES: &[&str] = &[
    "abort",
    "accept",
    "acquire",
    "activate",
    "add",
    "alter",
    "append",
    "apply",
    "approve",
    "assign",
    "ban",
    "begin",
    "block",
    "book",
    "cancel",
    "charge",
    "claim",
    "clear",
    "commit",
    "confirm",
    "consume",
    "copy",
    "create",
    "deactivate",
    "decrement",
    "decr",
    "del",
    "delete",
    "disable",
    "drop",
    "emit",
    "enable",
    "enqueue",
    "dequeue",
    "exec",
    "execute",
    "expire",
    "finish",
    "flush",
    "grant",
    "import",
    "incr",
    "increment",
    "insert",
    "invalidate",
    "invite",
    "join",
    "kill",
    "leave",
    "lock",
    "log",
    "mark",
    "merge",
    "modify",
    "move",
    "notify",
    "open",
    "patch",
    "pay",
    "poll",
    "pop",
    "post",
    "process",
    "publish",
    "purge",
    "push",
    "put",
    "refund",
    "register",
    "reject",
    "release",
    "remove",
    "rename",
    "replace",
    "report",
    "reserve",
    "reset",
    "restore",
    "revoke",
    "rollback",
    "run",
    "save",
    "schedule",
    "send",
    "set",
    "ship",
    "start",
    "stop",
    "store",
    "submit",
    "subscribe",
    "suspend",
    "swap",
    "sync",
    "take",
    "touch",
    "transfer",
    "trigger",
    "truncate",
    "unban",
    "unblock",
    "unlock",
    "unregister",
    "unsubscribe",
    "update",
    "upload",
    "upsert",
    "vote",
    "withdraw",
    "write",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_its_first_word_says() {
        for name in ["setUser", "set_user", "set", "SetUser", "addAll", "_delete_user", "deleteURL"] {
            assert!(changes(name), "{name}");
        }
        for name in ["settings", "getUser", "address", "list_deleted", "", "_", "userSet", "isSet"] {
            assert!(!changes(name), "{name}");
        }
    }
}
