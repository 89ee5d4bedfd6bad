//! Properties of the codec: one canonical form for each call and one call for each form, the official crate's verdict on any
//! bytes and its spelling of what is translated, and no input that costs more than its bound.

mod agree;
mod bounds;
mod canonical;
mod stream;
mod translate;
mod tree;
