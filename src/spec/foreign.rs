//! Files that are YAML and belong to somebody else.

use super::problem::Problem;
use super::tree::{Node, Tree, Value, shorten};
use crate::finding::Code;

/// A Kubernetes manifest: its keys are no misspelt ones of ours, and one finding says it all.
pub(super) fn kubernetes(tree: &Tree<'_>, shown: &str) -> Option<Problem> {
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
    let help = match &*kind.text {
        "ConfigMap" | "ConfigMapList" | "List" => format!(
            "check the job files in it with `elder validate {shown}`; elder runs them from where \
             `kubectl apply` and a volume put them"
        ),
        _ => "keep it in another folder than the job files".to_owned(),
    };
    let at: &Node<'_> = &entry.value;
    Some(Problem::new(Code::Manifest, at.span, &message, &help))
}
