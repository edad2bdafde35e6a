//! What only Linux answers: which processes there are and how they end, their CPU time, the processors
//! of a thread, memory that is given back.
//!
//! Each system has a file of the same functions. Elsewhere than on Linux they refuse, so that what is built on
//! them compiles: a target that runs already is driven there, and none is launched.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::*;
#[cfg(target_os = "linux")]
pub(super) use linux::*;
