//! Reads the arguments of Go's linker, and keeps what they name.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use memchr::memmem;
use serde::{Deserialize, Serialize};

/// Ways of linking that make a program.
const PROGRAMS: [&str; 3] = ["default", "exe", "pie"];

/// The list of packages in the folder of a kept link.
const PACKAGES: &str = "importcfg";

/// How a line of that list begins that names a file.
const PACKAGE_FILE: &str = "packagefile ";

/// How the name of a release begins.
const RELEASE: &str = "go1.";

/// The minor version of the first release whose linker draws orders.
const DRAWS_SINCE: u32 = 22;

/// How the names of programs end that only `go test` executes.
const TEST_PROGRAM: &str = ".test";

/// The link of a program by Go's linker.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct GoLinkJob {
    /// The program, as written.
    pub(crate) output: String,
    /// What is written into it, if anything is.
    pub(crate) build_id: Option<GoBuildId>,
    /// The list of packages.
    packages: String,
    /// All options but those above.
    options: Vec<String>,
    /// The package that has the function `main`.
    main: String,
}

/// An ID that Go's linker writes into a program: hashes of what it is made from, with one in the place of the
/// program's own at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct GoBuildId(String);

impl GoLinkJob {
    /// Reads arguments; nothing if they are not for a program that is kept.
    pub(crate) fn read(arguments: &[OsString]) -> Option<Self> {
        let text = |argument: &OsString| argument.to_str().map(str::to_owned);
        let mut rest = arguments.iter().map(text).collect::<Option<Vec<_>>>()?;
        let main = rest.pop()?;
        let mut rest = rest.into_iter();
        let (mut output, mut packages, mut id) = (None, None, None);
        let mut options = Vec::new();
        while let Some(argument) = rest.next() {
            let (option, attached) = option(&argument);
            let place = match option {
                "o" => &mut output,
                "importcfg" => &mut packages,
                "buildid" => {
                    id = attached.map(str::to_owned);
                    options.push(argument);
                    continue;
                }
                "buildmode" if !attached.is_some_and(|it| PROGRAMS.contains(&it)) => return None,
                _ => {
                    options.push(argument);
                    continue;
                }
            };
            *place = attached.map(str::to_owned).or_else(|| rest.next());
        }
        let output = output.filter(|it: &String| !it.ends_with(TEST_PROGRAM))?;
        let build_id = id.and_then(GoBuildId::new);
        Some(Self { output, build_id, packages: packages?, options, main })
    }

    /// Keeps each file by `keep`, and the list of them in `own`. Returns the arguments with those that were kept,
    /// without the output.
    pub(crate) fn keep(
        &self,
        folder: &Path,
        own: &Path,
        keep: &mut dyn FnMut(&str) -> io::Result<PathBuf>,
    ) -> io::Result<Vec<String>> {
        let list = fs::read_to_string(folder.join(&self.packages))?;
        let mut kept = String::with_capacity(list.len());
        for line in list.lines() {
            let file = line.strip_prefix(PACKAGE_FILE).and_then(|rest| rest.split_once('='));
            match file {
                Some((package, file)) => {
                    kept.extend([PACKAGE_FILE, package, "=", &text(keep(file)?)?]);
                }
                None => kept.push_str(line),
            }
            kept.push('\n');
        }
        let packages = own.join(PACKAGES);
        fs::write(&packages, kept)?;
        let mut arguments = vec!["-importcfg".to_owned(), text(packages)?];
        arguments.extend(self.options.iter().cloned());
        arguments.push(text(keep(&self.main)?)?);
        Ok(arguments)
    }
}

impl GoBuildId {
    /// An ID of four hashes; others stay as the linker writes them.
    fn new(id: String) -> Option<Self> {
        (id.split('/').count() == 4).then_some(Self(id))
    }

    /// The hashes of what a program is made from, which stay.
    fn inputs(&self) -> &[u8] {
        let end = self.0.rfind('/').map_or(0, |at| at + 1);
        &self.0.as_bytes()[..end]
    }

    /// Whether a program has this ID, whatever its own hash is.
    pub(crate) fn is_in(&self, program: &[u8]) -> bool {
        memmem::find(program, self.inputs()).is_some()
    }

    /// Writes the ID of a program over the one that the linker has left at the same place, as the go command
    /// does after the link.
    pub(crate) fn stamp(&self, linked: &mut [u8], program: &[u8]) {
        let places: Vec<usize> = memmem::find_iter(linked, self.0.as_bytes()).collect();
        for at in places {
            let place = at..at + self.0.len();
            let stamped = program.get(place.clone()).filter(|it| it.starts_with(self.inputs()));
            if let Some(stamped) = stamped {
                linked[place].copy_from_slice(stamped);
            }
        }
    }
}

/// The name of an option and its value, where that stands in the same argument.
fn option(argument: &str) -> (&str, Option<&str>) {
    let Some(option) = argument.strip_prefix('-') else { return ("", None) };
    let option = option.strip_prefix('-').unwrap_or(option);
    option.split_once('=').map_or((option, None), |(option, value)| (option, Some(value)))
}

/// Whether the build draws an order of functions itself.
pub(crate) fn own_order(arguments: &[String]) -> Option<&str> {
    arguments.iter().map(String::as_str).find(|it| option(it).0 == ORDER)
}

/// The option by which the linker draws an order of functions, without its dash.
const ORDER: &str = "randlayout";

/// Returns the argument by which the linker draws an order of functions from a seed.
pub(crate) fn drawn(seed: u64) -> String {
    // It reads 63 bits, and 0 draws nothing.
    format!("-{ORDER}={}", (seed >> 1).max(1))
}

/// The release of a linker that draws no order yet, by what it says of its version.
pub(crate) fn undrawn_release(version: &str) -> Option<&str> {
    let release = version.split_whitespace().find(|word| word.starts_with(RELEASE))?;
    let minor = release[RELEASE.len()..].split(|it: char| !it.is_ascii_digit()).next()?;
    minor.parse::<u32>().is_ok_and(|minor| minor < DRAWS_SINCE).then_some(release)
}

fn text(path: PathBuf) -> io::Result<String> {
    let not_text = |_| io::Error::new(io::ErrorKind::InvalidData, "not text");
    path.into_os_string().into_string().map_err(not_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = "-o /w/b001/exe/a.out -importcfg /w/b001/importcfg.link -buildmode=exe \
                        -buildid=aa/bb/cc/aa -extld=gcc -s -X main.version=1 /w/b001/_pkg_.a";

    fn read(call: &str) -> Option<GoLinkJob> {
        GoLinkJob::read(&call.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_link_is_read_with_its_output_packages_and_id() {
        let job = read(CALL).unwrap();
        assert_eq!(job.output, "/w/b001/exe/a.out");
        assert_eq!(job.packages, "/w/b001/importcfg.link");
        assert_eq!(job.main, "/w/b001/_pkg_.a");
        assert_eq!(job.build_id, Some(GoBuildId("aa/bb/cc/aa".to_owned())));
        let options = "-buildmode=exe -buildid=aa/bb/cc/aa -extld=gcc -s -X main.version=1";
        assert_eq!(job.options.join(" "), options);
        assert_eq!(read(&CALL.replace("-o ", "--o=")), Some(job));
    }

    #[test]
    fn what_is_no_program_or_a_test_is_not_kept() {
        for call in [
            "-V=full",
            &CALL.replace("=exe", "=c-shared"),
            &CALL.replace("=exe", "=plugin"),
            &CALL.replace("a.out", "api.test"),
            &CALL.replace("-importcfg", "-X"),
        ] {
            assert_eq!(read(call), None, "{call}");
        }
    }

    /// The user may leave the ID out, for programs that are the same wherever they are built.
    #[test]
    fn the_last_id_counts() {
        let job = read(&CALL.replace("-s ", "-buildid= ")).unwrap();
        assert_eq!(job.build_id, None);
    }

    #[test]
    fn files_are_named_where_they_were_kept() {
        let folder = tempfile::tempdir().unwrap();
        let list =
            "# import config\npackagefile api=/c/1-d\npackagefile a/b=x=2\nmodinfo \"a=b\"\n";
        fs::write(folder.path().join("list"), list).unwrap();
        let job = read("-o a -importcfg list -w /c/1-d").unwrap();
        let mut keep = |path: &str| Ok(PathBuf::from(format!("/kept/{}", path.replace('/', "_"))));
        let arguments = job.keep(folder.path(), folder.path(), &mut keep).unwrap();
        let own = folder.path().join(PACKAGES);
        assert_eq!(arguments, ["-importcfg", own.to_str().unwrap(), "-w", "/kept/_c_1-d"]);
        let expected = "# import config\npackagefile api=/kept/_c_1-d\npackagefile a/b=/kept/x=2\n\
                        modinfo \"a=b\"\n";
        assert_eq!(fs::read_to_string(own).unwrap(), expected);
    }

    #[test]
    fn an_id_is_known_by_its_inputs_and_stamped_where_both_have_it() {
        let id = GoBuildId::new("aa/bb/cc/aa".to_owned()).unwrap();
        assert!(id.is_in(b"..aa/bb/cc/zz..") && !id.is_in(b"..aa/bb/dd/zz.."));
        let mut linked = *b"..aa/bb/cc/aa.x";
        id.stamp(&mut linked, b"..aa/bb/cc/zz.y");
        // Only the ID: what else differs does.
        assert_eq!(&linked, b"..aa/bb/cc/zz.x");
        let mut elsewhere = *b"...aa/bb/cc/aax";
        id.stamp(&mut elsewhere, b"..aa/bb/cc/zz.y");
        assert_eq!(&elsewhere, b"...aa/bb/cc/aax");
    }

    #[test]
    fn a_linker_that_draws_no_order_yet_is_known_by_its_release() {
        for (version, expected) in [
            ("link version go1.19.8\n", Some("go1.19.8")),
            ("link version go1.21rc2 X:fieldtrack\n", Some("go1.21rc2")),
            ("link version go1.22\n", None),
            ("link version go1.27.3\n", None),
            ("link version devel go1.28-5fa2 buildID=a/b\n", None),
            ("", None),
        ] {
            assert_eq!(undrawn_release(version), expected, "{version}");
        }
    }

    #[test]
    fn an_order_is_drawn_from_any_seed() {
        assert_eq!(drawn(0), "-randlayout=1");
        assert_eq!(drawn(u64::MAX), format!("-randlayout={}", i64::MAX));
        let own = ["-s", "--randlayout=7"].map(str::to_owned);
        assert_eq!(own_order(&own), Some("--randlayout=7"));
    }
}
