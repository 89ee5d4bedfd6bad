//! The tags that rules invalidate against those that rules give to what they keep.

use std::path::Path;

use super::draft::Draft;
use super::problem::Problem;
use crate::rule::tagging::template::Template;
use crate::setting::{Finding, Nearest};

/// What to know of tags that are invalidated and that nothing has: most often one of the two has a slip.
pub(super) fn warnings(draft: &Draft, file: &Path) -> Vec<Problem> {
    let given = draft.rules.iter().flat_map(|rule| &rule.section.options.tags);
    let given: Vec<Template> = given.filter_map(|text| template(text)).collect();
    let patterns: Vec<String> = given.iter().map(Template::pattern).collect();
    let of_rule = draft.rules.iter().flat_map(|rule| {
        let texts = rule.section.options.invalidates.iter();
        texts.map(move |text| (&rule.section.place, text))
    });
    let lost = of_rule
        .filter(|(_, text)| template(text).is_some_and(|one| !given.iter().any(|tag| may_be_one(&one, tag))));
    let told = lost.map(|(place, text)| {
        let message = format!("nothing that a rule here keeps has a tag such as {text:?}");
        let nearest = Nearest::of(text, patterns.iter().map(String::as_str)).quoted();
        place.problem(file, Finding::new("invalidates", message).suggesting(nearest))
    });
    told.collect()
}

/// Its text and its holes; what is wrong with it is said elsewhere.
fn template(text: &str) -> Option<Template> {
    Some(Template::parse(text).ok()?.resolve(|_, _| None))
}

/// Whether both may be filled so that they read the same.
fn may_be_one(one: &Template, other: &Template) -> bool {
    let filled = |template: &Template| template.pattern().replace("{}", "x");
    one.may_read(filled(other).as_bytes()) || other.may_read(filled(one).as_bytes())
}
