//! Gives a function one name in every build.
//!
//! A symbol carries more than the name: hashes of the crate and of the compiler's version, numbers
//! of clones that the optimiser made, versions of the library. None of these mean anything to a
//! reader, and each would make the same function look gone in one build and new in the other.

use cpp_demangle::{DemangleOptions, Symbol};

/// Returns the name a person would use for a linker symbol of Rust, C++ or C.
pub(super) fn readable(symbol: &str, object: &str) -> String {
    // Callgrind numbers the levels of a recursion.
    let symbol = symbol.split('\'').next().unwrap_or(symbol);
    if symbol.starts_with("0x") || symbol == "???" || symbol.is_empty() {
        let object = object.rsplit('/').next().unwrap_or(object);
        return format!("[unknown in {object}]");
    }
    let symbol = without_version(symbol);
    if let Ok(name) = rustc_demangle::try_demangle(symbol) {
        // The alternate form leaves the hash out.
        return without_clone_number(&format!("{name:#}")).to_owned();
    }
    let plain = without_hash(without_clone_number(symbol));
    let options = DemangleOptions::new().no_return_type();
    let name = Symbol::new(plain).ok().and_then(|name| name.demangle_with_options(&options).ok());
    name.unwrap_or_else(|| plain.to_owned())
}

/// `memcpy@@GLIBC_2.14` to `memcpy`.
fn without_version(symbol: &str) -> &str {
    symbol.split('@').next().unwrap_or(symbol)
}

/// Cuts what a compiler appends to the symbol of a copy that it made: `parse.constprop.0`,
/// `parse.llvm.123`, `parse.cold`.
fn without_clone_number(symbol: &str) -> &str {
    const MARKS: [&str; 8] =
        [".llvm.", ".constprop.", ".isra.", ".part.", ".lto_priv.", ".clone.", ".cold", ".warm"];
    let ends = MARKS.iter().filter_map(|mark| symbol.find(mark));
    ends.min().map_or(symbol, |end| &symbol[..end])
}

/// Cuts the hash that some tools leave when they demangle by themselves.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((start, hash)) if hash.len() == 16 && hash.chars().all(|c| c.is_ascii_hexdigit()) => {
            start
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_of_three_languages_become_names() {
        for (symbol, name) in [
            ("_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write"),
            ("_ZN4core3fmt5write17h0123456789abcdefE'2", "core::fmt::write"),
            ("_ZN4core3fmt5write17h0123456789abcdefE.llvm.1234", "core::fmt::write"),
            ("_RNvCs4fqI2P2rA04_7mycrate3foo", "mycrate::foo"),
            ("_RINvCs4fqI2P2rA04_7mycrate3foohE", "mycrate::foo::<u8>"),
            ("_ZN3xml6Parser4nextEv", "xml::Parser::next()"),
            (
                "_ZNSt6vectorIiSaIiEE9push_backERKi.isra.0",
                "std::vector<int, std::allocator<int> >::push_back(int const&)",
            ),
            ("_int_malloc", "_int_malloc"),
            ("xml::Reader::next::hcac6c83ad52ab76f", "xml::Reader::next"),
            ("xml::hello", "xml::hello"),
            ("memcpy@@GLIBC_2.14", "memcpy"),
            ("parse_tag.constprop.0.cold", "parse_tag"),
            ("0x00000000000af3b0", "[unknown in libc.so.6]"),
            ("???", "[unknown in libc.so.6]"),
            ("(below main)", "(below main)"),
        ] {
            assert_eq!(readable(symbol, "/usr/lib/libc.so.6"), name, "{symbol}");
        }
    }
}
