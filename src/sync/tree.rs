//! What the files say: checked, file by file, and checked anew only where something changed.
//!
//! The text of a file is dropped as soon as it is checked. A definition that is
//! equal to what is in force is replaced by that very one, so that a restart or
//! an edited comment does not hold every job twice in memory.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::file_state::FileState;
use super::language::{DefaultsTexts, Language};
use crate::decide::merge::{FileNow, InForce, RootNow};
use crate::model::NameKind;
use crate::source::{Content, Directory, File, Root, Snapshot};
use crate::spec::commons::Table;
use crate::spec::{CheckedFile, InputFile};

/// As many files are checked in one go, so that text and results of all are never there at once.
const CHUNK: usize = 4096;

/// The file that every folder may have for its defaults.
pub(super) const DEFAULTS: &str = "_defaults.yaml";

/// What every PATH says.
#[derive(Default)]
pub(super) struct Tree {
    pub(super) roots: Vec<RootState>,
    /// Files that are good by themselves and were refused by the last merge.
    pub(super) refused: HashSet<At>,
}

/// What one PATH says.
pub(super) struct RootState {
    pub(super) path: Arc<str>,
    pub(super) folder: Arc<Path>,
    pub(super) lost: Option<String>,
    /// Ascending by path. Of a lost PATH, as they were.
    pub(super) files: Vec<FileState>,
}

/// What a check needs beside the files' state.
pub(super) struct Around<'a> {
    pub(super) snapshot: &'a mut Snapshot,
    pub(super) directory: &'a mut Directory,
    pub(super) language: &'a dyn Language,
    pub(super) in_force: &'a InForce,
}

/// A file by root and place.
pub(super) type At = (usize, usize);

impl Tree {
    /// Takes over what `snapshot` saw and drops the texts in it; says whether anything is another than before.
    pub(super) fn update(
        &mut self,
        snapshot: &mut Snapshot,
        directory: &mut Directory,
        language: &dyn Language,
        in_force: &InForce,
    ) -> bool {
        let mut changed = self.roots.len() != snapshot.roots.len();
        let mut kept = std::mem::take(&mut self.roots).into_iter();
        let mut dirty: Vec<At> = Vec::new();
        for (index, root) in snapshot.roots.iter().enumerate() {
            let (state, places, differs) = take_over(root, kept.next());
            changed |= differs;
            dirty.extend(places.into_iter().map(|place| (index, place)));
            self.roots.push(state);
        }
        if changed {
            self.refused.clear();
        }
        for (root, place) in &dirty {
            let root_now = &snapshot.roots[*root];
            let file = &root_now.files[*place];
            if file.content != Content::Unchanged {
                let said = language.said(&root_now.input(file));
                self.roots[*root].files[*place].say(said);
            }
        }
        let mut around = Around {
            snapshot,
            directory,
            language,
            in_force,
        };
        let unchecked: HashSet<At> = dirty.iter().copied().collect();
        let commons = self.table(in_force, &unchecked);
        dirty.extend(self.stale(&commons, &unchecked));
        dirty.sort_unstable();
        self.check_all(&dirty, &commons, &mut around);
        self.settle(&mut around);
        changed
    }

    /// Checks files and takes over what that says.
    pub(super) fn check_all(&mut self, files: &[At], commons: &Table, around: &mut Around<'_>) {
        let last_good = around.in_force.defaults_texts();
        for chunk in files.chunks(CHUNK) {
            for (at, file) in self.check(chunk, around, &last_good, commons) {
                self.roots[at.0].files[at.1].take(&file, around.in_force);
            }
            for (root, place) in chunk {
                forget_text(&mut around.snapshot.roots[*root].files[*place]);
            }
        }
    }

    /// What the merge is to know.
    pub(super) fn now(&self) -> Vec<RootNow<'_>> {
        self.roots
            .iter()
            .map(|root| RootNow {
                path: &root.path,
                lost: root.lost.is_some(),
                files: root
                    .files
                    .iter()
                    .map(|file| FileNow {
                        path: &file.path,
                        shown: &file.shown,
                        hash: &file.hash,
                        content: file.content.as_ref(),
                    })
                    .collect(),
            })
            .collect()
    }

    /// Finds out where names stand in these files, as their text shows them. They are read and
    /// checked once more for it, since nobody asks for names until two files claim one.
    pub(super) fn find_places(&mut self, files: &BTreeSet<At>, around: &mut Around<'_>) {
        let unknown = files.iter().copied();
        let unknown: Vec<At> = unknown
            .filter(|at| self.roots[at.0].files[at.1].places().is_empty())
            .collect();
        let last_good = around.in_force.defaults_texts();
        let commons = self.table(around.in_force, &HashSet::new());
        for (at, file) in self.check(&unknown, around, &last_good, &commons) {
            self.roots[at.0].files[at.1].trouble().places = file.names.clone();
        }
        for (root, place) in unknown {
            forget_text(&mut around.snapshot.roots[root].files[place]);
        }
    }

    /// Where `name` stands in the file that people know as `shown`.
    pub(super) fn place_of(
        &self,
        shown: &str,
        kind: NameKind,
        name: &str,
    ) -> Option<crate::finding::Excerpt> {
        let mut files = self.roots.iter().flat_map(|root| &root.files);
        let file = files.find(|file| *file.shown == *shown)?;
        let mut places = file.places().iter();
        let place = places.find(|place| place.kind == kind && *place.name == *name)?;
        Some(place.at.clone())
    }

    /// The file that people know as `shown`.
    pub(super) fn find(&self, shown: &str) -> Option<At> {
        self.roots.iter().enumerate().find_map(|(index, root)| {
            let place = root.files.iter().position(|file| *file.shown == *shown)?;
            Some((index, place))
        })
    }

    /// Checks the files at `chunk`, with the `_defaults.yaml` files that they inherit from.
    fn check(
        &self,
        chunk: &[At],
        around: &mut Around<'_>,
        last_good: &DefaultsTexts,
        commons: &Table,
    ) -> Vec<(At, Arc<CheckedFile>)> {
        let Around {
            snapshot,
            directory,
            language,
            ..
        } = around;
        let wanted = with_defaults(chunk, snapshot);
        let unread: Vec<At> = wanted
            .iter()
            .filter(|(root, place)| {
                snapshot.roots[*root].files[*place].content == Content::Unchanged
            })
            .copied()
            .collect();
        directory.read_again(snapshot, &unread);
        let inputs: Vec<InputFile> = wanted
            .iter()
            .map(|(root, place)| {
                let root = &snapshot.roots[*root];
                root.input(&root.files[*place])
            })
            .collect();
        let places: HashMap<(&str, &str), At> = inputs
            .iter()
            .zip(&wanted)
            .map(|(input, at)| ((&*input.root, &*input.path), *at))
            .collect();
        let asked: HashSet<At> = chunk.iter().copied().collect();
        let checked = language.check(&inputs, last_good, commons);
        let files = checked.files.into_iter().filter_map(|file| {
            let at = *places.get(&(&*file.root, &*file.path))?;
            asked.contains(&at).then_some((at, file))
        });
        files.collect()
    }
}

/// The state of a root after a look, which of its files must be checked, and whether anything differs.
fn take_over(root: &Root, old: Option<RootState>) -> (RootState, Vec<usize>, bool) {
    let old = old.unwrap_or_else(|| RootState {
        path: root.path.clone(),
        folder: root.folder.clone(),
        lost: None,
        files: Vec::new(),
    });
    let mut differs = old.lost != root.lost;
    if root.lost.is_some() {
        let state = RootState {
            lost: root.lost.clone(),
            ..old
        };
        return (state, Vec::new(), differs);
    }
    // Relative paths in the files mean something else now.
    let moved = old.folder != root.folder;
    let mut dirty = Vec::new();
    let mut files = Vec::with_capacity(root.files.len());
    // Folders whose defaults are others now.
    let mut folders: HashSet<String> = HashSet::new();
    let mut note = |path: &str| {
        differs = true;
        if is_defaults(path) {
            folders.insert(folder(path).to_owned());
        }
    };
    let mut rest = old.files.into_iter().peekable();
    for (place, file) in root.files.iter().enumerate() {
        while let Some(gone) = rest.next_if(|old| old.path < file.path) {
            note(&gone.path);
        }
        match rest.next_if(|old| old.path == file.path) {
            Some(old) if !moved && old.is_as(file) => files.push(old),
            old => {
                note(&file.path);
                dirty.push(place);
                let mut state = FileState::new(file);
                if let Some(old) = old {
                    state.variables = old.variables;
                    if file.content == Content::Unchanged {
                        // The same bytes say the same.
                        state.commons = old.commons;
                    }
                }
                files.push(state);
            }
        }
    }
    rest.for_each(|gone| note(&gone.path));
    if !folders.is_empty() {
        let below = |file: &FileState| {
            let mut path = folder(&file.path);
            loop {
                if folders.contains(path) {
                    return true;
                }
                if path.is_empty() {
                    return false;
                }
                path = folder(path);
            }
        };
        let clean: HashSet<usize> = dirty.iter().copied().collect();
        let more = files.iter().enumerate();
        let more = more.filter(|(place, file)| !clean.contains(place) && below(file));
        dirty.extend(more.map(|(place, _)| place).collect::<Vec<_>>());
        dirty.sort_unstable();
    }
    let state = RootState {
        path: root.path.clone(),
        folder: root.folder.clone(),
        lost: None,
        files,
    };
    (state, dirty, differs)
}

/// The files at `chunk` and every `_defaults.yaml` above them, each once, in order.
fn with_defaults(chunk: &[At], snapshot: &Snapshot) -> Vec<At> {
    let mut wanted: BTreeSet<At> = chunk.iter().copied().collect();
    let mut known: HashSet<(usize, &str)> = HashSet::new();
    for (root, place) in chunk {
        let files = &snapshot.roots[*root].files;
        let mut path = folder(&files[*place].path);
        while known.insert((*root, path)) {
            let defaults = match path {
                "" => DEFAULTS.to_owned(),
                folder => format!("{folder}/{DEFAULTS}"),
            };
            if let Ok(place) = files.binary_search_by(|file| (*file.path).cmp(&defaults)) {
                wanted.insert((*root, place));
            }
            if path.is_empty() {
                break;
            }
            path = folder(path);
        }
    }
    wanted.into_iter().collect()
}

fn forget_text(file: &mut Arc<File>) {
    if let Content::Read(_) = file.content {
        *file = Arc::new(File {
            path: file.path.clone(),
            shown: file.shown.clone(),
            content: Content::Unchanged,
            hash: file.hash,
        });
    }
}

pub(super) fn is_defaults(path: &str) -> bool {
    path.rsplit('/').next() == Some(DEFAULTS)
}

/// The folder of a path; empty for the root and for what lies in it.
fn folder(path: &str) -> &str {
    path.rfind('/').map_or("", |slash| &path[..slash])
}
