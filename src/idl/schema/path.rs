//! Dotted paths of field names or ids, as rules write them.

use super::{Field, Method, Schema, Type, UnknownName, find};
use crate::setting::Nearest;

impl Method {
    /// The field ids a dotted path of argument names or ids leads along: `ctx.trace_id`, `3`, `ctx.2`.
    ///
    /// # Errors
    ///
    /// [`UnknownName`] for the first step that is no field, or that leads into something without fields.
    pub(crate) fn path(&self, schema: &Schema, dotted: &str) -> Result<Vec<i16>, UnknownName> {
        let start = Step { owner: format!("method {}", self.name), fields: Some(&self.arguments), ty: None };
        start.along(schema, dotted, |ty| ty).map(|(ids, _)| ids)
    }

    /// The same path, through the elements of lists and sets, to values that have a short spelling.
    ///
    /// # Errors
    ///
    /// [`UnknownName`] as above, and for a path that leads to something else.
    pub(crate) fn path_to_scalars(&self, schema: &Schema, dotted: &str) -> Result<Vec<i16>, UnknownName> {
        let start = Step { owner: format!("method {}", self.name), fields: Some(&self.arguments), ty: None };
        let (ids, end) = start.along(schema, dotted, Type::innermost)?;
        end.scalar(dotted)?;
        Ok(ids)
    }

    /// The field ids a dotted path leads along from what the method returns; an empty one leads to that itself.
    ///
    /// # Errors
    ///
    /// [`UnknownName`] as above.
    pub(crate) fn path_in_reply(&self, schema: &Schema, dotted: &str) -> Result<Vec<i16>, UnknownName> {
        let owner = format!("the reply of {}", self.name);
        let Some(ty) = self.returns.as_ref() else {
            return Err(UnknownName::NoFields { owner, name: dotted.to_owned() });
        };
        let start = Step::into(schema, ty.innermost());
        let (ids, end) = match dotted {
            "" => (Vec::new(), start),
            dotted => start.along(schema, dotted, Type::innermost)?,
        };
        end.scalar(dotted)?;
        Ok([vec![0], ids].concat())
    }
}

/// How far a dotted path has led.
struct Step<'a> {
    /// What people call where it is.
    owner: String,
    /// The fields there, if it has some.
    fields: Option<&'a [Field]>,
    /// What it is, but for a method.
    ty: Option<&'a Type>,
}

impl<'a> Step<'a> {
    fn into(schema: &'a Schema, ty: &'a Type) -> Self {
        let fields = ty.structure().map(|id| schema.structure(id).fields.as_slice());
        Self { owner: schema.type_name(ty), fields, ty: Some(ty) }
    }

    /// Where `dotted` leads from here, stepping from each field to what `inner` says of its type.
    fn along(
        mut self,
        schema: &'a Schema,
        dotted: &str,
        inner: fn(&Type) -> &Type,
    ) -> Result<(Vec<i16>, Self), UnknownName> {
        let mut ids = Vec::new();
        for step in dotted.split('.') {
            let Self { owner, fields, .. } = self;
            let Some(known) = fields else {
                return Err(UnknownName::NoFields { owner, name: step.to_owned() });
            };
            let field = find(known, step).ok_or_else(|| UnknownName::Field {
                owner,
                name: step.to_owned(),
                nearest: Nearest::of(step, known.iter().map(|field| field.name.as_str())),
            })?;
            ids.push(field.id);
            self = Self::into(schema, inner(&field.ty));
        }
        Ok((ids, self))
    }

    fn scalar(&self, dotted: &str) -> Result<(), UnknownName> {
        match self.ty.is_some_and(Type::is_scalar) {
            true => Ok(()),
            false => Err(UnknownName::NoScalar { name: dotted.to_owned(), ty: self.owner.clone() }),
        }
    }
}

impl Type {
    /// What the lists and sets in it hold.
    pub(crate) fn innermost(&self) -> &Self {
        match self {
            Self::List(element) | Self::Set(element) => element.innermost(),
            Self::Bool | Self::Byte | Self::I16 | Self::I32 | Self::I64 | Self::Double => self,
            Self::String | Self::Binary | Self::Uuid | Self::Enum(_) => self,
            Self::Struct(_) | Self::Map(..) => self,
        }
    }

    /// Whether its values have a short spelling that is the same for equal ones.
    fn is_scalar(&self) -> bool {
        match self {
            Self::Bool | Self::Byte | Self::I16 | Self::I32 | Self::I64 => true,
            Self::String | Self::Binary | Self::Uuid | Self::Enum(_) => true,
            Self::Double | Self::Struct(_) | Self::List(_) | Self::Set(_) | Self::Map(..) => false,
        }
    }
}
