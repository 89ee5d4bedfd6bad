//! The parts of the page, each made from its template.

use askama::{Result, Template};

use super::chart::{HEIGHT, WIDTH};
use super::view::{self, Headline, Orders, View};
use super::words;

/// The parts that change while one looks, by the names of their places on the page.
#[derive(Clone, Debug, Default)]
pub(super) struct Sections(Vec<(&'static str, String)>);

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    view: &'a View,
    orders: Orders,
    sections: Sections,
}

#[derive(Template)]
#[template(path = "headline.html")]
struct HeadlineOf {
    headline: Headline,
}

#[derive(Template)]
#[template(path = "lasting.html")]
struct LastingOf<'a> {
    view: &'a View,
}

#[derive(Template)]
#[template(path = "answers.html")]
struct AnswersOf<'a> {
    view: &'a View,
}

#[derive(Template)]
#[template(path = "backends.html")]
struct BackendsOf<'a> {
    view: &'a View,
}

#[derive(Template)]
#[template(path = "tiers.html")]
struct TiersOf<'a> {
    view: &'a View,
}

#[derive(Template)]
#[template(path = "switches.html")]
struct SwitchesOf<'a> {
    view: &'a View,
}

#[derive(Template)]
#[template(path = "outages.html")]
struct OutagesOf<'a> {
    view: &'a View,
}

/// The whole page.
///
/// # Errors
/// If a part cannot be written.
pub(super) fn page(view: &View, orders: Orders) -> Result<String> {
    Page { view, orders, sections: sections(view)? }.render()
}

/// All parts.
///
/// # Errors
/// If one cannot be written.
pub(super) fn sections(view: &View) -> Result<Sections> {
    Ok(Sections(vec![
        ("headline", HeadlineOf { headline: view.headline() }.render()?),
        ("lasting", LastingOf { view }.render()?),
        ("switches", SwitchesOf { view }.render()?),
        ("answers", AnswersOf { view }.render()?),
        ("backends", BackendsOf { view }.render()?),
        ("tiers", TiersOf { view }.render()?),
        ("outages", OutagesOf { view }.render()?),
    ]))
}

impl Sections {
    /// Those that are otherwise than `before`.
    pub(super) fn changed_since(&self, before: &Self) -> impl Iterator<Item = (&'static str, &str)> {
        let is_new = |(name, html): &&(&'static str, String)| before.html(name) != Some(html);
        self.0.iter().filter(is_new).map(|(name, html)| (*name, html.as_str()))
    }

    fn html(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| *other == name).map(|(_, html)| html.as_str())
    }

    /// The part of this name, as it is put into the page.
    fn part(&self, name: &str) -> &str {
        self.html(name).unwrap_or_default()
    }
}
