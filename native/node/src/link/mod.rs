//! Links: one TCP connection for each pair of members, over which their frames go in order or are lost with it.

pub mod connection;
pub mod frame;
pub mod greeting;
pub mod links;
pub mod screen;
mod upkeep;

pub use upkeep::listen;

#[cfg(test)]
mod tests;
