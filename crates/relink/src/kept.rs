//! A link that was kept: its inputs, and how they were linked.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::arguments::{LinkArgument, LinkJob, response_file};
use crate::driver::{DRIVER_FOLDER, DriverCall, LinkTool, own_folder};
use crate::failure::{RelinkError, unusable};
use crate::go_link::{GoBuildId, GoLinkJob};

/// The description of a kept link in its folder, written last.
const DESCRIPTION: &str = "link.json";

/// Links that are tried whose program was moved away, so that it cannot be compared.
const MOVED_MAX: usize = 8;

/// From so many bytes on, arguments are passed in a file.
const ARGUMENT_BYTES_MAX: usize = 64 * 1024;

/// Characters of a linker's output in a message.
const SAID_CHARS_MAX: usize = 500;

/// Arguments by which symbols are left out of a program.
const STRIPPING: [&str; 6] = ["-s", "-S", "-x", "--strip-all", "--strip-debug", "--discard-all"];

/// A link whose inputs were kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptLink {
    #[serde(default)]
    tool: LinkTool,
    /// The compiler driver, or Go's linker.
    driver: PathBuf,
    /// The name that it was called by.
    name: String,
    /// All but the output; inputs are those that were kept.
    arguments: Vec<String>,
    /// The program, as it was linked.
    output: PathBuf,
    /// Where the driver was called.
    folder: PathBuf,
    /// What of its environment decides what it does.
    variables: BTreeMap<String, String>,
    /// What Go's linker wrote into the program, of which the go command replaces the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    build_id: Option<GoBuildId>,
}

/// Whether what is linked again has symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SymbolTable {
    /// If the build had it have some.
    AsBuilt,
    /// In any case.
    Whole,
}

impl KeptLink {
    /// Keeps the inputs of a link that is about to happen, in a new folder below `links`.
    pub(crate) fn keep(call: &DriverCall, job: LinkJob, links: &Path) -> io::Result<()> {
        let not_text = || io::Error::new(io::ErrorKind::InvalidData, "not text");
        let own = own_folder(links, &job.output)?;
        let mut kept = BTreeMap::<PathBuf, String>::new();
        let mut arguments = Vec::new();
        for argument in job.arguments {
            arguments.push(match argument {
                LinkArgument::Text(text) => text,
                LinkArgument::Input { option, path } => {
                    // What a link leads to is kept: the link itself may lead elsewhere from there.
                    let path = call.folder.join(path).canonicalize()?;
                    if !kept.contains_key(&path) {
                        let copy = keep_input(&path, &own, kept.len())?;
                        let copy = copy.into_os_string().into_string().map_err(|_| not_text())?;
                        kept.insert(path.clone(), copy);
                    }
                    format!("{option}{}", kept[&path])
                }
            });
        }
        Self::new(call, arguments, &job.output, None).write(&own)
    }

    /// Likewise of a call of Go's linker, if it links a program.
    pub(crate) fn keep_go(call: &DriverCall, links: &Path) -> io::Result<()> {
        let Some(job) = GoLinkJob::read(&call.arguments) else { return Ok(()) };
        let own = own_folder(links, &job.output)?;
        let mut number = 0;
        let toolchain = call.variables.get("GOROOT").filter(|root| !root.is_empty());
        let mut keep = |path: &str| {
            let path = call.folder.join(path).canonicalize()?;
            // The linker itself stays there, too.
            if toolchain.is_some_and(|root| path.starts_with(root)) {
                return Ok(path);
            }
            number += 1;
            keep_input(&path, &own, number - 1)
        };
        let arguments = job.keep(&call.folder, &own, &mut keep)?;
        Self::new(call, arguments, &job.output, job.build_id.clone()).write(&own)
    }

    fn new(
        call: &DriverCall,
        arguments: Vec<String>,
        output: &str,
        build_id: Option<GoBuildId>,
    ) -> Self {
        Self {
            tool: call.tool,
            driver: call.driver.clone(),
            name: call.name.clone(),
            arguments,
            output: call.folder.join(output),
            folder: call.folder.clone(),
            variables: call.variables.clone(),
            build_id,
        }
    }

    fn write(&self, folder: &Path) -> io::Result<()> {
        fs::write(folder.join(DESCRIPTION), serde_json::to_vec_pretty(self)?)
    }

    /// Links into `output`, with more arguments at the end.
    pub(crate) fn link(
        &self,
        output: &Path,
        more: &[String],
        symbols: SymbolTable,
    ) -> Result<(), RelinkError> {
        let mut command = self.command();
        match self.tool {
            LinkTool::CompilerDriver => self.add_arguments(&mut command, output, more, symbols)?,
            // Options stand before the input, which is the last argument.
            LinkTool::GoLinker => {
                command.arg("-o").arg(output).args(more).args(&self.arguments);
            }
        }
        let ended = command.output().map_err(unusable(&self.driver))?;
        if ended.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&ended.stderr);
        let before = said.chars().count().saturating_sub(SAID_CHARS_MAX);
        Err(RelinkError::LinkFailed {
            program: self.name.clone(),
            status: ended.status.to_string(),
            said: said.chars().skip(before).collect::<String>().trim().to_owned(),
        })
    }

    /// Adds the arguments of a link by a compiler driver.
    fn add_arguments(
        &self,
        command: &mut Command,
        output: &Path,
        more: &[String],
        symbols: SymbolTable,
    ) -> Result<(), RelinkError> {
        let mut arguments = match symbols {
            SymbolTable::AsBuilt => self.arguments.clone(),
            SymbolTable::Whole => without_stripping(&self.arguments),
        };
        arguments.extend_from_slice(more);
        let bytes: usize = arguments.iter().map(String::len).sum();
        if bytes > ARGUMENT_BYTES_MAX {
            let path = output.with_extension("arguments");
            fs::write(&path, response_file(&arguments)).map_err(unusable(&path))?;
            let mut file = OsStr::new("@").to_owned();
            file.push(&path);
            command.arg(file);
        } else {
            command.args(&arguments);
        }
        command.arg("-o").arg(output);
        Ok(())
    }

    /// The driver as it was called, without its arguments.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.driver);
        command.arg0(&self.name).env_clear().envs(&self.variables).current_dir(&self.folder);
        command
    }

    /// Whether Go's linker made this.
    pub fn is_of_go(&self) -> bool {
        self.tool == LinkTool::GoLinker
    }

    pub(crate) fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Whether this made the program, as far as can be seen without linking.
    fn made(&self, program: &[u8]) -> LinkProduct {
        if let Some(id) = &self.build_id {
            let is_of_this = id.is_in(program);
            return if is_of_this { LinkProduct::Program } else { LinkProduct::AnotherProgram };
        }
        match fs::read(&self.output) {
            Ok(output) if output == program => LinkProduct::Program,
            Ok(_) => LinkProduct::AnotherProgram,
            Err(_) => LinkProduct::MovedFile,
        }
    }

    /// Whether linking again gives the program, byte for byte but for the end of Go's build ID, which the go
    /// command makes from the linked file.
    fn reproduces(&self, program: &[u8], scratch: &Path) -> Result<bool, RelinkError> {
        let again = scratch.join("again");
        self.link(&again, &[], SymbolTable::AsBuilt)?;
        let mut bytes = fs::read(&again).map_err(unusable(&again))?;
        if let Some(id) = &self.build_id {
            id.stamp(&mut bytes, program);
        }
        // A file that cannot be removed is replaced by the next link.
        let _ = fs::remove_file(&again);
        Ok(bytes == program)
    }
}

/// What a link made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LinkProduct {
    Program,
    AnotherProgram,
    /// It is not where it was linked.
    MovedFile,
}

/// Returns the link among those kept in `links` that made `program`, checked by linking again in the
/// folder `scratch`. Those that made other programs are removed: their inputs take room.
pub fn find(links: &Path, program: &Path, scratch: &Path) -> Result<KeptLink, RelinkError> {
    let content = fs::read(program).map_err(unusable(program))?;
    let mut search = LinkSearch { program, content, scratch, moved: 0 };
    let mut found = Err(RelinkError::NoLink { program: program.to_owned() });
    for folder in newest_first(links) {
        // Once it is found, older links are of earlier builds.
        let tried =
            if found.is_err() { read(&folder).and_then(|it| search.check(it)) } else { None };
        match tried {
            Some(checked) => found = checked,
            // What stays is removed with the folder of all.
            None => drop(fs::remove_dir_all(folder)),
        }
    }
    found
}

/// The search for the link that made a program.
struct LinkSearch<'a> {
    program: &'a Path,
    content: Vec<u8>,
    /// Where programs are linked again.
    scratch: &'a Path,
    /// Links tried so far whose program is not where it was linked.
    moved: usize,
}

impl LinkSearch<'_> {
    /// Returns the link if it gives the program byte for byte, or why it does not; nothing if it made
    /// another program.
    fn check(&mut self, link: KeptLink) -> Option<Result<KeptLink, RelinkError>> {
        let reproduced = match link.made(&self.content) {
            LinkProduct::Program => link.reproduces(&self.content, self.scratch),
            LinkProduct::MovedFile if self.moved < MOVED_MAX => {
                self.moved += 1;
                // It need not be of this program, so that nothing is wrong if it gives another one.
                let same = link.reproduces(&self.content, self.scratch).unwrap_or(false);
                return same.then_some(Ok(link));
            }
            LinkProduct::MovedFile | LinkProduct::AnotherProgram => return None,
        };
        Some(match reproduced {
            Ok(true) => Ok(link),
            Ok(false) => Err(RelinkError::NotReproduced { program: self.program.to_owned() }),
            Err(error) => Err(error),
        })
    }
}

fn read(folder: &Path) -> Option<KeptLink> {
    serde_json::from_slice(&fs::read(folder.join(DESCRIPTION)).ok()?).ok()
}

/// The folders of kept links, with those that could not be kept whole at the end.
fn newest_first(links: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(links) else { return Vec::new() };
    let time = |path: &Path| path.metadata().and_then(|it| it.modified()).ok();
    let folders = entries.flatten().filter(|entry| entry.file_name() != DRIVER_FOLDER);
    let mut folders: Vec<(Option<SystemTime>, PathBuf)> = folders
        .map(|entry| entry.path())
        .map(|path| (time(&path.join(DESCRIPTION)), path))
        .collect();
    folders.sort_by(|a, b| b.cmp(a));
    folders.into_iter().map(|(_, path)| path).collect()
}

/// Keeps a file under a name of its own: by a second name for it, which costs nothing, or by a copy where
/// the file system or the owner forbid that.
fn keep_input(path: &Path, folder: &Path, number: usize) -> io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let kept = folder.join(format!("{number:03}-{name}"));
    fs::hard_link(path, &kept).or_else(|_| fs::copy(path, &kept).map(drop))?;
    Ok(kept)
}

fn without_stripping(arguments: &[String]) -> Vec<String> {
    let mut left = Vec::with_capacity(arguments.len());
    for argument in arguments {
        if STRIPPING.contains(&argument.as_str()) {
            // It may have been for the linker.
            if left.last().is_some_and(|last| last == "-Xlinker") {
                left.pop();
            }
        } else {
            left.push(argument.clone());
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripping_is_left_out_for_driver_and_linker() {
        let arguments = ["-s", "a.o", "-Xlinker", "--strip-all", "-Xlinker", "--gc-sections"];
        let left = without_stripping(&arguments.map(str::to_owned));
        assert_eq!(left, ["a.o", "-Xlinker", "--gc-sections"]);
    }
}
