//! `sim run` tries seeds; `sim replay` tells one of them from beginning to end.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Instant;

use tinysns_sim::planted::Bug;
use tinysns_sim::run::{run, Options, Report};

const USAGE: &str = "\
usage: sim run [--seeds A..B] [--steps N] [--members N] [--bug NAME] [--only-consequences] [--keep-going]
       sim replay SEED [the same options]

run     tries the seeds from A to before B (default 0..2000) and stops at the first violation of an invariant
replay  prints everything that happens with this seed; the same on each run of the same build
--steps    happenings before the faults end (default 15000); changes what a seed means
--members  members at the founding, instead of what the seed says
--bug      makes a mistake on purpose: ack-before-fsync, vote-forgotten, read-without-quorum, stale-leader-reads,
           overtaking, commit-before-quorum, lost-tail
--only-consequences  without the checks that see such a mistake at once
--keep-going         tells every seed that fails, in one line each
";

/// How many of the last lines are shown of a run that failed.
const LAST_LINES: usize = 40;

enum Command {
    Run { first: u64, end: u64, keep_going: bool },
    Replay(u64),
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Option<(Command, Options)> {
    let mut options = Options::default();
    let mut command = match arguments.next()?.as_str() {
        "run" => Command::Run { first: 0, end: 2000, keep_going: false },
        "replay" => Command::Replay(arguments.next()?.parse().ok()?),
        _ => return None,
    };
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), &mut command) {
            ("--seeds", Command::Run { first, end, .. }) => {
                let range = arguments.next()?;
                let (from, to) = range.split_once("..")?;
                (*first, *end) = (from.parse().ok()?, to.parse().ok()?);
            }
            ("--keep-going", Command::Run { keep_going, .. }) => *keep_going = true,
            ("--steps", _) => options.steps = arguments.next()?.parse().ok()?,
            ("--members", _) => options.members = Some(arguments.next()?.parse().ok()?),
            ("--bug", _) => options.bug = Some(Bug::named(&arguments.next()?)?),
            ("--only-consequences", _) => options.only_consequences = true,
            _ => return None,
        }
    }
    Some((command, options))
}

fn main() -> ExitCode {
    let Some((command, options)) = parse(std::env::args().skip(1)) else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    match command {
        Command::Run { first, end, keep_going } => try_seeds(first, end, keep_going, &options),
        Command::Replay(seed) => replay(seed, &options),
    }
}

fn try_seeds(first: u64, end: u64, keep_going: bool, options: &Options) -> ExitCode {
    let (began, mut told) = (Instant::now(), Instant::now());
    let (mut happened, mut milliseconds, mut committed, mut leaders, mut failed) = (0, 0, 0, 0, 0);
    let mut led_after = Vec::new();
    for seed in first..end {
        let report = run(seed, options, false);
        happened += report.happened;
        milliseconds += report.milliseconds;
        committed += report.committed;
        leaders += report.leaders;
        led_after.push(report.led_after);
        if let Some(violation) = &report.violation {
            failed += 1;
            if keep_going {
                println!("seed {seed}: {} {}", violation.invariant, violation.seen);
            } else {
                tell_failure(seed, &run(seed, options, true));
                return ExitCode::FAILURE;
            }
        }
        if told.elapsed().as_secs() >= 10 {
            told = Instant::now();
            println!("{} of {} seeds, {:.0} s", seed + 1 - first, end - first, began.elapsed().as_secs_f64());
        }
    }
    led_after.sort_unstable();
    let at =
        |share: usize| led_after.get((led_after.len() * share / 100).min(led_after.len().max(1) - 1)).unwrap_or(&0);
    println!(
        "{} seeds, {failed} failed, in {:.0} s: {:.1} h of virtual time, {happened} events, {leaders} leaders, {committed} entries",
        end - first,
        began.elapsed().as_secs_f64(),
        milliseconds as f64 / 3.6e6,
    );
    println!(
        "a leader that all know, after the end of all faults: p50 {} ms, p99 {}, most {}",
        at(50),
        at(99),
        at(100)
    );
    ExitCode::from(u8::from(failed > 0))
}

fn tell_failure(seed: u64, report: &Report) {
    let from = report.trace.len().saturating_sub(LAST_LINES);
    report.trace[from..].iter().for_each(|line| println!("{line}"));
    if let Some(violation) = &report.violation {
        println!("\nseed {seed}: {}\n  {}\nall of it: sim replay {seed}", violation.invariant, violation.seen);
    }
}

fn replay(seed: u64, options: &Options) -> ExitCode {
    let report = run(seed, options, true);
    let mut out = std::io::stdout().lock();
    for line in &report.trace {
        if writeln!(out, "{line}").is_err() {
            return ExitCode::FAILURE; // whoever was to read it has gone
        }
    }
    match &report.violation {
        Some(violation) => {
            println!("\nseed {seed}: {}\n  {}", violation.invariant, violation.seen);
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}
