//! What a rule says that is legal and, by what is known of its methods, unwise.

use super::draft::RuleDraft;
use crate::advice::writes::changes;
use crate::idl::Method;
use crate::rule::options::Mode;
use crate::rule::resolve::Resolved;
use crate::setting::Finding;

/// What to know of a rule for one method, as it was resolved.
pub(super) fn of_method(rule: &RuleDraft, method: &Method, resolved: &Resolved) -> Vec<Finding> {
    let is_ignored = |id: i16| resolved.ignore.iter().any(|path| *path == [id]);
    let no_key = !method.arguments.is_empty() && method.arguments.iter().all(|field| is_ignored(field.id));
    let message = "it leaves out every argument: all calls share one reply";
    let ignores_all = no_key.then(|| Finding::new("ignore", message));
    of_names(rule, &[&method.name]).into_iter().chain(ignores_all).collect()
}

/// What to know of a rule that is for methods of these names.
pub(super) fn of_names(rule: &RuleDraft, names: &[&str]) -> Vec<Finding> {
    let options = &rule.section.options;
    let names: Vec<&str> = names.iter().copied().filter(|name| changes(name)).collect();
    let is_on = options.mode == Mode::On && !names.is_empty();
    let names = names.join(", ");
    let kept =
        format!("by its name it changes something, and what is kept would answer in its place: {names}");
    let repeated = format!("by its name it changes something, and a retry may do so twice: {names}");
    match (options.ttl, options.idempotent) {
        (Some(_), _) if is_on => vec![Finding::new("ttl", kept)],
        (None, Some(true)) if is_on => vec![Finding::new("idempotent", repeated)],
        (Some(_) | None, _) => Vec::new(),
    }
}
