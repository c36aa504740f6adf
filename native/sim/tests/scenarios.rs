//! One fault at a time, with what must come of it: the promises of design.md section 4 in numbers.

use std::time::Duration;

use tinysns_member::NodeId;
use tinysns_sim::agenda::{Happening, Undo};
use tinysns_sim::plan::{Fault, Plan};
use tinysns_sim::rng::Rng;
use tinysns_sim::trace::Trace;
use tinysns_sim::world::World;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A group that has been serving its clients for two seconds.
fn serving(members: usize, seed: u64) -> World {
    serving_with(Plan::calm(members), seed)
}

fn serving_with(plan: Plan, seed: u64) -> World {
    // nobody waits long at a member that cannot serve
    let plan = Plan { patience: ms(400), ..plan };
    let mut world = World::new(plan, Rng::new(seed), Trace::new(false));
    world.run_until(ms(2000)).expect("nothing is wrong");
    assert!(world.no_leader_why().is_none(), "seed {seed}: {:?}", world.no_leader_why());
    world
}

fn leader(world: &World) -> NodeId {
    world.leader().expect("somebody leads")
}

fn term(world: &World) -> u64 {
    world.hosts[&leader(world)].process.as_ref().expect("it leads").view.term
}

/// Until another one leads; how long that took.
fn until_another_leads(world: &mut World, old: NodeId, bound: Duration) -> Duration {
    let began = world.now;
    while world.leader().is_none_or(|leader| leader == old) {
        assert!(world.now - began < bound, "nobody else leads after {bound:?}");
        world.run_until(world.now + ms(1)).expect("nothing else is wrong");
    }
    world.now - began
}

/// Lets time pass, in which the same member leads in the same term and serves.
fn the_same_leads(world: &mut World, time: Duration) {
    let (leader, term, served, end) = (leader(world), term(world), world.checker.last_committed(), world.now + time);
    while world.now < end {
        world.run_until(world.now + ms(5)).expect("nothing is wrong");
        assert_eq!(world.leader(), Some(leader));
        assert_eq!(self::term(world), term);
    }
    assert!(world.checker.last_committed() > served + 10, "it serves");
}

#[test]
fn when_nothing_is_wrong_nobody_campaigns() {
    for members in 3..=5 {
        the_same_leads(&mut serving(members, 1), ms(20_000));
    }
}

#[test]
fn a_killed_leader_is_replaced_within_a_hundredth_of_a_second() {
    let mut took = Vec::new();
    for seed in 0..60 {
        let mut world = serving(3 + seed as usize % 2, seed);
        let killed = leader(&world);
        world.kill(killed, false, Some(ms(500))).expect("it dies");
        took.push(until_another_leads(&mut world, killed, ms(200)));
        world.settle().expect("all is well behind it");
    }
    took.sort_unstable();
    assert!(took[30] <= ms(10), "usually: {took:?}");
    assert!(took[57] <= ms(60), "at worst: {took:?}");
}

#[test]
fn one_broken_link_does_not_depose_a_healthy_leader() {
    for members in 3..=4 {
        let mut world = serving(members, 5);
        let leads = leader(&world);
        let others: Vec<NodeId> = world.order.iter().copied().filter(|node| *node != leads).collect();
        for other in others {
            world.network.cut(leads, other);
            world.network.cut(other, leads);
            the_same_leads(&mut world, ms(4000));
            for (from, to) in world.network.cuts() {
                let now = world.now;
                world.network.heal(from, to, now, &mut world.agenda);
            }
            the_same_leads(&mut world, ms(2000));
            assert!(world.no_leader_why().is_none(), "{:?}", world.no_leader_why());
        }
        world.settle().expect("all is well behind it");
    }
}

#[test]
fn one_deaf_or_dumb_follower_does_not_depose_a_healthy_leader() {
    for (from_leader, seed) in [(true, 1), (false, 2)] {
        let mut world = serving(4, seed);
        let leads = leader(&world);
        let other = *world.order.iter().find(|node| **node != leads).expect("there are four");
        world.network.cut(if from_leader { leads } else { other }, if from_leader { other } else { leads });
        the_same_leads(&mut world, ms(4000));
        world.settle().expect("all is well behind it");
    }
}

#[test]
fn connections_that_are_reset_do_not_depose_a_healthy_leader() {
    let mut world = serving(4, 7);
    let leads = leader(&world);
    for round in 0..40 {
        let ends = world.network.ends_of(leads);
        let (conn, end) = ends[round % ends.len()];
        world.end_link(conn, end).expect("it ends");
        the_same_leads(&mut world, ms(500));
    }
    world.settle().expect("all is well behind it");
}

#[test]
fn a_follower_that_was_away_does_not_depose_a_healthy_leader_when_it_is_back() {
    for seed in 0..12 {
        let mut world = serving(3 + seed as usize % 2, seed);
        let leads = leader(&world);
        let away = *world.order.iter().rfind(|node| **node != leads).expect("there are others");
        let lasts = ms(2000);
        match seed % 4 {
            0 => world.kill(away, false, Some(lasts)).expect("it dies"),
            1 => world.kill(away, true, Some(lasts)).expect("it dies"),
            2 => {
                let life = world.hosts[&away].lives;
                world.plan.fault_lasts = ms(60_000);
                world.inject(Fault::Pause, away).expect("it stands still");
                the_same_leads(&mut world, lasts);
                let now = world.now;
                world.agenda.at(now, Happening::Undo(Undo::Pause { node: away, life }));
            }
            _ => world.hosts.get_mut(&away).expect("it is there").stall = Some(lasts),
        }
        the_same_leads(&mut world, ms(5000));
        world.settle().expect("all is well behind it");
    }
}

#[test]
fn a_leader_that_is_cut_off_is_replaced() {
    for seed in 0..20 {
        let mut world = serving(4, seed);
        let cut = leader(&world);
        for other in world.order.clone().into_iter().filter(|node| *node != cut) {
            world.network.cut(cut, other);
            world.network.cut(other, cut);
        }
        until_another_leads(&mut world, cut, ms(1500));
        world.run_until(world.now + ms(1000)).expect("nothing else is wrong");
        let view = world.hosts[&cut].process.as_ref().expect("it lives").view;
        assert!(!view.leads(), "without a quorum it leads no longer");
        world.settle().expect("all is well behind it");
    }
}

#[test]
fn a_leader_that_stands_still_is_replaced() {
    for seed in 0..10 {
        let mut world = serving(3, seed);
        let still = leader(&world);
        world.plan.fault_lasts = ms(30_000);
        world.inject(Fault::Pause, still).expect("it stands still");
        let old_term = term(&world);
        world.run_until(world.now + ms(1500)).expect("nothing else is wrong");
        assert!(world.leader().is_some_and(|leader| leader != still), "seed {seed}: {:?}", world.no_leader_why());
        assert!(term(&world) > old_term);
        world.settle().expect("all is well behind it");
    }
}

#[test]
fn a_leader_whose_disk_stalls_hands_leadership_over_and_is_silent_until_it_returns() {
    for seed in 0..20 {
        let mut world = serving(3 + seed as usize % 2, seed);
        let stalled = leader(&world);
        world.hosts.get_mut(&stalled).expect("it leads").stall = Some(ms(6000));
        let bound = world.plan.timing.disk_stall + ms(300);
        until_another_leads(&mut world, stalled, bound);
        let served = world.checker.last_committed();
        world.run_until(world.now + ms(2000)).expect("nothing else is wrong");
        assert_ne!(leader(&world), stalled);
        assert!(world.hosts[&stalled].process.as_ref().is_some_and(|process| process.isolated));
        assert!(world.checker.last_committed() > served + 50, "the others serve");
        world.settle().expect("all is well behind it");
    }
}

#[test]
fn a_leader_whose_disk_is_nearly_full_hands_leadership_over_and_follows() {
    for seed in 0..10 {
        let mut world = serving(4, seed);
        let full = leader(&world);
        world.plan.fault_lasts = ms(60_000);
        world.inject(Fault::Scarce, full).expect("it is nearly full");
        until_another_leads(&mut world, full, ms(100));
        world.run_until(world.now + ms(1000)).expect("nothing else is wrong");
        let (theirs, ours) = (world.checker.last_committed(), &world.hosts[&full].process.as_ref().expect("it lives"));
        assert!(ours.next_commit + 50 > theirs, "it follows");
    }
}

#[test]
fn slow_disks_everywhere_are_slow_and_not_leaderless() {
    for seed in 0..20 {
        let mut plan = Plan::calm(3 + seed as usize % 2);
        plan.fsync = ms(400);
        let mut world = World::new(plan, Rng::new(seed), Trace::new(false));
        let why = "A leader is elected although each fsync takes 400 ms.";
        world
            .within(ms(8000), why, World::no_leader_why)
            .unwrap_or_else(|violation| panic!("seed {seed}: {violation:?}"));
        // a round of a leader takes one fsync of its own and its followers': some rounds, and not a new election for each
        let (term, served) = (term(&world), world.checker.last_committed());
        world.run_until(world.now + ms(10_000)).expect("nothing is wrong");
        assert!(world.checker.last_committed() > served + 10, "seed {seed}: it serves");
        assert_eq!(self::term(&world), term, "seed {seed}");
        // and its death is survived likewise
        let killed = leader(&world);
        world.kill(killed, false, Some(ms(500))).expect("it dies");
        until_another_leads(&mut world, killed, ms(8000));
    }
}

#[test]
fn leadership_that_is_handed_over_costs_a_pause_of_milliseconds() {
    for seed in 0..10 {
        let mut world = serving(4, seed);
        let old = leader(&world);
        world.inject(Fault::Transfer, old).expect("it is asked to");
        let took = until_another_leads(&mut world, old, ms(100));
        assert!(took < ms(20), "{took:?}");
        world.settle().expect("all is well behind it");
    }
}

#[test]
fn without_a_quorum_nothing_is_acknowledged_and_with_one_again_everything_is() {
    let mut world = serving(4, 3);
    let down: Vec<NodeId> = world.order.iter().copied().take(2).collect();
    for node in &down {
        world.kill(*node, true, Some(ms(5000))).expect("it dies");
    }
    world.run_until(world.now + ms(500)).expect("nothing else is wrong");
    let served = world.checker.last_committed();
    world.run_until(world.now + ms(3000)).expect("nothing else is wrong");
    assert_eq!(world.checker.last_committed(), served, "two of four are no quorum");
    world.settle().expect("all is well behind it");
}

#[test]
fn members_are_replaced_while_clients_write() {
    for seed in 0..20 {
        let mut world = serving(3 + seed as usize % 2, seed);
        let old = if seed % 3 == 0 { leader(&world) } else { world.order[seed as usize % 3] };
        world.inject(Fault::Replace, old).expect("it begins");
        let what = "A replacement comes to its end.";
        world
            .within(ms(5000), what, |world| world.replacement.map(|replacement| format!("{replacement:?}")))
            .expect(what);
        world.settle().expect("all is well behind it");
        assert!(!world.hosts.contains_key(&old));
    }
}

#[test]
fn a_log_that_lost_what_its_state_had_applied_is_not_opened() {
    let mut world = serving(3, 9);
    let node = world.order[0];
    world.kill(node, false, None).expect("it dies");
    let (now, order, plan) = (world.now, world.order.clone(), world.plan.clone());
    let host = world.hosts.get_mut(&node).expect("it is there");
    let lost = host.disk.platter().last() - host.checkpoint.position + 1;
    host.disk.platter().lose_tail(lost as usize);
    let why = host.start(order, now, &plan).expect_err("it must not vote");
    assert!(why.to_string().contains("lost its end"), "{why}");
}
