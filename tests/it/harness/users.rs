//! The calls and answers of `idl/users.thrift`.

use super::thrift::{Fields, Message, Value, field, string};
use super::{Client, Kind};

/// The call that reads user `id`.
pub(crate) fn get_user(id: i64) -> Message {
    get_user_traced(id, "trace")
}

/// The same, with a trace id of its own.
pub(crate) fn get_user_traced(id: i64, trace: &str) -> Message {
    Message::call("getUser", 0, vec![(1, Value::I64(id)), (2, string(trace))])
}

/// The call that lists users; ids and filter go in the order given.
pub(crate) fn list_users(ids: &[i64], filter: &[(&str, &str)]) -> Message {
    let ids = ids.iter().copied().map(Value::I64).collect();
    let filter = filter.iter().map(|(name, value)| (string(name), string(value))).collect();
    Message::call("listUsers", 0, vec![(1, Value::Set(ids)), (2, Value::Map(filter))])
}

/// The call that changes a user's name: not idempotent by any rule of these tests.
pub(crate) fn rename_user(id: i64, name: &str) -> Message {
    Message::call("renameUser", 0, vec![(1, Value::I64(id)), (2, string(name))])
}

/// The oneway call.
pub(crate) fn touch(id: i64) -> Message {
    Message::oneway("touch", 0, vec![(1, Value::I64(id))])
}

/// The result that is a user: `id`, and an email that tells who made it.
pub(crate) fn user(id: i64, email: &str) -> Fields {
    let fields = vec![(1, Value::I64(id)), (2, string(&format!("user-{id}"))), (3, string(email))];
    vec![(0, Value::Struct(fields))]
}

/// The declared exception NotFound.
pub(crate) fn not_found(id: i64) -> Fields {
    vec![(1, Value::Struct(vec![(1, Value::I64(id))]))]
}

/// The declared exception Unavailable.
pub(crate) fn unavailable(reason: &str) -> Fields {
    vec![(2, Value::Struct(vec![(1, string(reason))]))]
}

impl Message {
    /// The id of the user that this reply holds.
    #[track_caller]
    pub(crate) fn user_id(&self) -> i64 {
        match self.user_field(1) {
            Value::I64(id) => *id,
            other => panic!("a user's id is {other:?}"),
        }
    }

    /// The name of the user that this reply holds.
    #[track_caller]
    pub(crate) fn user_name(&self) -> String {
        match self.user_field(2) {
            Value::String(name) => name.clone(),
            other => panic!("a user's name is {other:?}"),
        }
    }

    /// The email of the user that this reply holds: `call-<n>@backend-<port>`.
    #[track_caller]
    pub(crate) fn email(&self) -> String {
        match self.user_field(3) {
            Value::String(email) => email.clone(),
            other => panic!("a user's email is {other:?}"),
        }
    }

    #[track_caller]
    fn user_field(&self, id: i16) -> &Value {
        let Some(Value::Struct(user)) = self.field(0) else { panic!("not a user: {self:?}") };
        field(user, id).unwrap_or_else(|| panic!("a user without field {id}: {self:?}"))
    }

    /// Whether this is a `TApplicationException`.
    pub(crate) fn is_exception(&self) -> bool {
        self.kind == Kind::Exception
    }

    /// The text of the `TApplicationException` that this is.
    #[track_caller]
    pub(crate) fn exception_text(&self) -> String {
        assert!(self.is_exception(), "not an exception: {self:?}");
        match self.field(1) {
            Some(Value::String(text)) => text.clone(),
            _ => String::new(),
        }
    }

    /// The kind of the `TApplicationException` that this is.
    #[track_caller]
    pub(crate) fn exception_kind(&self) -> i32 {
        assert!(self.is_exception(), "not an exception: {self:?}");
        match self.field(2) {
            Some(Value::I32(kind)) => *kind,
            _ => 0,
        }
    }
}

impl Client {
    /// Reads user `id`.
    #[track_caller]
    pub(crate) fn get_user(&mut self, id: i64) -> Message {
        self.call(get_user(id))
    }
}
