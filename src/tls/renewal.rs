//! Files of certificates and keys that hold others than what is in use.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::{info, warn};

use super::papers::Papers;
use super::renewing::Renewable;
use crate::files::Files;

/// Looks at the files of every end of TLS, by what they hold: a link that leads elsewhere tells itself.
#[derive(Debug)]
pub(crate) struct Renewals {
    files: Arc<dyn Files>,
    /// What is not in use, as it was at the last look: the papers of an end may be replaced one after another.
    others: BTreeMap<String, Other>,
}

/// What files held at a look, or why they cannot be read.
type Found = Result<Papers, String>;

/// What was found of one end.
#[derive(Debug, PartialEq, Eq)]
enum Other {
    /// At the last look, for the first time.
    New(Found),
    /// For longer, and it was tried.
    Tried(Found),
}

impl Renewals {
    /// None yet.
    pub(crate) fn new(files: Arc<dyn Files>) -> Self {
        Self { files, others: BTreeMap::new() }
    }

    /// Makes those of `ends` anew whose files have held others since the look before. They are called by the sections that name their files.
    pub(crate) async fn look(&mut self, ends: Vec<(String, Arc<dyn Renewable>)>) {
        self.others.retain(|name, _| ends.iter().any(|(known, _)| known == name));
        for (name, end) in ends {
            let papers = end.papers();
            let found = papers.read_again(&*self.files).await;
            if found.as_ref() == Ok(&papers) {
                self.others.remove(&name);
                end.refuse(None);
                continue;
            }
            match self.others.get(&name) {
                Some(Other::Tried(tried)) if *tried == found => {}
                Some(Other::New(last)) if *last == found => {
                    renew(&name, &*end, found.clone());
                    self.others.insert(name, Other::Tried(found));
                }
                Some(_) | None => drop(self.others.insert(name, Other::New(found))),
            }
        }
    }
}

fn renew(name: &str, end: &dyn Renewable, found: Found) {
    match found.and_then(|papers| end.renew(papers).map_err(|flaw| flaw.to_string())) {
        Ok(()) => {
            end.refuse(None);
            info!(section = name, "certificates are renewed: connections that begin from here on have them");
        }
        Err(why) => {
            warn!(section = name, why, "certificates cannot be renewed, the last ones stay");
            end.refuse(Some(why));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Memory;
    use crate::setting::Secret;
    use crate::tls::signing::Authority;
    use crate::tls::{Pem, Server};

    fn put(memory: &Memory, certificate: &str, key: &str) {
        memory.put("/certificate", certificate);
        memory.put("/key", key);
    }

    fn end(memory: &Memory) -> Arc<dyn Renewable> {
        let pem = |path: &str| {
            let text = String::from_utf8(memory.get(path).unwrap()).unwrap();
            Some(Pem { path: path.into(), text: Secret::new(text) })
        };
        let papers = Papers { certificate: pem("/certificate"), key: pem("/key"), ..Papers::default() };
        Server::new(papers).unwrap().renewable()
    }

    #[tokio::test]
    async fn other_files_are_taken_when_they_have_stood_for_two_looks_and_fit_each_other() {
        let (memory, authority) = (Memory::default(), Authority::new());
        let [one, two] = [authority.sign("one"), authority.sign("two")];
        put(&memory, &one.certificate, &one.key);
        let end = end(&memory);
        let mut renewals = Renewals::new(Arc::new(memory.clone()));
        let mut look = async || renewals.look(vec![("admin".to_owned(), Arc::clone(&end))]).await;
        let shows = |certificate: &str| end.papers().certificate.unwrap().text.reveal() == certificate;
        memory.put("/certificate", two.certificate.clone());
        look().await;
        assert!(shows(&one.certificate) && end.refused().is_none(), "its key may follow");
        look().await;
        assert!(end.refused().unwrap().contains("/key: is no key of the certificate"));
        assert!(shows(&one.certificate));
        memory.put("/key", two.key.clone());
        look().await;
        look().await;
        assert!(shows(&two.certificate) && end.refused().is_none());
    }

    #[tokio::test]
    async fn a_file_that_is_gone_leaves_what_it_held() {
        let (memory, signed) = (Memory::default(), Authority::new().sign("one"));
        put(&memory, &signed.certificate, &signed.key);
        let end = end(&memory);
        let mut renewals = Renewals::new(Arc::new(memory.clone()));
        let mut look = async || renewals.look(vec![("admin".to_owned(), Arc::clone(&end))]).await;
        memory.remove("/key");
        look().await;
        look().await;
        assert!(end.refused().unwrap().starts_with("/key: "));
        memory.put("/key", signed.key.clone());
        look().await;
        assert!(end.refused().is_none());
    }
}
