//! The names that rules give to what they keep and to what calls change: as the configuration writes them, and as the judge reads them.

use crate::service::Asked;

/// What a name is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    /// The argument `key`.
    Key,
    /// The same, as the reply says it. An exception does not, so it may have any.
    ReplyKey,
    /// The argument `other`: a name that many keys share.
    Other,
}

/// A name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Key(i64),
    Other(i64),
}

impl Tag {
    /// As a rule writes it, with ids in place of the fields' names.
    pub(crate) fn template(self) -> &'static str {
        match self {
            Self::Key => "key:{1}",
            Self::ReplyKey => "key:{reply.2}",
            Self::Other => "other:{3}",
        }
    }

    /// The name that it gives to what a call asks for, or changes.
    pub(crate) fn of(self, asked: &Asked) -> Name {
        match self {
            Self::Key | Self::ReplyKey => Name::Key(asked.key),
            Self::Other => Name::Other(asked.other),
        }
    }
}

impl Name {
    pub(crate) fn text(self) -> String {
        match self {
            Self::Key(key) => format!("key:{key}"),
            Self::Other(other) => format!("other:{other}"),
        }
    }
}
