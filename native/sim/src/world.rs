//! A run: hosts, network and clients in virtual time. What happens is done here or in the module of its part; every part
//! checks what it sees (check/), and the first violation ends the run.

use std::collections::BTreeMap;
use std::time::Duration;

use tinysns_member::{Event, NodeId};

use crate::agenda::{Agenda, Happening, Life};
use crate::check::{violated, Checked, Checker};
use crate::clients::Client;
use crate::host::{Host, Process};
use crate::links::LINK_WATCH;
use crate::network::Network;
use crate::operator::Replacement;
use crate::plan::Plan;
use crate::planted::Bug;
use crate::rng::Rng;
use crate::trace::{self, Trace};

/// All of a run.
pub struct World {
    /// Virtual time since the start.
    pub now: Duration,
    /// What this run is like.
    pub plan: Plan,
    /// All that exist now.
    pub hosts: BTreeMap<NodeId, Host>,
    /// Members as configured now, in the order of succession.
    pub order: Vec<NodeId>,
    /// The next node id that was never used.
    pub next_node: NodeId,
    /// Links and what is cut.
    pub network: Network,
    /// What will happen.
    pub agenda: Agenda,
    /// What must hold.
    pub checker: Checker,
    /// Who uses the service.
    pub clients: Vec<Client>,
    /// Whether clients begin new operations.
    pub open: bool,
    /// Whether faults still occur.
    pub faulty: bool,
    /// A member is being replaced.
    pub replacement: Option<Replacement>,
    /// What has happened, for people.
    pub trace: Trace,
    /// A mistake that is made on purpose.
    pub bug: Option<Bug>,
    /// Chance of everything that has none of its own.
    pub rng: Rng,
    /// What has happened so far.
    pub happened: u64,
    /// How long it took after the end of all faults until all knew a leader.
    pub led_after: Option<Duration>,
}

impl World {
    /// A group of members that has just been founded, each about to be started.
    pub fn new(plan: Plan, mut rng: Rng, trace: Trace) -> World {
        let order: Vec<NodeId> = (1..=plan.members as NodeId).collect();
        let hosts = order.iter().map(|node| (*node, Host::new(*node, order.clone(), &plan, &mut rng)));
        let hosts: BTreeMap<NodeId, Host> = hosts.collect();
        let mut checker = Checker::new(order.clone());
        hosts.values().for_each(|host| checker.add_disk(host.node, host.disk.clone()));
        let mut world = World {
            now: Duration::ZERO,
            network: Network::new(plan.latency, rng.fork()),
            agenda: Agenda::default(),
            clients: (0..plan.clients).map(|client| Client::new(client, &mut rng)).collect(),
            next_node: order.len() as NodeId + 1,
            plan,
            hosts,
            order,
            checker,
            open: true,
            faulty: true,
            replacement: None,
            trace,
            bug: None,
            rng,
            happened: 0,
            led_after: None,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for node in self.order.clone() {
            let at = self.rng.span(Duration::ZERO, Duration::from_millis(50));
            self.agenda.at(at, Happening::Start { node });
        }
        for client in 0..self.clients.len() {
            self.agenda.at(Duration::from_millis(100), Happening::Client(client));
        }
        self.agenda.at(LINK_WATCH, Happening::LinkWatch);
        if !self.plan.faults.is_empty() {
            let at = Duration::from_millis(100) + self.rng.about(self.plan.fault_every);
            self.agenda.at(at, Happening::Fault);
        }
    }

    /// Lets the next thing happen.
    pub fn happen(&mut self) -> Checked {
        let (at, happening) = self.agenda.pop().expect("the links are always looked at again");
        assert!(at >= self.now, "time goes on");
        self.now = at;
        self.happened += 1;
        match happening {
            Happening::Turn { node, life } => self.turn(node, life),
            Happening::Arrive { conn, end } => self.arrive(conn, end),
            Happening::Established { conn, end } => self.established(conn, end),
            Happening::Ended { conn, end } => self.end_link(conn, end),
            Happening::LinkWatch => self.watch_links(),
            Happening::LogDone { node, life, batch } => self.log_done(node, life, batch),
            Happening::LogStalls { node, life, batch } => self.log_stalls(node, life, batch),
            Happening::Apply { node, life } => self.apply(node, life),
            Happening::Compact { node, life } => self.compact(node, life),
            Happening::Fetched { node, life } => self.fetched(node, life),
            Happening::Client(client) => self.client(client),
            Happening::Fault => self.fault(),
            Happening::Transfer => {
                self.leader().into_iter().for_each(|leader| self.tell(leader, Event::Transfer));
                Ok(())
            }
            Happening::Undo(undo) => self.undo(undo),
            Happening::Start { node } => self.start(node),
            Happening::Operator => self.operate(),
        }
    }

    /// Lets everything happen that happens until then.
    pub fn run_until(&mut self, moment: Duration) -> Checked {
        while self.agenda.next_at().is_some_and(|at| at <= moment) {
            self.happen()?;
        }
        self.now = moment;
        Ok(())
    }

    /// The process of this life, if it runs.
    pub fn process(&mut self, node: NodeId, life: Life) -> Option<&mut Process> {
        self.hosts.get_mut(&node)?.alive(life)
    }

    /// Running processes, by node.
    pub fn running(&self) -> Vec<NodeId> {
        self.hosts.values().filter(|host| host.process.is_some()).map(|host| host.node).collect()
    }

    /// Who leads in the highest term, as far as running members say themselves.
    pub fn leader(&self) -> Option<NodeId> {
        let processes = self.hosts.values().filter_map(|host| Some((host.node, host.process.as_ref()?)));
        let leaders = processes.filter(|(_, process)| process.view.leads());
        leaders.max_by_key(|(_, process)| process.view.term).map(|(node, _)| node)
    }

    /// Puts an event into the inbox of a running process, whose event loop then runs soon.
    pub fn tell(&mut self, node: NodeId, event: Event) {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&node) else { return };
        let delay = Duration::from_micros(1 + host.rng.below(60));
        let Some(process) = &mut host.process else { return };
        process.inbox.push_back(event);
        let life = process.life;
        self.wake(node, life, now + delay);
    }

    /// Lets the event loop of a process run at this moment, unless it runs sooner.
    pub fn wake(&mut self, node: NodeId, life: Life, at: Duration) {
        let Some(process) = self.process(node, life) else { return };
        if !process.paused && process.turn_at.is_none_or(|turn_at| at < turn_at) {
            process.turn_at = Some(at);
            self.agenda.at(at, Happening::Turn { node, life });
        }
    }

    // -- life and death ------------------------------------------------------------------------------------------------

    fn start(&mut self, node: NodeId) -> Checked {
        let (now, order) = (self.now, self.order.clone());
        let Some(host) = self.hosts.get_mut(&node).filter(|host| host.process.is_none()) else { return Ok(()) };
        Bug::before_start(self.bug, host);
        if let Err(why) = host.start(order, now, &self.plan) {
            return violated("A member that lost nothing can be started.", format!("n{node}: {why}"));
        }
        let (life, health) = (host.lives, host.health());
        let compact_in = host.rng.about(self.plan.compact_every);
        let platter = host.disk.platter().records();
        self.trace.line(now, || {
            let (hard, last) = (&platter.hard, platter.last);
            format!(
                "n{node} starts, life {life}: term {} vote {} commit {} last {last}",
                hard.term, hard.vote, hard.commit
            )
        });
        self.agenda.at(now + compact_in, Happening::Compact { node, life });
        if health != Default::default() {
            self.tell(node, Event::Disk(health));
        }
        self.wake(node, life, now + Duration::from_micros(100));
        Ok(())
    }

    /// A process dies. `power`: with its host, which cannot even close its connections.
    pub fn kill(&mut self, node: NodeId, power: bool, restart_in: Option<Duration>) -> Checked {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&node) else { return Ok(()) };
        let Some((_, survived)) = host.crash(power) else { return Ok(()) };
        let disk = host.disk.clone();
        let whole = survived.len();
        self.trace.line(now, || {
            format!("n{node} dies{}; {whole} writes under way survive", if power { " (power)" } else { "" })
        });
        for write in survived {
            self.put_on_disk(node, &disk, &write)?;
        }
        Bug::after_crash(self.bug, self.hosts.get_mut(&node).expect("it has just died"));
        for (conn, end) in self.network.ends_of(node) {
            self.network.end(conn, end);
            let (soon, late) = if self.plan.lifeline { (200, 500) } else { (9_000, 20_000) };
            let delay = Duration::from_micros(self.rng.between(soon, late));
            if !power {
                self.network.tell_other_end(conn, end, delay, now, &mut self.agenda);
            }
        }
        if let Some(restart_in) = restart_in {
            self.agenda.at(now + restart_in, Happening::Start { node });
        }
        Ok(())
    }

    /// Notes an event of a member in the trace.
    pub(crate) fn trace_events(&mut self, node: NodeId, events: &[Event]) {
        if self.trace.is_on() {
            for event in events {
                self.trace.line(self.now, || trace::event(node, event));
            }
        }
    }
}
