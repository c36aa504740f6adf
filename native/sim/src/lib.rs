//! A simulator for the consensus member (../member), in the manner of FoundationDB and TigerBeetle: several members in one
//! process and one thread, in virtual time, with model disks, a model network, clocks that drift, and faults of every kind
//! in seeded combinations. What must hold is checked at every step (check/), and that everything goes on once faults have
//! ended, behind them (settle.rs). A seed replays a run exactly: everything derives from it, and nothing else is read.
//!
//! ```text
//!   agenda.rs     what happens when (virtual time)            rng.rs     all chance
//!   world.rs      hosts, their lives and deaths               plan.rs    what a seed stands for (swarm)
//!     driver.rs   a member's turn, its log thread             faults.rs, operator.rs   what goes wrong, who mends it
//!     links.rs    its links, over network.rs                  check/, settle.rs        what must hold
//!     applier.rs  the state machine behind it                 planted.rs               mistakes that must be found
//!     clients.rs  who writes and reads                        trace.rs                 what is told of a run
//! ```

pub mod agenda;
pub mod applier;
pub mod check;
pub mod clients;
pub mod clock;
pub mod disk;
pub mod driver;
pub mod entry;
pub mod faults;
pub mod host;
pub mod links;
pub mod network;
pub mod operator;
pub mod plan;
pub mod planted;
pub mod rng;
pub mod run;
pub mod settle;
pub mod state;
pub mod trace;
pub mod world;
