//! Reads of an ELF file what copying it and comparing its layout take to know.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

const MAGIC: [u8; 4] = *b"\x7fELF";
const CLASS_64: u8 = 2;
const LITTLE_ENDIAN: u8 = 1;

/// Size of a section header of ELF64.
const SECTION_BYTES: usize = 64;
const SECTION_IS_LOADED: u64 = 2;
const PROGRAM_BITS: u32 = 1;
const SYMBOL_TABLE: u32 = 2;
const STRING_TABLE: u32 = 3;
const NO_BITS: u32 = 8;

/// The beginning of the name of the section that a linker hashes the whole file into.
const BUILD_ID: &[u8] = b".note.gnu.bu";

/// Section headers that are read at most: a linker writes some dozens.
const SECTIONS_MAX: usize = 4096;

/// Size of a symbol of ELF64.
const SYMBOL_BYTES: usize = 24;
const IS_FUNCTION: u8 = 2;

/// Code, symbols or names that are read at most, in bytes.
const SECTION_BYTES_MAX: u64 = 1 << 30;

/// An open ELF file.
#[derive(Debug)]
pub struct ElfFile {
    path: PathBuf,
    file: File,
    bytes: u64,
}

/// A section, as far as it is needed here.
#[derive(Debug, Clone, Copy)]
struct SectionHeader {
    name: u32,
    kind: u32,
    flags: u64,
    address: u64,
    offset: u64,
    bytes: u64,
    /// Of a symbol table: which section has its names.
    link: u32,
}

impl ElfFile {
    /// Opens the file. Fails on anything but ELF.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let mut magic = [0; MAGIC.len()];
        // A device or a pipe might block, or never end.
        if !metadata.is_file() || file.read_exact_at(&mut magic, 0).is_err() || magic != MAGIC {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not an ELF file"));
        }
        Ok(Self { path: std::fs::canonicalize(path)?, file, bytes: metadata.len() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Returns its size in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns whether the loader may look for libraries relative to the file's own folder. Searches
    /// the whole file, as any string `$ORIGIN` in it is worth the caution.
    pub(crate) fn names_origin(&self) -> bool {
        const WORDS: [&[u8]; 2] = [b"$ORIGIN", b"${ORIGIN}"];
        const OVERLAP: usize = 16;
        let mut window = vec![0; (1 << 16) + OVERLAP];
        let mut offset = 0;
        while offset < self.bytes {
            let Ok(read) = self.file.read_at(&mut window, offset) else { return true };
            if read == 0 {
                break;
            }
            let found = |word: &&[u8]| window[..read].windows(word.len()).any(|at| at == *word);
            if WORDS.iter().any(found) {
                return true;
            }
            offset += (read.saturating_sub(OVERLAP)).max(1) as u64;
        }
        false
    }

    /// Returns the parts that only a debugger reads, in ascending order: debug information, symbols
    /// and their names. Everything else is copied, what was appended to the file included, since
    /// some programs read themselves.
    pub(crate) fn unread_parts(&self) -> Vec<Range<u64>> {
        // Of another class or byte order nothing is left out.
        let Some((sections, names)) = self.sections() else { return Vec::new() };
        let is_unread = |section: &&SectionHeader| {
            section.flags & SECTION_IS_LOADED == 0
                && match section.kind {
                    PROGRAM_BITS => self.name(names, **section).is_some_and(is_debug),
                    SYMBOL_TABLE => true,
                    STRING_TABLE => section.offset != names.offset,
                    _ => false,
                }
        };
        let end = |section: &SectionHeader| section.offset.saturating_add(section.bytes);
        let unread = sections.iter().filter(is_unread).map(|it| it.offset..end(it));
        let mut parts: Vec<_> = unread.filter(|part| part.end <= self.bytes).collect();
        parts.sort_by_key(|part| part.start);
        parts
    }

    /// Returns what is loaded to run the program, each section with its address: equal for equal programs,
    /// whatever there is for debuggers, which may name the folder that a program was built in. None of
    /// another class or byte order.
    pub fn loaded_sections(&self) -> Option<Vec<(u64, Vec<u8>)>> {
        let (sections, names) = self.sections()?;
        let is_loaded = |section: &&SectionHeader| {
            section.flags & SECTION_IS_LOADED != 0
                && section.kind != NO_BITS
                && self.name(names, **section).is_none_or(|name| !name.starts_with(BUILD_ID))
        };
        let loaded = sections.iter().filter(is_loaded);
        let contents = loaded.map(|section| Some((section.address, self.content(*section)?)));
        // Some tools remove all headers of sections.
        contents.collect::<Option<Vec<_>>>().filter(|sections| !sections.is_empty())
    }

    /// Returns the machine code, with the address that it is linked to.
    pub(crate) fn code(&self) -> Option<(u64, Vec<u8>)> {
        let (sections, names) = self.sections()?;
        let text = sections[self.code_section(&sections, names)?];
        Some((text.address, self.content(text)?))
    }

    /// Returns the functions of the machine code by the symbol table, in its order; none if it was
    /// stripped. What a linker puts before and after them, as `_init`, has sections of its own.
    pub fn functions(&self) -> Option<Vec<FunctionSymbol>> {
        let (sections, names) = self.sections()?;
        let code = u16::try_from(self.code_section(&sections, names)?).ok()?;
        let table = *sections.iter().find(|section| section.kind == SYMBOL_TABLE)?;
        let names = *sections.get(usize::try_from(table.link).ok()?)?;
        let (symbols, names) = (self.content(table)?, self.content(names)?);
        let mut functions = Vec::new();
        for symbol in symbols.chunks_exact(SYMBOL_BYTES) {
            let at = usize::try_from(u32::from_le_bytes(field(symbol, 0)?)).ok()?;
            let address = u64::from_le_bytes(field(symbol, 8)?);
            let bytes = u64::from_le_bytes(field(symbol, 16)?);
            let section = u16::from_le_bytes(field(symbol, 6)?);
            if symbol[4] & 0xf == IS_FUNCTION && section == code {
                let name = names.get(at..)?.split(|byte| *byte == 0).next()?;
                let name = String::from_utf8_lossy(name).into_owned();
                functions.push(FunctionSymbol { name, address, bytes });
            }
        }
        Some(functions)
    }

    /// The index of the section that has the machine code.
    fn code_section(&self, sections: &[SectionHeader], names: SectionHeader) -> Option<usize> {
        sections
            .iter()
            .position(|it| self.name(names, *it).is_some_and(|name| name.starts_with(b".text\0")))
    }

    fn content(&self, section: SectionHeader) -> Option<Vec<u8>> {
        if section.bytes > SECTION_BYTES_MAX.min(self.bytes) {
            return None;
        }
        let mut content = vec![0; usize::try_from(section.bytes).ok()?];
        self.file.read_exact_at(&mut content, section.offset).ok()?;
        Some(content)
    }

    /// The section headers, and that of the sections' names.
    fn sections(&self) -> Option<(Vec<SectionHeader>, SectionHeader)> {
        let mut header = [0; 64];
        self.file.read_exact_at(&mut header, 0).ok()?;
        if header[4] != CLASS_64 || header[5] != LITTLE_ENDIAN {
            return None;
        }
        let table = u64::from_le_bytes(field(&header, 0x28)?);
        let size = usize::from(u16::from_le_bytes(field(&header, 0x3a)?));
        let count = usize::from(u16::from_le_bytes(field(&header, 0x3c)?));
        let names = usize::from(u16::from_le_bytes(field(&header, 0x3e)?));
        if size != SECTION_BYTES || count > SECTIONS_MAX {
            return None;
        }
        let mut headers = vec![0; count * size];
        self.file.read_exact_at(&mut headers, table).ok()?;
        let sections = headers.chunks_exact(size).map(SectionHeader::parse);
        let sections = sections.collect::<Option<Vec<_>>>()?;
        let names = *sections.get(names)?;
        Some((sections, names))
    }

    /// The first bytes of a section's name.
    fn name(&self, names: SectionHeader, section: SectionHeader) -> Option<[u8; 12]> {
        let mut name = [0; 12];
        let at = names.offset.checked_add(u64::from(section.name))?;
        let read = self.file.read_at(&mut name, at).ok()?;
        (read > 0).then_some(name)
    }
}

/// A function of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSymbol {
    /// As the linker knows it.
    pub name: String,
    /// Where it begins, as it is linked.
    pub address: u64,
    /// Its size.
    pub bytes: u64,
}

impl FunctionSymbol {
    /// Returns the name that the function has in every build: without the hashes of crates, and
    /// without the number of a part of the program (`.llvm.` and digits).
    pub fn stable_name(&self) -> String {
        format!("{:#}", rustc_demangle::demangle(&self.name))
    }
}

fn is_debug(name: [u8; 12]) -> bool {
    name.starts_with(b".debug_") || name.starts_with(b".zdebug_")
}

impl SectionHeader {
    fn parse(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            name: u32::from_le_bytes(field(bytes, 0x00)?),
            kind: u32::from_le_bytes(field(bytes, 0x04)?),
            flags: u64::from_le_bytes(field(bytes, 0x08)?),
            address: u64::from_le_bytes(field(bytes, 0x10)?),
            offset: u64::from_le_bytes(field(bytes, 0x18)?),
            bytes: u64::from_le_bytes(field(bytes, 0x20)?),
            link: u32::from_le_bytes(field(bytes, 0x28)?),
        })
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_functions_name_has_nothing_of_its_build() {
        for (name, stable) in [
            ("_ZN3api5parse17h0123456789abcdefE", "api::parse"),
            ("_ZN3api5parse17h0123456789abcdefE.llvm.1234", "api::parse"),
            ("_RNvNtCsgEmfK2I1SDS_3api4text5parse", "api::text::parse"),
            ("_RNvNtCs1_3api4text5parse", "api::text::parse"),
            ("_ZN3api5parseEv", "_ZN3api5parseEv"),
            ("parse.cold", "parse.cold"),
            ("parse17hx", "parse17hx"),
            ("main", "main"),
        ] {
            let symbol = FunctionSymbol { name: name.to_owned(), address: 1, bytes: 1 };
            assert_eq!(symbol.stable_name(), stable);
        }
    }

    #[test]
    fn the_functions_of_this_program_are_found() {
        let own = ElfFile::open(&std::env::current_exe().unwrap()).unwrap();
        let functions = own.functions().unwrap();
        let this = |it: &FunctionSymbol| it.name.contains("the_functions_of_this_program");
        assert!(functions.iter().any(|it| this(it) && it.bytes > 0));
        assert!(own.code().unwrap().1.len() > 10_000);
    }
}
