//! Documents that a service must refuse, or survive, in bounded time and memory.
//!
//! What is right is not that an answer says something, but that there is one: a clean refusal, or a
//! result. They are never mixed into another preset.

use super::draws::PairRng;

/// Appends the document of XML pair number `pair`: the kinds take turns.
pub(super) fn write(out: &mut Vec<u8>, pair: u64, draws: &mut PairRng) {
    let text = match pair % 10 {
        0 => entity_bomb(),
        1 => quadratic_bomb(),
        2 => doctype("SYSTEM \"http://127.0.0.1:9/never.dtd\"", "<root/>"),
        3 => doctype("[<!ENTITY file SYSTEM \"file:///etc/hostname\">]", "<root>&file;</root>"),
        4 => doctype("[<!ENTITY % p SYSTEM \"http://127.0.0.1:9/p\"> %p;]", "<root/>"),
        5 => format!("{}{}", "<deep>".repeat(20_000), "</deep>".repeat(20_000)),
        6 => {
            let attributes = (0..10_000).map(|index| format!(" a{index}=\"{index}\""));
            format!("<root{}/>", attributes.collect::<String>())
        }
        7 => format!("<root huge=\"{}\"/>", "x".repeat(1 << 20)),
        8 => format!("<{0}></{0}>", "n".repeat(100_000)),
        _ => format!("<root><open{}></root>", draws.below(1000)),
    };
    out.extend_from_slice(text.as_bytes());
}

fn doctype(declarations: &str, root: &str) -> String {
    format!("<!DOCTYPE root {declarations}>{root}")
}

/// Ten entities, each ten times the one before: 10⁹ copies of three letters.
fn entity_bomb() -> String {
    let entity = |level: u32| {
        let inner = format!("&e{};", level - 1).repeat(10);
        format!("<!ENTITY e{level} \"{inner}\">")
    };
    let entities: String = (1..10).map(entity).collect();
    doctype(&format!("[<!ENTITY e0 \"lol\">{entities}]"), "<root>&e9;</root>")
}

/// One long entity, named often: 50 kB times 5 000.
fn quadratic_bomb() -> String {
    let entity = format!("[<!ENTITY e \"{}\">]", "x".repeat(50_000));
    doctype(&entity, &format!("<root>{}</root>", "&e;".repeat(5_000)))
}
