//! Checks what a command names before it is there: ports, a folder, services.

use std::collections::BTreeSet;

use sut::Placeholder;
use toml::Spanned;

use crate::config::fault::{PlaceholderFault, SpannedFault};

/// What the placeholders of a command may name.
#[derive(Debug, Default)]
pub(super) struct PlaceholderScope {
    /// Whether the command runs in a container.
    pub(super) is_container: bool,
    /// Further ports that were named.
    pub(super) ports: BTreeSet<String>,
}

impl PlaceholderScope {
    /// Takes note of the ports that a text names; fails for a name of nothing.
    pub(super) fn note(&mut self, text: &Spanned<String>) -> Result<(), SpannedFault> {
        let wrong = |fault: PlaceholderFault| SpannedFault::new(text.span(), fault);
        let placeholders = Placeholder::all(text.get_ref()).map_err(|error| wrong(error.into()))?;
        for placeholder in placeholders {
            match placeholder {
                Placeholder::NamedPort(name) => {
                    self.ports.insert(name.to_owned());
                }
                Placeholder::Service(name) | Placeholder::ServicePort(name) => {
                    return Err(wrong(PlaceholderFault::NoService { name: name.to_owned() }));
                }
                Placeholder::Dir if self.is_container => {
                    return Err(wrong(PlaceholderFault::ContainerDir));
                }
                Placeholder::Port | Placeholder::Dir => {}
            }
        }
        Ok(())
    }
}
