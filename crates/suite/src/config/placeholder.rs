//! Checks what a command names before it is there: ports, a folder, services.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use sut::{Placeholder, ServiceScope};

use crate::config::fault::{PlaceholderFault, SpannedFault};

/// What the placeholders of a command may name, and what they have named.
#[derive(Debug)]
pub(super) struct PlaceholderScope {
    is_container: bool,
    /// Services that run before it.
    services: BTreeMap<String, ServiceScope>,
    /// How long it lives itself.
    lifetime: ServiceScope,
    /// Further ports that were named.
    pub(super) ports: BTreeSet<String>,
    /// Whether its own port was.
    pub(super) has_port: bool,
}

impl PlaceholderScope {
    pub(super) fn new(
        is_container: bool,
        services: BTreeMap<String, ServiceScope>,
        lifetime: ServiceScope,
    ) -> Self {
        Self { is_container, services, lifetime, ports: BTreeSet::new(), has_port: false }
    }

    /// Takes note of what a text names; fails for a name of nothing.
    pub(super) fn note(&mut self, text: &str, span: Range<usize>) -> Result<(), SpannedFault> {
        let wrong = |fault: PlaceholderFault| SpannedFault::new(span.clone(), fault);
        let placeholders = Placeholder::all(text).map_err(|error| wrong(error.into()))?;
        for placeholder in placeholders {
            match placeholder {
                Placeholder::Port => self.has_port = true,
                Placeholder::NamedPort(name) => {
                    self.ports.insert(name.to_owned());
                }
                Placeholder::Service(name) | Placeholder::ServicePort(name) => {
                    self.service(name).map_err(wrong)?;
                }
                Placeholder::Dir if self.is_container => {
                    return Err(wrong(PlaceholderFault::ContainerDir));
                }
                Placeholder::Dir => {}
            }
        }
        Ok(())
    }

    fn service(&self, name: &str) -> Result<(), PlaceholderFault> {
        match self.services.get(name) {
            Some(scope) if *scope >= self.lifetime => Ok(()),
            Some(_) => Err(PlaceholderFault::ShortLivedService { name: name.to_owned() }),
            None => Err(PlaceholderFault::NoService { name: name.to_owned() }),
        }
    }
}
