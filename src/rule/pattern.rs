//! Which methods a rule is for: `Service.method`, `Service.prefix*`, `Service.*`, or `*` for all of all services.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

/// The methods that a rule is for. Orders by service, then the more specific first: exact names, then longer prefixes before shorter
/// ones, and what is for all services last, so that the first that matches is the one that governs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Pattern {
    /// None: all.
    service: Option<String>,
    methods: Methods,
}

/// Which of a service's methods.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Methods {
    /// The one of this name.
    Exact(String),
    /// All whose names begin so; all there are if it is empty.
    Prefix(String),
}

impl Pattern {
    /// The service whose methods are meant, if it is not those of all.
    pub(crate) fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// Which of its methods.
    pub(crate) fn methods(&self) -> &Methods {
        &self.methods
    }

    /// Whether it is for this method of this service.
    pub(crate) fn matches(&self, service: &str, method: &str) -> bool {
        self.service.as_ref().is_none_or(|own| own == service)
            && match &self.methods {
                Methods::Exact(name) => name == method,
                Methods::Prefix(prefix) => method.starts_with(prefix.as_str()),
            }
    }

    /// Whether it is for all methods of another and for more.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let within = other
            .service
            .as_ref()
            .map_or_else(|| self.service.is_none(), |service| self.matches(service, other.methods.text()));
        self != other && within
    }

    /// How specific it is among those of its service: the most specific of all that match a method governs it.
    pub(crate) fn specificity(&self) -> usize {
        match &self.methods {
            Methods::Exact(_) => usize::MAX,
            Methods::Prefix(prefix) => prefix.len(),
        }
    }
}

impl Ord for Pattern {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let place = |pattern: &Self| {
            (pattern.service.is_none(), pattern.service.clone(), Reverse(pattern.specificity()))
        };
        (place(self), self.methods.text()).cmp(&(place(other), other.methods.text()))
    }
}

impl PartialOrd for Pattern {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Methods {
    fn text(&self) -> &str {
        match self {
            Self::Exact(text) | Self::Prefix(text) => text,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(service) = &self.service else { return f.write_str(ALL) };
        match &self.methods {
            Methods::Exact(name) => write!(f, "{service}.{name}"),
            Methods::Prefix(prefix) => write!(f, "{service}.{prefix}*"),
        }
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text == ALL {
            return Ok(Self { service: None, methods: Methods::Prefix(String::new()) });
        }
        let (service, method) = text.rsplit_once('.').ok_or(PatternError::Service)?;
        if !service.split('.').all(is_identifier) {
            return Err(PatternError::ServiceName);
        }
        let methods = match method.strip_suffix('*') {
            Some("") => Methods::Prefix(String::new()),
            Some(prefix) if is_identifier(prefix) => Methods::Prefix(prefix.to_owned()),
            None if is_identifier(method) => Methods::Exact(method.to_owned()),
            Some(prefix) if prefix.contains('*') => return Err(PatternError::Star),
            None if method.contains('*') => return Err(PatternError::Star),
            Some(_) | None => return Err(PatternError::MethodName),
        };
        Ok(Self { service: Some(service.to_owned()), methods })
    }
}

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    /// There is no dot in it.
    #[error(
        "names no service: expected \"Service.method\", \"Service.prefix*\", \"Service.*\" or \"*\", in quotes"
    )]
    Service,
    /// What goes before the last dot is no name.
    #[error("the part before the last dot is no service name")]
    ServiceName,
    /// What goes after the last dot is no name.
    #[error("the part after the last dot is no method name")]
    MethodName,
    /// A star where it may not be.
    #[error("a star may stand only at the end, once")]
    Star,
}

/// The pattern of all methods of all services.
const ALL: &str = "*";

fn is_identifier(text: &str) -> bool {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_read_and_written_alike() {
        for text in
            ["UserService.getUser", "UserService.get*", "UserService.*", "ns.UserService.getUser", "*"]
        {
            assert_eq!(text.parse::<Pattern>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let check = |text: &str, expected| assert_eq!(text.parse::<Pattern>(), Err(expected), "{text}");
        check("getUser", PatternError::Service);
        check("", PatternError::Service);
        check(".getUser", PatternError::ServiceName);
        check("*.getUser", PatternError::ServiceName);
        check("User Service.getUser", PatternError::ServiceName);
        check("UserService.", PatternError::MethodName);
        check("UserService.get User", PatternError::MethodName);
        check("UserService.get*User", PatternError::Star);
        check("UserService.get**", PatternError::Star);
    }

    #[test]
    fn a_pattern_matches_its_methods_alone() {
        let check = |text: &str, method, expected| {
            assert_eq!(
                text.parse::<Pattern>().unwrap().matches("Users", method),
                expected,
                "{text} {method}"
            );
        };
        check("Users.get", "get", true);
        check("Users.get", "getAll", false);
        check("Users.get*", "get", true);
        check("Users.get*", "getAll", true);
        check("Users.get*", "set", false);
        check("Users.*", "set", true);
        check("Others.*", "set", false);
        check("*", "set", true);
    }

    #[test]
    fn a_wider_pattern_covers_a_narrower_one() {
        let covers =
            |wide: &str, narrow: &str| wide.parse::<Pattern>().unwrap().covers(&narrow.parse().unwrap());
        assert!(covers("U.*", "U.get") && covers("*", "U.*") && covers("*", "U.get"));
        assert!(
            !covers("U.get", "U.*") && !covers("U.*", "*") && !covers("*", "*") && !covers("V.*", "U.get")
        );
    }

    #[test]
    fn the_most_specific_comes_first() {
        let mut patterns: Vec<Pattern> =
            ["*", "U.*", "U.getAll*", "U.get", "U.get*"].iter().map(|text| text.parse().unwrap()).collect();
        patterns.sort();
        let order: Vec<_> = patterns.iter().map(ToString::to_string).collect();
        assert_eq!(order, ["U.get", "U.getAll*", "U.get*", "U.*", "*"]);
    }
}
