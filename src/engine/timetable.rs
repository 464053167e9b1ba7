//! Ordered deadlines. Jobs with equal schedules form a group whose next fire is computed once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use crate::ids::JobKey;
use crate::schedule::{Fire, Schedule};

/// Which job is due when.
#[derive(Default)]
pub struct Timetable {
    groups: Vec<Option<Group>>,
    free: Vec<u32>,
    by_schedule: HashMap<Arc<Schedule>, u32>,
    deadlines: BTreeSet<(Timestamp, u32)>,
    /// Where each job stands, by key: its group and its place in there.
    places: Vec<Option<(u32, u32)>>,
}

struct Group {
    schedule: Arc<Schedule>,
    members: Vec<JobKey>,
    next: Option<Fire>,
}

/// A group that came due.
pub struct DueGroup {
    /// Its schedule.
    pub schedule: Arc<Schedule>,
    /// The first fire that is due.
    pub first: Fire,
    /// The first that is not due yet.
    pub next: Option<Fire>,
    /// Its jobs.
    pub members: Vec<JobKey>,
}

impl Timetable {
    /// How many entries it has in all.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        let members = self
            .groups
            .iter()
            .flatten()
            .map(|group| group.members.len());
        let lists = self.groups.len() + self.free.len() + self.places.len();
        lists + self.by_schedule.len() + self.deadlines.len() + members.sum::<usize>()
    }

    /// Puts a job in; its next fire is the schedule's first that is due after `after`.
    pub fn insert(
        &mut self,
        key: JobKey,
        schedule: &Arc<Schedule>,
        after: Timestamp,
    ) -> Option<Fire> {
        self.remove(key);
        let id = match self.by_schedule.get(schedule) {
            Some(id) => *id,
            None => self.new_group(schedule, after),
        };
        let group = self.groups[id as usize].as_mut()?;
        group.members.push(key);
        let place = u32::try_from(group.members.len() - 1).unwrap_or(u32::MAX);
        if self.places.len() <= key.index() {
            self.places.resize(key.index() + 1, None);
        }
        self.places[key.index()] = Some((id, place));
        group.next
    }

    /// Takes a job out; nothing happens when it is not in.
    pub fn remove(&mut self, key: JobKey) {
        let Some((id, place)) = self.places.get_mut(key.index()).and_then(Option::take) else {
            return;
        };
        let Some(group) = self.groups[id as usize].as_mut() else {
            return;
        };
        group.members.swap_remove(place as usize);
        if let Some(moved) = group.members.get(place as usize) {
            self.places[moved.index()] = Some((id, place));
        }
        if group.members.is_empty()
            && let Some(group) = self.groups[id as usize].take()
        {
            if let Some(next) = group.next {
                self.deadlines.remove(&(next.due, id));
            }
            self.by_schedule.remove(&group.schedule);
            self.free.push(id);
        }
    }

    /// When a job is due next.
    #[must_use]
    pub fn next_of(&self, key: JobKey) -> Option<Fire> {
        let (id, _) = self.places.get(key.index()).copied().flatten()?;
        self.groups[id as usize].as_ref()?.next
    }

    /// The first deadline of all.
    #[must_use]
    pub fn first_due(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    /// Takes out the first group that is due at `now` and moves it on to its first fire that is due after `now`.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<DueGroup> {
        let (due, id) = self.deadlines.first().copied()?;
        if due > now {
            return None;
        }
        self.deadlines.pop_first();
        let group = self.groups[id as usize].as_mut()?;
        let first = group.next?;
        group.next = group.schedule.next_due_after(now);
        if let Some(next) = group.next {
            self.deadlines.insert((next.due, id));
        }
        Some(DueGroup {
            schedule: group.schedule.clone(),
            first,
            next: group.next,
            members: group.members.clone(),
        })
    }

    /// Computes every deadline anew, for a clock that was set. What is due and was not taken out yet
    /// stays due.
    pub fn rebuild(&mut self, now: Timestamp) {
        self.deadlines.clear();
        for (id, group) in self.groups.iter_mut().enumerate() {
            let Some(group) = group else { continue };
            if group.next.is_none_or(|next| next.due > now) {
                group.next = group.schedule.next_due_after(now);
            }
            if let Some(next) = group.next {
                let id = u32::try_from(id).unwrap_or(u32::MAX);
                self.deadlines.insert((next.due, id));
            }
        }
    }

    fn new_group(&mut self, schedule: &Arc<Schedule>, after: Timestamp) -> u32 {
        let next = schedule.next_due_after(after);
        let group = Group {
            schedule: schedule.clone(),
            members: Vec::new(),
            next,
        };
        let id = match self.free.pop() {
            Some(id) => {
                self.groups[id as usize] = Some(group);
                id
            }
            None => {
                self.groups.push(Some(group));
                u32::try_from(self.groups.len() - 1).unwrap_or(u32::MAX)
            }
        };
        if let Some(next) = next {
            self.deadlines.insert((next.due, id));
        }
        self.by_schedule.insert(schedule.clone(), id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Item;
    use std::time::Duration;

    fn every(seconds: u64) -> Arc<Schedule> {
        Arc::new(Schedule::new(vec![Item::Every {
            period: Duration::from_secs(seconds),
            anchor: Timestamp::UNIX_EPOCH,
        }]))
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn equal_schedules_are_one_group_and_move_on_together() {
        let mut table = Timetable::default();
        for key in 0..3 {
            table.insert(JobKey(key), &every(10), second(0));
        }
        table.insert(JobKey(3), &every(15), second(0));
        assert_eq!(table.first_due(), Some(second(10)));
        assert!(table.pop_due(second(9)).is_none());
        let due = table.pop_due(second(35)).unwrap();
        assert_eq!(due.members, [JobKey(0), JobKey(1), JobKey(2)]);
        assert_eq!(due.first.scheduled, second(10));
        assert_eq!(due.next.unwrap().scheduled, second(40));
        assert_eq!(table.pop_due(second(35)).unwrap().members, [JobKey(3)]);
        assert!(table.pop_due(second(35)).is_none());
    }

    #[test]
    fn a_job_that_left_is_due_no_more_and_the_others_are() {
        let mut table = Timetable::default();
        for key in 0..3 {
            table.insert(JobKey(key), &every(10), second(0));
        }
        table.remove(JobKey(0));
        table.remove(JobKey(0));
        assert_eq!(
            table.pop_due(second(10)).unwrap().members,
            [JobKey(2), JobKey(1)]
        );
        table.remove(JobKey(2));
        table.remove(JobKey(1));
        assert_eq!(table.first_due(), None);
        assert_eq!(table.next_of(JobKey(1)), None);
    }

    #[test]
    fn a_clock_that_was_set_gives_new_deadlines() {
        let mut table = Timetable::default();
        table.insert(JobKey(7), &every(10), second(1_000));
        table.rebuild(second(0));
        assert_eq!(table.first_due(), Some(second(10)));
        assert_eq!(table.next_of(JobKey(7)).unwrap().scheduled, second(10));
    }
}
