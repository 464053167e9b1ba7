//! What of elder's environment a plan may use whose files come from somebody who may not read it.

use std::sync::Arc;

use super::Terms;
use crate::decide::merge::InForce;
use crate::model::{Context, SecretSource};
use crate::spec::{Shown, Variables};

impl Terms {
    /// The same for files of somebody who may read jobs and not elder's environment. A variable is
    /// filled in no further than elder's own files (`used`) let it be seen already, or where
    /// `--env-allow` names it; never one that a job or a sage has a secret from.
    #[must_use]
    pub fn lending(mut self, used: &Variables, in_force: &InForce) -> Self {
        let mut lent = used.clone();
        for name in self.options.env_allow.iter().flat_map(|names| names.iter()) {
            lent.add(name, Shown::Value);
        }
        let sages = in_force.sages();
        let of_sages = sages.values().map(|sage| &*sage.context);
        let of_jobs = in_force.jobs().map(|job| &*job.definition.context);
        for name in of_jobs.chain(of_sages).flat_map(secret_variables) {
            lent.remove(name);
        }
        self.options.lent = Some(Arc::new(lent));
        self
    }
}

fn secret_variables(context: &Context) -> impl Iterator<Item = &str> {
    let sources = context.secrets.iter().map(|(_, source)| source);
    sources.filter_map(|source| match source {
        SecretSource::Env(name) => Some(&**name),
        SecretSource::File(_) => None,
    })
}
