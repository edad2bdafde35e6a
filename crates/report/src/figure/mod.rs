//! Figures as SVG.
//!
//! Marks are coloured by presentation attributes, so that a page whose style sheet is forbidden by a content
//! security policy still shows them; each has a class as well, by which the sheet puts the reader's theme
//! over them. Nothing here knows a domain word: what a figure says is said where it is drawn.

pub(crate) mod axis;
pub(crate) mod drawing;
pub(crate) mod marks;
pub(crate) mod paint;
pub(crate) mod scale;
