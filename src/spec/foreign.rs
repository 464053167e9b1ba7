//! Files that are YAML and belong to somebody else.

use super::problem::Problem;
use super::tree::{Tree, Value, shorten};
use crate::finding::Code;

/// A Kubernetes manifest: its keys are no misspelt ones of ours, and one finding says it all.
pub(super) fn kubernetes(tree: &Tree<'_>, text: &str, shown: &str) -> Option<Problem> {
    let Some(Value::Map(top)) = tree.root.as_ref().map(|root| &root.value) else {
        return None;
    };
    let find = |key: &str| top.iter().find(|entry| entry.key == key);
    find("apiVersion")?;
    let entry = find("kind")?;
    let kind = entry.value.scalar()?;
    let message = format!(
        "a Kubernetes manifest ({}), not a job file",
        shorten(&kind.text)
    );
    // Only the first document was read.
    let help = match text.contains("ConfigMap") {
        true => format!(
            "check the job files in it with `elder validate {shown}`; elder runs them from where \
             `kubectl apply` and a volume put them"
        ),
        false => "keep it in another folder than the job files".to_owned(),
    };
    Some(Problem::new(
        Code::Manifest,
        entry.value.span,
        &message,
        &help,
    ))
}
