//! What a section's type says of its options: names, bounds and what is accepted.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::setting::Section;

/// A section's JSON schema.
#[derive(Debug, Clone)]
pub(super) struct Shape(Value);

/// An option's JSON schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct OptionShape<'a>(&'a Value);

impl Shape {
    /// Of a section's type.
    pub(super) fn of<T: Section>() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        });
        let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
        drop_placeholders(&mut schema);
        Self(schema)
    }

    /// The schema itself.
    #[cfg(test)]
    pub(super) fn value(&self) -> &Value {
        &self.0
    }

    /// The whole section as what an option of that type would be.
    pub(super) fn root(&self) -> OptionShape<'_> {
        OptionShape(&self.0)
    }
}

impl<'a> OptionShape<'a> {
    /// Whether it is a section inside its section.
    pub(super) fn is_section(self) -> bool {
        self.0.get("properties").is_some()
    }

    /// The options of a section and their schemas, in the order of the type's fields.
    pub(super) fn options(self) -> impl Iterator<Item = (&'a str, Self)> + Clone {
        let properties = self.0.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten().map(|(name, shape)| (name.as_str(), Self(shape)))
    }

    /// One option's schema.
    pub(super) fn option(self, name: &str) -> Option<Self> {
        self.0.get("properties")?.get(name).map(Self)
    }

    /// The options that must be given.
    pub(super) fn required(self) -> impl Iterator<Item = &'a str> {
        self.0.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// What it means.
    #[cfg(test)]
    pub(super) fn description(self) -> &'a str {
        text(self.0, "description").unwrap_or_default()
    }

    /// What holds where it is not given, as TOML or in words.
    #[cfg(test)]
    pub(super) fn default(self) -> String {
        if let Some(words) = text(self.0, "x-default") {
            return words.to_owned();
        }
        match self.0.get("default") {
            None | Some(Value::Null) => "none".to_owned(),
            Some(value) => format!("`{value}`"),
        }
    }

    /// Whether it takes values of one of these types of JSON.
    pub(super) fn takes(self, types: &[&str]) -> bool {
        let one = |kind: &Value| kind.as_str().is_some_and(|kind| types.contains(&kind));
        match self.0.get("type") {
            Some(Value::Array(kinds)) => kinds.iter().any(one),
            Some(kind) => one(kind),
            None => false,
        }
    }

    /// `period`, `size`, `share`, or nothing in particular.
    pub(super) fn format(self) -> Option<&'a str> {
        text(self.0, "format")
    }

    /// The least and the most as numbers.
    pub(super) fn bounds(self) -> (Option<f64>, Option<f64>) {
        (self.0.get("minimum").and_then(Value::as_f64), self.0.get("maximum").and_then(Value::as_f64))
    }

    /// The least and the most as text with a unit.
    pub(super) fn quantity_bounds(self) -> (Option<&'a str>, Option<&'a str>) {
        (text(self.0, "x-least"), text(self.0, "x-most"))
    }

    /// The least and the most number of items.
    pub(super) fn lengths(self) -> (Option<u64>, Option<u64>) {
        (self.0.get("minItems").and_then(Value::as_u64), self.0.get("maxItems").and_then(Value::as_u64))
    }

    /// The words that it accepts, if it accepts only some.
    pub(super) fn words(self) -> Vec<&'a str> {
        let listed =
            self.0.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let one = self.0.get("oneOf").and_then(Value::as_array).into_iter().flatten();
        let mut words: Vec<_> = listed.collect();
        words.extend(one.filter_map(|choice| text(choice, "const")));
        match self.items() {
            Some(items) if words.is_empty() => items.words(),
            Some(_) | None => words,
        }
    }

    /// What it accepts, in words.
    pub(super) fn accepts(self) -> String {
        if let Some(words) = text(self.0, "x-accepts") {
            return words.to_owned();
        }
        if let Some(items) = self.items() {
            return match items.words().is_empty() {
                true => "a list of strings".to_owned(),
                false => format!("a list of {}", items.accepts()),
            };
        }
        let words = self.words();
        if !words.is_empty() {
            return words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ");
        }
        match self.format() {
            Some("period") => "a duration such as \"30s\", \"250ms\" or \"5m\"".to_owned(),
            Some("share") => "a share such as \"0.1%\"".to_owned(),
            Some("size") => "a size such as \"16MiB\", or a number of bytes".to_owned(),
            Some(_) | None => self.accepts_plain(),
        }
    }

    fn accepts_plain(self) -> String {
        let kind = match self.0.get("type") {
            Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
            Some(kind) => kind.as_str(),
            None => None,
        };
        let noun = match kind {
            Some("integer") => "a whole number",
            Some("number") => "a number",
            Some("boolean") => return "true or false".to_owned(),
            Some(_) | None => return "a string".to_owned(),
        };
        match self.bounds() {
            (Some(least), Some(most)) => format!("{noun} from {least} to {most}"),
            (Some(least), None) => format!("{noun} from {least} to 4294967295"),
            (None, _) => noun.to_owned(),
        }
    }

    fn items(self) -> Option<Self> {
        self.0.get("items").map(Self)
    }
}

/// The defaults of required options are never seen, so the schema does not name them; nor does `null` mean anything in TOML.
fn drop_placeholders(schema: &mut Value) {
    let required: Vec<String> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    for (name, property) in properties {
        take_out_of_null(property);
        drop_placeholders(property);
        let Some(property) = property.as_object_mut() else {
            continue;
        };
        if required.contains(name) || property.get("default") == Some(&Value::Null) {
            property.remove("default");
        }
        let kinds = property
            .get("type")
            .and_then(Value::as_array)
            .map(|kinds| kinds.iter().filter(|kind| *kind != "null").cloned().collect::<Vec<_>>());
        match kinds.as_deref() {
            Some([one]) => property.insert("type".to_owned(), one.clone()),
            Some(several) => property.insert("type".to_owned(), several.into()),
            None => None,
        };
    }
}

/// A section that may be absent is a choice between its schema and `null`, of which the first is meant.
fn take_out_of_null(property: &mut Value) {
    let choices = property.get("anyOf").and_then(Value::as_array);
    let Some(inner) = choices.and_then(|choices| choices.iter().find(|one| one.get("properties").is_some()))
    else {
        return;
    };
    let mut inner = inner.clone();
    if let (Some(inner), Some(said)) = (inner.as_object_mut(), property.get("description")) {
        inner.insert("description".to_owned(), said.clone());
    }
    *property = inner;
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}
