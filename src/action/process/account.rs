//! Looks up whom a job runs as. Names are looked up anew at each attempt, in the parent: the
//! child must not, between its rights and the program.

use std::ffi::CString;
use std::path::PathBuf;

use nix::unistd::{Gid, Group, User, getgrouplist};

use super::super::failure::Failure;
use crate::model::Account;

/// A user of this machine, and the groups of a process that runs as it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// With `gid`.
    pub(super) groups: Vec<u32>,
    pub(super) home: PathBuf,
    pub(super) shell: PathBuf,
}

/// Whom the names mean on this machine.
pub(super) fn find(account: &Account) -> Result<Identity, Failure> {
    let name = &*account.user;
    let user = User::from_name(name)
        .map_err(|error| Failure::setup(format!("the user {name} cannot be looked up: {error}")))?
        .ok_or_else(|| {
            Failure::setup(format!(
                "there is no user {name} on this machine: make it (useradd --system {name}), or mend `user`"
            ))
        })?;
    if user.uid.is_root() {
        return Err(Failure::setup(format!(
            "the user {name} is root by another name: name one that is not, or leave `user` out"
        )));
    }
    let gid = match &account.group {
        None => user.gid,
        Some(group) => group_named(group)?,
    };
    let groups = CString::new(name)
        .ok()
        .and_then(|name| getgrouplist(&name, gid).ok())
        .ok_or_else(|| Failure::setup(format!("the groups of {name} cannot be looked up")))?;
    Ok(Identity {
        name: user.name,
        uid: user.uid.as_raw(),
        gid: gid.as_raw(),
        groups: groups.into_iter().map(Gid::as_raw).collect(),
        home: user.dir,
        shell: user.shell,
    })
}

fn group_named(group: &str) -> Result<Gid, Failure> {
    let found = Group::from_name(group).map_err(|error| {
        Failure::setup(format!("the group {group} cannot be looked up: {error}"))
    })?;
    found.map(|found| found.gid).ok_or_else(|| {
        Failure::setup(format!(
            "there is no group {group} on this machine: make it (groupadd --system {group}), or mend `user`"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(user: &str, group: Option<&str>) -> Account {
        Account {
            user: user.into(),
            group: group.map(Into::into),
        }
    }

    #[test]
    fn a_user_is_found_with_its_groups_or_named_as_missing() {
        // Every Debian has it, and every other Linux that is not a bare container.
        let nobody = find(&account("nobody", None)).unwrap();
        assert_ne!(nobody.uid, 0);
        assert!(nobody.groups.contains(&nobody.gid), "{nobody:?}");
        let in_daemon = find(&account("nobody", Some("daemon"))).unwrap();
        assert_ne!(in_daemon.gid, nobody.gid);
        assert!(in_daemon.groups.contains(&in_daemon.gid));
        for (user, group, says) in [
            ("no-such-user", None, "there is no user no-such-user"),
            (
                "nobody",
                Some("no-such-group"),
                "there is no group no-such-group",
            ),
            ("root", None, "is root"),
        ] {
            let failure = find(&account(user, group)).unwrap_err();
            assert!(failure.message.contains(says), "{}", failure.message);
        }
    }
}
