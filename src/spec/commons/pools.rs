//! `pools:` of a file, and `pool` of a job.

use std::sync::Arc;

use super::{Common, InFile, Names, Own, Table};
use crate::finding::Code;
use crate::ids::PoolName;
use crate::model::{NameKind, Placed, Pool};
use crate::spec::decode::{Decoder, Scope};
use crate::spec::fields::POOL;
use crate::spec::limits;
use crate::spec::paths::Home;
use crate::spec::tree::{Entry, Span};

impl Common for Pool {
    const KIND: NameKind = NameKind::Pool;
    const KEYS: &'static str = "`limit:`, how many runs at once";
    const GOES_ON: &'static str = "the job goes on by the limit that it had";
    const BUILT_IN: &'static [&'static str] = &[Pool::DEFAULT];

    fn read<'t>(decoder: &mut Decoder<'t, '_>, entry: &Entry<'t>, _: &Home) -> Option<Self> {
        if entry.key.eq_ignore_ascii_case(Pool::DEFAULT) {
            let message = format!(
                "`{}` is the pool of jobs that name none, and has no limit of its own",
                entry.key
            );
            let help = "give this one another name; `elder run --max-workers` bounds all processes";
            decoder.report(Code::BadName, entry.key_span, &message, help);
            return None;
        }
        let before = decoder.errors();
        let mut limit = None;
        for (key, entry) in decoder.fields(&POOL, &entry.value, Scope::Job)? {
            if key == "limit" {
                let number = decoder.number(key, &entry.value, 1, limits::POOL);
                limit = number.and_then(|number| u32::try_from(number).ok());
            }
        }
        if limit.is_none() && decoder.errors() == before {
            let message = format!("the pool `{}` has no `limit`", entry.key);
            let help = "write `limit: 2`; for no limit, leave `pool` out of the jobs";
            decoder.report(Code::MissingKey, entry.key_span, &message, help);
        }
        Some(Pool {
            name: PoolName::new(&entry.key).ok()?,
            limit: limit?,
        })
    }

    fn name(&self) -> &PoolName {
        &self.name
    }

    fn own(file: &mut InFile) -> &mut Own<Self> {
        &mut file.pools
    }

    fn names(table: &Table) -> &Names<Self> {
        &table.pools
    }

    fn defined(commons: &crate::model::Commons) -> &[Placed<Self>] {
        &commons.pools
    }
}

/// The pool that a job names at `span`; what is wrong with it is told. `None` for `default`.
pub(in crate::spec) fn pool(
    decoder: &mut Decoder<'_, '_>,
    name: &Arc<str>,
    span: Span,
) -> Option<Arc<Pool>> {
    if **name == *Pool::DEFAULT {
        return None;
    }
    super::named(decoder, "pool", name, span)
}
