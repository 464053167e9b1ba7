//! What the store does with writes: rows, marks, names, as the real ones do it.

use super::*;

/// What makes a row the only one of its job.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    At(Timestamp),
    Request(Arc<str>),
}

impl Key {
    fn of(run: &Run) -> Self {
        match &run.request {
            Some(request) => Self::Request(request.clone()),
            None => Self::At(run.scheduled_at),
        }
    }
}

impl World {
    pub(in crate::engine::state::tests) fn seen(&mut self, name: &JobName) -> Mark {
        let now = self.now;
        let mark = self
            .marks
            .entry(name.clone())
            .or_insert(Mark::first_sight(now));
        if rules::seen(mark, now) {
            self.pauses.remove(name);
        }
        mark.clone()
    }

    /// The row of the job with this key.
    pub(super) fn row_of(&self, job: &JobName, key: &Key) -> Option<RunId> {
        let id = self.keys.get(&(job.clone(), key.clone()))?;
        // Rows are pruned, and jobs have other names.
        let row = self.rows.get(id)?;
        (row.job == *job && Key::of(row) == *key).then_some(*id)
    }

    /// Keys of rows that are gone.
    pub(in super::super) fn forget_keys(&mut self) {
        self.keys.retain(|_, id| self.rows.contains_key(id));
    }

    pub(super) fn write(&mut self, write: Write) -> Written {
        match write {
            Write::Claim { run } => return self.claim(*run),
            Write::Extend {
                id,
                job,
                count,
                until,
                ..
            } => {
                let of = |id: &RunId| self.rows.get(id).filter(|row| row.job == job);
                let other = of(&id).and_then(|row| {
                    rules::other_of(id, row.request.as_deref(), &job, row.scheduled_at)
                });
                let its = of(&other.unwrap_or(id)).filter(|row| row.request.is_none());
                let Some(mut row) = its.cloned() else {
                    return Written::Taken;
                };
                row.count = row.count.max(count);
                row.scheduled_until = Some(until);
                self.put(row);
                let mark = self.marks.get_mut(&job).unwrap();
                mark.mark = mark.mark.max(until);
            }
            Write::Update { run, .. } => {
                let row = self.rows.get(&run.id).filter(|row| row.job == run.job);
                let Some(row) = row else {
                    return Written::Taken;
                };
                if rules::opens_again(row.state == RunState::Done, &run) {
                    return Written::Taken;
                }
                let mut run = run;
                run.request.clone_from(&row.request);
                let mark = self.marks.get_mut(&run.job).expect("its mark");
                if run.outcome == Some(Outcome::Success) {
                    let times = &mut mark.times;
                    times.last_success = times.last_success.max(run.finished_at);
                    mark.good = run.definition;
                    mark.failing = None;
                } else if run.outcome == Some(Outcome::Failed) && mark.failing.is_none() {
                    mark.failing = Some(Arc::new(rules::failing(&run, run.scheduled_at)));
                }
                self.put(*run);
            }
            Write::Mark { job, at } => {
                let mark = self.marks.get_mut(&job).unwrap();
                mark.mark = mark.mark.max(at);
                mark.since = mark.since.max(at);
            }
            Write::Mend { job, at } => {
                let mark = self.marks.get_mut(&job);
                let over = mark.and_then(|mark| rules::mended(mark, at));
                let rows = self.rows.values_mut().filter(|row| row.job == job);
                if let Some(over) = over {
                    for row in rows.filter(|row| rules::gives_way(row, over)) {
                        row.request = Some(rules::beside(row.id));
                        let key = Key::of(row);
                        self.keys.insert((job.clone(), key), row.id);
                    }
                }
            }
            Write::Gone { job, at } => {
                self.marks.get_mut(&job).unwrap().gone_at = Some(at);
            }
            Write::Edition { .. } => panic!("a sync's business"),
            Write::Rename { moves, .. } => {
                for (from, to) in &moves {
                    self.move_rows(from, to);
                }
            }
            Write::Pause { job, pause } => {
                self.pauses.insert(job, *pause);
            }
            Write::Tell(telling) => {
                for letter in telling.letters {
                    self.letters.entry(letter.id).or_insert(letter);
                }
                for (subject, text) in telling.said {
                    match text {
                        Some(text) => drop(self.said.insert(subject, text)),
                        None => drop(self.said.remove(&subject)),
                    }
                }
            }
            Write::Seen { .. }
            | Write::File(_)
            | Write::DropFile { .. }
            | Write::LetterTried { .. }
            | Write::LetterOver { .. }
            | Write::Audit(_) => {}
        }
        Written::Done
    }

    fn claim(&mut self, mut run: Run) -> Written {
        let mark = self.marks.get_mut(&run.job).expect("a job that was seen");
        if !rules::admits(mark, &run) {
            return Written::Taken;
        }
        let key = Key::of(&run);
        if self.row_of(&run.job, &key).is_some() {
            return Written::Taken;
        }
        let mut written = Written::Done;
        if let Some(theirs) = self.rows.get(&run.id) {
            let is_free = |id: &RunId| theirs.job == run.job && !self.rows.contains_key(id);
            let Some(id) = rules::other_id(&run, theirs.request.as_deref()).filter(is_free) else {
                return Written::Taken;
            };
            run.id = id;
            written = Written::Under(id);
        }
        let mark = self.marks.get_mut(&run.job).expect("a job that was seen");
        rules::claimed(mark, &run);
        self.keys.insert((run.job.clone(), key), run.id);
        self.put(run);
        written
    }

    fn put(&mut self, run: Run) {
        self.touched.push(run.id);
        let (job, count) = (run.job.clone(), run.count);
        let is_counted = checks::is_by_schedule(&run);
        let old = self.rows.insert(run.id, run);
        if is_counted {
            let counted = self.counts.entry(job).or_default();
            *counted += count;
            *counted -= old.map_or(0, |old| old.count);
        }
    }

    /// The store gives what was under one name another one.
    fn move_rows(&mut self, from: &JobName, to: &JobName) {
        let Some(old) = self.marks.remove(from) else {
            return;
        };
        let new = self.marks.get(to);
        let pause = self.pauses.remove(from);
        let goes_on = new.is_none_or(|new| rules::goes_on(&old, new));
        if goes_on {
            self.pauses.remove(to);
            self.pauses.extend(pause.map(|pause| (to.clone(), pause)));
        }
        let keys = new.map(|new| rules::keeps_keys(&old, new));
        let mark = new.map_or_else(|| old.clone(), |new| rules::renamed(&old, new));
        self.marks.insert(to.clone(), mark);
        let ids_of = |job: &JobName| -> Vec<RunId> {
            let rows = self.rows.values().filter(|row| row.job == *job);
            rows.map(|row| row.id).collect()
        };
        let of_old = ids_of(from);
        if let Some((is_old, beyond)) = keys {
            let (gives, keeps) = if is_old { (to, from) } else { (from, to) };
            for id in ids_of(gives) {
                let row = &self.rows[&id];
                let is_beyond = row.request.is_none() && row.scheduled_at > beyond;
                if is_beyond || self.row_of(keeps, &Key::of(row)).is_some() {
                    let row = self.rows.get_mut(&id).unwrap();
                    row.request = Some(rules::beside(id));
                    let key = Key::of(row);
                    self.keys.insert((gives.clone(), key), id);
                }
            }
        }
        for id in of_old {
            let row = self.rows.get_mut(&id).unwrap();
            row.job = to.clone();
            let key = Key::of(row);
            self.keys.insert((to.clone(), key), id);
        }
        if let Some(count) = self.counts.remove(from) {
            *self.counts.entry(to.clone()).or_default() += count;
        }
        let recorded = self.recorded.iter_mut();
        for job in recorded.filter(|job| job.name() == from) {
            let definition = Arc::make_mut(&mut job.definition);
            definition.name = to.clone();
            definition.aliases = [from.clone()].into();
        }
        self.move_past(from, to, goes_on);
    }
}
