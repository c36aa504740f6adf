//! Lifelines: connections that carry nothing, and end the moment the process at their other end is killed.
//!
//! The kernel closes a killed process's sockets only when its last thread has gone, and that one first takes down the
//! whole address space: 9 to 20 ms, on a busy machine more. A thread with a descriptor table of its own is not bound to
//! that: its sockets close as soon as this one thread has died, 0.2 to 0.5 ms after the SIGKILL. So such a thread
//! (`holder`) holds one connection from each peer, and the peers' event loops wait for its end (`lifelines`).
//!
//! ```text
//!   member A, event loop                                member B
//!   lifelines: dial B's port, hello(LIFELINE)  ---->    event loop: check, answer with hello, hand over, close its own
//!   wait for the end                           <-- X    holder thread: keeps it; SIGKILL closes it first of all
//! ```

pub mod holder;
pub mod lifelines;

#[cfg(test)]
mod tests;
