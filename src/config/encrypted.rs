//! The TLS of the sections, from the files that they name.

use std::collections::BTreeMap;
use std::path::Path;

use super::draft::{Draft, Placed, State};
use super::outside::Outside;
use super::problem::Problem;
use crate::backend::options::Endpoint;
use crate::setting::Finding;
use crate::tls::options::ServerOptions;
use crate::tls::{Client, Flaw, Papers, Server};

/// What speaks TLS, by the names of its sections.
#[derive(Debug, Default)]
pub(super) struct Encrypted {
    pub(super) listeners: BTreeMap<String, Server>,
    pub(super) backends: BTreeMap<String, Client>,
    pub(super) admin: Option<Server>,
}

/// Reads all files of certificates and keys but those for Redis.
pub(super) fn read(
    draft: &Draft,
    file: &Path,
    outside: &Outside<'_>,
    problems: &mut Vec<Problem>,
) -> Encrypted {
    let mut reading = Reading { file, outside, problems };
    let mut encrypted = Encrypted::default();
    for (name, section) in &draft.listeners {
        let server = reading.server(section, section.options.tls.as_ref(), Server::new);
        encrypted.listeners.extend(server.map(|server| (name.clone(), server)));
    }
    for (name, section) in &draft.backends {
        let options = section.options.tls.as_ref();
        let made = options.map(|options| options.client(|option, path| outside.pem(option, path, file)));
        let made = made.map(|made| made.and_then(|client| proven(&section.options.endpoints, client)));
        let client = made.and_then(|made| reading.sound(section, made));
        encrypted.backends.extend(client.map(|client| (name.clone(), client)));
    }
    encrypted.admin = reading.server(&draft.admin, draft.admin.options.tls.as_ref(), Server::http);
    encrypted
}

/// The client, if each of the endpoints can prove to be what it should.
fn proven(endpoints: &[Endpoint], client: Client) -> Result<Client, Finding> {
    let flaw = endpoints.iter().find_map(|endpoint| client.proves(&endpoint.host).err());
    flaw.map_or(Ok(client), |flaw| Err(Finding::new("tls.server_name", format!("must be given: {flaw}"))))
}

struct Reading<'a, 'o> {
    file: &'a Path,
    outside: &'a Outside<'o>,
    problems: &'a mut Vec<Problem>,
}

impl Reading<'_, '_> {
    fn server<T>(
        &mut self,
        section: &Placed<T>,
        options: Option<&ServerOptions>,
        make: fn(Papers) -> Result<Server, Flaw>,
    ) -> Option<Server> {
        let made = options?.server(|option, path| self.outside.pem(option, path, self.file), make);
        self.sound(section, made)
    }

    /// What was made; what is wrong is noted, unless something else is in the section.
    fn sound<T, M>(&mut self, section: &Placed<T>, made: Result<M, Finding>) -> Option<M> {
        made.map_err(|finding| {
            if section.state == State::Sound {
                self.problems.push(section.place.problem(self.file, finding));
            }
        })
        .ok()
    }
}
