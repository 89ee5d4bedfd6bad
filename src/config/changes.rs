//! What a reload changes, and what only a restart does.

/// In what a configuration differs from the one in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// What is in force now.
    pub applied: Vec<Change>,
    /// What stays as it was until a restart.
    pub restart: Vec<Change>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The option, as `section.option`; a section that is new or gone as a whole.
    pub path: String,
    /// What it means, in words: `UserService.getUser: ttl 30s to 60s`.
    pub says: String,
}

/// When a changed option takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    AtReload,
    AtRestart,
}

/// The one list of what a reload changes. `option` is `None` for a section that is new or gone.
pub(super) fn when(section: &str, option: Option<&str>) -> When {
    let kind = section.split('.').next();
    match (kind, option) {
        (Some("rules" | "backends" | "listeners" | "limits"), _)
        | (Some("log"), Some("level" | "calls_per_second"))
        | (Some("runtime"), Some("watch_config")) => When::AtReload,
        (_, _) => When::AtRestart,
    }
}

impl Changes {
    /// Whether both configurations say the same.
    pub(crate) fn is_empty(&self) -> bool {
        self.applied.is_empty() && self.restart.is_empty()
    }

    pub(super) fn note(&mut self, when: When, path: String, says: String) {
        let change = Change { path, says };
        match when {
            When::AtReload => self.applied.push(change),
            When::AtRestart => self.restart.push(change),
        }
    }
}

impl Change {
    /// The options that changed.
    pub(crate) fn paths(changes: &[Self]) -> Vec<String> {
        changes.iter().map(|change| change.path.clone()).collect()
    }

    /// What it comes to, in words.
    pub(crate) fn sayings(changes: &[Self]) -> Vec<String> {
        changes.iter().map(|change| change.says.clone()).collect()
    }
}
