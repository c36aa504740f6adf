//! What a driver does about links: it tells its member of them, gives up what is silent, and dials what is missing.

use std::time::Duration;

use tinysns_member::{Event, NodeId};

use crate::agenda::{Happening, Life};
use crate::check::Checked;
use crate::host::Host;
use crate::network::{ConnId, End};
use crate::world::World;

/// Between two looks at the links.
pub(crate) const LINK_WATCH: Duration = Duration::from_millis(50);

impl World {
    /// The next frame of a connection is there for this end.
    pub(crate) fn arrive(&mut self, conn: ConnId, end: End) -> Checked {
        let Some((here, frame)) = self.network.arrive(conn, end) else { return Ok(()) };
        if self.process(here.me, here.life).is_some() {
            self.tell(here.me, Event::Frame { from: here.peer, frame });
        }
        Ok(())
    }

    /// The handshake of a connection is complete at this end, unless its process is another one by now.
    pub(crate) fn established(&mut self, conn: ConnId, end: End) -> Checked {
        let takes = |world: &mut World| {
            let life = world.network.life_at(conn, end);
            life.and_then(|(node, life)| world.process(node, life)).is_some_and(|process| !process.isolated)
        };
        let now = self.now;
        let up = if takes(self) { self.network.establish(conn, end, now) } else { None };
        let Some((here, older)) = up else {
            self.network.end(conn, end);
            self.network.tell_other_end(conn, end, Duration::from_micros(100), now, &mut self.agenda);
            return Ok(());
        };
        if let Some((older, older_end)) = older {
            self.network.tell_other_end(older, older_end, Duration::from_micros(300), now, &mut self.agenda);
            // a driver may say that the older link ended, or just that there is a new one
            if self.rng.chance(0.5) {
                self.tell(here.me, Event::LinkLost { peer: here.peer });
            }
        }
        self.trace.line(now, || format!("link n{} - n{} is up at n{}", here.me, here.peer, here.me));
        self.tell(here.me, Event::LinkUp { peer: here.peer, incarnation: here.peer_life });
        Ok(())
    }

    /// One end of a connection is over; the other one learns of it if it can.
    pub fn end_link(&mut self, conn: ConnId, end: End) -> Checked {
        let now = self.now;
        if let Some(here) = self.network.end(conn, end) {
            self.trace.line(now, || format!("link n{} - n{} is over at n{}", here.me, here.peer, here.me));
            if self.process(here.me, here.life).is_some() {
                self.tell(here.me, Event::LinkLost { peer: here.peer });
            }
        }
        let delay = self.rng.span(Duration::from_micros(50), Duration::from_millis(2));
        self.network.tell_other_end(conn, end, delay, now, &mut self.agenda);
        Ok(())
    }

    /// Silent links end, missing ones are dialled.
    pub(crate) fn watch_links(&mut self) -> Checked {
        let (now, hosts) = (self.now, &self.hosts);
        let speaks = |node: NodeId, life: Life| {
            let process = hosts.get(&node).and_then(|host| host.process.as_ref());
            process.is_some_and(|process| process.life == life && !process.paused)
        };
        for (conn, end) in self.network.silent(self.plan.timing.silence, now, speaks) {
            self.end_link(conn, end)?;
        }
        let ready = |host: &&Host| host.process.as_ref().is_some_and(|process| !process.isolated && !process.paused);
        let lives = |host: &Host| (host.node, host.process.as_ref().expect("it runs").life);
        let nodes: Vec<(NodeId, Life)> = self.hosts.values().filter(ready).map(lives).collect();
        for (place, dialled) in nodes.iter().enumerate() {
            for dialler in &nodes[place + 1..] {
                let open = self.network.open(dialler.0, dialled.0) && self.network.open(dialled.0, dialler.0);
                if open && self.network.must_dial(dialler.0, dialled.0) && self.rng.chance(0.6) {
                    self.network.dial(*dialler, *dialled, now, &mut self.agenda);
                }
            }
        }
        self.agenda.at(now + LINK_WATCH, Happening::LinkWatch);
        Ok(())
    }
}
