//! Sections inside sections.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::de::DeTable;

use super::*;
use crate::setting::Finding;

/// What stands outside.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Outer {
    /// A word.
    word: String,
    /// What stands inside.
    inner: Inner,
    /// What may stand inside.
    other: Option<Inner>,
}

/// What stands inside.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Inner {
    /// A time.
    #[schemars(extend("x-least" = "1s", "x-most" = "1m"))]
    interval: Period,
    /// A number.
    #[schemars(range(min = 1, max = 9))]
    count: u32,
}

impl Section for Outer {
    fn problems(&self) -> Vec<Finding> {
        let odd = self.inner.count % 2 == 1;
        odd.then(|| Finding::new("inner.count", "is odd")).into_iter().collect()
    }
}

/// What a section is, and what is said of it.
fn outer(source: &str) -> (Outer, Location, Vec<String>) {
    let (mut text, root): (Text<'_>, DeTable<'_>) = Text::parse(Path::new("f"), source);
    let (name, value) = root.into_iter().next().unwrap();
    let table = text.table(value, name.get_ref()).unwrap();
    let (section, place) = read::<Outer>(&mut text, name.get_ref(), name.span().start, table);
    (section, place, text.into_problems().iter().map(ToString::to_string).collect())
}

#[test]
fn a_section_inside_a_section_is_read_option_by_option() {
    let source = "[a]\nword = \"w\"\n[a.inner]\ninterval = \"2s\"\ncount = 4\n[a.other]\ncount = 2\n";
    let (section, place, problems) = outer(source);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(section.inner, Inner { interval: Period::from_secs(2), count: 4 });
    assert_eq!(section.other, Some(Inner { interval: Period::ZERO, count: 2 }));
    assert_eq!((place.line_of("inner.count"), place.line_of("other"), place.line_of("word")), (5, 6, 2));
    let (section, _, problems) = outer("[a]\nword = \"w\"\n");
    assert_eq!((section.inner, section.other, problems), (Inner::default(), None, Vec::new()));
}

#[test]
fn all_that_is_wrong_inside_is_said_at_its_line() {
    let source =
        "[a]\nwrod = 1\n[a.inner]\ninterval = \"1h\"\ncuont = 4\n[a.other]\ninterval = 3\ncount = 10\n";
    let (section, _, problems) = outer(source);
    assert_eq!(
        problems,
        [
            "f:2: a.wrod: unknown option, did you mean word?",
            "f:4: a.inner.interval: \"1h\" is over the limit of 1m",
            "f:5: a.inner.cuont: unknown option, did you mean count?",
            "f:7: a.other.interval: 3 is not accepted: expected a duration such as \"30s\", \"250ms\" or \"5m\"",
            "f:8: a.other.count: 10 is out of bounds: expected a whole number from 1 to 9",
        ]
    );
    assert_eq!(section.inner, Inner::default(), "what is refused has its default");
    assert_eq!(
        outer("[a]\ninner = 3\n").2,
        ["f:2: a.inner: 3 is no section: expected [a.inner] and its options"]
    );
}

#[test]
fn a_finding_about_an_option_inside_stands_at_its_line() {
    assert_eq!(outer("[a]\n[a.inner]\ncount = 3\n").2, ["f:3: a.inner.count: is odd"]);
}
