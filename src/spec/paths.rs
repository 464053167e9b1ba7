//! Paths in job files: a relative one stays in its tree, an absolute one is taken as it is.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::decode::Decoder;
use super::tree::{Node, shorten};
use crate::finding::Code;
use crate::model::TreePath;

/// Where a file stands, for the relative paths in it.
#[derive(Clone, Debug)]
pub(super) struct Home {
    /// The PATH, absolute.
    pub root: Arc<Path>,
    /// The folder of the file itself.
    pub folder: Arc<Path>,
}

impl Home {
    pub fn new(root: &Arc<Path>, path: &str) -> Self {
        let parent = path.rsplit_once('/').map(|(parent, _)| parent);
        let folder = match parent {
            Some(parent) => Arc::from(root.join(parent)),
            None => root.clone(),
        };
        Self {
            root: root.clone(),
            folder,
        }
    }

    /// `written` as an absolute path; `None` when it leaves the tree.
    fn resolve(&self, written: &str) -> Option<TreePath> {
        let path = Path::new(written);
        if path.is_absolute() {
            return Some(TreePath {
                path: Arc::from(path),
                within: None,
            });
        }
        let path = normalize(&self.folder.join(path))?;
        path.starts_with(&*self.root).then(|| TreePath {
            path: Arc::from(path),
            within: Some(self.root.clone()),
        })
    }
}

/// Takes `.` and `..` out, by the words alone: links are the reader's business.
fn normalize(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                if !clean.pop() {
                    return None;
                }
            }
            other => clean.push(other),
        }
    }
    Some(clean)
}

/// Reads one path.
pub(super) fn read<'t>(
    decoder: &mut Decoder<'t, '_>,
    key: &str,
    node: &Node<'t>,
    home: &Home,
) -> Option<TreePath> {
    let text = decoder.text(key, node)?;
    if text.is_empty() {
        let message = format!("`{key}` is an empty path");
        decoder.report(Code::BadPath, node.span, &message, "");
        return None;
    }
    if text == "~" || text.starts_with("~/") {
        let message = format!("`{}`: `~` means nothing here", shorten(&text));
        decoder.report(
            Code::BadPath,
            node.span,
            &message,
            "write the whole path, or ${HOME}/…",
        );
        return None;
    }
    let resolved = home.resolve(&text);
    if resolved.is_none() {
        let message = format!("`{}` leaves the tree of job files", shorten(&text));
        decoder.report(
            Code::BadPath,
            node.span,
            &message,
            "keep it below the tree, or write an absolute path",
        );
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_stay_in_the_tree() {
        let root: Arc<Path> = Arc::from(Path::new("/srv/jobs"));
        let home = Home::new(&root, "team/a.yaml");
        for (written, expected) in [
            ("x", Some("/srv/jobs/team/x")),
            ("./x/../y", Some("/srv/jobs/team/y")),
            ("../x", Some("/srv/jobs/x")),
            ("..", Some("/srv/jobs")),
            ("../..", None),
            ("../../jobs2/x", None),
            ("../../../../../../etc/shadow", None),
            ("/etc/shadow", Some("/etc/shadow")),
        ] {
            let found = home.resolve(written);
            let found = found.as_ref().map(|t| t.path.to_str().unwrap());
            assert_eq!(found, expected, "{written}");
        }
        assert!(home.resolve("x").unwrap().within.is_some());
        assert!(home.resolve("/x").unwrap().within.is_none());
    }
}
