//! What the parent tells the child between them, and what that answers: bytes over a socket, so that
//! nothing of it stands on a command line.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// What is to become of the process before the program begins, and the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Plan {
    pub(in super::super) program: OsString,
    /// As what the program sees itself.
    pub(in super::super) name: OsString,
    pub(in super::super) arguments: Vec<OsString>,
    /// `NAME=value`, each name once.
    pub(in super::super) environment: Vec<OsString>,
    pub(in super::super) folder: Option<PathBuf>,
    /// The folder of the control group to go into.
    pub(in super::super) cgroup: Option<PathBuf>,
    pub(in super::super) credentials: Option<Credentials>,
    /// Open files: what the program has, and up to what it may raise that; `u64::MAX` is no limit.
    pub(in super::super) open_files: Option<(u64, u64)>,
    /// Whether it may leave no core dump.
    pub(in super::super) no_core: bool,
    /// Seconds of CPU time: SIGXCPU at the first, SIGKILL at the second.
    pub(in super::super) cpu_seconds: Option<(u64, u64)>,
    /// Processes that the user may have.
    pub(in super::super) processes: Option<u64>,
    pub(in super::super) umask: Option<u32>,
}

/// Whom the process becomes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Credentials {
    pub(in super::super) uid: u32,
    pub(in super::super) gid: u32,
    pub(in super::super) groups: Vec<u32>,
}

impl Plan {
    /// Fields that end in a NUL, which none of them can hold; lists begin with their length.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Fields(Vec::new());
        out.text(&self.program);
        out.text(&self.name);
        out.list(&self.arguments);
        out.list(&self.environment);
        out.text(
            self.folder
                .as_deref()
                .map_or(OsStr::new(""), |path| path.as_os_str()),
        );
        out.text(
            self.cgroup
                .as_deref()
                .map_or(OsStr::new(""), |path| path.as_os_str()),
        );
        match &self.credentials {
            None => out.numbers(&[]),
            Some(one) => {
                let mut numbers = vec![u64::from(one.uid), u64::from(one.gid)];
                numbers.extend(one.groups.iter().map(|group| u64::from(*group)));
                out.numbers(&numbers);
            }
        }
        let pair = |pair: Option<(u64, u64)>| pair.map_or(Vec::new(), |(a, b)| vec![a, b]);
        out.numbers(&pair(self.open_files));
        out.numbers(&[u64::from(self.no_core)]);
        out.numbers(&pair(self.cpu_seconds));
        out.numbers(self.processes.as_slice());
        out.numbers(self.umask.map(u64::from).as_slice());
        out.0
    }

    /// What [`encode`](Self::encode) wrote; `None` for anything else.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_suffix(b"\0")?;
        let mut fields = Reader(bytes.split(|byte| *byte == 0));
        let plan = Self {
            program: fields.text()?,
            name: fields.text()?,
            arguments: fields.list()?,
            environment: fields.list()?,
            folder: Some(fields.text()?)
                .filter(|path| !path.is_empty())
                .map(Into::into),
            cgroup: Some(fields.text()?)
                .filter(|path| !path.is_empty())
                .map(Into::into),
            credentials: match &fields.numbers()?[..] {
                [] => None,
                [uid, gid, groups @ ..] => Some(Credentials {
                    uid: u32::try_from(*uid).ok()?,
                    gid: u32::try_from(*gid).ok()?,
                    groups: groups
                        .iter()
                        .map(|group| u32::try_from(*group).ok())
                        .collect::<Option<_>>()?,
                }),
                _ => return None,
            },
            open_files: pair(&fields.numbers()?)?,
            no_core: fields.numbers()?.first() == Some(&1),
            cpu_seconds: pair(&fields.numbers()?)?,
            processes: fields.numbers()?.first().copied(),
            umask: match fields.numbers()?.first() {
                Some(mask) => Some(u32::try_from(*mask).ok()?),
                None => None,
            },
        };
        fields.0.next().is_none().then_some(plan)
    }
}

#[expect(
    clippy::option_option,
    reason = "outside: was it readable; inside: a pair or none"
)]
fn pair(numbers: &[u64]) -> Option<Option<(u64, u64)>> {
    match numbers {
        [] => Some(None),
        [first, second] => Some(Some((*first, *second))),
        _ => None,
    }
}

struct Fields(Vec<u8>);

impl Fields {
    fn text(&mut self, text: &OsStr) {
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
    }

    fn list(&mut self, list: &[OsString]) {
        self.text(OsStr::new(&list.len().to_string()));
        list.iter().for_each(|text| self.text(text));
    }

    fn numbers(&mut self, numbers: &[u64]) {
        let numbers: Vec<OsString> = numbers.iter().map(|n| n.to_string().into()).collect();
        self.list(&numbers);
    }
}

struct Reader<I>(I);

impl<'a, I: Iterator<Item = &'a [u8]>> Reader<I> {
    fn text(&mut self) -> Option<OsString> {
        Some(OsString::from_vec(self.0.next()?.to_vec()))
    }

    fn list(&mut self) -> Option<Vec<OsString>> {
        let length: usize = self.text()?.to_str()?.parse().ok()?;
        (0..length).map(|_| self.text()).collect()
    }

    fn numbers(&mut self) -> Option<Vec<u64>> {
        let list = self.list()?;
        list.iter()
            .map(|text| text.to_str()?.parse().ok())
            .collect()
    }
}

/// Where the child had got to when something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Step {
    /// The plan could not be read.
    Plan = 1,
    /// It could not go into its control group.
    Cgroup,
    /// Descriptors could not be marked to be closed.
    Descriptors,
    /// A limit could not be set: open files.
    OpenFiles,
    /// A limit could not be set: CPU time.
    CpuTime,
    /// A limit could not be set: processes.
    Processes,
    /// A limit could not be set: core dumps.
    Core,
    /// The groups, the group or the user could not be changed.
    User,
    /// It could have become root again.
    WayBack,
    /// `no_new_privs` could not be set.
    NoNewPrivileges,
    /// The working folder could not be entered.
    Folder,
    /// The program could not be started.
    Program,
}

impl Step {
    const ALL: [Step; 12] = [
        Step::Plan,
        Step::Cgroup,
        Step::Descriptors,
        Step::OpenFiles,
        Step::CpuTime,
        Step::Processes,
        Step::Core,
        Step::User,
        Step::WayBack,
        Step::NoNewPrivileges,
        Step::Folder,
        Step::Program,
    ];
}

/// No loader and no panic begins its complaint like this.
const MARK: &[u8] = b"\0elder";

/// What the child answers when it comes to no program: a step, and the system's number for what went wrong.
pub(super) fn encode_failure(step: Step, errno: i32) -> Vec<u8> {
    let mut bytes = MARK.to_vec();
    bytes.push(step as u8);
    bytes.extend_from_slice(&errno.to_le_bytes());
    bytes
}

/// What [`encode_failure`] wrote.
pub(super) fn decode_failure(bytes: &[u8]) -> Option<(Step, i32)> {
    let (step, errno) = bytes.strip_prefix(MARK)?.split_first()?;
    let step = Step::ALL.into_iter().find(|one| *one as u8 == *step)?;
    Some((step, i32::from_le_bytes(errno.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_reads_back_and_nothing_else_is_one() {
        let plain = Plan {
            program: "/bin/true".into(),
            name: "true".into(),
            ..Plan::default()
        };
        let full = Plan {
            arguments: vec![
                "".into(),
                "a b\n".into(),
                OsString::from_vec(vec![0xff, 0xfe]),
            ],
            environment: vec!["A=b=c".into(), "E=".into()],
            folder: Some("/srv/jobs".into()),
            cgroup: Some("/sys/fs/cgroup/elder/run-1".into()),
            credentials: Some(Credentials {
                uid: 1000,
                gid: 100,
                groups: vec![100, 4],
            }),
            open_files: Some((1024, u64::MAX)),
            no_core: true,
            cpu_seconds: Some((300, 310)),
            processes: Some(256),
            umask: Some(0o022),
            ..plain.clone()
        };
        for plan in [plain, full] {
            let bytes = plan.encode();
            assert_eq!(Plan::decode(&bytes), Some(plan));
            for end in 0..bytes.len() {
                assert_eq!(Plan::decode(&bytes[..end]), None, "cut at {end}");
            }
            assert_eq!(Plan::decode(&[&bytes[..], b"x\0"].concat()), None);
        }
    }

    #[test]
    fn a_failure_reads_back_and_other_words_are_none() {
        for step in Step::ALL {
            let bytes = encode_failure(step, 13);
            assert_eq!(decode_failure(&bytes), Some((step, 13)));
            assert_eq!(decode_failure(&bytes[..bytes.len() - 1]), None);
        }
        assert_eq!(decode_failure(b""), None);
        assert_eq!(
            decode_failure(b"error while loading shared libraries"),
            None
        );
    }
}
