//! What a colour means, and the colour that it has on a white page.
//!
//! Hues are those of Okabe and Ito, which readers with any colour vision tell apart; nothing is said by hue
//! alone.

use std::fmt;

/// What a mark stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PaintRole {
    /// The base side.
    Base,
    /// The head side.
    Head,
    /// A change for the worse.
    Slower,
    /// A change for the better.
    Faster,
    /// No change.
    Same,
    /// Not decided.
    Open,
    /// What does not decide.
    Quiet,
    /// Where a value may lie.
    Band,
    /// Lines to read by.
    Grid,
    /// Words.
    Text,
    /// Words on a tint.
    Label,
    /// Time in user space.
    User,
    /// Time in the system.
    System,
    /// Time ready without a processor.
    Queued,
    /// Time blocked.
    Blocked,
}

impl PaintRole {
    /// Returns the class and the colour on a white page.
    fn ink(self) -> (&'static str, &'static str) {
        match self {
            Self::Base => ("base", "#6b7280"),
            Self::Head => ("head", "#0072b2"),
            Self::Slower => ("slower", "#c8500a"),
            Self::Faster => ("faster", "#00815c"),
            Self::Same => ("same", "#4b5563"),
            Self::Open => ("open", "#8a5a00"),
            Self::Quiet => ("quiet", "#868e98"),
            Self::Band => ("band", "#e3ebf5"),
            Self::Grid => ("grid", "#c3c8d0"),
            Self::Text => ("ink", "#4b5563"),
            Self::Label => ("label", "#1c1e21"),
            Self::User => ("user", "#0072b2"),
            Self::System => ("system", "#56b4e9"),
            Self::Queued => ("queued", "#e69f00"),
            Self::Blocked => ("blocked", "#999999"),
        }
    }

    /// Returns the attributes of a filled mark.
    pub(crate) fn fill(self) -> PaintAttributes {
        PaintAttributes { role: self, target: PaintTarget::Fill }
    }

    /// Returns the attributes of a line.
    pub(crate) fn stroke(self) -> PaintAttributes {
        PaintAttributes { role: self, target: PaintTarget::Stroke }
    }
}

/// Attributes that colour a mark.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PaintAttributes {
    role: PaintRole,
    target: PaintTarget,
}

#[derive(Debug, Clone, Copy)]
enum PaintTarget {
    Fill,
    Stroke,
}

impl fmt::Display for PaintAttributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (class, colour) = self.role.ink();
        match self.target {
            PaintTarget::Fill => write!(f, "class=\"f-{class}\" fill=\"{colour}\""),
            PaintTarget::Stroke => {
                write!(f, "class=\"s-{class}\" stroke=\"{colour}\" fill=\"none\"")
            }
        }
    }
}
