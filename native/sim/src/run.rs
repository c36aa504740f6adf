//! One seed from beginning to end.

use std::cell::RefCell;
use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::check::{Checked, Violation};
use crate::plan::Plan;
use crate::planted::Bug;
use crate::rng::Rng;
use crate::trace::Trace;
use crate::world::World;

/// What is the same for all seeds.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Happenings before the faults end.
    pub steps: u64,
    /// Members at the founding; None: as the seed says.
    pub members: Option<usize>,
    /// A mistake that is made on purpose.
    pub bug: Option<Bug>,
    /// The checks that would see that mistake at once are off.
    pub only_consequences: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { steps: 15_000, members: None, bug: None, only_consequences: false }
    }
}

/// How a run went.
#[derive(Debug)]
pub struct Report {
    /// None: everything held.
    pub violation: Option<Violation>,
    /// Lines of the trace, if it was asked for.
    pub trace: Vec<String>,
    /// What happened, and in how much virtual time.
    pub happened: u64,
    /// Virtual milliseconds.
    pub milliseconds: u64,
    /// Entries that were committed.
    pub committed: u64,
    /// Terms that had a leader.
    pub leaders: u64,
    /// Virtual milliseconds from the end of all faults until all knew a leader.
    pub led_after: u64,
}

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Panics of members become violations: their message is kept instead of printed.
fn keep_panics_quiet() {
    std::panic::set_hook(Box::new(|info| {
        PANIC.with(|panic| *panic.borrow_mut() = info.to_string().replace('\n', " "));
    }));
}

/// Runs a seed.
pub fn run(seed: u64, options: &Options, trace: bool) -> Report {
    keep_panics_quiet();
    let mut rng = Rng::new(seed);
    let mut plan = Plan::swarm(options.members, options.steps, &mut rng);
    Bug::prepare(options.bug, &mut plan);
    let mut world = World::new(plan, rng, Trace::new(trace));
    (world.bug, world.checker.only_consequences) = (options.bug, options.only_consequences);
    let plan = format!("{:?}", world.plan);
    world.trace.line(world.now, || plan);
    let outcome = catch_unwind(AssertUnwindSafe(|| faults_and_then_peace(&mut world)));
    let violation = match outcome {
        Ok(checked) => checked.err(),
        Err(_) => Some(Violation {
            invariant: "No rule that a member holds itself to is broken.",
            seen: PANIC.with(|panic| panic.borrow().clone()),
        }),
    };
    Report {
        violation,
        trace: world.trace.take(),
        happened: world.happened,
        milliseconds: world.now.as_millis() as u64,
        committed: world.checker.last_committed(),
        leaders: world.checker.terms_led(),
        led_after: world.led_after.unwrap_or_default().as_millis() as u64,
    }
}

fn faults_and_then_peace(world: &mut World) -> Checked {
    while world.happened < world.plan.steps {
        world.happen()?;
    }
    world.settle()
}
