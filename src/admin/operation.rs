//! What the endpoint can be asked: one operation, as the router and the description of the API need it.

use std::sync::Arc;

use axum::handler::Handler;
use axum::routing::{MethodRouter, delete, get, post};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::Means;

/// One operation: where it is, what it does, and who does it.
pub(super) struct Operation<S> {
    pub(super) verb: Verb,
    /// Its path, parameters in braces.
    pub(super) path: &'static str,
    /// A name that no other has.
    pub(super) name: &'static str,
    /// What it is for, in a sentence.
    pub(super) about: &'static str,
    pub(super) effect: Effect,
    /// What its address may say behind the path, as the fields of a type.
    pub(super) asks: Option<Shape>,
    /// What its request brings, if anything.
    pub(super) takes: Option<Shape>,
    /// What it answers where all is well.
    pub(super) answers: Content,
    pub(super) handler: MethodRouter<Arc<Means<S>>>,
}

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verb {
    Get,
    Post,
    Delete,
}

/// Whether anything is otherwise afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It is not: everybody may ask.
    Reads,
    /// It may be: only those may ask who may give orders.
    Changes,
}

/// A type's schema.
pub(super) type Shape = fn(&mut SchemaGenerator) -> Schema;

/// What is in an answer.
#[derive(Clone, Copy)]
pub(super) enum Content {
    /// Text for people or machines, of this media type.
    Text(&'static str),
    /// JSON of this shape.
    Json(Shape),
    /// Server-sent events, each with JSON of this shape.
    Events(Shape),
}

impl<S: Send + Sync + 'static> Operation<S> {
    /// A question that everybody may ask.
    pub(super) fn get<T: 'static>(path: &'static str, handler: impl Handler<T, Arc<Means<S>>>) -> Self {
        Self::new(Verb::Get, Effect::Reads, path, get(handler))
    }

    /// A question that says more than an address should.
    pub(super) fn ask<T: 'static>(path: &'static str, handler: impl Handler<T, Arc<Means<S>>>) -> Self {
        Self::new(Verb::Post, Effect::Reads, path, post(handler))
    }

    /// An order.
    pub(super) fn post<T: 'static>(path: &'static str, handler: impl Handler<T, Arc<Means<S>>>) -> Self {
        Self::new(Verb::Post, Effect::Changes, path, post(handler))
    }

    /// An order that something be no more.
    pub(super) fn delete<T: 'static>(path: &'static str, handler: impl Handler<T, Arc<Means<S>>>) -> Self {
        Self::new(Verb::Delete, Effect::Changes, path, delete(handler))
    }

    fn new(verb: Verb, effect: Effect, path: &'static str, handler: MethodRouter<Arc<Means<S>>>) -> Self {
        let text = Content::Text("text/plain; charset=utf-8");
        Self { verb, path, name: "", about: "", effect, asks: None, takes: None, answers: text, handler }
    }

    /// What it is called and what it is for.
    pub(super) fn named(self, name: &'static str, about: &'static str) -> Self {
        Self { name, about, ..self }
    }

    /// Its request brings JSON of this type.
    pub(super) fn takes<T: JsonSchema>(self) -> Self {
        Self { takes: Some(|generator| generator.subschema_for::<T>()), ..self }
    }

    /// Its address may say what the fields of this type say.
    pub(super) fn asks<T: JsonSchema>(self) -> Self {
        Self { asks: Some(T::json_schema), ..self }
    }

    /// It answers with events that hold JSON of this type, until they end.
    pub(super) fn answers_events<T: JsonSchema>(self) -> Self {
        Self { answers: Content::Events(|generator| generator.subschema_for::<T>()), ..self }
    }

    /// It answers JSON of this type.
    pub(super) fn answers<T: JsonSchema>(self) -> Self {
        Self { answers: Content::Json(|generator| generator.subschema_for::<T>()), ..self }
    }

    /// It answers text of this media type.
    pub(super) fn answers_text(self, media: &'static str) -> Self {
        Self { answers: Content::Text(media), ..self }
    }
}

impl Verb {
    /// Its name in a description of an API.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Delete => "delete",
        }
    }
}
