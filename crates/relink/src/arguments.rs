//! Reads the arguments of a compiler driver: what it does, and which files a link is made from.

use std::collections::VecDeque;
use std::path::Path;

/// Response files within response files that are read at most.
const RESPONSE_FILES_MAX: usize = 64;

/// What makes a driver stop before it links.
const STOPS: [&str; 7] = ["-c", "-S", "-E", "-M", "-MM", "-fsyntax-only", "-###"];

/// What makes a driver link no program: a part of one, or a library.
const NO_PROGRAM: [&str; 3] = ["-r", "-shared", "--shared"];

/// What a driver answers without a link: `--version`, `-print-search-dirs`, `-dumpmachine`.
const QUESTIONS: [&str; 5] = ["--version", "--help", "--target-help", "-print-", "-dump"];

/// Options of a driver whose value is the next argument, and no input of the link.
const DRIVER_VALUES: [&str; 21] = [
    "-B",
    "-D",
    "-I",
    "-L",
    "-U",
    "-Xassembler",
    "-Xclang",
    "-Xpreprocessor",
    "-arch",
    "-e",
    "-idirafter",
    "-include",
    "-iquote",
    "-isystem",
    "-l",
    "-param",
    "--param",
    "--sysroot",
    "-target",
    "-u",
    "-z",
];

/// Options of a driver that are for the linker alone, each with its value behind it.
const LINK_VALUES: [&str; 6] = ["-L", "-Xlinker", "-e", "-l", "-u", "-z"];

/// Options of a driver by which it writes a second file, named by the next argument.
const DRIVER_OUTPUTS: [&str; 3] = ["-MF", "-MQ", "-MT"];

/// Options of a linker whose value is the next argument, and no input.
const LINKER_VALUES: [&str; 14] = [
    "-L",
    "-e",
    "-h",
    "-l",
    "-m",
    "-rpath",
    "--rpath",
    "-soname",
    "--soname",
    "-u",
    "-z",
    "-plugin",
    "--defsym",
    "--dynamic-linker",
];

/// Options of a linker by which it writes a second file. They are left out when it links again: the
/// file belongs to the build.
const LINKER_OUTPUTS: [&str; 5] =
    ["-Map", "--Map", "--dependency-file", "--out-implib", "--time-trace"];

/// Options of a linker whose value, after `=`, is a file that it reads.
const LINKER_INPUTS: [&str; 7] = [
    "--version-script",
    "--dynamic-list",
    "--export-dynamic-symbol-list",
    "--retain-symbols-file",
    "--script",
    "--section-ordering-file",
    "--symbol-ordering-file",
];

/// How options begin by which a compilation writes more files, named after its output.
const WRITTEN_BESIDE: [&str; 8] = [
    "-M",
    "-save-temps",
    "--save-temps",
    "-gsplit-dwarf",
    "-fprofile",
    "-ftest-coverage",
    "--coverage",
    "-fdump",
];

/// Ends of the names of C and C++ files, of which functions can be compiled into sections of their own.
const C_SOURCES: [&str; 7] = ["c", "cc", "cpp", "cxx", "c++", "C", "m"];

/// Ends of the names of other files that a driver compiles.
const OTHER_SOURCES: [&str; 8] = ["s", "S", "i", "ii", "mm", "f", "f90", "d"];

/// What a driver is called for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DriverJob {
    /// It links a program from what was compiled before.
    Link(LinkJob),
    /// It compiles C or C++, and does not link.
    CompileC,
    /// It compiles C or C++ and links a program in one call; sources are among the inputs.
    CompileAndLink(LinkJob),
    /// Anything else: a library, a question, a language that is not known here.
    Other,
}

/// The link of a program.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LinkJob {
    /// The program, as written.
    pub(crate) output: String,
    /// All arguments but the output and files that are written beside it, response files in their place.
    pub(crate) arguments: Vec<LinkArgument>,
}

/// An argument of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LinkArgument {
    /// An option, or a name that is looked for in folders.
    Text(String),
    /// A file that is read.
    Input {
        /// What stands before the path in the same argument, such as `--version-script=`.
        option: String,
        /// The path, as written.
        path: String,
    },
}

/// An argument, by whom it is for.
enum ToolArgument {
    Driver(String),
    Linker(String),
}

impl DriverJob {
    /// Reads arguments without response files; `is_file` says whether a path leads to a file.
    pub(crate) fn read(arguments: Vec<String>, is_file: impl Fn(&str) -> bool) -> Self {
        let has = |words: &[&str]| arguments.iter().any(|it| words.contains(&it.as_str()));
        let asks = |it: &String| QUESTIONS.iter().any(|question| it.starts_with(question));
        let stops = has(&STOPS);
        let names_language = arguments.iter().any(|it| it.starts_with("-x"));
        if has(&["-c"]) && !names_language && arguments.iter().any(|it| ends_in(it, &C_SOURCES)) {
            return Self::CompileC;
        }
        let is_source = |it: &String, extensions| !it.starts_with('-') && ends_in(it, extensions);
        if stops
            || has(&NO_PROGRAM)
            || names_language
            || has(&["-"])
            || arguments.iter().any(|it| asks(it) || is_source(it, &OTHER_SOURCES[..]))
        {
            return Self::Other;
        }
        let compiles = arguments.iter().any(|it| is_source(it, &C_SOURCES[..]));
        let writes_beside =
            arguments.iter().any(|it| WRITTEN_BESIDE.iter().any(|option| it.starts_with(option)));
        let job = LinkJob::read(by_tool(arguments), is_file);
        let has_input = job.arguments.iter().any(|it| matches!(it, LinkArgument::Input { .. }));
        match (has_input, compiles) {
            (true, false) => Self::Link(job),
            (true, true) if !writes_beside => Self::CompileAndLink(job),
            (true | false, _) => Self::Other,
        }
    }
}

impl LinkArgument {
    /// The path, if this is a C or C++ file.
    pub(crate) fn source(&self) -> Option<&str> {
        match self {
            Self::Input { option, path } if option.is_empty() && ends_in(path, &C_SOURCES) => {
                Some(path)
            }
            Self::Input { .. } | Self::Text(_) => None,
        }
    }
}

impl LinkJob {
    /// The arguments that a compilation of one of the sources has: all but inputs and what is for the
    /// linker alone.
    pub(crate) fn compile_arguments(&self) -> Vec<&str> {
        let mut rest = self.arguments.iter();
        let mut kept = Vec::new();
        while let Some(argument) = rest.next() {
            let LinkArgument::Text(text) = argument else { continue };
            if LINK_VALUES.contains(&text.as_str()) {
                rest.next();
            } else if !text.starts_with("-L") && !text.starts_with("-l") {
                kept.push(text.as_str());
            }
        }
        kept
    }

    fn read(arguments: VecDeque<ToolArgument>, is_file: impl Fn(&str) -> bool) -> Self {
        let mut rest = arguments;
        let mut job = Self { output: "a.out".to_owned(), arguments: Vec::new() };
        while let Some(argument) = rest.pop_front() {
            match argument {
                ToolArgument::Driver(text) => job.read_driver(text, &mut rest, &is_file),
                ToolArgument::Linker(text) => job.read_linker(text, &mut rest, &is_file),
            }
        }
        job
    }

    fn read_driver(
        &mut self,
        text: String,
        rest: &mut VecDeque<ToolArgument>,
        is_file: impl Fn(&str) -> bool,
    ) {
        if text == "-o" {
            self.output = value(rest).unwrap_or_default();
        } else if let Some(output) = text.strip_prefix("-o").filter(|it| !it.is_empty()) {
            output.clone_into(&mut self.output);
        } else if DRIVER_OUTPUTS.contains(&text.as_str()) {
            value(rest);
        } else if DRIVER_VALUES.contains(&text.as_str()) {
            self.push_text(text);
            if let Some(value) = value(rest) {
                self.push_text(value);
            }
        } else {
            self.push(text, is_file);
        }
    }

    fn read_linker(
        &mut self,
        text: String,
        rest: &mut VecDeque<ToolArgument>,
        is_file: impl Fn(&str) -> bool,
    ) {
        let (option, attached) = match text.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (text.as_str(), None),
        };
        if LINKER_OUTPUTS.contains(&option) {
            if attached.is_none() {
                value(rest);
            }
            return;
        }
        self.push_text("-Xlinker".to_owned());
        match attached {
            Some(path) if LINKER_INPUTS.contains(&option) && is_file(path) => {
                let (option, path) = (format!("{option}="), path.to_owned());
                self.arguments.push(LinkArgument::Input { option, path });
            }
            None if LINKER_VALUES.contains(&option) => {
                self.push_text(text);
                if let Some(value) = value(rest) {
                    self.push_text("-Xlinker".to_owned());
                    self.push_text(value);
                }
            }
            Some(_) | None => self.push(text, is_file),
        }
    }

    fn push(&mut self, text: String, is_file: impl Fn(&str) -> bool) {
        if !text.starts_with('-') && is_file(&text) {
            self.arguments.push(LinkArgument::Input { option: String::new(), path: text });
        } else {
            self.push_text(text);
        }
    }

    fn push_text(&mut self, text: String) {
        self.arguments.push(LinkArgument::Text(text));
    }
}

/// The value of an option, which is the next argument, whichever program it is for.
fn value(rest: &mut VecDeque<ToolArgument>) -> Option<String> {
    rest.pop_front().map(|it| match it {
        ToolArgument::Driver(text) | ToolArgument::Linker(text) => text,
    })
}

/// Takes `-Wl,a,b` and `-Xlinker c` apart, since a path with a comma can be given by the latter only.
fn by_tool(arguments: Vec<String>) -> VecDeque<ToolArgument> {
    let mut found = VecDeque::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if let Some(parts) = argument.strip_prefix("-Wl,") {
            found.extend(parts.split(',').map(|part| ToolArgument::Linker(part.to_owned())));
        } else if argument == "-Xlinker" {
            found.extend(arguments.next().map(ToolArgument::Linker));
        } else {
            found.push_back(ToolArgument::Driver(argument));
        }
    }
    found
}

fn ends_in(argument: &str, extensions: &[&str]) -> bool {
    let extension = Path::new(argument).extension().and_then(|it| it.to_str());
    extension.is_some_and(|it| extensions.contains(&it))
}

/// Puts the content of response files (`@FILE`) in their place; `read` returns it, and nothing of what
/// is no file, which then stands for itself.
pub(crate) fn expand(
    arguments: impl IntoIterator<Item = String>,
    read: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut rest: VecDeque<String> = arguments.into_iter().collect();
    let (mut expanded, mut files) = (Vec::new(), 0);
    while let Some(argument) = rest.pop_front() {
        let content = argument.strip_prefix('@').filter(|_| files < RESPONSE_FILES_MAX);
        match content.and_then(&read) {
            Some(content) => {
                files += 1;
                for argument in response_arguments(&content).into_iter().rev() {
                    rest.push_front(argument);
                }
            }
            None => expanded.push(argument),
        }
    }
    expanded
}

/// Takes a response file apart as compiler drivers do: at blanks, outside of quotes; a backslash takes the
/// next character as it is, also within quotes.
fn response_arguments(content: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut current: Option<String> = None;
    let mut quote = None;
    let mut characters = content.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => current.get_or_insert_default().extend(characters.next()),
            '"' | '\'' if quote.is_none() => {
                quote = Some(character);
                current.get_or_insert_default();
            }
            _ if quote == Some(character) => quote = None,
            _ if quote.is_none() && character.is_ascii_whitespace() => {
                arguments.extend(current.take());
            }
            _ => current.get_or_insert_default().push(character),
        }
    }
    arguments.extend(current);
    arguments
}

/// Writes arguments as a response file has them.
pub(crate) fn response_file(arguments: &[String]) -> String {
    let mut text = String::new();
    for argument in arguments {
        if argument.is_empty() {
            text.push_str("\"\"");
        }
        for character in argument.chars() {
            if character.is_ascii_whitespace() || "\\\"'".contains(character) {
                text.push('\\');
            }
            text.push(character);
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    /// Reads a call in a folder where all that ends in `.c`, `.o`, `.a`, `.map` or `.script` is a file.
    fn job(call: &str) -> DriverJob {
        DriverJob::read(words(call), |path| ends_in(path, &["c", "o", "a", "map", "script"]))
    }

    /// The link as text, inputs in brackets.
    fn link(call: &str) -> String {
        let DriverJob::Link(LinkJob { output, arguments }) = job(call) else {
            return "no link".to_owned();
        };
        let shown = |it: &LinkArgument| match it {
            LinkArgument::Text(text) => text.clone(),
            LinkArgument::Input { option, path } => format!("{option}[{path}]"),
        };
        let arguments: Vec<_> = arguments.iter().map(shown).collect();
        format!("{output}: {}", arguments.join(" "))
    }

    #[test]
    fn a_link_is_known_by_its_inputs() {
        for (call, expected) in [
            ("-o api main.o lib.a -lm", "api: [main.o] [lib.a] -lm"),
            ("main.o -oapi", "api: [main.o]"),
            ("main.o", "a.out: [main.o]"),
            ("-L main.o main.o", "a.out: -L main.o [main.o]"),
            (
                "main.o -Wl,--as-needed,x.a,-z,now -Xlinker --gc-sections",
                "a.out: [main.o] -Xlinker --as-needed -Xlinker [x.a] -Xlinker -z -Xlinker now \
                 -Xlinker --gc-sections",
            ),
            (
                "main.o -Wl,--version-script=v.script -Wl,-T,t.script",
                "a.out: [main.o] -Xlinker --version-script=[v.script] -Xlinker -T -Xlinker [t.script]",
            ),
        ] {
            assert_eq!(link(call), expected, "{call}");
        }
    }

    /// Written again, they would replace files of the build.
    #[test]
    fn files_that_a_link_writes_beside_its_program_are_left_out() {
        let expected = "api: [main.o]";
        for call in [
            "-o api main.o -Wl,-Map=a.map",
            "-o api main.o -Wl,-Map,a.map",
            "-o api main.o -Xlinker --Map -Xlinker a.map",
            "-o api main.o -MF a.map",
            "-o api main.o -Wl,--dependency-file=a.map",
        ] {
            assert_eq!(link(call), expected, "{call}");
        }
    }

    #[test]
    fn what_is_no_link_of_a_program_passes() {
        for call in [
            "-shared -o lib.so main.o",
            "-r -o part.o main.o",
            "-x c -o api lib.o",
            "-o api main.c start.S lib.o",
            "-o api -MMD main.c lib.o",
            "-o api --coverage main.c",
            "--version",
            "-print-file-name=libc.a",
            "-E main.o",
            "-lm -o api",
        ] {
            assert_eq!(job(call), DriverJob::Other, "{call}");
        }
    }

    #[test]
    fn a_call_that_compiles_and_links_is_both() {
        let call =
            "-O2 -DA -I include -L lib -o api main.c lib.o other.c -lm -Wl,-z,now,-T,t.script";
        let DriverJob::CompileAndLink(job) = job(call) else { panic!("{:?}", job(call)) };
        let sources: Vec<_> = job.arguments.iter().filter_map(LinkArgument::source).collect();
        assert_eq!(sources, ["main.c", "other.c"]);
        assert_eq!(job.compile_arguments(), ["-O2", "-DA", "-I", "include"]);
    }

    #[test]
    fn a_compilation_is_of_c_if_its_source_is() {
        assert_eq!(job("-O2 -c main.c -o main.o"), DriverJob::CompileC);
        assert_eq!(job("-c main.cpp"), DriverJob::CompileC);
        assert_eq!(job("-c start.S"), DriverJob::Other);
        assert_eq!(job("-x assembler -c main.c"), DriverJob::Other);
    }

    #[test]
    fn response_files_stand_for_their_content() {
        let read = |path: &str| match path {
            "outer" => Some("one @inner 'two three'\nfour\\ five \"\" @missing".to_owned()),
            "inner" => Some("-Wl,a\"b c\"".to_owned()),
            "endless" => Some("x @endless".to_owned()),
            _ => None,
        };
        assert_eq!(
            expand(words("-o api @outer"), read),
            ["-o", "api", "one", "-Wl,ab c", "two three", "four five", "", "@missing"]
        );
        assert_eq!(expand(words("@endless"), read).len(), RESPONSE_FILES_MAX + 1);
    }

    proptest! {
        #[test]
        fn a_response_file_is_read_as_it_was_written(
            arguments in prop::collection::vec("[ -~\n]{0,12}", 0..8),
        ) {
            let text = response_file(&arguments);
            prop_assert_eq!(response_arguments(&text), arguments);
        }
    }
}
