//! Reads one section: every option by itself, so that all that is wrong is said at once.

use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, ValueDeserializer};

use super::problem::{Place, key};
use super::schema::{OptionShape, Shape};
use super::text::Text;
use crate::setting::{Period, Section, Size, nearest};

/// Reads a section whose header is at `offset`. Whatever is wrong becomes a problem, and its option has its default.
pub(super) fn read<'i, T: Section>(
    text: &mut Text<'i>,
    path: &str,
    offset: usize,
    table: DeTable<'i>,
) -> (T, Place) {
    let shape = Shape::of::<T>();
    let mut place = Place { path: path.to_owned(), line: text.line(offset), lines: Vec::new() };
    let mut good = DeTable::new();
    for (name, value) in table {
        place.lines.push((name.get_ref().to_string(), text.line(name.span().start)));
        let Some(option) = shape.option(name.get_ref()) else {
            unknown(text, path, &name, shape.options().map(|(name, _)| name));
            continue;
        };
        match fault::<T>(text, option, &name, &value) {
            None => drop(good.insert(name, value)),
            Some(fault) => {
                let path = format!("{path}.{}", key(name.get_ref()));
                text.report(fault.offset, path, fault.message, fault.suggestion);
            }
        }
    }
    let broken = text.is_broken();
    for name in shape.required().filter(|name| !broken && !place.gives(name)) {
        let accepts = shape.option(name).map(OptionShape::accepts).unwrap_or_default();
        let problem = format!("missing: expected {accepts}");
        text.report(offset, format!("{path}.{name}"), problem, None);
    }
    let value = Spanned::new(0..0, DeValue::Table(good));
    let section = T::deserialize(ValueDeserializer::from(value)).unwrap_or_else(|error| {
        text.report(offset, path.to_owned(), error.message().to_owned(), None);
        T::default()
    });
    let required: Vec<_> = shape.required().collect();
    for finding in section.problems() {
        if !required.contains(&finding.option) || place.gives(finding.option) {
            let problem = place.problem(text.file(), finding);
            text.add(problem);
        }
    }
    (section, place)
}

/// Says that there is no such option or section.
pub(super) fn unknown<'a>(
    text: &mut Text<'_>,
    path: &str,
    name: &Spanned<DeString<'_>>,
    known: impl Iterator<Item = &'a str> + Clone,
) {
    let suggestion = nearest(name.get_ref(), known.clone());
    let (path, what) = match path {
        "" => (key(name.get_ref()), "section"),
        path => (format!("{path}.{}", key(name.get_ref())), "option"),
    };
    let message = match suggestion {
        Some(_) => format!("unknown {what}"),
        None => format!("unknown {what}: there are {}", known.collect::<Vec<_>>().join(", ")),
    };
    text.report(name.span().start, path, message, suggestion);
}

/// What is wrong with a value, and where.
struct Fault {
    offset: usize,
    message: String,
    suggestion: Option<String>,
}

/// What is wrong with one option, read as if it were the only one.
fn fault<T: Section>(
    text: &Text<'_>,
    option: OptionShape<'_>,
    name: &Spanned<DeString<'_>>,
    value: &Spanned<DeValue<'_>>,
) -> Option<Fault> {
    let mut alone = DeTable::new();
    alone.insert(name.clone(), value.clone());
    let span = value.span();
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
            let suggestion = nearest(shown.trim_matches(['"', '\'']), words.iter().copied());
            Some(Fault { offset: at.start, message, suggestion: suggestion.map(|word| format!("{word:?}")) })
        }
        Ok(_) => {
            let message = out_of_bounds(option, value.get_ref())?;
            Some(Fault {
                offset: span.start,
                message: format!("{} {message}", text.slice(span)),
                suggestion: None,
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
