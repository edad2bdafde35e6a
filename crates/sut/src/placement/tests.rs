use std::ffi::OsString;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::process::{Command, Stdio};

use memmap2::Mmap;

use super::*;

const PAGE_BYTES: usize = 4096;

/// A program of the system, of some dozens of pages.
fn program(folder: &Path) -> PathBuf {
    let program = folder.join("sleeper");
    fs::copy("/bin/sleep", &program).unwrap();
    program
}

/// A copy of a program as it is.
fn plain(program: &ElfFile) -> CopySource<'_> {
    CopySource { program, content: program }
}

fn names(folder: &Path) -> Vec<OsString> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn a_copy_is_the_program_under_another_name_until_it_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path());
    fs::set_permissions(&program, fs::Permissions::from_mode(0o751)).unwrap();
    let placed = ProgramPlacement::draw(&program, None, folder.path());
    assert_eq!(placed.method(), PlacementMethod::CopyBeside);
    let copy = placed.executable().unwrap().to_owned();
    assert_eq!(copy.parent(), program.canonicalize().unwrap().parent());
    assert_eq!(fs::read(&copy).unwrap(), fs::read(&program).unwrap());
    let (of_copy, of_program) = (fs::metadata(&copy).unwrap(), fs::metadata(&program).unwrap());
    assert_eq!(of_copy.mode(), of_program.mode());
    assert_eq!(of_copy.modified().unwrap(), of_program.modified().unwrap());
    drop(placed);
    assert_eq!(names(folder.path()), ["sleeper"]);
}

#[test]
fn a_program_linked_again_is_executed_under_the_programs_name() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path());
    fs::set_permissions(&program, fs::Permissions::from_mode(0o751)).unwrap();
    let relinked = folder.path().join("drawn-0-base");
    fs::copy("/bin/ls", &relinked).unwrap();
    let placed = ProgramPlacement::draw(&program, Some(&relinked), folder.path());
    let copy = placed.executable().unwrap();
    assert_eq!(copy::original_name(copy.file_name().unwrap()), Some(OsStr::new("sleeper")));
    assert_eq!(fs::read(copy).unwrap(), fs::read(&relinked).unwrap());
    assert_eq!(fs::metadata(copy).unwrap().mode(), fs::metadata(&program).unwrap().mode());
    let gone = ProgramPlacement::draw(&program, Some(Path::new("/nowhere")), folder.path());
    assert_eq!((gone.method(), gone.executable()), (PlacementMethod::Original, None));
}

#[test]
fn a_running_copy_is_seen_as_redrawn() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path());
    let launch = || {
        let placed = ProgramPlacement::draw(&program, None, folder.path());
        let child = Command::new(placed.executable().unwrap())
            .arg("60")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        (placed, child)
    };
    let (mut base, mut head) = (launch(), launch());
    let mappings = |child: &std::process::Child| executable_mappings(child.id()).unwrap();
    let states = mapping_states(&mappings(&base.1), &mappings(&head.1));
    for (_, child) in [&mut base, &mut head] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!(states["sleeper"], MappingState::Redrawn, "{states:?}");
}

#[test]
fn copies_whose_maker_is_gone_are_swept_and_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path());
    let placed = ProgramPlacement::draw(&program, None, folder.path());
    // A process of our number that was started at another time: this one's predecessor.
    let stale = format!("sleeper.xmlperf-{:010}-{:016}-000000", std::process::id(), 1);
    fs::write(folder.path().join(&stale), "").unwrap();
    fs::write(folder.path().join("sleeper.xmlperf-notes"), "").unwrap();
    assert_eq!(sweep(folder.path()), 1);
    let own = placed.executable().unwrap().file_name().unwrap().to_owned();
    assert_eq!(names(folder.path()), ["sleeper".into(), own, "sleeper.xmlperf-notes".into()]);
}

#[test]
fn a_script_is_executed_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("run.sh");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    assert_eq!(elf_program("./run.sh", folder.path()), None);
    assert_eq!(elf_program("sleep", folder.path()), None);
    let placed = ProgramPlacement::draw(&script, None, folder.path());
    assert_eq!((placed.method(), placed.executable()), (PlacementMethod::Original, None));
}

#[test]
fn a_program_whose_folder_takes_no_file_is_copied_to_the_runs_folder() {
    // Even root writes nothing there.
    let program = elf_program("/proc/self/exe", Path::new("/")).unwrap();
    assert!(is_same_file(&program, Path::new("/proc/self/exe")));
    let elf = ElfFile::open(&program).unwrap();
    let made = ProgramCopy::make(plain(&elf), Path::new("/proc/self"), CopyLabel::next());
    assert!(made.is_err());
    let folder = tempfile::tempdir().unwrap();
    let made = ProgramCopy::make(plain(&elf), folder.path(), CopyLabel::next()).unwrap();
    assert_eq!(made.path().parent(), Some(folder.path()));
}

#[test]
fn a_search_for_origin_crosses_the_borders_of_what_is_read_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("elf");
    let check = |at: usize, word: &str, expected: bool| {
        let mut bytes = vec![0; 200_000];
        bytes[..4].copy_from_slice(b"\x7fELF");
        bytes[at..at + word.len()].copy_from_slice(word.as_bytes());
        fs::write(&path, bytes).unwrap();
        assert_eq!(ElfFile::open(&path).unwrap().names_origin(), expected, "{word} at {at}");
    };
    for at in (65_530..65_560).chain([100, 199_991]) {
        check(at, "$ORIGIN", true);
        check(at, "${ORIGIN}", true);
        check(at, "ORIGIN", false);
    }
}

/// A large program keeps all but what a debugger reads: its headers, its segments, and what was
/// appended to it, as some packers do.
#[test]
fn a_large_program_is_copied_without_what_only_a_debugger_reads() {
    const DEBUG: std::ops::Range<usize> = 0x20_0000..0x220_0000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    let payload = b"appended";
    let bytes = elf_with_debug_section(DEBUG, payload);
    fs::write(&path, &bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let elf = ElfFile::open(&path).unwrap();
    let unread = elf.unread_parts();
    assert_eq!(unread.len(), 1);
    assert_eq!(unread[0], DEBUG.start as u64..DEBUG.end as u64);
    let copy = ProgramCopy::make(plain(&elf), folder.path(), CopyLabel::next()).unwrap();
    let copied = fs::read(copy.path()).unwrap();
    assert_eq!(copied.len(), bytes.len());
    assert!(copied[DEBUG].iter().all(|byte| *byte == 0));
    assert!(bytes[DEBUG].iter().all(|byte| *byte == 1));
    assert_eq!(copied[..DEBUG.start], bytes[..DEBUG.start]);
    assert_eq!(copied[DEBUG.end..], bytes[DEBUG.end..]);
    assert!(copied.ends_with(payload));
}

/// An ELF file of three sections: none, debug information, and the names.
fn elf_with_debug_section(debug: std::ops::Range<usize>, payload: &[u8]) -> Vec<u8> {
    const NAMES: &[u8] = b"\0.debug_info\0.shstrtab\0";
    let (names_at, table_at) = (debug.end, debug.end + 64);
    let mut bytes = vec![1; table_at + 3 * 64];
    bytes[..64].fill(0);
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[0x28..0x30].copy_from_slice(&(table_at as u64).to_le_bytes());
    for (at, value) in [(0x3a, 64_u16), (0x3c, 3), (0x3e, 2)] {
        bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    bytes[names_at..names_at + NAMES.len()].copy_from_slice(NAMES);
    bytes[table_at..].fill(0);
    let section = |name: u32, kind: u32, at: usize, length: usize| {
        let mut section = [0; 64];
        section[..4].copy_from_slice(&name.to_le_bytes());
        section[4..8].copy_from_slice(&kind.to_le_bytes());
        section[0x18..0x20].copy_from_slice(&(at as u64).to_le_bytes());
        section[0x20..0x28].copy_from_slice(&(length as u64).to_le_bytes());
        section
    };
    let sections = [section(1, 1, debug.start, debug.len()), section(13, 3, names_at, NAMES.len())];
    for (at, section) in [table_at + 64, table_at + 128].into_iter().zip(sections) {
        bytes[at..at + 64].copy_from_slice(&section);
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// The frames of a file's pages, if the kernel shows them.
fn frames(path: &Path) -> Option<Vec<u64>> {
    const FRAME: u64 = (1 << 55) - 1;
    let file = File::open(path).unwrap();
    #[expect(unsafe_code, reason = "only a mapping shows where pages lie")]
    // SAFETY: the file belongs to this test alone, which does not change it while it is mapped.
    let map = unsafe { Mmap::map(&file) }.unwrap();
    let touched: u64 = map.iter().step_by(PAGE_BYTES).map(|byte| u64::from(*byte)).sum();
    assert!(touched > 0, "a program is not all zeros");
    let pagemap = File::open("/proc/self/pagemap").ok()?;
    let mut entries = vec![0; map.len().div_ceil(PAGE_BYTES) * 8];
    pagemap.read_exact_at(&mut entries, (map.as_ptr() as u64 / PAGE_BYTES as u64) * 8).ok()?;
    let entries = entries.chunks_exact(8);
    let frames = entries.map(|it| u64::from_le_bytes(it.try_into().unwrap()) & FRAME);
    let frames: Vec<_> = frames.collect();
    // Without CAP_SYS_ADMIN the kernel shows zeros.
    frames.iter().all(|frame| *frame != 0).then_some(frames)
}

/// Five launches, each copy deleted before the next is made. Chance alone leaves about one page in
/// place, whatever the file's size: a permutation has one fixed point on average. Written from front
/// to back, hundreds of pages lie in neighbouring frames, and on an idle machine every page has the
/// frame that it had two launches before.
#[test]
fn no_page_keeps_the_frame_of_the_launches_before() {
    const BY_CHANCE: usize = 10;
    let folder = tempfile::tempdir().unwrap();
    // The tests' own program is some MiB long.
    let program = folder.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    if frames(&program).is_none() {
        // Only root may see frames; elsewhere there is nothing to check.
        return;
    }
    let mut launches = Vec::new();
    for _ in 0..5 {
        let placed = ProgramPlacement::draw(&program, None, folder.path());
        launches.push(frames(placed.executable().unwrap()).unwrap());
    }
    for (launch, frames) in launches.iter().enumerate() {
        let neighbours = frames.windows(2).filter(|pages| pages[1] == pages[0] + 1).count();
        assert!(neighbours <= BY_CHANCE, "launch {launch}: {neighbours} pages in order");
        for ago in [1, 2] {
            let Some(before) = launch.checked_sub(ago).map(|before| &launches[before]) else {
                continue;
            };
            let kept = frames.iter().zip(before).filter(|(now, before)| now == before).count();
            assert!(kept <= BY_CHANCE, "launch {launch}: {kept} pages as {ago} launches ago");
        }
    }
}
