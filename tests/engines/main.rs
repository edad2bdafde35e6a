//! The libraries together, over real sockets, processes and repositories.

mod base;
mod calibration;
mod http2;
mod layout;
mod load;
mod network;
mod nginx;
mod payload;
mod services;
mod statistics;
mod target;
