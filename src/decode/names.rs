//! What services and methods are called, as far as an IDL tells.

use thrift::ApplicationError;

use super::{Said, walked};
use crate::idl::value;
use crate::idl::{Method, Schema, Service, UnknownName};
use crate::wire::{Protocol, exception};

/// The names that are known.
#[derive(Debug, Default)]
pub(crate) struct Names {
    schema: Option<Schema>,
    /// What a method without prefix belongs to, where somebody said so.
    service: Option<String>,
}

/// A method that an IDL declares.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<'a> {
    schema: &'a Schema,
    method: &'a Method,
}

impl Names {
    /// Those of an IDL; a method without prefix belongs to `service`.
    ///
    /// # Errors
    /// If the IDL has no such service.
    pub(crate) fn new(schema: Option<Schema>, service: Option<String>) -> Result<Self, UnknownName> {
        if let (Some(schema), Some(name)) = (&schema, &service) {
            schema.named(name)?;
        }
        Ok(Self { schema, service })
    }

    /// The method of that name; one without a service is what all services agree on that have it.
    pub(super) fn method(&self, service: Option<&[u8]>, method: &[u8]) -> Option<Named<'_>> {
        let schema = self.schema.as_ref()?;
        let name = std::str::from_utf8(method).ok()?;
        let said = service.map(str::from_utf8).transpose().ok()?.or(self.service.as_deref());
        let declared = |service: &'_ Service| service.methods.contains_key(name);
        let mut found = match said {
            Some(service) => schema.service(service).into_iter().collect::<Vec<_>>(),
            None => schema.services().filter(|service| declared(service)).collect(),
        }
        .into_iter()
        .filter_map(|service| service.methods.get(name));
        let method = found.next()?;
        found.all(|other| other == method).then_some(Named { schema, method })
    }
}

/// The arguments that a struct holds.
pub(super) fn arguments(named: Option<Named<'_>>, protocol: Protocol, body: &[u8]) -> Said {
    said(protocol, body, || match named {
        Some(Named { schema, method }) => {
            value::read_fields(schema, &method.arguments, protocol, body).map(Said::Arguments)
        }
        None => value::read_bare(protocol, body).map(Said::Fields),
    })
}

/// What the struct of a reply says.
pub(super) fn reply(named: Option<Named<'_>>, protocol: Protocol, body: &[u8]) -> Said {
    said(protocol, body, || match named {
        Some(Named { schema, method }) => value::read_reply(schema, method, protocol, body).map(Said::Reply),
        None => value::read_bare(protocol, body).map(Said::Fields),
    })
}

/// What the struct of a `TApplicationException` says.
pub(super) fn failure(protocol: Protocol, body: &[u8]) -> Said {
    said(protocol, body, || {
        let ApplicationError { kind, message } = exception::decode(protocol, body);
        Ok(Said::Failed { kind: format!("{kind:?}"), message })
    })
}

fn said(protocol: Protocol, body: &[u8], read: impl FnOnce() -> thrift::Result<Said>) -> Said {
    if let Err(why) = walked(protocol, body) {
        return Said::Unreadable(why.to_string());
    }
    read().unwrap_or_else(|error| Said::Unreadable(error.to_string()))
}
