//! Links both sides again so that their functions lie at the same addresses, where that is wanted.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use relink::{IndependentDraws, KeptLink, LayoutMatch, RelinkError};
use runner::{BuildSource, LayoutPlan, SutBuild};
use suite::LayoutMode;
use sut::layout::{LayoutState, layout_state};

use crate::app::builds::{BuildFinder, BuildOrigin, BuildPair};
use crate::app::event::{Event, EventSink, WarningKind};
use crate::app::selection::CheckoutBuild;

/// What a link may take where it was not wished for. A drawn order takes two for each launch pair, beside the
/// load of the one before.
const AUTO_LINK_MAX: Duration = Duration::from_secs(1);

/// The folder of a cargo target folder in which a program lies under a second name, from which it is
/// made anew without being linked.
const SECOND_NAMES: &str = "deps";

/// Returns where functions of both builds are to lie. What cannot be matched is measured as built, and
/// said.
pub(super) fn plan(
    finder: &BuildFinder<'_>,
    builds: &BuildPair,
    events: &mut dyn EventSink,
) -> anyhow::Result<LayoutPlan> {
    let mode = finder.suite.target.layout;
    if mode == LayoutMode::AsBuilt {
        return Ok(LayoutPlan::AsBuilt);
    }
    let Some(programs) = program(&builds.base).zip(program(&builds.head)) else {
        return Ok(LayoutPlan::AsBuilt);
    };
    if layout_state(&programs.0, &programs.1) != LayoutState::NotRedrawn {
        return Ok(LayoutPlan::AsBuilt);
    }
    let folder = scratch(finder)?;
    let matching = LayoutMatching { finder, builds, folder: &folder };
    match matching.find(&programs.0, &programs.1, events)? {
        Ok(plan) => Ok(plan),
        Err(error) => {
            // The report names the obstacle. A warning is for those who wished for more.
            if mode != LayoutMode::Auto {
                let text = units::text::error_chain(&error);
                events.emit(Event::Warning(WarningKind::LayoutAsBuilt { error: &text }));
            }
            Ok(LayoutPlan::Obstructed(error.obstacle()))
        }
    }
}

/// An empty folder for programs that are linked again.
fn scratch(finder: &BuildFinder<'_>) -> anyhow::Result<PathBuf> {
    let folder = finder.selection.out.join("relinked");
    if folder.exists() {
        fs::remove_dir_all(&folder).context("failed to remove what was linked before")?;
    }
    fs::create_dir_all(&folder).context("failed to create the folder for linking")?;
    folder.canonicalize().context("failed to find the folder for linking")
}

fn program(build: &SutBuild) -> Option<PathBuf> {
    let BuildSource::Start(command) = &build.source else { return None };
    command.elf_program()
}

struct LayoutMatching<'a> {
    finder: &'a BuildFinder<'a>,
    builds: &'a BuildPair,
    /// Where programs are linked.
    folder: &'a Path,
}

impl LayoutMatching<'_> {
    /// Finds the links of both programs, and matches them. The outer error is that of a build.
    fn find(
        &self,
        base: &Path,
        head: &Path,
        events: &mut dyn EventSink,
    ) -> anyhow::Result<Result<LayoutPlan, RelinkError>> {
        let (base_links, head_links) = self.builds.links();
        // Before head is linked once more for nothing.
        let base = self.link(base_links, base).and_then(|link| {
            self.ensure_wished_for(&link)?;
            Ok(link)
        });
        let base = match base {
            Ok(link) => link,
            Err(error) => return Ok(Err(error)),
        };
        let head = match head_links {
            Some(links) => self.link(Some(links), head),
            None => self.link_of_checkout(head, events)?,
        };
        Ok(head.and_then(|head| self.plan(base, head)))
    }

    /// Decides by what linked both programs how their functions can be made to lie.
    fn plan(&self, base: KeptLink, head: KeptLink) -> Result<LayoutPlan, RelinkError> {
        let mode = self.finder.suite.target.layout;
        let link_max = if mode == LayoutMode::Auto { AUTO_LINK_MAX } else { Duration::MAX };
        self.ensure_wished_for(&head)?;
        if base.is_of_go() || head.is_of_go() {
            let draws = IndependentDraws::find(base, head, self.folder)?;
            return Ok(LayoutPlan::DrawnIndependently(Arc::new(draws)));
        }
        let matched = Arc::new(LayoutMatch::find(base, head, self.folder, link_max)?);
        Ok(match mode {
            LayoutMode::Matched => LayoutPlan::Matched(matched),
            LayoutMode::Auto | LayoutMode::AsBuilt | LayoutMode::Drawn => {
                LayoutPlan::Drawn(matched)
            }
        })
    }

    /// Fails for a linker that only draws an order for each side by itself, unless that is configured: such orders
    /// scatter more, and it was not shown yet that they are worth it.
    fn ensure_wished_for(&self, link: &KeptLink) -> Result<(), RelinkError> {
        if !link.is_of_go() || self.finder.suite.target.layout == LayoutMode::Drawn {
            return Ok(());
        }
        IndependentDraws::ensure_possible(link)?;
        Err(RelinkError::DrawnOnly)
    }

    fn link(&self, links: Option<&Path>, program: &Path) -> Result<KeptLink, RelinkError> {
        let none = || RelinkError::NoLink { program: program.to_owned() };
        relink::find(links.ok_or_else(none)?, program, self.folder)
    }

    /// The link of the checkout's program. Where it was linked before links were kept, a build has nothing
    /// to do; then its program is put aside, and the build links it once more.
    fn link_of_checkout(
        &self,
        program: &Path,
        events: &mut dyn EventSink,
    ) -> anyhow::Result<Result<KeptLink, RelinkError>> {
        let links = self.finder.head_links();
        let kept = self.link(Some(&links), program);
        let is_built = self.builds.origin == BuildOrigin::Checkout
            && self.finder.selection.checkout_build == CheckoutBuild::Run;
        if kept.is_ok() || !is_built {
            return Ok(kept);
        }
        events.emit(Event::Warning(WarningKind::LinkedAgain { program }));
        let aside = ProgramAside::put(program).context("failed to put the program aside")?;
        let built = self.finder.build_checkout(None, events);
        drop(aside);
        built?;
        Ok(self.link(Some(&links), program))
    }
}

/// A program under other names, so that a build makes it anew. Dropping this brings it back wherever the
/// build did not.
struct ProgramAside {
    /// Each name, and the one that it has meanwhile.
    names: Vec<(PathBuf, PathBuf)>,
}

impl ProgramAside {
    fn put(program: &Path) -> std::io::Result<Self> {
        let mut aside = Self { names: Vec::new() };
        for name in names(program)? {
            let mut other = name.clone().into_os_string();
            other.push(".xmlperf-aside");
            let other = PathBuf::from(other);
            fs::rename(&name, &other)?;
            aside.names.push((name, other));
        }
        Ok(aside)
    }
}

impl Drop for ProgramAside {
    fn drop(&mut self) {
        for (name, other) in &self.names {
            // What cannot be removed or renamed stays beside the program, under a name that says whose it is.
            let _ = if name.exists() { fs::remove_file(other) } else { fs::rename(other, name) };
        }
    }
}

/// The names of a program in its folder and in the one that cargo makes it from.
fn names(program: &Path) -> std::io::Result<Vec<PathBuf>> {
    let identity = |path: &Path| fs::symlink_metadata(path).map(|it| (it.dev(), it.ino()));
    let own = identity(program)?;
    let mut names = vec![program.to_owned()];
    let second = program.parent().map(|folder| folder.join(SECOND_NAMES));
    // Without such a folder the program has this name only.
    let entries = second.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten();
    let paths = entries.flatten().map(|entry| entry.path());
    names.extend(paths.filter(|path| identity(path).is_ok_and(|it| it == own)));
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_put_aside_comes_back_unless_the_build_made_another() {
        let folder = tempfile::tempdir().unwrap();
        let (program, second) = (folder.path().join("api"), folder.path().join("deps/api-1"));
        fs::create_dir(folder.path().join("deps")).unwrap();
        fs::write(&program, "old").unwrap();
        fs::hard_link(&program, &second).unwrap();
        fs::write(folder.path().join("deps/other"), "other").unwrap();
        let read = |path: &Path| fs::read_to_string(path).ok();

        let aside = ProgramAside::put(&program).unwrap();
        assert_eq!((read(&program), read(&second)), (None, None));
        assert_eq!(read(&folder.path().join("deps/other")).as_deref(), Some("other"));
        fs::write(&program, "new").unwrap();
        drop(aside);
        assert_eq!(read(&program).as_deref(), Some("new"));
        assert_eq!(read(&second).as_deref(), Some("old"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        assert_eq!(fs::read_dir(folder.path().join("deps")).unwrap().count(), 2);
    }
}
