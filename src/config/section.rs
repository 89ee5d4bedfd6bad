//! Reads one section: every option by itself, so that all that is wrong is said at once.

use std::marker::PhantomData;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, ValueDeserializer};

use super::problem::{Location, key};
use super::schema::{OptionShape, Shape};
use super::text::Text;
use crate::setting::{Nearest, Period, Section, Share, Size};

/// Reads a section whose header is at `offset`. Whatever is wrong becomes a problem, and its option has its default.
pub(super) fn read<'i, T: Section>(
    text: &mut Text<'i>,
    path: &str,
    offset: usize,
    table: DeTable<'i>,
) -> (T, Location) {
    let shape = Shape::of::<T>();
    let place = Location { path: path.to_owned(), line: text.line(offset), ..Location::default() };
    let mut reading = Reading { text, path, place, section: PhantomData::<T> };
    let good = reading.table(shape.root(), &[], offset, table);
    let Reading { text, place, .. } = reading;
    let value = Spanned::new(0..0, DeValue::Table(good));
    let section = T::deserialize(ValueDeserializer::from(value)).unwrap_or_else(|error| {
        text.report(offset, path.to_owned(), error.message().to_owned(), Nearest::default());
        T::default()
    });
    let required: Vec<_> = shape.root().required().collect();
    for finding in section.problems() {
        if !required.contains(&finding.option) || place.gives(finding.option) {
            let problem = place.problem(text.file(), finding);
            text.add(problem);
        }
    }
    (section, place)
}

/// A section that is being read, with those inside it.
struct Reading<'r, 't, T> {
    text: &'r mut Text<'t>,
    path: &'r str,
    place: Location,
    section: PhantomData<T>,
}

impl<'t, T: Section> Reading<'_, 't, T> {
    /// The options of a table that can be used. `way` leads to it from the section, and `offset` is its header's.
    fn table(
        &mut self,
        shape: OptionShape<'_>,
        way: &[Spanned<DeString<'t>>],
        offset: usize,
        table: DeTable<'t>,
    ) -> DeTable<'t> {
        let header = below(self.path, &dotted(way));
        let mut good = DeTable::new();
        for (name, value) in table {
            let inside = below(&dotted(way), &key(name.get_ref()));
            let path = below(self.path, &inside);
            self.place.lines.push((inside, self.text.line(name.span().start)));
            let Some(option) = shape.option(name.get_ref()) else {
                unknown(self.text, &header, &name, shape.options().map(|(name, _)| name));
                continue;
            };
            if option.is_section() {
                let at = name.span().start;
                if let Some(table) = self.text.table(value, &path) {
                    let inner = self.table(option, &[way, std::slice::from_ref(&name)].concat(), at, table);
                    good.insert(name, Spanned::new(at..at, DeValue::Table(inner)));
                }
                continue;
            }
            match fault::<T>(self.text, option, way, &name, &value) {
                None => drop(good.insert(name, value)),
                Some(fault) => self.text.report(fault.offset, path, fault.message, fault.suggestion),
            }
        }
        self.say_missing(shape, &dotted(way), offset);
        good
    }

    /// Says which options of a table must be given and are not.
    fn say_missing(&mut self, shape: OptionShape<'_>, inside: &str, offset: usize) {
        if self.text.is_broken() {
            return;
        }
        for name in shape.required().filter(|name| !self.place.gives(&below(inside, name))) {
            let accepts = shape.option(name).map(OptionShape::accepts).unwrap_or_default();
            let path = below(self.path, &below(inside, name));
            self.text.report(offset, path, format!("missing: expected {accepts}"), Nearest::default());
        }
    }
}

fn dotted(way: &[Spanned<DeString<'_>>]) -> String {
    way.iter().map(|part| key(part.get_ref())).collect::<Vec<_>>().join(".")
}

/// The path of `name` below another path, either of which may be empty.
fn below(path: &str, name: &str) -> String {
    if path.is_empty() || name.is_empty() { format!("{path}{name}") } else { format!("{path}.{name}") }
}

/// Says that there is no such option or section.
pub(super) fn unknown<'a>(
    text: &mut Text<'_>,
    path: &str,
    name: &Spanned<DeString<'_>>,
    known: impl Iterator<Item = &'a str> + Clone,
) {
    let suggestion = Nearest::of(name.get_ref(), known.clone());
    let (path, what) = match path {
        "" => (key(name.get_ref()), "section"),
        path => (format!("{path}.{}", key(name.get_ref())), "option"),
    };
    let message = match suggestion.0 {
        Some(_) => format!("unknown {what}"),
        None => format!("unknown {what}: there are {}", known.collect::<Vec<_>>().join(", ")),
    };
    text.report(name.span().start, path, message, suggestion);
}

/// What is wrong with a value, and where.
struct Flaw {
    offset: usize,
    message: String,
    suggestion: Nearest,
}

/// What is wrong with one option, read as if it were the only one. `way` leads to its table from the section.
fn fault<'t, T: Section>(
    text: &Text<'_>,
    option: OptionShape<'_>,
    way: &[Spanned<DeString<'t>>],
    name: &Spanned<DeString<'t>>,
    value: &Spanned<DeValue<'t>>,
) -> Option<Flaw> {
    let mut alone = DeTable::new();
    alone.insert(name.clone(), value.clone());
    let span = value.span();
    for part in way.iter().rev() {
        let inner = Spanned::new(span.clone(), DeValue::Table(std::mem::take(&mut alone)));
        alone.insert(part.clone(), inner);
    }
    let deserializer = ValueDeserializer::from(Spanned::new(span.clone(), DeValue::Table(alone)));
    let within = |error: &toml::de::Error| {
        error
            .span()
            .filter(|inner| span.start <= inner.start && inner.end <= span.end)
            .unwrap_or_else(|| span.clone())
    };
    match T::deserialize(deserializer) {
        Err(error) => {
            let at = within(&error);
            let shown = text.slice(at.clone());
            let why = own_reason(option, &error);
            let message = format!("{shown} is not accepted{why}: expected {}", option.accepts());
            let words = option.words();
            let suggestion = Nearest::of(shown.trim_matches(['"', '\'']), words.iter().copied());
            Some(Flaw { offset: at.start, message, suggestion: suggestion.quoted() })
        }
        Ok(_) => {
            let message = out_of_bounds(option, value.get_ref())?;
            Some(Flaw {
                offset: span.start,
                message: format!("{} {message}", text.slice(span)),
                suggestion: Nearest::default(),
            })
        }
    }
}

/// What an option's own type says of a value; what serde says of any is said better by what is accepted.
fn own_reason(option: OptionShape<'_>, error: &toml::de::Error) -> String {
    let general = ["invalid ", "unknown variant"].iter().any(|start| error.message().starts_with(start));
    if general || option.format().is_some() { String::new() } else { format!(" ({})", error.message()) }
}

/// How a value of the right type leaves its option's bounds.
fn out_of_bounds(option: OptionShape<'_>, value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::Integer(number) => match option.format() {
            Some("size") => quantity::<Size>(option, &number.to_string()),
            Some(_) | None => number_fault(option, &number.to_string()),
        },
        DeValue::Float(number) => number_fault(option, number.as_str()),
        DeValue::String(text) => match option.format() {
            Some("period") => quantity::<Period>(option, text),
            Some("size") => quantity::<Size>(option, text),
            Some("share") => quantity::<Share>(option, text),
            Some(_) | None => None,
        },
        DeValue::Array(items) => length_fault(option, items.len()),
        DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

fn number_fault(option: OptionShape<'_>, text: &str) -> Option<String> {
    let number: f64 = text.replace('_', "").parse().unwrap_or(f64::NAN);
    let (least, most) = option.bounds();
    let inside = least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most);
    (!inside).then(|| format!("is out of bounds: expected {}", option.accepts()))
}

fn quantity<Q: FromStr + PartialOrd>(option: OptionShape<'_>, text: &str) -> Option<String> {
    let amount = text.parse::<Q>().ok()?;
    let (least, most) = option.quantity_bounds();
    let bound = |bound: Option<&str>| bound.and_then(|text| text.parse::<Q>().ok());
    if bound(least).is_some_and(|bound| amount < bound) {
        return Some(format!("is less than the least, {}", least.unwrap_or_default()));
    }
    bound(most)
        .is_some_and(|bound| amount > bound)
        .then(|| format!("is over the limit of {}", most.unwrap_or_default()))
}

fn length_fault(option: OptionShape<'_>, length: usize) -> Option<String> {
    let (least, most) = option.lengths();
    let length = length as u64;
    if least.is_some_and(|least| length < least) {
        return Some(format!("is too short: expected {}", option.accepts()));
    }
    most.filter(|most| length > *most).map(|most| format!("has {length} items, over the limit of {most}"))
}

#[cfg(test)]
mod tests;
