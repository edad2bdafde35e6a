//! What no compiler holds about this workspace: its walls, its words, and figures of both.

mod config_reference;
mod documents;
mod file_graph;
mod ratchet;
mod samples;
mod source_tree;
mod tree_figures;
mod walls;
