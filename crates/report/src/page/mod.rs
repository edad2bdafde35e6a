//! The parts of the page, each in a file of its own.

pub(crate) mod document;
pub(crate) mod environment;
pub(crate) mod evidence;
pub(crate) mod focus;
pub(crate) mod forest;
pub(crate) mod forest_axis;
pub(crate) mod glossary;
pub(crate) mod icicle;
pub(crate) mod levels;
pub(crate) mod load;
pub(crate) mod outcome_mark;
pub(crate) mod percentiles;
pub(crate) mod rule;
pub(crate) mod sensitivity;
pub(crate) mod timeline;
pub(crate) mod view;
pub(crate) mod work;
