//! What `/metrics` says, as numbers by name and labels.

/// One reading of the metrics page.
#[derive(Debug)]
pub(crate) struct Metrics {
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Metrics {
    pub(crate) fn parse(page: &str) -> Self {
        Self { samples: page.lines().filter_map(sample).collect() }
    }

    /// The sum over all samples of that name with all those labels; 0 where there are none.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.matching(name, labels).map(|sample| sample.value).sum()
    }

    /// Whether there is any such sample.
    pub(crate) fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.matching(name, labels).next().is_some()
    }

    fn matching<'a>(&'a self, name: &'a str, labels: &'a [(&str, &str)]) -> impl Iterator<Item = &'a Sample> {
        let labelled = move |sample: &&Sample| {
            labels.iter().all(|(name, value)| sample.labels.iter().any(|(n, v)| n == name && v == value))
        };
        self.samples.iter().filter(move |sample| sample.name == name).filter(labelled)
    }
}

fn sample(line: &str) -> Option<Sample> {
    if line.starts_with('#') {
        return None;
    }
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let labels = labels.trim_end_matches('}').split("\",").filter_map(label).collect();
    Some(Sample { name: name.to_owned(), labels, value: value.parse().ok()? })
}

fn label(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once("=\"")?;
    Some((name.to_owned(), value.trim_end_matches('"').to_owned()))
}
