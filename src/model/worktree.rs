//! Folders that are named after a commit, as git-sync makes them, and definitions without them.
//!
//! There each commit has a folder of its own, so that with every one of them the absolute paths of all
//! jobs are others. What runs is another path then, but nobody changed the job.

use std::borrow::Cow;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::{Action, Context, Definition, SecretSource, TreePath};

/// What stands for such a folder.
const ANY: &str = "COMMIT";

/// Whether the text is the whole name of a commit.
#[must_use]
pub fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The commit that a folder is named after: `<commit>` or `rev-<commit>`.
#[must_use]
pub fn commit_of(folder: &str) -> Option<&str> {
    let name = folder.strip_prefix("rev-").unwrap_or(folder);
    is_commit(name).then_some(name)
}

impl Definition {
    /// The definition as it reads in the work tree of whichever commit.
    #[must_use]
    pub fn without_commits(&self) -> Cow<'_, Definition> {
        let context = without(&self.context);
        let tls = match &self.action {
            Action::Http(http) => http.tls.as_ref(),
            Action::Process(_) => None,
        };
        let ca = tls.and_then(|tls| tree(tls.ca.as_ref()?));
        let identity = tls.and_then(|tls| {
            let (cert, key) = tls.identity.as_ref()?;
            match (tree(cert), tree(key)) {
                (None, None) => None,
                (new_cert, new_key) => Some((
                    new_cert.unwrap_or_else(|| cert.clone()),
                    new_key.unwrap_or_else(|| key.clone()),
                )),
            }
        });
        if context.is_none() && ca.is_none() && identity.is_none() {
            return Cow::Borrowed(self);
        }
        let mut definition = self.clone();
        if let Some(context) = context {
            definition.context = Arc::new(context);
        }
        if let Action::Http(http) = &mut definition.action
            && let Some(tls) = &mut http.tls
            && (ca.is_some() || identity.is_some())
        {
            let tls = Arc::make_mut(tls);
            tls.ca = ca.or(tls.ca.take());
            tls.identity = identity.or(tls.identity.take());
        }
        Cow::Owned(definition)
    }
}

fn without(context: &Context) -> Option<Context> {
    let cwd = context.cwd.as_deref().and_then(path);
    let file = |source: &SecretSource| match source {
        SecretSource::Env(_) => None,
        SecretSource::File(file) => tree(file).map(SecretSource::File),
    };
    let is_in_one = cwd.is_some()
        || context.env_files.iter().any(|file| tree(file).is_some())
        || context.secrets.iter().any(|(_, it)| file(it).is_some());
    is_in_one.then(|| {
        let mut context = context.clone();
        context.cwd = cwd.or(context.cwd.take());
        for env_file in &mut context.env_files {
            *env_file = tree(env_file).unwrap_or_else(|| env_file.clone());
        }
        for (_, source) in &mut context.secrets {
            *source = file(source).unwrap_or_else(|| source.clone());
        }
        context
    })
}

fn tree(file: &TreePath) -> Option<TreePath> {
    let (own, within) = (path(&file.path), file.within.as_deref().and_then(path));
    (own.is_some() || within.is_some()).then(|| TreePath {
        path: own.unwrap_or_else(|| file.path.clone()),
        within: within.or(file.within.clone()),
    })
}

/// The path with [`ANY`] for folders of commits; `None` where there are none.
fn path(path: &Path) -> Option<Arc<Path>> {
    let is_one = |part: &Component<'_>| match part {
        Component::Normal(name) => name.to_str().is_some_and(|it| commit_of(it).is_some()),
        _ => false,
    };
    path.components().any(|part| is_one(&part)).then(|| {
        let parts = path.components().map(|part| match is_one(&part) {
            true => Path::new(ANY),
            false => Path::new(part.as_os_str()),
        });
        Arc::from(parts.collect::<PathBuf>())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_a_commit_is_known_by_its_name() {
        let commit = "3f2a91c0de3f2a91c0de3f2a91c0de3f2a91c0de";
        for (folder, want) in [
            (commit.to_owned(), Some(commit)),
            (format!("rev-{commit}"), Some(commit)),
            (format!("{commit}0"), None),
            ("deadbeef".to_owned(), None),
        ] {
            assert_eq!(commit_of(&folder), want, "{folder}");
        }
    }

    #[test]
    fn what_lies_in_the_folder_of_a_commit_reads_alike_in_every_commit() {
        let in_tree = |commit: &str| {
            let file = |name: &str| TreePath {
                path: Path::new(&format!("/git/{commit}/jobs.d/{name}")).into(),
                within: Some(Path::new(&format!("/git/{commit}/jobs.d")).into()),
            };
            Context {
                cwd: Some(Path::new(&format!("/git/{commit}/jobs.d")).into()),
                env_files: vec![file("env")],
                secrets: vec![("KEY".into(), SecretSource::File(file("key")))],
                ..Context::default()
            }
        };
        let (one, two) = (in_tree(&"1".repeat(40)), in_tree(&"2".repeat(40)));
        assert_ne!(one, two);
        assert_eq!(without(&one), without(&two));
        assert_eq!(without(&in_tree("current")), None, "nothing to do");
    }
}
