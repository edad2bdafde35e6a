//! Links both sides of a comparison again, so that their functions lie at the same addresses.
//!
//! Where functions lie is decided by the linker, and a change that moves them changes how fast a program
//! runs, whatever else it does. So a build runs with compiler drivers of ours first on the search path
//! ([`shim`]), which keep what a link is made from and then link as they were called. From two kept
//! links ([`KeptLink`]) two programs are made whose common functions have one order ([`LayoutMatch`]), or,
//! where the linker takes none but draws one, each in an order of its own ([`IndependentDraws`]).
//!
//! What cannot be kept, reproduced byte for byte or matched is an error with its reason; the programs
//! are then measured as they were built.

mod arguments;
mod driver;
mod failure;
mod go_command;
mod go_link;
mod independent;
mod kept;
pub mod line_tables;
mod linker;
mod matching;
mod order;
pub mod shim;

pub use driver::DriverCall;
pub use failure::RelinkError;
pub use independent::IndependentDraws;
pub use kept::{KeptLink, find};
pub use matching::{LayoutMatch, ProgramPair};
pub use order::FunctionOrder;
