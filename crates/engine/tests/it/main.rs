//! Is the kernel a kernel: order, ties, no past, no loss.

use engine::{Agenda, Digest, Event, Model, run};
use proptest::prelude::*;
use units::SimTime;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    rank: u8,
    id: u32,
}

impl Event for Mark {
    fn rank(&self) -> u8 {
        self.rank
    }
}

#[derive(Default)]
struct Log {
    advanced: Vec<u64>,
    handled: Vec<(u64, Mark)>,
}

impl Model for Log {
    type Event = Mark;

    fn advance(&mut self, to: SimTime, _agenda: &mut Agenda<Mark>) {
        self.advanced.push(to.as_nanos());
    }

    fn handle(&mut self, event: Mark, agenda: &mut Agenda<Mark>) {
        self.handled.push((agenda.now().as_nanos(), event));
    }
}

proptest! {
    #[test]
    fn events_come_in_order_of_time_then_rank_then_scheduling(times in prop::collection::vec((0u64..20, 0u8..3), 0..100), end in 0u64..20) {
        let mut agenda = Agenda::default();
        for (id, &(time, rank)) in times.iter().enumerate() {
            agenda.schedule(SimTime::from_nanos(time), Mark { rank, id: id as u32 });
        }
        let mut expected: Vec<_> = times.iter().enumerate().map(|(id, &(time, rank))| (time, Mark { rank, id: id as u32 })).collect();
        expected.sort_by_key(|&(time, mark)| (time, mark.rank, mark.id));
        let left = expected.split_off(expected.partition_point(|&(time, _)| time <= end));
        let mut log = Log::default();
        run(&mut log, &mut agenda, SimTime::from_nanos(end));
        prop_assert_eq!(log.handled, expected);
        prop_assert_eq!(agenda.len(), left.len());
        prop_assert_eq!(log.advanced.last(), Some(&end));
    }
}

#[test]
#[should_panic(expected = "the past cannot change")]
fn the_past_cannot_change() {
    let mut agenda = Agenda::default();
    agenda.schedule(SimTime::from_secs(2), Mark { rank: 0, id: 0 });
    agenda.pop_until(SimTime::MAX);
    agenda.schedule(SimTime::from_secs(1), Mark { rank: 0, id: 1 });
}

/// A model whose continuous part asks for an event earlier than the one it was carried to.
struct EarlyStop {
    asked: bool,
    handled: Vec<u64>,
}

impl Model for EarlyStop {
    type Event = Mark;

    fn advance(&mut self, to: SimTime, agenda: &mut Agenda<Mark>) {
        if !self.asked && to >= SimTime::from_secs(3) {
            self.asked = true;
            agenda.schedule(SimTime::from_secs(3), Mark { rank: 0, id: 9 });
        }
    }

    fn handle(&mut self, event: Mark, agenda: &mut Agenda<Mark>) {
        self.handled.push(agenda.now().as_secs() * 100 + u64::from(event.id));
    }
}

#[test]
fn an_event_found_between_two_others_is_handled_between_them() {
    let mut agenda = Agenda::default();
    agenda.schedule(SimTime::from_secs(1), Mark { rank: 0, id: 0 });
    agenda.schedule(SimTime::from_secs(5), Mark { rank: 0, id: 1 });
    let mut model = EarlyStop { asked: false, handled: vec![] };
    run(&mut model, &mut agenda, SimTime::from_secs(10));
    assert_eq!(model.handled, [100, 309, 501]);
}

#[test]
fn a_digest_depends_on_the_order() {
    let fold = |words: &[u64]| {
        words
            .iter()
            .fold(Digest::default(), |mut digest, &word| {
                digest.fold(word);
                digest
            })
            .value()
    };
    assert_ne!(fold(&[1, 2]), fold(&[2, 1]));
    assert_eq!(fold(&[1, 2]), fold(&[1, 2]));
}
